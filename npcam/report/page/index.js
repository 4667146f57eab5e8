// What the table of a folder's photographs has in its columns.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const names = new Map(data.classes);
  const className = (row) => (row.index === null ? "" : names.get(row.index));
  const number = (digits) => (value) => (value === null ? "" : value.toFixed(digits).replace("-", "\u2212"));

  // A photograph's name leads to its report; where there is none, the command that makes it stands below.
  function drawName(cell, row) {
    if (row.page) make(cell, "a", row.photo).href = row.page;
    else {
      make(cell, "span", row.photo);
      make(cell, "code", row.command);
    }
  }

  function drawFindings(cell, row) {
    if (!row.findings.length) return;
    const list = make(cell, "ul");
    for (const words of row.findings) make(list, "li", words);
  }

  const { form, redraw, choices } = photoTable({
    rows: data.rows,
    columns: [
      { title: "Photograph", key: (row) => row.photo, into: drawName },
      { title: "Class", key: className },
      data.probabilities ? { title: "Probability", key: (row) => row.probability, show: percent }
        : { title: "Value", key: (row) => row.probability, show: number(3) },
      { title: "Margin", key: (row) => row.margin, show: number(2) },
      { title: "Evidence in the box", key: (row) => row.evidence_in_box, show: percent },
      { title: "Findings", key: (row) => row.findings.length, into: drawFindings },
    ],
    nameOf: (row) => row.photo,
    errorOf: (row) => row.error,
    picture: { src: (row) => row.picture, href: (row) => row.page },
    wanted(row, { class: label, findings, text }) {
      if (label.value !== "" && row.index !== Number(label.value)) return false;
      const kinds = { some: row.findings.length > 0, none: !row.error && !row.findings.length,
        error: Boolean(row.error) };
      if (findings.value && !kinds[findings.value]) return false;
      return row.photo.toLowerCase().includes(text.value.trim().toLowerCase());
    },
  });
  choices(form.elements.class, data.classes);
  redraw();
})();
