// The network as a row of blocks, one block as its layers, and the switches that leave something out.

// { title, stage, layers } in order: the input, the stem, each residual block, the top.
const groups = [];
for (const { name } of about.layers) {
  const own = [/^input/, /^(conv1|pool1)/, /./].findIndex((one) => one.test(name));
  const title = blockOf(name) ?? ["input", "conv1", "top"][own];
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
    if (group.title === "top")
      paintMap(one.firstChild, state.results.shown.probabilities, [1, shape[0]], colours, {
        low: 0,
        high: 1,
      });
    else paintMap(one.firstChild, mean, [h, w], colours, rangeOf(mean));
    one.setAttribute(
      "aria-label",
      `${group.title}, ${shape.join(" by ")}${state.off.has(group.title) ? ", switched off" : ""}`,
    );
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
  const chosen = [...place.querySelectorAll("button[data-layer]")].filter(
    (one) => one.dataset.layer === state.layer,
  );
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
    make(
      one,
      "b",
      name.replace(/^conv\d+_block\d+_(?=\d|add|out)/, (own) =>
        name.startsWith(`${groupOf(state.layer).title}_`) ? "" : own,
      ),
    );
    make(
      one,
      "small",
      layer.kind === "Conv2D"
        ? `${layer.window}\u00d7${layer.window}${layer.stride > 1 ? `, stride ${layer.stride}` : ""}`
        : (KINDS[layer.kind] ?? layer.kind),
    );
  });
}

const KINDS = {
  BatchNormalization: "batch norm",
  Activation: "relu",
  ZeroPadding2D: "zeros around",
  MaxPooling2D: "largest of 3\u00d73",
  Add: "sum",
  GlobalAveragePooling2D: "average",
  Dense: about.activation,
  InputLayer: "photograph",
};

function addSwitch(label, name, words) {
  const box = label.insertBefore(document.createElement("input"), null);
  box.type = "checkbox";
  box.setAttribute("role", "switch");
  box.checked = !state.off.has(name);
  box.dataset.switch = name;
  box.addEventListener("change", async () => {
    await turn(name, box.checked);
    const drawn = [...document.querySelectorAll("[data-switch]")]; // the focus stays on what was pressed
    drawn.find((one) => one.dataset.switch === name)?.focus({ preventScroll: true });
  });
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
  const effect = state.off.size
    ? `${about.class_names[k]}: ${now(shown.probabilities[k])}, was ${now(plain.probabilities[k])}. The largest is ${about.class_names[state.best]}.`
    : `All on: ${about.class_names[k]} ${now(plain.probabilities[k])}.`;
  $("effect").textContent = effect;
  say(effect);
}

function drawOff() {
  $("bar").hidden = !state.off.size;
  $("off").replaceChildren();
  for (const name of state.off) {
    const one = button($("off"), `${name.replace(":", " channel ")} \u00d7`, async () => {
      await turn(name, true);
      focusAfterBar();
    });
    one.setAttribute("aria-label", `Switch ${name} on`);
  }
}

// Where the focus goes when the button that had it is gone.
function focusAfterBar() {
  if (state.off.size) $("all-on").focus();
  else $("strip").querySelector('[aria-pressed="true"]').focus({ preventScroll: true });
}
