"use strict";
// The layers of a ResNet, one function each, and the run through all of them. Layers, weights and settings go by
// Keras's names. A tensor is { shape: [height, width, channels], data: Float32Array }, the channels next to each
// other, as npcam.ops and Keras keep them; after the average it is { shape: [channels], data }.
//
// Sums are made in float64, JavaScript's numbers, and each layer's output is rounded to float32 once.

function tensor(shape, data) {
  return { shape, data: data ?? new Float32Array(shape.reduce((a, b) => a * b, 1)) };
}

// Zeros on each side: [[top, bottom], [left, right]].
function paddings(layer, height, width) {
  if (layer.padding !== "same")
    return [
      [layer.padding, layer.padding],
      [layer.padding, layer.padding],
    ];
  return [height, width].map((size) => {
    const steps = Math.ceil(size / layer.stride);
    const zeros = Math.max(0, (steps - 1) * layer.stride + layer.window - size);
    return [zeros >> 1, zeros - (zeros >> 1)]; // the odd one at the bottom and at the right
  });
}

function zeroPadding2D(x, [[top, bottom], [left, right]]) {
  const [h, w, c] = x.shape;
  const y = tensor([h + top + bottom, w + left + right, c]);
  for (let i = 0; i < h; i += 1) {
    y.data.set(x.data.subarray(i * w * c, (i + 1) * w * c), ((i + top) * y.shape[1] + left) * c);
  }
  return y;
}

// y[i, j, k] = bias[k] + sum over a, b, c of x[i * stride + a, j * stride + b, c] kernel[a, b, c, k]: the windows are
// laid out as the rows of a matrix, which is multiplied with the kernel's, three rows with four columns at a time.
function conv2D(x, { kernel, bias }, layer) {
  const padded = layer.padding === "same" ? zeroPadding2D(x, paddings(layer, x.shape[0], x.shape[1])) : x;
  const [h, w, c] = padded.shape;
  const { window: size, stride } = layer;
  const filters = bias.shape[0];
  const [height, width] = [h, w].map((side) => Math.floor((side - size) / stride) + 1);
  const [patch, places] = [size * size * c, height * width];
  const columns = columnsOf(kernel.data, patch, filters);
  const rows = new Float64Array(ROWS * patch);
  const y = tensor([height, width, filters]);
  const edge = new Float32Array(ROWS * COLUMNS); // for what the last rows and columns leave over
  for (let place = 0; place < places; place += ROWS) {
    const count = Math.min(ROWS, places - place);
    for (let r = 0; r < count; r += 1) {
      const corner = (Math.floor((place + r) / width) * w + ((place + r) % width)) * stride * c;
      fill(rows, r, padded.data, corner, size, w * c, size * c);
    }
    for (let k = 0; k < filters; k += COLUMNS) {
      const wide = Math.min(COLUMNS, filters - k);
      if (count === ROWS && wide === COLUMNS) {
        multiply(rows, columns, k * patch, patch, bias.data, k, y.data, place * filters + k, filters);
        continue;
      }
      multiply(rows, columns, k * patch, patch, bias.data, k, edge, 0, COLUMNS);
      for (let r = 0; r < count; r += 1) {
        y.data.set(edge.subarray(COLUMNS * r, COLUMNS * r + wide), (place + r) * filters + k);
      }
    }
  }
  return y;
}

const ROWS = 3;
const COLUMNS = 4;

// The kernel's columns in fours, those of a four interleaved; zeros after the last filter.
function columnsOf(kernel, patch, filters) {
  const columns = new Float64Array(Math.ceil(filters / COLUMNS) * COLUMNS * patch);
  for (let k = 0; k < filters; k += 1) {
    let to = (k - (k % COLUMNS)) * patch + (k % COLUMNS);
    for (let p = 0; p < patch; p += 1, to += COLUMNS) columns[to] = kernel[p * filters + k];
  }
  return columns;
}

// One window as every third number of `rows`: so many lines of `length`, which lie `step` apart.
function fill(rows, r, from, corner, lines, step, length) {
  for (let line = 0, at = r; line < lines; line += 1) {
    const start = corner + line * step;
    for (let p = start; p < start + length; p += 1, at += ROWS) rows[at] = from[p];
  }
}

