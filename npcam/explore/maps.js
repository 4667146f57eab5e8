// The maps of one layer.

let seen = null; // the observer of the maps that come into view
let wanted = new Set();

async function openLayer(name, channel, at) {
  if (!state.results) return;
  const same = name === state.layer;
  const [before, now] = [state.shapes[state.layer], state.shapes[name]];
  state.layer = name;
  if (channel !== undefined || !same) state.channel = channel ?? 0;
  if (at) state.at = at;
  else if (before.length === 3 && now.length === 3) {
    // the same place of the photograph
    state.at = state.at.map((place, axis) => Math.floor(((place + 0.5) * now[axis]) / before[axis]));
  }
  look.source = Infinity;
  look.all = false;
  markStrip();
  drawDiagram();
  await Promise.all([drawMaps(), drawNumber()]);
}

async function drawMaps() {
  const layer = state.layer;
  const first = await latest("maps", "maps", { layer, channels: [] });
  if (!first) return;
  const { shape, low, high } = first;
  const channels = shape.at(-1);
  const sides = shape.length === 1 ? [1, 1] : shape.slice(0, 2);
  $("h-maps").textContent = `The ${channels} maps of ${layer}, ${sides.join("\u00d7")}`;
  if (shape.length === 1)
    $("h-maps").textContent = `The ${channels} number${channels === 1 ? "" : "s"} of ${layer}`;
  const norm = $("norm-switch");
  norm.hidden = layers[layer].kind !== "BatchNormalization";
  norm.replaceChildren();
  if (!norm.hidden) addSwitch(norm, layer, ` ${layer}`);
  $("scale").textContent = $("own-scale").checked
    ? "each map's largest number has the fullest colour"
    : `one scale: ${low < 0 ? `${few(low)} to ${few(high)}, white is 0` : `0 to ${few(high)}`}`;
  seen?.disconnect();
  const grid = $("grid");
  const focused = grid.contains(document.activeElement);
  grid.replaceChildren();
  grid.style.setProperty("--side", sides[0] > 1 ? "4.5rem" : "2.2rem");
  seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) if (entry.isIntersecting) want(entry.target);
    },
    { rootMargin: "200px" },
  );
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
    const { maps } = await ask("maps", {
      layer,
      channels: those.map((each) => Number(each.dataset.channel)),
    });
    those.forEach((each, at) => {
      const own = rangeOf(maps[at]);
      each.classList.add("drawn");
      paintMap(
        each.firstChild,
        maps[at],
        sides,
        colours,
        $("own-scale").checked
          ? { low: low < 0 ? Math.min(own.low, -1e-30) : 0, high: own.high }
          : { low, high },
      );
    });
  }
}

function markMap() {
  for (const one of $("grid").querySelectorAll("button")) {
    one.setAttribute("aria-pressed", String(Number(one.dataset.channel) === state.channel));
  }
  makeReachable($("grid"), $("grid").querySelector('[aria-pressed="true"]'));
}
