"use strict";
// From a photograph's pixels to the network's input: Pillow's nearest pixel, and npcam/preprocessing.py's steps.

// Which of `from` pixels in a row stands for each of `to`: the one under the middle, found as Pillow finds it, by adding
// up steps in float64.
function nearest(from, to) {
  if (from === to) return Array.from({ length: to }, (_, at) => at);
  const step = from / to;
  let place = step * 0.5;
  return Array.from({ length: to }, () => {
    const at = Math.floor(place);
    place += step;
    return Math.min(at, from - 1);
  });
}

// Pillow's grey of red, green and blue.
function greyOf(red, green, blue) {
  return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16;
}

// pixels: bytes, red, green and blue, of [height, width]; gives a tensor [height, width, 3]. Each step rounds to float32.
function preprocess(pixels, [height, width], { grey, steps }) {
  let shape = [height, width, grey ? 1 : 3];
  let x = Float32Array.from(pixels);
  if (grey)
    x = Float32Array.from({ length: height * width }, (_, at) =>
      greyOf(...pixels.subarray(3 * at, 3 * at + 3)),
    );
  for (const { operation, values } of steps) {
    if (operation === "channels") {
      x = channelsOf(x, shape[2], values);
      shape = [shape[0], shape[1], values.length];
    } else if (operation === "enlarge") {
      [x, shape] = enlarge(x, shape, values);
    } else {
      const numbers = Float32Array.from(values);
      const change = CHANGES[operation];
      x = x.map((value, at) => change(value, numbers[numbers.length === 1 ? 0 : at % shape[2]]));
    }
  }
  return { shape, data: x };
}

const CHANGES = {
  add: (x, y) => x + y,
  subtract: (x, y) => x - y,
  multiply: (x, y) => x * y,
  divide: (x, y) => x / y,
};

function channelsOf(x, count, wanted) {
  const y = new Float32Array((x.length / count) * wanted.length);
  wanted.forEach((channel, k) => {
    for (let from = channel, to = k; from < x.length; from += count, to += wanted.length) y[to] = x[from];
  });
  return y;
}

function enlarge(x, [h, w, c], [rows, columns]) {
  const shape = [h * rows, w * columns, c];
  const y = new Float32Array(shape[0] * shape[1] * c);
  for (let at = 0; at < y.length; at += 1) {
    const [k, j, i] = [at % c, Math.floor(at / c) % shape[1], Math.floor(at / c / shape[1])];
    y[at] = x[(Math.floor(i / rows) * w + Math.floor(j / columns)) * c + k];
  }
  return [y, shape];
}

// A file in which no EXIF is found any more: browsers turn a photograph as it asks for, which Keras does not. Its name
// is changed where it stands, in JPEG, PNG and WebP; all else stays.
function withoutExif(file) {
  const bytes = file.slice();
  const view = new DataView(bytes.buffer);
  const named = (at, name) => [...name].every((letter, n) => bytes[at + n] === letter.charCodeAt(0));
  if (bytes[0] === 0xff && bytes[1] === 0xd8) {
    // JPEG: segments, up to the first scan
    for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xda;) {
      if (bytes[at + 1] === 0xe1 && named(at + 4, "Exif")) bytes[at + 4] = 0x58;
      at += 2 + view.getUint16(at + 2);
    }
  } else if (named(1, "PNG")) {
    for (let at = 8; at + 12 <= bytes.length;) {
      const end = at + 8 + view.getUint32(at);
      if (named(at + 4, "eXIf") && end + 4 <= bytes.length) {
        bytes[at + 5] = 0x78; // exIf: a private chunk
        view.setUint32(end, crc32(bytes.subarray(at + 4, end)));
      }
      at = end + 4;
    }
  } else if (named(0, "RIFF") && named(8, "WEBP")) {
    for (let at = 12; at + 8 <= bytes.length;) {
      if (named(at, "EXIF")) bytes[at] = 0x58;
      const size = view.getUint32(at + 4, true);
      at += 8 + size + (size % 2);
    }
  }
  return bytes;
}

// Whether a canvas gives back what was put into it; browsers that guard against being recognised may not.
function canvasIsTrue() {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [64, 64];
  const context = canvas.getContext("2d", { colorSpace: "srgb", willReadFrequently: true });
  const picture = context.createImageData(64, 64);
  picture.data.forEach((_, at) => {
    picture.data[at] = at % 4 === 3 ? 255 : (at * 37) % 256;
  });
  context.putImageData(picture, 0, 0);
  return context.getImageData(0, 0, 64, 64).data.every((value, at) => value === picture.data[at]);
}

// A photograph's file decoded by the browser: the pixels for the network, and a smaller picture to look at. Colour
// profiles, EXIF's turn and transparency are left out, as Keras leaves them out.
async function decode(file, [height, width], longest) {
  const bytes = withoutExif(new Uint8Array(await file.arrayBuffer()));
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(new Blob([bytes]), options);
  const size = [bitmap.width, bitmap.height];
  const strip = document.createElement("canvas"); // the rows that are wanted, as they are: none is scaled
  [strip.width, strip.height] = [bitmap.width, height];
  const context = strip.getContext("2d", { colorSpace: "srgb", willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  nearest(bitmap.height, height).forEach((row, i) => {
    context.drawImage(bitmap, 0, row, bitmap.width, 1, 0, i, bitmap.width, 1);
  });
  const all = context.getImageData(0, 0, bitmap.width, height).data;
  const pixels = new Uint8Array(height * width * 3);
  let clear = false;
  nearest(bitmap.width, width).forEach((column, j) => {
    for (let i = 0; i < height; i += 1) {
      const from = (i * bitmap.width + column) * 4;
      pixels.set(all.subarray(from, from + 3), (i * width + j) * 3);
      clear ||= all[from + 3] < 255;
    }
  });
  const share = Math.min(1, longest / Math.max(...size));
  const view = document.createElement("canvas");
  [view.width, view.height] = size.map((side) => Math.max(1, Math.round(side * share)));
  view.getContext("2d").drawImage(bitmap, 0, 0, view.width, view.height);
  bitmap.close();
  const deep = bytes[1] === 0x50 && bytes[24] === 16; // a PNG of 16 bits a channel
  return { pixels, view, size, clear, deep };
}
