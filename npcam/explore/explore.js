// What a person sees: the state of the page, and its sections, each drawn from it. The worker has all the numbers.

const about = JSON.parse(document.getElementById("network-data").textContent);
const opening = JSON.parse(document.getElementById("photo-data").textContent);
const colours = { viridis: coloursOf(about.colours.viridis), signed: coloursOf(about.colours.signed) };
const layers = Object.fromEntries(about.layers.map((layer) => [layer.name, layer]));
const top_layer = about.layers.at(-1).name;
const average = about.layers.at(-2).name;
const last_maps = layers[average].inputs[0];
const $ = (id) => document.getElementById(id);

const state = {
  pixels: null, // what the network is given: bytes, red, green, blue
  layer: "conv1_conv",
  channel: 0,
  at: about.input_size.map((side) => side >> 2), // the middle of the first convolution's maps
  target: 0,
  added: 1, // maps in the growing sum
  off: new Set(),
  shapes: {}, // of layers that were looked at
  results: null,
  chosen: false, // whether a person chose the class
};

// Questions to the worker ------------------------------------------------------------------------------------------

const source = [$("engine").textContent, $("worker").textContent].join("\n");
const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
const waiting = new Map();
worker.onmessage = ({ data: { id, answer, error } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error === undefined) resolve(answer);
  else reject(new Error(error));
};
let asked = 0;
function ask(question, rest = {}, transfer = []) {
  asked += 1;
  const id = asked;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, question, ...rest }, transfer);
  });
}

function say(text, problem = false) {
  $("status").textContent = text;
  $("status").className = problem ? "problem" : "";
}

// Of several answers on their way only the last is drawn.
const turns = {};
async function latest(what, question, rest) {
  turns[what] = (turns[what] ?? 0) + 1;
  const own = turns[what];
  const answer = await ask(question, rest);
  return own === turns[what] ? answer : null;
}

// The photograph ---------------------------------------------------------------------------------------------------

async function usePhoto(pixels, view, name, size, notes = []) {
  state.pixels = pixels;
  const canvas = $("photo");
  [canvas.width, canvas.height] = [view.naturalWidth ?? view.width, view.naturalHeight ?? view.height];
  canvas.getContext("2d").drawImage(view, 0, 0);
  canvas.setAttribute("aria-label", `The photograph ${name}`);
  $("photo-name").textContent = `${name}, ${size.join("\u00d7")} pixels`;
  say("Computing.");
  const { milliseconds, ...results } = await ask("run", { pixels });
  state.results = results;
  if (!state.chosen) state.target = largest(results.shown.logits);
  $("inside").hidden = false;
  $("try").hidden = false;
  await redraw();
  state.milliseconds = milliseconds;
  const words = [`All layers in ${Math.round(milliseconds)} ms: ${about.class_names[state.best]}.`, ...notes];
  say(words.join(" "), notes.length > 0);
}

async function openFile(file) {
  say(`Reading ${file.name}.`);
  let photo;
  try {
    photo = await decode(file, about.photo_size, 640);
  } catch {
    say(`${file.name}: is no photograph that this browser can read; choose a JPEG, PNG or WebP.`, true);
    return;
  }
  const notes = photo.clear
    ? ["It has transparent places: npcam drops transparency, the browser does not, and the numbers there differ."] : [];
  await usePhoto(photo.pixels, photo.view, file.name, photo.size, notes);
}

async function openOwn() {
  const view = new Image();
  view.src = opening.view;
  await view.decode();
  const text = atob(opening.pixels);
  const pixels = Uint8Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
  await usePhoto(pixels, view, opening.name, opening.size,
    opening.turned ? ["Its EXIF asks for a turn, which Keras and npcam do not make."] : []);
}

function largest(numbers) {
  return numbers.reduce((best, x, at) => (x > numbers[best] ? at : best), 0);
}

// Classes ----------------------------------------------------------------------------------------------------------

const LISTED = 14;

