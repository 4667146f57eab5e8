"use strict";
// The network off the page's own thread: it answers one question after the other.

let network = null;
let plain = null; // the run with nothing switched off
let shown = null; // the run that is looked at
let off = new Set();

// Weights as float32 again: their bytes lie apart, all first bytes, all second ones, ..., as zlib packs them best.
async function unpack(bytes, listed) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return weightsOf(new Uint8Array(await new Response(stream).arrayBuffer()), listed);
}

const ANSWERS = {
  async load({ about, bytes }) {
    network = { ...about, weights: await unpack(bytes, about.weights) };
    runNetwork(network, tensor([64, 64, 3])); // once, so that the first photograph finds compiled code
    return null;
  },

  run({ pixels }) {
    const begun = performance.now();
    const input = preprocess(pixels, network.photo_size, network.preprocessing);
    plain = runNetwork(network, input);
    shown = plain;
    const milliseconds = performance.now() - begun;
    if (off.size) shown = runNetwork(network, input, off, plain.outputs);
    const shapes = Object.fromEntries(
      Object.entries(plain.outputs).map(([name, { shape }]) => [name, shape]),
    );
    return { ...results(), shapes, milliseconds };
  },

  switch({ names }) {
    off = new Set(names);
    if (plain) shown = off.size ? runNetwork(network, plain.outputs.input_layer, off, plain.outputs) : plain;
    return plain && results();
  },

  // Maps of a layer, one after the other, and the smallest and largest number of all its maps.
  maps({ layer, channels }) {
    const { shape, data } = shown.outputs[layer];
    const count = shape[shape.length - 1];
    const [low, high] = data.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [0, 0]);
    return { shape, low, high, maps: channels.map((k) => columnOf(data, k, count)) };
  },

  // The mean size of all maps of each layer, place by place.
  means({ layers }) {
    return layers.map((layer) => {
      const { shape, data } = shown.outputs[layer];
      const count = shape[shape.length - 1];
      const mean = new Float32Array(data.length / count);
      data.forEach((value, at) => {
        mean[Math.floor(at / count)] += Math.abs(value) / count;
      });
      return { shape, mean };
    });
  },

  number({ layer, at, channel }) {
    return takeApart(network, shown.outputs, off, layer, at, channel);
  },

  // The last maps and what each adds to a class: its weight times its mean.
  evidence({ target }) {
    const top = network.layers.at(-1).name;
    const { kernel, bias } = network.weights[top];
    const averages = network.layers.at(-2);
    const [maps] = averages.inputs;
    const weights = columnOf(kernel.data, target, bias.shape[0]);
    const { data } = shown.outputs[averages.name];
    const gains = Float64Array.from(weights, (weight, k) => weight * data[k]);
    return { maps: shown.outputs[maps], layer: maps, weights, gains, bias: bias.data[target] };
  },

  record() {
    return npz(plain.outputs);
  },
};

function results() {
  const top = network.layers.at(-1).name;
  const of = ({ outputs, logits }) => ({ probabilities: outputs[top].data, logits: logits.data });
  return { shown: of(shown), plain: of(plain) };
}

if (typeof self !== "undefined") {
  let last = Promise.resolve(); // a question waits for the answers before it
  self.onmessage = ({ data: { id, question, ...rest } }) => {
    last = last.then(async () => {
      try {
        self.postMessage({ id, answer: await ANSWERS[question](rest) });
      } catch (error) {
        self.postMessage({ id, error: String(error?.message ?? error) });
      }
    });
  };
}
