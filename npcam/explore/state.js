// The state of the page, and questions to the worker, which has all the numbers.

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
  shapes: {}, // of all layers
  results: null,
  chosen: false, // whether a person chose the class
};

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
