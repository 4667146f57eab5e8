// The arithmetic of maps: numbers out of base64, sums, upsampling as npcam has it, boxes, colours; and how
// numbers are written. Bytes are little-endian, as on every machine that has a browser.
const floats = (base64) => new Float32Array(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer);
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const written = (name) => name.replaceAll("_", " ");
const sum = (values) => values.reduce((a, b) => a + b, 0);
const table = (hex) => Uint8Array.from(hex.match(/../g), (byte) => parseInt(byte, 16));
const signed = (x, digits = 2) => (x ? `${x > 0 ? "+" : "\u2212"}${Number(Math.abs(x).toPrecision(digits))}` : "0");
const fixed = (x, digits) => x.toFixed(digits).replace("-", "\u2212");
const withSign = (x, digits) => `${x < 0 ? "" : "+"}${fixed(x, digits)}`;
const digits = (x) => (x && Math.abs(x) < 1e-3 ? x.toExponential() : String(x)).replaceAll("-", "\u2212");
const percent = (x) => `${fixed(100 * x, 1)}%`;

// What is bilinear between the centres of cells. "corners": the outermost cells' centres are the outermost pixels'
// centres; "centers": each cell covers its share of the pixels.
function steps(old, size, align) {
  const low = new Int32Array(size), high = new Int32Array(size), part = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const corners = size > 1 ? (i * (old - 1)) / (size - 1) : 0;
    const at = align === "corners" ? corners : clamp(((i + 0.5) * old) / size - 0.5, 0, old - 1);
    low[i] = Math.min(Math.floor(at), old - 1);
    high[i] = Math.min(low[i] + 1, old - 1);
    part[i] = at - low[i];
  }
  return { low, high, part };
}

function enlarge(values, [h, w], [height, width], align) {
  const x = steps(w, width, align), y = steps(h, height, align);
  const wide = new Float64Array(h * width), large = new Float64Array(height * width);
  for (let r = 0; r < h; r++) {
    for (let c = 0; c < width; c++) {
      const a = values[r * w + x.low[c]], b = values[r * w + x.high[c]];
      wide[r * width + c] = a + (b - a) * x.part[c];
    }
  }
  for (let r = 0; r < height; r++) {
    for (let c = 0; c < width; c++) {
      const a = wide[y.low[r] * width + c], b = wide[y.high[r] * width + c];
      large[r * width + c] = a + (b - a) * y.part[r];
    }
  }
  return large;
}

// Boxes around the connected parts above a share of the largest value, cells that touch at a side together.
function parts(values, [height, width], threshold) {
  const line = threshold * values.reduce((a, b) => Math.max(a, b), 0);
  const whole = values.reduce((a, b) => a + Math.max(b, 0), 0);
  const seen = new Uint8Array(values.length), found = [], todo = [];
  if (!(line > 0 || whole > 0)) return found;
  for (let first = 0; first < values.length; first++) {
    if (seen[first] || !(values[first] > line)) continue;
    const part = { box: [width, height, 0, 0], size: 0, evidence: 0 };
    seen[first] = 1;
    todo.push(first);
    while (todo.length) {
      const i = todo.pop(), x = i % width, y = (i - x) / width, b = part.box;
      part.size += 1;
      part.evidence += values[i] / whole;
      part.box = [Math.min(b[0], x), Math.min(b[1], y), Math.max(b[2], x + 1), Math.max(b[3], y + 1)];
      for (const [there, next] of [[x > 0, i - 1], [x + 1 < width, i + 1], [y > 0, i - width],
        [y + 1 < height, i + width]]) {
        if (there && !seen[next] && values[next] > line) {
          seen[next] = 1;
          todo.push(next);
        }
      }
    }
    found.push(part);
  }
  return found;
}

// Colours: an index from 0 to 255 of each value, and red, green, blue and opacity of each index.
function paint(context, values, shape, { largest, rgb, two, alpha }) {
  const { width, height } = context.canvas;
  const shares = Float64Array.from(values, (v) => (largest > 0 ? clamp(v / largest, two ? -1 : 0, 1) : 0));
  const stretched = enlarge(shares, shape, [height, width], "centers");
  const image = context.createImageData(width, height);
  const colour = new Uint8Array(4 * 256), pixels = new Uint32Array(image.data.buffer);
  for (let index = 0; index < 256; index++) {
    const share = two ? Math.min(Math.abs(index - 128), 127) / 127 : index / 255;
    colour.set([...rgb.subarray(3 * index, 3 * index + 3), Math.round(share * alpha * 255)], 4 * index);
  }
  const whole = new Uint32Array(colour.buffer);
  for (let i = 0; i < pixels.length; i++) {
    pixels[i] = whole[Math.round(two ? 128 + stretched[i] * 127 : stretched[i] * 255)];
  }
  context.putImageData(image, 0, 0);
}
