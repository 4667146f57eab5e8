// One number taken apart, as arithmetic.js tells it, in words, tables and sums.

const FIRST = 8; // channels listed at first, those that add most

// Each kind of layer: what its number was computed from, under a heading of its own.
const WORDS = {
  InputLayer: (place) => make(place, "p", "A pixel of the photograph, after the preprocessing."),
  ZeroPadding2D: (place, n) =>
    make(
      place,
      "p",
      n.inside
        ? `The number of row ${n.from[0]}, column ${n.from[1]} of ${n.layer.inputs[0]}, moved.`
        : "A zero that the padding puts around the maps.",
    ),
  Conv2D: (place, n, look) => {
    if (n.size === 1) productList(place, n, n.layer.inputs[0], look);
    else windows(place, n, look);
    sumLines(place, n);
  },
  BatchNormalization: (place, n) => {
    const scale = n.gamma / Math.sqrt(n.moving_variance + n.epsilon);
    lines(place, [
      ["gamma", digits(n.gamma)],
      ["moving_mean", digits(n.moving_mean)],
      ["moving_variance", digits(n.moving_variance)],
      ["epsilon", String(n.epsilon)],
      ["beta", digits(n.beta)],
      ["scale = gamma / sqrt(moving_variance + epsilon)", String(scale)],
      [
        "(x - moving_mean) scale + beta",
        `(${digits(n.x)} - ${bracket(n.moving_mean)}) ${scale} + ${bracket(n.beta)}`,
      ],
      ["", `= ${(n.x - n.moving_mean) * scale + n.beta}`],
    ]);
  },
  Activation: (place, n) => lines(place, [["max(x, 0)", `max(${digits(n.x)}, 0)`]]),
  Add: (place, n) =>
    lines(place, [
      [n.layer.inputs[0], digits(n.x)],
      [n.layer.inputs[1], digits(n.z)],
      ["their sum", `${digits(n.x)} + ${bracket(n.z)} = ${n.x + n.z}`],
    ]),
  MaxPooling2D: (place, n) => {
    make(place, "p", "The largest of the numbers under the window:");
    matrix(make(place, "div", undefined, "matrices"), "", n.values, n.size, digits, n.value);
  },
  GlobalAveragePooling2D: (place, n) =>
    lines(place, [
      [`the sum of the map's ${n.count.toLocaleString("en")} numbers`, String(n.sum)],
      [`divided by ${n.count}`, String(n.sum / n.count)],
    ]),
  Dense: (place, n, look) => {
    productList(place, n, n.layer.inputs[0], look);
    sumLines(place, n, "the logit");
  },
};

const bracket = (x) => (x < 0 ? `(${digits(x)})` : digits(x));

function lines(place, pairs) {
  const list = make(place, "dl");
  for (const [term, value] of pairs) {
    make(list, "dt", term);
    make(list, "dd", value);
  }
}

function sumLines(place, n, what = "rounded to float32") {
  const exact = n.sum + n.bias;
  lines(place, [
    [`the sum of all ${n.products.length.toLocaleString("en")} products`, String(n.sum)],
    ["+ bias", digits(n.bias)],
    ["together", String(exact)],
    [what, digits(Math.fround(exact))],
  ]);
}

// The channels in the order of what they add, and how many of them are shown.
function byShare(shares) {
  return [...shares.keys()].sort((a, b) => Math.abs(shares[b]) - Math.abs(shares[a]) || a - b);
}

// A window of one number per channel: a product in each line.
function productList(place, n, input, look) {
  const order = byShare(n.shares);
  make(place, "p", `Products of ${input}'s ${order.length} channels with the kernel, the largest first:`);
  listing(place, order, ["channel", "input", "kernel", "product"], look, (c) => [
    digits(n.values[c]),
    digits(n.kernel[c]),
    String(n.products[c]),
  ]);
}

// A window with rows and columns: each channel's share of the sum, and one channel's numbers in full.
function windows(place, n, look) {
  const order = byShare(n.shares);
  const channels = n.shares.length;
  const chosen = look.source < channels ? look.source : order[0];
  const of = (numbers) => Array.from({ length: n.size ** 2 }, (_, p) => numbers[p * channels + chosen]);
  make(place, "p", `Channel ${chosen} of ${n.layer.inputs[0]}: window, kernel, and the products of the two`);
  const row = make(place, "div", undefined, "matrices");
  matrix(row, "window", of(n.values), n.size, digits);
  matrix(row, "times kernel", of(n.kernel), n.size, digits);
  matrix(row, "= products", of(n.products), n.size, String);
  make(place, "p", "What each channel adds to the sum, the largest first:");
  listing(place, order, ["channel", "sum of its products"], look, (c) => [String(n.shares[c])]);
}

function matrix(parent, title, values, size, words, largest) {
  const scroll = make(parent, "div", undefined, "scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", title || "window");
  const table = make(scroll, "table", undefined, "matrix");
  if (title) make(table, "caption", title);
  const { low, high } = rangeOf(values);
  const most = Math.max(high, -low) || 1;
  for (let a = 0; a < size; a += 1) {
    const line = make(table, "tr");
    for (let b = 0; b < size; b += 1) {
      const x = values[a * size + b];
      const cell = make(line, "td", words(x), x === largest ? "largest" : x < 0 ? "minus" : "plus");
      cell.style.setProperty("--share", Math.abs(x / most).toFixed(3));
    }
  }
}

// A table whose first column chooses a channel; the first ones, and all of them once they are asked for.
function listing(place, order, titles, look, words) {
  const scroll = make(place, "div", undefined, "scroll");
  const table = make(scroll, "table", undefined, "listing");
  const head = make(make(table, "thead"), "tr");
  for (const title of titles) make(head, "th", title).scope = "col";
  const body = make(table, "tbody");
  const put = (channels) => {
    for (const c of channels) {
      const line = make(body, "tr");
      button(make(line, "td"), String(c), () => look.choose(c)).className = "link";
      for (const text of words(c)) make(line, "td", text);
    }
  };
  put(order.slice(0, look.all ? order.length : FIRST));
  if (order.length <= FIRST || look.all) return;
  const more = button(place, `All ${order.length}`, () => {
    put(order.slice(FIRST));
    more.remove();
    look.all = true;
    body.rows[FIRST].querySelector("button").focus();
  });
}

// The whole of one number: heading, what it is made of, and what became of it where a switch had its say.
function writeNumber(place, n, look) {
  const where = n.at.length ? `, row ${n.at[0]}, column ${n.at[1]}` : "";
  const heading = make(place, "h3");
  make(heading, "span", n.layer.name, "name");
  make(heading, "span", ` ${n.layer.kind}, channel ${n.k}${where}`, "aside");
  if (n.off !== null)
    make(
      place,
      "p",
      `Switched off here (${n.off}): what follows is what it would be computed from.`,
      "problem",
    );
  WORDS[n.layer.kind](place, n, look);
  const result = make(place, "p", undefined, "result");
  make(result, "span", n.layer.kind === "Dense" ? `after ${look.activation}: ` : "= ");
  make(result, "strong", digits(n.value));
}
