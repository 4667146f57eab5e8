"use strict";
// The table of photographs: it is sorted and filtered here, and drawn a piece at a time, so that
// ten thousand rows do no harm. Every name goes through textContent, so that it stays a name.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const PIECE = 200;
  const [NAME, LABEL, PREDICTED, PROBABILITY, OF_CLASS, IOU, PEAK, DROP, INCREASE, PICTURE, ERROR] = Array(11).keys();
  const OTHER = "other";
  const names = new Map(data.classes);
  const true_classes = new Set(data.rows.map((row) => row[LABEL]).filter((label) => label !== null));
  const className = (label) => (label === null ? "" : names.get(label));
  const right = (row) => (row[PREDICTED] === null ? null : row[PREDICTED] === row[LABEL]);
  const hit = (row) => (row[IOU] === null ? null : row[IOU] >= data.hit);
  const percent = (share) => (share === null ? "" : `${(100 * share).toFixed(1)}%`);

  const columns = [
    { title: "Photograph", key: (row) => row[NAME], name: true },
    { title: "Class", key: (row) => className(row[LABEL]) },
    { title: "Predicted", key: (row) => className(row[PREDICTED]) },
    { title: "Right", key: right, words: ["right", "wrong"] },
    { title: "Probability", key: (row) => row[PROBABILITY], show: percent },
    { title: "Of the class", key: (row) => row[OF_CLASS], show: percent },
    { title: "IoU", key: (row) => row[IOU], show: (iou) => (iou === null ? "" : iou.toFixed(3)) },
    { title: "Hit", key: hit, words: ["hit", "miss"] },
    { title: "Peak", key: (row) => row[PEAK], words: ["inside", "outside"] },
    { title: "Drop", key: (row) => row[DROP], show: percent },
    { title: "Increase", key: (row) => row[INCREASE], words: ["yes", "no"], plain: true },
  ].filter((column, i) => i < 6 || data.rows.some((row) => column.key(row) !== null));
  const pictures = data.rows.some((row) => row[PICTURE]);

  const table = document.getElementById("rows");
  const body = table.tBodies[0];
  const form = document.querySelector(".filters");
  const more = document.getElementById("more");
  const cells = [...document.querySelectorAll("[data-predicted]")];
  let sorted = 0;
  let upwards = true;
  let shown = data.rows;
  let drawn = 0;

  function make(parent, tag, text, kind) {
    const element = parent.appendChild(document.createElement(tag));
    if (text !== undefined) element.textContent = text;
    if (kind) element.className = kind;
    return element;
  }

  function draw(row) {
    const line = body.insertRow();
    if (pictures) {
      const place = line.insertCell();
      if (row[PICTURE]) {
        const link = make(place, "a");
        link.href = row[PICTURE];
        const image = make(link, "img");
        image.loading = "lazy";
        image.alt = "";
        image.src = row[PICTURE];
        link.setAttribute("aria-label", `picture of ${row[NAME]}`);
      }
    }
    if (row[ERROR]) {
      make(line, "td", row[NAME], "name");
      make(line, "td", row[ERROR], "error").colSpan = columns.length - 1;
      return;
    }
    for (const column of columns) {
      const value = column.key(row);
      if (column.words) {
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
    const of_all = shown.length === data.rows.length ? "" : ` of ${data.rows.length.toLocaleString("en")}`;
    const listed = drawn === shown.length ? "" : `; the first ${drawn.toLocaleString("en")} are listed`;
    document.getElementById("count").textContent =
      `${shown.length.toLocaleString("en")}${of_all} photographs${listed}`;
  }

  function compare(a, b) {
    const [x, y] = [columns[sorted].key(a), columns[sorted].key(b)];
    const [no_x, no_y] = [x === null || x === "", y === null || y === ""];
    if (no_x || no_y) return no_x - no_y || order(a[NAME], b[NAME]); // what is missing comes last, either way
    const by_value = typeof x === "string" ? order(x, y) : x - y;
    return (upwards ? by_value : -by_value) || order(a[NAME], b[NAME]);
  }

  function order(x, y) {
    return x < y ? -1 : x > y ? 1 : 0;
  }

  function wanted(row) {
    const { class: label, predicted, verdict, text } = form.elements;
    if (label.value !== "" && row[LABEL] !== Number(label.value)) return false;
    if (predicted.value === OTHER) {
      if (row[PREDICTED] === null || true_classes.has(row[PREDICTED])) return false;
    } else if (predicted.value !== "" && row[PREDICTED] !== Number(predicted.value)) return false;
    const verdicts = { right: right(row) === true, wrong: right(row) === false, hit: hit(row) === true,
      miss: hit(row) === false, error: Boolean(row[ERROR]) };
    if (verdict.value && !verdicts[verdict.value]) return false;
    return row[NAME].toLowerCase().includes(text.value.trim().toLowerCase());
  }

  function redraw() {
    shown = data.rows.filter(wanted).sort(compare);
    drawn = 0;
    body.replaceChildren();
    drawPiece();
    table.querySelectorAll("th[aria-sort]").forEach((heading, i) => {
      heading.setAttribute("aria-sort", i !== sorted ? "none" : upwards ? "ascending" : "descending");
    });
    const { class: label, predicted } = form.elements;
    for (const cell of cells) {
      const same = cell.dataset.class === label.value && cell.dataset.predicted === predicted.value;
      cell.setAttribute("aria-pressed", String(same));
    }
  }

  function choices(select, labels, other) {
    make(select, "option", "all").value = "";
    for (const label of labels) make(select, "option", className(label)).value = String(label);
    if (other) make(select, "option", "none of these classes").value = OTHER;
  }

  const head = table.tHead.rows[0];
  if (pictures) make(head, "th", "Picture").scope = "col";
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
  const predicted_classes = new Set(data.rows.map((row) => row[PREDICTED]).filter((label) => label !== null));
  const up = (x, y) => x - y;
  choices(form.elements.class, [...true_classes].sort(up));
  choices(form.elements.predicted, [...predicted_classes].sort(up),
    [...predicted_classes].some((label) => !true_classes.has(label)));
  form.addEventListener("input", redraw);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(redraw));
  for (const cell of cells) {
    cell.addEventListener("click", () => {
      form.reset(); // which has the table drawn once the fields below have their values
      form.elements.class.value = cell.dataset.class;
      form.elements.predicted.value = cell.dataset.predicted;
      setTimeout(() => document.getElementById("photographs").scrollIntoView());
    });
  }
  more.addEventListener("click", drawPiece);
  new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting) && drawn && !more.hidden) drawPiece();
  }, { rootMargin: "400px" }).observe(more);
  form.hidden = false;
  table.hidden = false;
  redraw();
})();
