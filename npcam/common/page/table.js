// A table of photographs, #rows: it is sorted and filtered here, and drawn a piece at a time, so that
// ten thousand rows do no harm. Every name goes through textContent, so that it stays a name.
//
// photoTable({ rows, columns, nameOf, wanted, ... }) fills it and gives { form, redraw, choices }:
//   rows      what is listed, anything
//   columns   [{ title, key(row), show(value), words: [yes, no], plain, name, into(cell, row) }]: `show` makes
//             words of a number, `words` are for what is true or false, `into` fills the cell itself
//   nameOf    the photograph of a row, by which equal rows are sorted
//   errorOf   what went wrong with it, if anything
//   picture   { src(row), href(row) } of a small picture in front, or null
//   wanted    whether the filters, form.elements, let a row through
//   redrawn   called after it was drawn anew
const percent = (share) => (share === null ? "" : `${(100 * share).toFixed(1)}%`);

function photoTable({ rows, columns, nameOf, errorOf, picture, wanted, redrawn }) {
  const PIECE = 200;
  const table = document.getElementById("rows");
  const body = table.tBodies[0];
  const form = document.querySelector(".filters");
  const more = document.getElementById("more");
  let sorted = 0;
  let upwards = true;
  let shown = rows;
  let drawn = 0;

  function drawPicture(row, place) {
    const src = picture.src(row);
    if (!src) return;
    const href = picture.href(row);
    const link = href ? make(place, "a") : place;
    const image = make(link, "img");
    image.loading = "lazy";
    image.alt = "";
    image.src = src;
    if (!href) return;
    link.href = href;
    link.setAttribute("aria-label", `picture of ${nameOf(row)}`);
  }

  function draw(row) {
    const line = body.insertRow();
    if (picture) drawPicture(row, line.insertCell());
    if (errorOf(row)) {
      make(line, "td", nameOf(row), "name");
      make(line, "td", errorOf(row), "error").colSpan = columns.length - 1;
      return;
    }
    for (const column of columns) {
      const value = column.key(row);
      if (column.into) {
        column.into(make(line, "td", undefined, "name"), row);
      } else if (column.words) {
        const mark = value === null ? "" : value ? `\u2713 ${column.words[0]}` : `\u2717 ${column.words[1]}`;
        const text = column.plain && value !== null ? column.words[value ? 0 : 1] : mark;
        make(line, "td", text, value === null || column.plain ? "" : value ? "yes" : "no");
      } else {
        make(line, "td", column.show ? column.show(value) : value, column.show ? "n" : column.name ? "name" : "");
      }
    }
  }

  function drawPiece() {
    for (const row of shown.slice(drawn, drawn + PIECE)) draw(row);
    drawn = Math.min(shown.length, drawn + PIECE);
    more.hidden = drawn === shown.length;
    const of_all = shown.length === rows.length ? "" : ` of ${rows.length.toLocaleString("en")}`;
    const listed = drawn === shown.length ? "" : `; the first ${drawn.toLocaleString("en")} are listed`;
    document.getElementById("count").textContent =
      `${shown.length.toLocaleString("en")}${of_all} photographs${listed}`;
  }

  function compare(a, b) {
    const [x, y] = [columns[sorted].key(a), columns[sorted].key(b)];
    const [no_x, no_y] = [x === null || x === "", y === null || y === ""];
    if (no_x || no_y) return no_x - no_y || order(nameOf(a), nameOf(b)); // what is missing comes last, either way
    const by_value = typeof x === "string" ? order(x, y) : x - y;
    return (upwards ? by_value : -by_value) || order(nameOf(a), nameOf(b));
  }

  function order(x, y) {
    return x < y ? -1 : x > y ? 1 : 0;
  }

  function redraw() {
    shown = rows.filter((row) => wanted(row, form.elements)).sort(compare);
    drawn = 0;
    body.replaceChildren();
    drawPiece();
    table.querySelectorAll("th[aria-sort]").forEach((heading, i) => {
      heading.setAttribute("aria-sort", i !== sorted ? "none" : upwards ? "ascending" : "descending");
    });
    redrawn?.(form.elements);
  }

  // The filter's choices: all, and each of [value, words].
  function choices(select, pairs) {
    for (const [value, words] of [["", "all"], ...pairs]) make(select, "option", words).value = String(value);
  }

  const head = table.tHead.rows[0];
  if (picture) make(head, "th", "Picture").scope = "col";
  columns.forEach((column, i) => {
    const heading = make(head, "th", undefined, column.show ? "n" : "");
    heading.scope = "col";
    heading.setAttribute("aria-sort", "none");
    make(heading, "button", column.title).addEventListener("click", () => {
      upwards = sorted === i ? !upwards : true;
      sorted = i;
      redraw();
    });
    heading.firstChild.type = "button";
  });
  form.addEventListener("input", redraw);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(redraw));
  more.addEventListener("click", drawPiece);
  new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting) && drawn && !more.hidden) drawPiece();
  }, { rootMargin: "400px" }).observe(more);
  form.hidden = false;
  table.hidden = false;
  return { form, redraw, choices };
}