function drawClasses() {
  const place = $("classes");
  const focused = place.contains(document.activeElement);
  place.replaceChildren();
  const { shown, plain } = state.results;
  state.best = largest(shown.logits);
  const order = [...plain.probabilities.keys()].sort((a, b) => plain.probabilities[b] - plain.probabilities[a] || a - b);
  const listed = order.slice(0, LISTED);
  for (const k of [state.best, state.target]) if (!listed.includes(k)) listed.push(k);
  const words = about.activation === "linear" ? few : percent;
  const bar = (x) => `${100 * Math.min(1, Math.max(0, about.activation === "linear" ? 0 : x))}%`;
  for (const k of listed) {
    const [now, before] = [shown.probabilities[k], plain.probabilities[k]];
    const one = button(place, "", () => {
      state.target = k;
      state.chosen = true;
      drawClasses();
      drawEvidence();
    });
    one.dataset.rove = "";
    one.setAttribute("aria-pressed", String(k === state.target));
    one.title = `${digits(now)}, logit ${digits(shown.logits[k])}`;
    make(one, "span", about.class_names[k], "name");
    const track = make(one, "span", undefined, "track");
    make(track, "i", undefined, "now").style.width = bar(now);
    if (state.off.size) make(track, "i", undefined, "before").style.left = bar(before);
    make(one, "span", words(now), "value");
    if (state.off.size) make(one, "span", `was ${words(before)}`, "was");
  }
  const chosen = place.querySelector('[aria-pressed="true"]');
  makeReachable(place, chosen);
  if (focused) chosen.focus();
}

// Blocks -----------------------------------------------------------------------------------------------------------

// { title, stage, layers } in order: the input, the stem, each residual block, the top.
const groups = [];
for (const { name } of about.layers) {
  const title = blockOf(name) ?? (name === "input_layer" ? "input" : groups.length < 3 && !/^(avg|pred)/.test(name) ? "conv1" : "top");
  if (groups.at(-1)?.title !== title) {
    groups.push({ title, stage: /^(conv\d+)_/.exec(title)?.[1] ?? title, layers: [] });
  }
  groups.at(-1).layers.push(name);
}
const groupOf = (layer) => groups.find((group) => group.layers.includes(layer));

function buildStrip() {
  let stage = null;
  for (const group of groups) {
    if (stage?.dataset.stage !== group.stage) {
      stage = make($("strip"), "div", undefined, "stage");
      stage.dataset.stage = group.stage;
      make(stage, "span", group.stage, "stage-name");
    }
    const one = button(stage, "", () => openLayer(group.layers.at(-1)));
    one.dataset.rove = "";
    one.dataset.group = group.title;
    make(one, "canvas");
    make(one, "span", group.title.replace(/^conv\d+_/, ""), "block-name");
  }
}

async function drawStrip() {
  const named = groups.map((group) => group.layers.at(-1));
  const means = await latest("strip", "means", { layers: named });
  if (!means) return;
  groups.forEach((group, at) => {
    const { shape, mean } = means[at];
    const one = $("strip").querySelector(`[data-group="${group.title}"]`);
    const [h, w] = shape.length === 1 ? [1, 1] : shape;
    state.shapes[named[at]] = shape;
    if (group.title === "top") paintMap(one.firstChild, state.results.shown.probabilities, [1, shape[0]], colours, { low: 0, high: 1 });
    else paintMap(one.firstChild, mean, [h, w], colours, rangeOf(mean));
    one.setAttribute("aria-label", `${group.title}, ${shape.join(" by ")}${state.off.has(group.title) ? ", switched off" : ""}`);
    one.classList.toggle("off", state.off.has(group.title));
  });
}

function markStrip() {
  const group = groupOf(state.layer);
  for (const one of $("strip").querySelectorAll("button")) {
    one.setAttribute("aria-pressed", String(one.dataset.group === group.title));
  }
  makeReachable($("strip"), $("strip").querySelector('[aria-pressed="true"]'));
}