// Three rows times four columns, both interleaved: twelve sums, which stay in the processor's registers; with the bias
// they go to y, the sums of a row `step` after those of the row before.
function multiply(rows, columns, start, patch, bias, k, y, at, step) {
  let a0 = 0,
    a1 = 0,
    a2 = 0,
    a3 = 0;
  let b0 = 0,
    b1 = 0,
    b2 = 0,
    b3 = 0;
  let c0 = 0,
    c1 = 0,
    c2 = 0,
    c3 = 0;
  for (let p = 0, q = start; p < ROWS * patch; p += ROWS, q += COLUMNS) {
    const a = rows[p];
    const b = rows[p + 1];
    const c = rows[p + 2];
    let column = columns[q];
    a0 += a * column;
    b0 += b * column;
    c0 += c * column;
    column = columns[q + 1];
    a1 += a * column;
    b1 += b * column;
    c1 += c * column;
    column = columns[q + 2];
    a2 += a * column;
    b2 += b * column;
    c2 += c * column;
    column = columns[q + 3];
    a3 += a * column;
    b3 += b * column;
    c3 += c * column;
  }
  y[at] = a0 + bias[k];
  y[at + 1] = a1 + bias[k + 1];
  y[at + 2] = a2 + bias[k + 2];
  y[at + 3] = a3 + bias[k + 3];
  y[at + step] = b0 + bias[k];
  y[at + step + 1] = b1 + bias[k + 1];
  y[at + step + 2] = b2 + bias[k + 2];
  y[at + step + 3] = b3 + bias[k + 3];
  y[at + 2 * step] = c0 + bias[k];
  y[at + 2 * step + 1] = c1 + bias[k + 1];
  y[at + 2 * step + 2] = c2 + bias[k + 2];
  y[at + 2 * step + 3] = c3 + bias[k + 3];
}

// y = gamma (x - moving_mean) / sqrt(moving_variance + epsilon) + beta, channel by channel.
function batchNormalization(x, { gamma, beta, moving_mean: mean, moving_variance: variance }, { epsilon }) {
  const channels = mean.shape[0];
  const scale = Float64Array.from(gamma.data, (g, k) => g / Math.sqrt(variance.data[k] + epsilon));
  const y = tensor(x.shape);
  const [from, to, centre, shift] = [x.data, y.data, mean.data, beta.data];
  for (let at = 0; at < to.length; at += channels) {
    for (let k = 0; k < channels; k += 1) to[at + k] = (from[at + k] - centre[k]) * scale[k] + shift[k];
  }
  return y;
}

function relu(x) {
  const y = tensor(x.shape);
  const [from, to] = [x.data, y.data];
  for (let at = 0; at < to.length; at += 1) to[at] = from[at] < 0 ? 0 : from[at]; // NaN stays NaN
  return y;
}

function maxPooling2D(x, { window: size, stride }) {
  const [h, w, c] = x.shape;
  const [height, width] = [h, w].map((side) => Math.floor((side - size) / stride) + 1);
  const y = tensor([height, width, c]);
  y.data.fill(-Infinity);
  for (let i = 0; i < height; i += 1) {
    for (let j = 0; j < width; j += 1) {
      for (let a = 0; a < size; a += 1) {
        for (let b = 0; b < size; b += 1) {
          const from = ((i * stride + a) * w + j * stride + b) * c;
          const to = (i * width + j) * c;
          for (let k = 0; k < c; k += 1) y.data[to + k] = Math.max(y.data[to + k], x.data[from + k]);
        }
      }
    }
  }
  return y;
}

function add(x, z) {
  const y = tensor(x.shape);
  const [one, other, to] = [x.data, z.data, y.data];
  for (let at = 0; at < to.length; at += 1) to[at] = one[at] + other[at];
  return y;
}

function globalAveragePooling2D(x) {
  const [h, w, c] = x.shape;
  const sums = new Float64Array(c);
  for (let at = 0; at < x.data.length; at += c) for (let k = 0; k < c; k += 1) sums[k] += x.data[at + k];
  return tensor(
    [c],
    Float32Array.from(sums, (sum) => sum / (h * w)),
  );
}

function dense(x, { kernel, bias }) {
  const classes = bias.shape[0];
  const sums = new Float64Array(classes);
  x.data.forEach((value, c) => {
    for (let k = 0; k < classes; k += 1) sums[k] += value * kernel.data[c * classes + k];
  });
  return tensor(
    [classes],
    Float32Array.from(sums, (sum, k) => sum + bias.data[k]),
  );
}

