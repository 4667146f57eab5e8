"use strict";
// One number of a layer, taken apart: what it was computed from, in the order in which network.js computes it.

// The first row and column under a layer's window, in its input's rows and columns; negative in the zeros around it.
function corner(layer, x, [i, j]) {
  const [[top], [left]] = layer.padding === "same" ? paddings(layer, x.shape[0], x.shape[1]) : [[0], [0]];
  return [i * layer.stride - top, j * layer.stride - left];
}

// What lies under a window, zeros where it looks past the edge: size * size * channels numbers.
function under(x, [row, column], size) {
  const [h, w, c] = x.shape;
  const values = new Float32Array(size * size * c);
  for (let a = 0; a < size; a += 1) {
    for (let b = 0; b < size; b += 1) {
      const [i, j] = [row + a, column + b];
      if (i < 0 || j < 0 || i >= h || j >= w) continue;
      values.set(x.data.subarray((i * w + j) * c, (i * w + j + 1) * c), (a * size + b) * c);
    }
  }
  return values;
}

// The column k of a kernel whose last axis has `filters` entries.
function columnOf(kernel, k, filters) {
  return Float32Array.from({ length: kernel.length / filters }, (_, p) => kernel[p * filters + k]);
}

function numberOf(x, [i, j], k) {
  return x.shape.length === 1 ? x.data[k] : x.data[(i * x.shape[1] + j) * x.shape[2] + k];
}

// A weighted sum: each product (exact in float64), each channel's share, and their sum in the network's order.
function weighted(values, kernel, channels) {
  const products = Float64Array.from(values, (value, p) => value * kernel[p]);
  const shares = new Float64Array(channels);
  let sum = 0;
  products.forEach((product, p) => {
    shares[p % channels] += product;
    sum += product;
  });
  return { values, kernel, products, shares, sum };
}

const TERMS = {
  InputLayer: () => ({}),
  ZeroPadding2D: (layer, [x], at, k) => {
    const from = at.map((place) => place - layer.padding);
    const inside = from.every((place, axis) => place >= 0 && place < x.shape[axis]);
    return { from, inside, x: inside ? numberOf(x, from, k) : 0 };
  },
  Conv2D: (layer, [x], at, k, { kernel, bias }) => {
    const from = corner(layer, x, at);
    const values = under(x, from, layer.window);
    const column = columnOf(kernel.data, k, bias.shape[0]);
    return { from, size: layer.window, bias: bias.data[k], ...weighted(values, column, x.shape[2]) };
  },
  BatchNormalization: (layer, [x], at, k, weights) => ({
    x: numberOf(x, at, k),
    epsilon: layer.epsilon,
    ...Object.fromEntries(Object.entries(weights).map(([name, { data }]) => [name, data[k]])),
  }),
  Activation: (_, [x], at, k) => ({ x: numberOf(x, at, k) }),
  MaxPooling2D: (layer, [x], at, k) => {
    const from = at.map((place) => place * layer.stride);
    const all = under(x, from, layer.window);
    const values = Float32Array.from({ length: layer.window ** 2 }, (__, p) => all[p * x.shape[2] + k]);
    return { from, size: layer.window, values };
  },
  Add: (_, [x, z], at, k) => ({ x: numberOf(x, at, k), z: numberOf(z, at, k) }),
  GlobalAveragePooling2D: (_, [x], at, k) => {
    const values = columnOf(x.data, k, x.shape[2]);
    return { count: values.length, sum: values.reduce((a, b) => a + b, 0) };
  },
  Dense: (_, [x], at, k, { kernel, bias }) => {
    const column = columnOf(kernel.data, k, bias.shape[0]);
    return { bias: bias.data[k], ...weighted(x.data, column, x.shape[0]) };
  },
};

// outputs: of a run. at: [row, column], k: channel. Gives { layer, value, at, k } and what its kind of layer computes from;
// `off` where a switch has its say instead.
function takeApart(network, outputs, off, name, at, k) {
  const layer = network.layers.find((one) => one.name === name);
  const inputs = layer.inputs.map((other) => outputs[other]);
  const switched = [name, `${name}:${k}`, ...(layer.kind === "Add" ? [blockOf(name)] : [])].find((one) =>
    off.has(one),
  );
  const terms = TERMS[layer.kind](layer, inputs, at, k, network.weights[name]);
  return { layer, at, k, value: numberOf(outputs[name], at, k), off: switched ?? null, ...terms };
}
