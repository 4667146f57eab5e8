// What the table of an evaluation has in its columns, and the confusion matrix, whose numbers filter it.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const [NAME, LABEL, PREDICTED, PROBABILITY, OF_CLASS, IOU, PEAK, DROP, INCREASE, PICTURE, ERROR] = Array(11).keys();
  const OTHER = "other";
  const names = new Map(data.classes);
  const true_classes = new Set(data.rows.map((row) => row[LABEL]).filter((label) => label !== null));
  const className = (label) => (label === null ? "" : names.get(label));
  const right = (row) => (row[PREDICTED] === null ? null : row[PREDICTED] === row[LABEL]);
  const hit = (row) => (row[IOU] === null ? null : row[IOU] >= data.hit);
  const cells = [...document.querySelectorAll("[data-predicted]")];

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

  function wanted(row, { class: label, predicted, verdict, text }) {
    if (label.value !== "" && row[LABEL] !== Number(label.value)) return false;
    if (predicted.value === OTHER) {
      if (row[PREDICTED] === null || true_classes.has(row[PREDICTED])) return false;
    } else if (predicted.value !== "" && row[PREDICTED] !== Number(predicted.value)) return false;
    const verdicts = { right: right(row) === true, wrong: right(row) === false, hit: hit(row) === true,
      miss: hit(row) === false, error: Boolean(row[ERROR]) };
    if (verdict.value && !verdicts[verdict.value]) return false;
    return row[NAME].toLowerCase().includes(text.value.trim().toLowerCase());
  }

  function redrawn({ class: label, predicted }) {
    for (const cell of cells) {
      const same = cell.dataset.class === label.value && cell.dataset.predicted === predicted.value;
      cell.setAttribute("aria-pressed", String(same));
    }
  }

  const { form, redraw, choices } = photoTable({
    rows: data.rows,
    columns,
    nameOf: (row) => row[NAME],
    errorOf: (row) => row[ERROR],
    picture: data.rows.some((row) => row[PICTURE])
      ? { src: (row) => row[PICTURE], href: (row) => row[PICTURE] }
      : null,
    wanted,
    redrawn,
  });
  const predicted_classes = new Set(data.rows.map((row) => row[PREDICTED]).filter((label) => label !== null));
  const listed = (labels) => [...labels].sort((x, y) => x - y).map((label) => [label, className(label)]);
  const others = [...predicted_classes].some((label) => !true_classes.has(label));
  choices(form.elements.class, listed(true_classes));
  choices(form.elements.predicted, [...listed(predicted_classes),
    ...(others ? [[OTHER, "none of these classes"]] : [])]);
  for (const cell of cells) {
    cell.addEventListener("click", () => {
      form.reset(); // which has the table drawn once the fields below have their values
      form.elements.class.value = cell.dataset.class;
      form.elements.predicted.value = cell.dataset.predicted;
      setTimeout(() => document.getElementById("photographs").scrollIntoView());
    });
  }
  redraw();
})();
