// The class activation map: the last maps, each times its weight, added up one after the other.

let evidence = null;

async function drawEvidence() {
  const found = await latest("evidence", "evidence", { target: state.target });
  if (!found) return;
  const {
    maps: { shape, data },
    weights,
    gains,
    bias,
  } = found;
  evidence = { shape, data, weights, gains, bias, order: byShare(gains) };
  const slider = $("count");
  slider.max = weights.length;
  state.added = Math.min(state.added, weights.length);
  slider.value = state.added;
  $("evidence-words").textContent =
    `Each of the ${weights.length} last maps (${found.layer}) has a weight for ` +
    `${about.class_names[state.target]}. The sum of the maps, each times its weight, is the class activation map: ` +
    `its mean plus the bias is the logit.`;
  drawSum();
}

function drawSum() {
  const {
    shape: [h, w, count],
    data,
    weights,
    gains,
    bias,
    order,
  } = evidence;
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
  const most = Math.max(range.high, -range.low) || 1;
  const k = order[Math.max(0, n - 1)];
  const one = Float32Array.from({ length: h * w }, (_, at) => data[at * count + k]);
  paintMap($("one-map"), one, [h, w], colours, rangeOf(one));
  paintMap($("sum-map"), sum, [h, w], colours, { low: -most, high: most });
  const [height, width] = about.photo_size;
  paintPixels(
    $("over"),
    state.pixels,
    [height, width],
    enlarged(sum, [h, w], [height, width]),
    most,
    colours,
  );
  const logit = order.slice(0, n).reduce((total, each) => total + gains[each], bias);
  const all = gains.reduce((total, gain) => total + gain, bias);
  $("one-words").textContent = n
    ? `Map ${k}, weight ${digits(weights[k])}, mean ${few(gains[k] / weights[k] || 0)}: adds ${few(gains[k])}`
    : "No map yet";
  $("sum-words").textContent = `The sum of ${n} map${n === 1 ? "" : "s"}, ${fromTo(sum)}; white is 0`;
  $("count-words").textContent =
    `${n} of ${count}: mean + bias = ${few(logit)}; with all maps it is the logit, ${digits(Math.fround(all))}`;
  for (const [id, words] of [
    ["one-map", `map ${k}`],
    ["sum-map", `sum of ${n} maps`],
    ["over", "the sum over the photograph"],
  ]) {
    $(id).setAttribute("aria-label", words);
  }
  drawInput(whole, [h, w], most);
}

function drawInput(cam, sides, most) {
  const {
    photo_size: [height, width],
  } = about;
  const tint = $("tint").checked ? enlarged(cam, sides, [height, width]) : null;
  paintPixels($("input"), state.pixels, [height, width], tint, most, colours);
  $("input-words").textContent =
    `What the network is given: ${height}\u00d7${width} pixels${tint ? `; red speaks for ${about.class_names[state.target]}, blue against` : ""}`;
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