function drawDiagram() {
  const place = $("diagram");
  const had = place.contains(document.activeElement);
  place.replaceChildren();
  const group = groupOf(state.layer);
  const isBlock = group.layers.some((name) => layers[name].kind === "Add");
  const heading = make(place, "h3", group.title);
  if (isBlock) {
    const [shortcut, branch] = layers[group.layers.find((name) => layers[name].kind === "Add")].inputs;
    const before = layers[group.layers[0]].inputs[0];
    const own = (name) => name.startsWith(`${group.title}_`);
    const side = (end) => {
      const names = [];
      for (let name = end; own(name); [name] = layers[name].inputs) names.unshift(name);
      return names;
    };
    make(heading, "span", " out = relu(shortcut + branch)", "aside");
    const label = make(place, "label", undefined, "switch");
    addSwitch(label, group.title, ` the branch of ${group.title}`);
    row(place, "branch", [before, ...side(branch)]);
    row(place, "shortcut", own(shortcut) ? [before, ...side(shortcut)] : [before]);
    row(place, "their sum", group.layers.slice(-2));
  } else {
    row(place, "", group.layers);
  }
  const chosen = [...place.querySelectorAll("button[data-layer]")].filter((one) => one.dataset.layer === state.layer);
  for (const one of chosen) one.setAttribute("aria-pressed", "true");
  makeReachable(place, chosen[0] ?? null);
  if (had) chosen[0]?.focus();
}

function row(place, title, names) {
  const line = make(place, "div", undefined, "row");
  if (title) make(line, "span", title, "row-name");
  names.forEach((name, at) => {
    if (at) make(line, "span", "\u2192", "arrow").setAttribute("aria-hidden", "true");
    const layer = layers[name];
    const one = button(line, "", () => openLayer(name));
    one.dataset.rove = "";
    one.dataset.layer = name;
    one.setAttribute("aria-pressed", "false");
    one.classList.toggle("off", state.off.has(name));
    make(one, "b", name.replace(/^conv\d+_block\d+_(?=\d|add|out)/, (own) => (name.startsWith(`${groupOf(state.layer).title}_`) ? "" : own)));
    make(one, "small", layer.kind === "Conv2D" ? `${layer.window}\u00d7${layer.window}${layer.stride > 1 ? `, stride ${layer.stride}` : ""}` : KINDS[layer.kind] ?? layer.kind);
  });
}

const KINDS = { BatchNormalization: "batch norm", Activation: "relu", ZeroPadding2D: "zeros around", MaxPooling2D: "largest of 3\u00d73",
  Add: "sum", GlobalAveragePooling2D: "average", Dense: about.activation, InputLayer: "photograph" };

// Switches ---------------------------------------------------------------------------------------------------------

function addSwitch(label, name, words) {
  const box = label.insertBefore(document.createElement("input"), null);
  box.type = "checkbox";
  box.setAttribute("role", "switch");
  box.checked = !state.off.has(name);
  box.addEventListener("change", () => turn(name, box.checked));
  label.append(words);
}

async function turn(name, on) {
  if (on) state.off.delete(name);
  else state.off.add(name);
  say("Computing.");
  state.results = await ask("switch", { names: [...state.off] });
  await redraw();
  const { shown, plain } = state.results;
  const k = largest(plain.logits);
  const now = about.activation === "linear" ? few : percent;
  say(state.off.size
    ? `${about.class_names[k]}: ${now(shown.probabilities[k])}, was ${now(plain.probabilities[k])}. The largest is ${about.class_names[state.best]}.`
    : `All on: ${about.class_names[k]} ${now(plain.probabilities[k])}.`);
}

function drawOff() {
  $("bar").hidden = !state.off.size;
  $("off").replaceChildren();
  for (const name of state.off) {
    button($("off"), `${name.replace(":", " channel ")} \u00d7`, () => turn(name, true)).setAttribute("aria-label", `Switch ${name} on`);
  }
}

// Maps -------------------------------------------------------------------------------------------------------------

let seen = null; // the observer of the maps that come into view
let wanted = new Set();

async function openLayer(name, channel, at) {
  if (!state.results) return;
  const same = name === state.layer;
  const before = state.shapes[state.layer];
  state.layer = name;
  if (channel !== undefined || !same) state.channel = channel ?? 0;
  if (at) state.at = at;
  look.source = Infinity;
  look.all = false;
  markStrip();
  drawDiagram();
  await drawMaps();
  const now = state.shapes[name];
  if (!at && before?.length === 3 && now.length === 3) { // the same place of the photograph
    state.at = state.at.map((place, axis) => Math.floor(((place + 0.5) * now[axis]) / before[axis]));
  }
  await drawNumber();
}

