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
  if (layer.padding !== "same") return [[layer.padding, layer.padding], [layer.padding, layer.padding]];
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
// laid out as the rows of a matrix, which is multiplied with the kernel's, four rows with three columns at a time.
function conv2D(x, { kernel, bias }, layer) {
  const padded = layer.padding === "same" ? zeroPadding2D(x, paddings(layer, x.shape[0], x.shape[1])) : x;
  const [h, w, c] = padded.shape;
  const { window: size, stride } = layer;
  const filters = bias.shape[0];
  const [height, width] = [h, w].map((side) => Math.floor((side - size) / stride) + 1);
  const y = tensor([height, width, filters]);
  const patch = size * size * c;
  const columns = columnsOf(kernel.data, patch, filters);
  const places = height * width;
  const rows = new Float64Array(4 * patch);
  const sums = new Float64Array(12);
  for (let place = 0; place < places; place += 4) {
    const count = Math.min(4, places - place);
    for (let r = 0; r < count; r += 1) {
      const i = Math.floor((place + r) / width) * stride;
      const j = ((place + r) % width) * stride;
      for (let a = 0, to = r; a < size; a += 1) {
        const from = ((i + a) * w + j) * c;
        for (let p = from; p < from + size * c; p += 1, to += 4) rows[to] = padded.data[p];
      }
    }
    for (let k = 0; k < filters; k += 3) {
      multiply(rows, columns, k * patch, patch, sums);
      for (let r = 0; r < count; r += 1) {
        const at = (place + r) * filters + k;
        for (let f = 0; f < 3 && k + f < filters; f += 1) y.data[at + f] = sums[3 * r + f] + bias.data[k + f];
      }
    }
  }
  return y;
}

// The kernel's columns in threes, those of a three interleaved; zeros after the last filter.
function columnsOf(kernel, patch, filters) {
  const columns = new Float64Array(Math.ceil(filters / 3) * 3 * patch);
  for (let k = 0; k < filters; k += 1) {
    let to = (k - (k % 3)) * patch + (k % 3);
    for (let p = 0; p < patch; p += 1, to += 3) columns[to] = kernel[p * filters + k];
  }
  return columns;
}

// Four rows times three columns, both interleaved: twelve sums, which stay in registers.
function multiply(rows, columns, start, patch, sums) {
  let s00 = 0, s01 = 0, s02 = 0, s10 = 0, s11 = 0, s12 = 0, s20 = 0, s21 = 0, s22 = 0, s30 = 0, s31 = 0, s32 = 0;
  for (let p = 0, q = start; p < 4 * patch; p += 4, q += 3) {
    const u = columns[q], v = columns[q + 1], w = columns[q + 2];
    let x = rows[p];
    s00 += x * u; s01 += x * v; s02 += x * w;
    x = rows[p + 1];
    s10 += x * u; s11 += x * v; s12 += x * w;
    x = rows[p + 2];
    s20 += x * u; s21 += x * v; s22 += x * w;
    x = rows[p + 3];
    s30 += x * u; s31 += x * v; s32 += x * w;
  }
  sums[0] = s00; sums[1] = s01; sums[2] = s02; sums[3] = s10; sums[4] = s11; sums[5] = s12;
  sums[6] = s20; sums[7] = s21; sums[8] = s22; sums[9] = s30; sums[10] = s31; sums[11] = s32;
}

// y = gamma (x - moving_mean) / sqrt(moving_variance + epsilon) + beta, channel by channel.
function batchNormalization(x, { gamma, beta, moving_mean: mean, moving_variance: variance }, { epsilon }) {
  const channels = mean.shape[0];
  const scale = Float64Array.from(gamma.data, (g, k) => g / Math.sqrt(variance.data[k] + epsilon));
  const y = tensor(x.shape);
  for (let at = 0; at < y.data.length; at += channels) {
    for (let k = 0; k < channels; k += 1) y.data[at + k] = (x.data[at + k] - mean.data[k]) * scale[k] + beta.data[k];
  }
  return y;
}

function relu(x) {
  const y = tensor(x.shape);
  for (let at = 0; at < y.data.length; at += 1) y.data[at] = x.data[at] < 0 ? 0 : x.data[at]; // NaN stays NaN
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
  for (let at = 0; at < y.data.length; at += 1) y.data[at] = x.data[at] + z.data[at];
  return y;
}

function globalAveragePooling2D(x) {
  const [h, w, c] = x.shape;
  const sums = new Float64Array(c);
  for (let at = 0; at < x.data.length; at += c) for (let k = 0; k < c; k += 1) sums[k] += x.data[at + k];
  return tensor([c], Float32Array.from(sums, (sum) => sum / (h * w)));
}

function dense(x, { kernel, bias }) {
  const classes = bias.shape[0];
  const sums = new Float64Array(classes);
  x.data.forEach((value, c) => {
    for (let k = 0; k < classes; k += 1) sums[k] += value * kernel.data[c * classes + k];
  });
  return tensor([classes], Float32Array.from(sums, (sum, k) => sum + bias.data[k]));
}

// The maximum taken off changes nothing but keeps exp from overflowing.
function softmax(x) {
  const largest = x.data.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Float64Array.from(x.data, (value) => Math.exp(value - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return tensor(x.shape, Float32Array.from(powers, (power) => power / sum));
}

function sigmoid(x) {
  return tensor(x.shape, x.data.map((value) => 0.5 + 0.5 * Math.tanh(0.5 * value)));
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
  return [...off].filter((one) => one.startsWith(`${name}:`)).map((one) => Number(one.slice(name.length + 1)));
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