// The maximum taken off changes nothing but keeps exp from overflowing.
function softmax(x) {
  const largest = x.data.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Float64Array.from(x.data, (value) => Math.exp(value - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return tensor(
    x.shape,
    Float32Array.from(powers, (power) => power / sum),
  );
}

function sigmoid(x) {
  return tensor(
    x.shape,
    x.data.map((value) => 0.5 + 0.5 * Math.tanh(0.5 * value)),
  );
}

const ACTIVATIONS = { softmax, sigmoid, linear: (x) => x };

const LAYERS = {
  ZeroPadding2D: ([x], _, layer) => zeroPadding2D(x, paddings(layer, x.shape[0], x.shape[1])),
  Conv2D: ([x], weights, layer) => conv2D(x, weights, layer),
  BatchNormalization: ([x], weights, layer) => batchNormalization(x, weights, layer),
  Activation: ([x]) => relu(x),
  MaxPooling2D: ([x], _, layer) => maxPooling2D(x, layer),
  Add: ([x, z]) => add(x, z),
  GlobalAveragePooling2D: ([x]) => globalAveragePooling2D(x),
  Dense: ([x], weights) => dense(x, weights),
};

// Run a preprocessed photograph through every layer.
//
//   network   { layers: npcam/layers.py's table, activation, weights: { layer: { name: tensor } } }
//   input     tensor [height, width, 3]
//   off       what is switched off, a Set: "conv3_block2" leaves out that block's branch, so that only its shortcut
//             goes on; "conv3_block2_1_bn" hands on what it is given; "conv3_block2_out:5" sets a channel to 0
//   before    outputs of another run of the same input with nothing off: what is the same is taken from there
//
// Gives { outputs: { layer: tensor }, logits: tensor }; the output of `predictions` are the probabilities.
function runNetwork(network, input, off = new Set(), before = null) {
  const outputs = {};
  for (const layer of network.layers) {
    const { name, kind } = layer;
    const inputs = layer.inputs.map((other) => outputs[other]);
    const channels = channelsOff(off, name);
    const untouched = !channels.length && !off.has(name) && !(kind === "Add" && off.has(blockOf(name)));
    if (before && untouched && layer.inputs.every((other) => outputs[other] === before[other])) {
      outputs[name] = before[name];
      continue;
    }
    let y;
    if (kind === "InputLayer") y = input;
    else if (off.has(name) || (kind === "Add" && off.has(blockOf(name)))) [y] = inputs;
    else y = LAYERS[kind](inputs, network.weights[name], layer);
    if (kind === "Dense") y = ACTIVATIONS[network.activation](y);
    outputs[name] = without(y, channels);
  }
  const top = network.layers[network.layers.length - 1];
  return { outputs, logits: dense(outputs[top.inputs[0]], network.weights[top.name]) };
}

// `conv3_block2` of `conv3_block2_add`; nothing of what is in no block.
function blockOf(name) {
  return /^conv\d+_block\d+/.exec(name)?.[0];
}

function channelsOff(off, name) {
  return [...off]
    .filter((one) => one.startsWith(`${name}:`))
    .map((one) => Number(one.slice(name.length + 1)));
}

function without(x, channels) {
  if (!channels.length) return x;
  const y = tensor(x.shape, x.data.slice());
  const count = x.shape[x.shape.length - 1];
  for (const k of channels) for (let at = k; at < y.data.length; at += count) y.data[at] = 0;
  return y;
}

// Weights by layer and name, from their bytes: those of all first bytes of the numbers, of all second ones, and so on.
function weightsOf(bytes, listed) {
  const count = bytes.length / 4;
  const whole = new Uint8Array(bytes.length);
  for (let plane = 0; plane < 4; plane += 1) {
    for (let n = 0, from = plane * count, to = plane; n < count; n += 1, to += 4) whole[to] = bytes[from + n];
  }
  const numbers = new Float32Array(whole.buffer);
  const weights = {};
  let at = 0;
  for (const [layer, name, shape] of listed) {
    const size = shape.reduce((a, b) => a * b, 1);
    weights[layer] ??= {};
    weights[layer][name] = tensor(shape, numbers.subarray(at, at + size));
    at += size;
  }
  return weights;
}