async function drawMaps() {
  const layer = state.layer;
  const first = await latest("maps", "maps", { layer, channels: [] });
  if (!first) return;
  const { shape, low, high } = first;
  state.shapes[layer] = shape;
  const channels = shape.at(-1);
  state.channel = Math.min(state.channel, channels - 1);
  const sides = shape.length === 1 ? [1, 1] : shape.slice(0, 2);
  $("h-maps").textContent = `The ${channels} maps of ${layer}, ${sides.join("\u00d7")}`;
  if (shape.length === 1) $("h-maps").textContent = `The ${channels} numbers of ${layer}`;
  const norm = $("norm-switch");
  norm.hidden = layers[layer].kind !== "BatchNormalization";
  norm.replaceChildren();
  if (!norm.hidden) addSwitch(norm, layer, ` ${layer}`);
  $("scale").textContent = $("own-scale").checked ? "each map's largest number has the fullest colour"
    : `one scale: ${low < 0 ? `${few(low)} to ${few(high)}, white is 0` : `0 to ${few(high)}`}`;
  seen?.disconnect();
  const grid = $("grid");
  const focused = grid.contains(document.activeElement);
  grid.replaceChildren();
  grid.style.setProperty("--side", sides[0] > 1 ? "4.5rem" : "2.2rem");
  seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) want(entry.target);
  }, { rootMargin: "200px" });
  for (let k = 0; k < channels; k += 1) {
    const one = button(grid, "", () => {
      state.channel = k;
      look.source = Infinity;
      markMap();
      drawNumber();
      $("h-number").scrollIntoView({ behavior: "auto", block: "nearest" });
    });
    one.dataset.rove = "";
    one.dataset.channel = k;
    one.setAttribute("aria-label", layer === top_layer ? about.class_names[k] : `channel ${k}`);
    make(one, "canvas");
    make(one, "span", String(k));
    one.classList.toggle("off", state.off.has(`${layer}:${k}`));
    seen.observe(one);
  }
  markMap();
  if (focused) grid.querySelector('[aria-pressed="true"]').focus();

  async function want(one) {
    seen.unobserve(one);
    wanted.add(one);
    if (wanted.size > 1) return;
    await new Promise(requestAnimationFrame);
    const those = [...wanted];
    wanted = new Set();
    if (state.layer !== layer) return;
    const { maps } = await ask("maps", { layer, channels: those.map((each) => Number(each.dataset.channel)) });
    those.forEach((each, at) => {
      const own = rangeOf(maps[at]);
      paintMap(each.firstChild, maps[at], sides, colours, $("own-scale").checked ? { low: low < 0 ? Math.min(own.low, -1e-30) : 0, high: own.high } : { low, high });
    });
  }
}

function markMap() {
  for (const one of $("grid").querySelectorAll("button")) {
    one.setAttribute("aria-pressed", String(Number(one.dataset.channel) === state.channel));
  }
  makeReachable($("grid"), $("grid").querySelector('[aria-pressed="true"]'));
}

// One number -------------------------------------------------------------------------------------------------------

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
    const next = about.layers.find(({ inputs, kind }) => inputs.includes(chain.at(-1)) && ["BatchNormalization", "Add", "Activation"].includes(kind));
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
  const maps = await Promise.all(pictured.map((one) => ask("maps", { layer: one.layer, channels: [one.channel] })));
  if (own !== turns.number) return;
  $("h-number").textContent = flat ? `One number: ${layer}, ${layer === top_layer ? about.class_names[channel] : channel}`
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
  if (had !== null) [...terms.querySelectorAll("button")].find((one) => one.textContent === had)?.focus({ preventScroll: true });
  $("spoken").textContent = chain.map((name, step) => `${name}: ${digits(numbers[step].value)}`).join("; ");
}

