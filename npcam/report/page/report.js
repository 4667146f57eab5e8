// The maps of a report, computed from the numbers that stand in this file.
//
// For a class c with weights w_k and a bias b, the map is M_c = sum_k w_k f_k, and mean(M_c) + b is the logit.
// Sums are taken in double precision. `window.npcam.photos[i]` is photograph i, for a console and for tests:
//   select(index), against(index or null)  the class that is drawn, and the one whose map is taken off
//   choose(k, on), take(n)                 which maps are in the sum: map k; the n that add most
//   map(), heatmap()                       (h * w) and (H * W) numbers, row by row: the sum, and upsampled
//   logit()                                the mean of the sum plus the bias (plus the difference of two)
//   largest()                              [{ k, weight, adds, share, on }] of the maps that are listed
//   boxes()                                [{ box, evidence }] in pixels of the photograph
//   value(x, y)                            the map at a place of the photograph, in its pixels
(() => {
  const bundle = JSON.parse(document.getElementById("npcam-report").textContent);
  const colours = JSON.parse(document.getElementById("npcam-colours").textContent);
  const SIDE = 900; // pixels of the longer side of a tint
  const LISTED = 12; // maps that are drawn one by one
  const SMALL = 150; // pixels of the longer side of such a map
  const GROUNDS = [255, 128, 0]; // white, grey and black: what a tint may lie on
  const EVERYWHERE = 0.9; // a box that covers more of the photograph tells no place from another

  function fitted(width, height, side) {
    const less = Math.min(1, side / Math.max(width, height));
    return [Math.max(1, Math.round(width * less)), Math.max(1, Math.round(height * less))];
  }

  function show(data, article, i) {
    const find = (selector) => article.querySelector(selector);
    const field = (name) => article.querySelector(`[name="${name}"]`);
    const [h, w, count] = data.features.shape;
    const cells = h * w, input = bundle.model.input_size, align = bundle.options.align;
    const features = floats(data.features.float32);
    const means = new Float64Array(count);
    for (let at = 0; at < features.length; at++) means[at % count] += features[at] / cells;
    const classes = new Map(data.classes.map((one) => [one.index, { ...one, w: floats(one.weights) }]));
    const target = () => classes.get(state.target), other = () => classes.get(state.other) ?? null;
    const frame = find(".frame"), photo = find("img[data-photo]"), tint = find(".tint"), cross = find(".cross");
    const [width, height] = data.size;
    const state = { target: data.target, other: null, chosen: new Uint8Array(count).fill(1), pointer: null };
    let now = null; // what follows from the state: weights, what each map adds, their order, the map

    function weights() {
      const one = target().w, two = other()?.w;
      return Float64Array.from(one, (v, k) => (two ? v - two[k] : v));
    }

    function map(chosen, w_k) {
      const values = new Float64Array(cells);
      for (let cell = 0; cell < cells; cell++) {
        let value = 0;
        for (let k = 0; k < count; k++) if (chosen[k]) value += w_k[k] * features[cell * count + k];
        values[cell] = value;
      }
      return values;
    }

    const bias = () => target().bias - (other()?.bias ?? 0);
    const stated = () => target().logit - (other()?.logit ?? 0);
    const chosen = () => sum(state.chosen);
    const whole = () => chosen() === count;
    const two = () => field("signed").checked || state.other !== null;

    // Another class: its weights, what each map adds, and the order of these.
    function begin() {
      const w_k = weights(), adds = Float64Array.from(w_k, (v, k) => v * means[k]);
      const order = [...adds.keys()].sort((a, b) => Math.abs(adds[b]) - Math.abs(adds[a]) || a - b);
      const all = map(new Uint8Array(count).fill(1), w_k);
      const [most, least] = [Math.max(...all), Math.min(...all)];
      const scale = state.other === null ? target().scale : Math.max(most, -least);
      now = { w_k, adds, order, total: sum(adds), scale, signed_scale: Math.max(scale, most, -least) };
      drawMaps();
      drawCurve();
    }

    function needed(percent) {
      const rest = Math.abs(now.total) * (1 - percent / 100) * (1 + 1e-12);
      let left = now.total, most = 1;
      now.order.forEach((k, n) => {
        left -= now.adds[k];
        if (Math.abs(left) > rest) most = n + 2;
      });
      return Math.min(most, count);
    }

    // npcam's own boxes where the map is one of npcam's; else those of what is drawn.
    function boxes() {
      if (whole() && state.other === null) return target().boxes;
      return [...now.parts].sort((a, b) => b.evidence - a.evidence)
        .map(({ box, evidence }) => ({ box: onPhoto(box), evidence }));
    }

    // The largest part; of equally large ones the first in reading order; null where nothing is positive.
    const largestPart = () => now.parts.reduce((a, b) => (a === null || b.size > a.size ? b : a), null);

    function oneBox() {
      if (whole() && state.other === null) return target().box;
      const largest = largestPart();
      return largest && onPhoto(largest.box);
    }

    // The share of what is positive that lies in its box, whatever part it belongs to.
    function evidenceInBox() {
      if (whole() && state.other === null) return target().evidence_in_box;
      const [x0, y0, x1, y1] = largestPart().box, positive = now.heatmap.map((value) => Math.max(value, 0));
      let inside = 0;
      for (let y = y0; y < y1; y++) inside += sum(positive.subarray(y * input[1] + x0, y * input[1] + x1));
      return inside / sum(positive);
    }

    function onPhoto([x0, y0, x1, y1]) { // outwards
      const [H, W] = input;
      return [Math.floor((x0 * width) / W), Math.floor((y0 * height) / H), Math.ceil((x1 * width) / W),
        Math.ceil((y1 * height) / H)];
    }

    const covers = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0) > EVERYWHERE * width * height;

    // The tint's scale: its largest value, its table of colours, whether it has two sides, its opacity.
    function scaleNow() {
      const sided = two(), alpha = field("opacity").value / 100;
      return { largest: sided ? now.signed_scale : now.scale, rgb: rgb(field("colours").value), two: sided, alpha };
    }

    const rgb = (name) => table(colours.two[name] ?? colours.one[name]);

    function draw() {
      now.map = map(state.chosen, now.w_k);
      now.heatmap = enlarge(now.map, [h, w], input, align);
      now.parts = parts(now.heatmap, input, bundle.options.threshold);
      const context = tint.getContext("2d");
      [tint.width, tint.height] = fitted(data.picture.width, data.picture.height, SIDE);
      paint(context, now.heatmap, input, scaleNow());
      drawBoxes(context);
      drawBar();
      say();
      read();
    }

    function drawBoxes(context) {
      const kind = field("boxes").value, one = oneBox();
      const all = kind === "all" ? boxes().map((part) => part.box) : kind === "one" && one ? [one] : [];
      const [across, down] = [tint.width / width, tint.height / height];
      const line = Math.max(2, Math.round(Math.min(tint.width, tint.height) / 130));
      for (const [x0, y0, x1, y1] of all.filter((box) => !covers(box))) {
        for (const [colour, inset] of [["#000000", line / 2], ["#ffffff", 1.5 * line]]) {
          context.strokeStyle = colour;
          context.lineWidth = line;
          context.strokeRect(x0 * across + inset, y0 * down + inset, (x1 - x0) * across - 2 * inset,
            (y1 - y0) * down - 2 * inset);
        }
      }
    }

    function drawBar() {
      const canvas = find(".bar-of-colours canvas"), context = canvas.getContext("2d"), scale = scaleNow();
      const values = Float64Array.from({ length: 256 }, (_, x) => (scale.two ? x / 127.5 - 1 : x / 255));
      const bar = Object.assign(document.createElement("canvas"), { width: 256, height: 8 });
      paint(bar.getContext("2d"), values, [1, 256], { ...scale, largest: 1 });
      GROUNDS.forEach((grey, row) => {
        context.fillStyle = `rgb(${grey} ${grey} ${grey})`;
        context.fillRect(0, 8 * row, 256, 8);
        context.drawImage(bar, 0, 8 * row);
      });
      const end = scale.largest / cells, start = scale.two ? -end : 0;
      article.querySelectorAll(".ticks span").forEach((tick, n) => {
        tick.textContent = signed(start + ((end - start) * n) / 2);
      });
      find(".unit").textContent = state.other === null ? "adds to the logit, per cell"
        : `per cell: \u2212 ${written(other().name)}, + ${written(target().name)}`;
    }

    const title = () => (other() === null ? written(target().name)
      : `${written(target().name)}, not ${written(other().name)}`);

    // The words beside the map: what is drawn, where its evidence lies, and what the sum is.
    function say() {
      const of_all = chosen(), share = find(`[data-class="${state.target}"]`).closest("tr").cells[1].textContent;
      const caption = find(".caption"), box = oneBox();
      const only = whole() ? "" : `, ${of_all.toLocaleString("en")} of ${count.toLocaleString("en")} maps`;
      const head = other() === null ? `${title()} ${share}` : title();
      const where = !box ? "nothing speaks for it"
        : covers(box) ? "evidence everywhere" : `${percent(evidenceInBox())} of the evidence in the box`;
      const heading = article.querySelector("h2 .shown");
      if (heading) heading.textContent = head;
      caption.replaceChildren();
      make(caption, "strong", `${head}${only}`);
      caption.append(`: ${other() === null ? "logit" : "logits"} ${other() === null ? fixed(stated(), 2)
        : `${withSign(stated(), 2)} apart`}, ${where}`);
      const mean = sum(now.map) / cells, total = mean + bias();
      const unit = other() === null ? "bias" : "difference of the biases";
      const terms = `${fixed(mean, 4)} + ${unit} ${fixed(bias(), 4)} = ${fixed(total, 4)}`;
      find(".equation").textContent = `mean of the map ${terms}`
        + (whole() ? `, ${other() === null ? "the logit" : "the difference of the logits"}`
          : `; ${other() === null ? "the logit" : "the difference of the logits"} is ${fixed(stated(), 4)}`);
      complete(mean, total);
      numbers();
      for (const box_k of article.querySelectorAll("[data-k]")) box_k.checked = Boolean(state.chosen[box_k.dataset.k]);
      const rest = now.order.slice(LISTED), in_rest = rest.filter((k) => state.chosen[k]).length;
      field("rest").checked = in_rest === rest.length;
      field("rest").indeterminate = in_rest > 0 && in_rest < rest.length;
      find(".rest span").textContent = `the other ${rest.length.toLocaleString("en")} maps together, adds `
        + `${withSign(sum(rest.map((k) => now.adds[k])), 3)}`
        + (field("rest").indeterminate ? ` (${in_rest.toLocaleString("en")} of them in the sum)` : "");
      find(".take output").textContent = of_all.toLocaleString("en");
      const taken = ((100 * field("take").value) / count).toFixed(2);
      find(".curve .at").setAttribute("d", `M${taken} 0V30`);
    }

    function complete(mean, total) {
      const list = find(".complete"), versus = other() !== null;
      const lines = [
        ["mean of the map, in this page", mean],
        [versus ? "difference of the biases" : "bias", bias()],
        ["their sum", total],
        [versus ? "difference of the logits, by the network" : "logit, by the network", stated()],
        ["sum \u2212 logit, in this page", total - stated()],
        ...(versus ? [] : [["mean + bias \u2212 logit, by npcam", target().completeness]]),
      ];
      list.replaceChildren();
      for (const [words, value] of lines) {
        make(list, "dt", words);
        make(list, "dd", digits(value));
      }
    }

    function numbers() {
      const details = find(".numbers");
      if (!details.open) return;
      const lines = details.querySelector("table");
      lines.replaceChildren();
      for (let r = 0; r < h; r++) {
        const line = lines.insertRow();
        for (let c = 0; c < w; c++) make(line, "td", fixed(now.map[r * w + c] / cells, 4), "n");
      }
    }

    // The maps that add most, each over a small photograph, all on one scale.
    function drawMaps() {
      const list = find(".maps"), listed = now.order.slice(0, LISTED);
      const shapes = listed.map((k) => map(Uint8Array.from(state.chosen, (_, other) => Number(other === k)), now.w_k));
      const largest = Math.max(...shapes.map((values) => Math.max(...values.map(Math.abs))));
      const name = two() ? field("colours").value : Object.keys(colours.two)[0];
      list.replaceChildren();
      listed.forEach((k, n) => {
        const label = make(make(list, "li"), "label");
        const canvas = make(label, "canvas"), layer = document.createElement("canvas");
        canvas.setAttribute("aria-hidden", "true");
        [canvas.width, canvas.height] = [layer.width, layer.height] = fitted(width, height, SMALL);
        const context = canvas.getContext("2d");
        context.filter = "grayscale(0.85)";
        if (photo.naturalWidth) context.drawImage(photo, 0, 0, canvas.width, canvas.height);
        context.filter = "none";
        paint(layer.getContext("2d"), enlarge(shapes[n], [h, w], input, align), input,
          { largest, rgb: rgb(name), two: true, alpha: 0.9 });
        context.drawImage(layer, 0, 0);
        const line = make(label, "span", undefined, "pick");
        const box = make(line, "input");
        box.type = "checkbox";
        box.checked = Boolean(state.chosen[k]);
        box.dataset.k = k;
        make(line, "span", ` map ${k}`);
        make(label, "span", `weight ${withSign(now.w_k[k], 3)}`, "aside");
        make(label, "span", `adds ${withSign(now.adds[k], 3)}`, "aside");
        if (now.total) make(label, "span", `${percent(now.adds[k] / now.total)} of the sum`, "aside");
        box.addEventListener("change", () => choose(k, box.checked));
      });
      const [half, most, nearly] = [50, 90, 99].map(needed);
      const what = other() === null ? `what speaks for ${written(target().name)}` : "the difference";
      find(".made").textContent = `The map is the sum of ${count.toLocaleString("en")} maps, each times its weight. `
        + `It takes ${half} of them, the largest first, for 50% of ${what}, ${most} for 90% and ${nearly} for 99%; `
        + `from there on the sum stays as near. Untick a map, and the picture and the logit follow.`;
    }

    // What the sum comes to as maps are added, the largest first: from 0 to all of it, where the broken line is.
    function drawCurve() {
      const sums = [0];
      now.order.forEach((k) => sums.push(sums.at(-1) + now.adds[k]));
      const [low, high] = [Math.min(...sums), Math.max(...sums)];
      const y = (value) => (high > low ? 28 - (26 * (value - low)) / (high - low) : 28).toFixed(2);
      const step = Math.max(1, Math.floor(count / 500));
      const places = sums.map((value, n) => [n, value]).filter(([n]) => n % step === 0 || n === count);
      const points = places.map(([n, value]) => `${((100 * n) / count).toFixed(2)} ${y(value)}`);
      find(".curve .sum").setAttribute("d", `M${points.join("L")}`);
      find(".curve .whole").setAttribute("d", `M0 ${y(now.total)}H100`);
    }

    const at = (x, y) => { // bilinear between the centres of pixels, as the tint is stretched
      const [H, W] = input, X = clamp((x / width) * W - 0.5, 0, W - 1), Y = clamp((y / height) * H - 0.5, 0, H - 1);
      const [c, r] = [Math.floor(X), Math.floor(Y)], [d, s] = [Math.min(c + 1, W - 1), Math.min(r + 1, H - 1)];
      const row = (line) => now.heatmap[line * W + c] * (1 - X + c) + now.heatmap[line * W + d] * (X - c);
      return row(r) * (1 - Y + r) + row(s) * (Y - r);
    };

    // What is under the pointer, in words.
    function read() {
      const place = state.pointer, words = find(".read");
      cross.hidden = place === null;
      if (place === null) {
        words.textContent = "Point here, or use the arrow keys, to read the map.";
        return;
      }
      const [x, y] = place.map(Math.floor), value = at(...place) / cells;
      cross.style.left = `${(100 * place[0]) / width}%`;
      cross.style.top = `${(100 * place[1]) / height}%`;
      const what = other() === null ? `${value < 0 ? "against" : "for"} ${written(target().name)}`
        : `for ${written((value < 0 ? other() : target()).name)}`;
      words.textContent = `x ${x}, y ${y}: ${signed(value, 4)} per cell, ${what}`;
    }

    function point(place) {
      state.pointer = place && [clamp(place[0], 0.5, width - 0.5), clamp(place[1], 0.5, height - 0.5)];
      read();
    }

    function extreme(sign) {
      let best = 0;
      now.heatmap.forEach((value, n) => {
        if (sign * value > sign * now.heatmap[best]) best = n;
      });
      const [H, W] = input, x = best % W;
      point([((x + 0.5) * width) / W, (((best - x) / W + 0.5) * height) / H]);
    }

    function select(index) {
      if (!classes.has(index)) throw new RangeError(`no class ${index} in this report`);
      state.target = index;
      if (state.other === index) state.other = null;
      changed();
    }

    function against(index) {
      state.other = index === null || index === state.target || !classes.has(index) ? null : index;
      changed();
    }

    function changed() {
      state.chosen.fill(1);
      field("take").value = count;
      field("against").value = state.other ?? "";
      for (const option of field("against").options) option.disabled = option.value === String(state.target);
      for (const button of article.querySelectorAll("[data-class]")) {
        button.setAttribute("aria-pressed", String(Number(button.dataset.class) === state.target));
      }
      field("signed").closest("label").hidden = state.other !== null; // a difference has two sides
      offerColours();
      begin();
      draw();
    }

    // The colours of a scale with one side or with two, and its usual opacity.
    function offerColours() {
      const sided = two(), names = Object.keys(colours[sided ? "two" : "one"]), list = field("colours");
      if (list.options[0].value === names[0]) return;
      list.replaceChildren();
      for (const name of names) make(list, "option", name);
      field("opacity").value = 100 * colours.alpha[Number(sided)];
    }

    function choose(k, on) {
      state.chosen[k] = on ? 1 : 0;
      field("take").value = chosen();
      draw();
    }

    function take(n) {
      state.chosen.fill(0);
      for (const k of now.order.slice(0, n)) state.chosen[k] = 1;
      field("take").value = n;
      draw();
    }

    for (const button of article.querySelectorAll("[data-class]")) {
      button.addEventListener("click", () => select(Number(button.dataset.class)));
    }
    field("against").addEventListener("change", ({ target: { value } }) => against(value === "" ? null : Number(value)));
    field("opacity").addEventListener("input", draw);
    field("boxes").addEventListener("change", draw);
    field("colours").addEventListener("change", () => { drawMaps(); draw(); });
    field("signed").addEventListener("change", () => { offerColours(); drawMaps(); draw(); });
    field("take").addEventListener("input", (event) => take(Number(event.target.value)));
    field("rest").addEventListener("change", (event) => {
      for (const k of now.order.slice(LISTED)) state.chosen[k] = event.target.checked ? 1 : 0;
      field("take").value = chosen();
      draw();
    });
    find(".numbers").addEventListener("toggle", numbers);
    const placeOf = (event) => {
      const area = frame.getBoundingClientRect();
      return [((event.clientX - area.left) / area.width) * width, ((event.clientY - area.top) / area.height) * height];
    };
    frame.addEventListener("pointermove", (event) => point(placeOf(event)));
    frame.addEventListener("pointerdown", (event) => point(placeOf(event)));
    frame.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") point(null); // a finger is lifted to read
    });
    frame.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own
      const step = event.shiftKey ? 1 : Math.max(1, Math.max(width, height) / 40);
      const [x, y] = state.pointer ?? [width / 2, height / 2];
      const moves = { ArrowLeft: [x - step, y], ArrowRight: [x + step, y], ArrowUp: [x, y - step],
        ArrowDown: [x, y + step], Escape: null };
      if (event.key === "Home" || event.key === "End") extreme(event.key === "Home" ? 1 : -1);
      else if (event.key in moves) point(moves[event.key]);
      else return;
      event.preventDefault();
    });
    for (const hidden of article.querySelectorAll(".controls, .against, .take, .rest, .numbers, .bar-of-colours")) {
      hidden.hidden = false;
    }
    changed();
    return {
      select,
      against,
      choose,
      take,
      map: () => [...now.map],
      heatmap: () => [...now.heatmap],
      logit: () => sum(now.map) / cells + bias(),
      largest: () => now.order.slice(0, LISTED).map((k) => ({ k, weight: now.w_k[k], adds: now.adds[k],
        share: now.adds[k] / now.total, on: Boolean(state.chosen[k]) })),
      needed: () => [50, 90, 99].map(needed),
      boxes,
      box: oneBox,
      value: at,
    };
  }

  const articles = [...document.querySelectorAll("article.photo")];
  const pictures = articles.map((article) => article.querySelector("img[data-photo]"));
  window.npcam = { photos: [], ready: null };
  window.npcam.ready = Promise.all(pictures.map((picture) => picture.decode().catch(() => null))).then(() => {
    window.npcam.photos = articles.map((article, i) => show(bundle.photos[i], article, i));
    document.documentElement.dataset.ready = "true";
  });
})();
