// One number of a map: the maps that it is computed from, and its place on them.

// Which channel of the input is looked at, and whether all are listed.
const look = {
  source: Infinity,
  all: false,
  activation: about.activation,
  choose(channel) {
    look.source = channel;
    drawNumber();
  },
};

// The layers that only change the number where it is: batch norm, sum and relu after a convolution.
function onwards(name) {
  const chain = [name];
  for (;;) {
    const next = about.layers.find(
      ({ inputs, kind }) =>
        inputs.includes(chain.at(-1)) && ["BatchNormalization", "Add", "Activation"].includes(kind),
    );
    if (!next || layers[chain.at(-1)].kind === "Activation") return chain;
    chain.push(next.name);
  }
}

async function drawNumber() {
  const { layer, channel } = state;
  const shape = state.shapes[layer];
  const flat = shape.length === 1;
  if (!flat) state.at = state.at.map((place, axis) => Math.min(place, shape[axis] - 1));
  const at = flat ? [] : state.at;
  const chain = flat || layers[layer].kind === "Activation" ? [layer] : onwards(layer);
  turns.number = (turns.number ?? 0) + 1;
  const own = turns.number;
  const numbers = await Promise.all(chain.map((name) => ask("number", { layer: name, at, channel })));
  const [n] = numbers;
  // The maps it is read from, with the window on them, and its own map with the place.
  const inputs = layers[layer].inputs.map((name) => {
    const wide = n.shares !== undefined;
    const source = wide ? (look.source < n.shares.length ? look.source : byShare(n.shares)[0]) : channel;
    return { layer: name, channel: source };
  });
  const pictured = flat && layers[layer].kind === "Dense" ? [] : [...inputs, { layer, channel }];
  const maps = await Promise.all(
    pictured.map((one) => ask("maps", { layer: one.layer, channels: [one.channel] })),
  );
  if (own !== turns.number) return;
  $("h-number").textContent = flat
    ? `One number: ${layer}, ${layer === top_layer ? about.class_names[channel] : channel}`
    : `One number: ${layer}, channel ${channel}, row ${at[0]}, column ${at[1]}`;
  $("channel-switch").replaceChildren();
  addSwitch($("channel-switch"), `${layer}:${channel}`, ` channel ${channel} of ${layer}`);
  $("channel-switch").hidden = layer === "input_layer" || layer === top_layer;
  $("to-largest").hidden = flat;
  drawPictures(pictured, maps, n);
  const terms = $("terms");
  const had = terms.contains(document.activeElement) ? document.activeElement.textContent : null;
  terms.replaceChildren();
  for (const one of numbers) writeNumber(make(terms, "div", undefined, "step"), one, look);
  if (had !== null)
    [...terms.querySelectorAll("button")]
      .find((one) => one.textContent === had)
      ?.focus({ preventScroll: true });
  $("spoken").textContent = chain.map((name, step) => `${name}: ${digits(numbers[step].value)}`).join("; ");
}

function drawPictures(pictured, maps, n) {
  const place = $("pictures");
  $("made-of").classList.toggle("wide", n.layer.kind === "Add");
  const focused = place.contains(document.activeElement);
  place.replaceChildren();
  const together =
    layers[state.layer].kind === "Add" && // two maps and their sum can be compared
    maps
      .map(({ maps: [map] }) => rangeOf(map))
      .reduce((a, b) => ({ low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) }));
  pictured.forEach((one, index) => {
    const {
      shape,
      maps: [map],
      low,
    } = maps[index];
    const flat = shape.length === 1;
    const sides = flat ? [1, 1] : shape.slice(0, 2);
    const is_own = index === pictured.length - 1;
    if (index && n.layer.kind === "Add") make(place, "span", is_own ? "=" : "+", "sign");
    const figure = make(place, "figure", undefined, is_own ? "own" : "");
    const frame = make(figure, "div", undefined, "frame");
    const own = rangeOf(map);
    const scale = together || { low: low < 0 ? Math.min(own.low, -1e-30) : 0, high: own.high };
    const canvas = make(frame, "canvas");
    paintMap(canvas, map, sides, colours, scale);
    make(figure, "figcaption", `${one.layer}, channel ${one.channel}: ${fromTo(map)}`);
    if (flat) return;
    const [row, column, size] =
      is_own || n.from === undefined || n.layer.kind === "ZeroPadding2D"
        ? [...(n.from && !is_own ? n.from : state.at), 1]
        : [...n.from, n.size];
    if (n.at.length) {
      const mark = make(frame, "i", undefined, "mark");
      mark.style.left = `${(100 * column) / sides[1]}%`;
      mark.style.top = `${(100 * row) / sides[0]}%`;
      mark.style.width = `${(100 * size) / sides[1]}%`;
      mark.style.height = `${(100 * size) / sides[0]}%`;
    }
    const go = (to) => {
      state.at = to.map((where, axis) => Math.max(0, Math.min(sides[axis] - 1, where)));
      if (is_own) drawNumber();
      else openLayer(one.layer, one.channel, state.at);
    };
    frame.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      go(
        [
          ((event.clientY - box.top) / box.height) * sides[0],
          ((event.clientX - box.left) / box.width) * sides[1],
        ].map(Math.floor),
      );
    });
    if (!is_own) {
      frame.title = `Click to go on with ${one.layer}`;
      return;
    }
    frame.tabIndex = 0;
    frame.setAttribute("role", "application");
    frame.setAttribute("aria-roledescription", "map");
    frame.setAttribute(
      "aria-label",
      `${one.layer}, channel ${one.channel}, ${sides.join(" by ")}; row ${n.at[0]}, column ${n.at[1]}: ${digits(n.value)}. Arrow keys move.`,
    );
    frame.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      const far = event.shiftKey ? 8 : 1;
      go(state.at.map((where, axis) => where + far * step[axis]));
    });
    if (focused) frame.focus({ preventScroll: true });
  });
}

async function toLargest() {
  const {
    shape,
    maps: [map],
  } = await ask("maps", { layer: state.layer, channels: [state.channel] });
  const at = largest(map);
  state.at = [Math.floor(at / shape[1]), at % shape[1]];
  await drawNumber();
}