function drawPictures(pictured, maps, n) {
  const place = $("pictures");
  const focused = place.contains(document.activeElement);
  place.replaceChildren();
  const together = layers[state.layer].kind === "Add" // two maps and their sum can be compared
    && maps.map(({ maps: [map] }) => rangeOf(map)).reduce((a, b) => ({ low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) }));
  pictured.forEach((one, index) => {
    const { shape, maps: [map], low } = maps[index];
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
    make(figure, "figcaption", `${one.layer}, channel ${one.channel}: ${few(own.low)} to ${few(own.high)}`);
    if (flat) return;
    const [row, column, size] = is_own || n.from === undefined || n.layer.kind === "ZeroPadding2D"
      ? [...(n.from && !is_own ? n.from : state.at), 1] : [...n.from, n.size];
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
      go([((event.clientY - box.top) / box.height) * sides[0], ((event.clientX - box.left) / box.width) * sides[1]].map(Math.floor));
    });
    if (!is_own) {
      frame.title = `Click to go on with ${one.layer}`;
      return;
    }
    frame.tabIndex = 0;
    frame.setAttribute("role", "application");
    frame.setAttribute("aria-roledescription", "map");
    frame.setAttribute("aria-label", `${one.layer}, channel ${one.channel}, ${sides.join(" by ")}; row ${n.at[0]}, column ${n.at[1]}: ${digits(n.value)}. Arrow keys move.`);
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
  const { shape, maps: [map] } = await ask("maps", { layer: state.layer, channels: [state.channel] });
  const at = largest(map);
  state.at = [Math.floor(at / shape[1]), at % shape[1]];
  await drawNumber();
}

// The evidence -----------------------------------------------------------------------------------------------------

let evidence = null;

async function drawEvidence() {
  const found = await latest("evidence", "evidence", { target: state.target });
  if (!found) return;
  const { maps: { shape, data }, weights, gains, bias } = found;
  evidence = { shape, data, weights, gains, bias, order: byShare(gains) };
  const slider = $("count");
  slider.max = weights.length;
  state.added = Math.min(state.added, weights.length);
  slider.value = state.added;
  $("evidence-words").textContent = `Each of the ${weights.length} last maps (${found.layer}) has a weight for `
    + `${about.class_names[state.target]}. The sum of the maps, each times its weight, is the class activation map: `
    + `its mean plus the bias is the logit.`;
  drawSum();
}

function drawSum() {
  const { shape: [h, w, count], data, weights, gains, bias, order } = evidence;
  const n = state.added;
  const sum = new Float64Array(h * w);
  const whole = new Float64Array(h * w);
  order.forEach((k, step) => {
    for (let at = 0; at < h * w; at += 1) {
      const value = weights[k] * data[at * count + k];
      whole[at] += value;
      if (step < n) sum[at] += value;
    }
  });
  const range = rangeOf(whole);
  const most = Math.max(range.high, -range.low);
  const k = order[Math.max(0, n - 1)];
  const one = Float32Array.from({ length: h * w }, (_, at) => data[at * count + k]);
  paintMap($("one-map"), one, [h, w], colours, rangeOf(one));
  paintMap($("sum-map"), sum, [h, w], colours, { low: -most, high: most });
  const [height, width] = about.photo_size;
  paintPixels($("over"), state.pixels, [height, width], enlarged(sum, [h, w], [height, width]), colours);
  const logit = order.slice(0, n).reduce((total, each) => total + gains[each], bias);
  const all = gains.reduce((total, gain) => total + gain, bias);
  $("one-words").textContent = n ? `Map ${k}, weight ${digits(weights[k])}, mean ${few(gains[k] / weights[k] || 0)}: adds ${few(gains[k])}` : "No map yet";
  $("sum-words").textContent = `The sum of ${n} maps, of ${few(rangeOf(sum).low)} to ${few(rangeOf(sum).high)}; white is 0`;
  $("count-words").textContent = `${n} of ${count}: mean + bias = ${few(logit)}; with all it is the logit, ${digits(Math.fround(all))}`;
  for (const [id, words] of [["one-map", `map ${k}`], ["sum-map", `sum of ${n} maps`], ["over", "the sum over the photograph"]]) {
    $(id).setAttribute("aria-label", words);
  }
  drawInput(whole, [h, w]);
}

function drawInput(cam, sides) {
  const { photo_size: [height, width] } = about;
  const tint = $("tint").checked ? enlarged(cam, sides, [height, width]) : null;
  paintPixels($("input"), state.pixels, [height, width], tint, colours);
  $("input-words").textContent = `What the network is given: ${height}\u00d7${width} pixels${tint ? `; red speaks for ${about.class_names[state.target]}, blue against` : ""}`;
}

let playing = null;
function play() {
  if (playing) {
    clearInterval(playing);
    playing = null;
  } else {
    if (state.added >= evidence.order.length) state.added = 0;
    playing = setInterval(() => {
      state.added = Math.min(evidence.order.length, state.added + Math.max(1, Math.floor(state.added / 12)));
      $("count").value = state.added;
      drawSum();
      if (state.added === evidence.order.length) play();
    }, 120);
  }
  $("play").textContent = playing ? "Stop" : "Play";
}

// All of it --------------------------------------------------------------------------------------------------------

async function redraw() {
  drawOff();
  drawClasses();
  await drawStrip();
  markStrip();
  drawDiagram();
  await drawEvidence();
  await drawMaps();
  await drawNumber();
}

const TRY = {
  edges: () => openLayer("conv1_relu", 0, [20, 20]),
  async largest() {
    await drawEvidence();
    await openLayer(last_maps, evidence.order[0]);
    await toLargest();
  },
  async block() {
    const blocks = groups.filter(({ title }) => blockOf(title)).map(({ title }) => title);
    const name = blocks[Math.floor(blocks.length / 2)];
    await openLayer(`${name}_out`);
    await turn(name, state.off.has(name));
  },
  sum: () => openLayer(about.layers.filter(({ kind }) => kind === "Add").at(-1).name, 0, [5, 5]),
  evidence() {
    $("evidence").scrollIntoView({ block: "start" });
    if (!playing) {
      state.added = evidence.order.length;
      play();
    }
  },
};

async function save() {
  $("saved").textContent = "Writing.";
  const pieces = await ask("record");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(pieces, { type: "application/zip" }));
  link.download = "page.npz";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  $("saved").textContent = "page.npz";
}

function listen() {
  for (const group of [$("classes"), $("strip"), $("diagram"), $("grid")]) rove(group);
  $("file").addEventListener("change", () => $("file").files[0] && openFile($("file").files[0]));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragged");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? document.body.classList.remove("dragged"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragged");
    const [file] = event.dataTransfer.files;
    if (file) openFile(file);
    else say("What was dropped is no file; save the photograph first, then drop its file.", true);
  });
  document.addEventListener("paste", (event) => event.clipboardData.files[0] && openFile(event.clipboardData.files[0]));
  $("all-on").addEventListener("click", async () => {
    const names = [...state.off];
    state.off = new Set(names.slice(0, 1));
    await turn(names[0], true);
  });
  $("own-scale").addEventListener("change", drawMaps);
  $("tint").addEventListener("change", drawSum);
  $("to-largest").addEventListener("click", toLargest);
  $("count").addEventListener("input", () => {
    state.added = Number($("count").value);
    drawSum();
  });
  $("play").addEventListener("click", play);
  $("save").addEventListener("click", save);
  $("try").addEventListener("click", ({ target }) => TRY[target.dataset.try]?.());
}

async function begin() {
  $("about").textContent = `${about.name}: ${about.layers.length} layers, ${about.parameters.toLocaleString("en")} parameters, ${about.class_names.length} classes.`;
  $("command").textContent = `npcam verify PHOTO --against page.npz --weights ${about.name}.h5`;
  for (const words of [
    ...about.assumptions,
    "A photograph is taken as its file's pixels are: no colour profile, no turn by EXIF, nearest pixel, as Keras does it.",
    "PNG and other lossless files give npcam's pixels. Of a JPEG each browser's decoder may round a pixel otherwise, by a step or two; the photograph that the page opens with was decoded by npcam.",
    `Written by npcam ${about.npcam}; SHA-256 of the weights ${about.tensors_sha256}.`,
  ]) make($("assumed"), "li", words);
  buildStrip();
  listen();
  const text = atob($("weights-data").textContent);
  const bytes = Uint8Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
  try {
    await ask("load", { about, bytes }, [bytes.buffer]);
    if (opening.pixels) await openOwn();
    else say("Ready: drop a photograph in.");
  } catch (error) {
    say(`This browser cannot run the page (${error.message}); take a browser of 2023 or later.`, true);
  }
}

begin();
