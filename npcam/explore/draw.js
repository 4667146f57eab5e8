"use strict";
// Maps as pictures, and numbers as words.

function button(parent, text, pressed) {
  const element = make(parent, "button", text);
  element.type = "button";
  element.addEventListener("click", pressed);
  return element;
}

// The shortest decimal that is read back as the same float32.
function digits(x) {
  for (let count = 6; count < 9; count += 1) {
    const text = x.toPrecision(count);
    if (Math.fround(Number(text)) === x) return String(Number(text));
  }
  return String(Number(x.toPrecision(9)));
}

const few = (x) => String(Number(x.toPrecision(4)));

function percent(share) {
  if (share > 0 && share < 0.0005) return "<0.1%";
  return share < 1 && share >= 0.9995 ? ">99.9%" : `${(100 * share).toFixed(1)}%`;
}

function coloursOf(hex) {
  return Uint8Array.from({ length: hex.length / 2 }, (_, at) => parseInt(hex.slice(2 * at, 2 * at + 2), 16));
}

// A scale is { low, high }: from 0 to `high` in one run of colours, or both sides of a white 0 where `low` is negative.
function colourer(colours, { low, high }) {
  const largest = Math.max(high, -low) || 1;
  if (low >= 0) return (x) => 3 * Math.round(255 * Math.min(1, Math.max(0, x / largest)));
  return (x) => 3 * (127 + Math.round(127 * Math.min(1, Math.max(-1, x / largest))));
}

function tableOf(colours, { low }) {
  return low < 0 ? colours.signed : colours.viridis;
}

function paintMap(canvas, values, [h, w], colours, scale) {
  [canvas.height, canvas.width] = [h, w];
  const context = canvas.getContext("2d");
  const picture = context.createImageData(w, h);
  const [table, index] = [tableOf(colours, scale), colourer(colours, scale)];
  for (let at = 0; at < h * w; at += 1) {
    const from = index(values[at]);
    for (let c = 0; c < 3; c += 1) picture.data[4 * at + c] = table[from + c];
    picture.data[4 * at + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
}

// The smallest and the largest number, and 0 between them.
function rangeOf(values, low = 0, high = 0) {
  for (const x of values) {
    if (x < low) low = x;
    if (x > high) high = x;
  }
  return { low, high };
}

// The same without the 0, in words.
function fromTo(values) {
  const { low, high } = rangeOf(values, Infinity, -Infinity);
  return low === high ? few(low) : `${few(low)} to ${few(high)}`;
}

// Pixels (bytes, red, green, blue) on a canvas; a map, where there is one, is laid over them as a tint that follows it,
// fullest at `largest`.
function paintPixels(canvas, pixels, [h, w], tint, largest, colours) {
  [canvas.height, canvas.width] = [h, w];
  const context = canvas.getContext("2d");
  const picture = context.createImageData(w, h);
  const index = tint && colourer(colours, { low: -largest, high: largest });
  for (let at = 0; at < h * w; at += 1) {
    const share = tint ? 0.85 * Math.min(1, Math.abs(tint[at] / largest)) : 0;
    const from = tint ? index(tint[at]) : 0;
    for (let c = 0; c < 3; c += 1) {
      picture.data[4 * at + c] = pixels[3 * at + c] * (1 - share) + colours.signed[from + c] * share;
    }
    picture.data[4 * at + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
}

// A map enlarged bilinearly, the middles of its corner cells on the corner pixels, as SciPy's zoom does.
function enlarged(map, [h, w], [height, width]) {
  const large = new Float32Array(height * width);
  for (let i = 0; i < height; i += 1) {
    const y = height > 1 ? (i * (h - 1)) / (height - 1) : 0;
    const top = Math.min(Math.floor(y), Math.max(0, h - 2));
    const below = Math.min(top + 1, h - 1);
    for (let j = 0; j < width; j += 1) {
      const x = width > 1 ? (j * (w - 1)) / (width - 1) : 0;
      const left = Math.min(Math.floor(x), Math.max(0, w - 2));
      const right = Math.min(left + 1, w - 1);
      const [v, u] = [y - top, x - left];
      large[i * width + j] =
        (1 - v) * ((1 - u) * map[top * w + left] + u * map[top * w + right]) +
        v * ((1 - u) * map[below * w + left] + u * map[below * w + right]);
    }
  }
  return large;
}

// Keys in a group of buttons of which one at a time is reached with Tab: arrows, Home and End move on.
function rove(group) {
  const all = () => [...group.querySelectorAll("button[data-rove]")];
  group.addEventListener("keydown", (event) => {
    const buttons = all();
    const at = buttons.indexOf(document.activeElement);
    if (at < 0) return;
    const here = buttons[at].getBoundingClientRect();
    const inLine = (down) => {
      // the nearest one in the next line
      const lines = buttons.filter(
        (one) => down * (one.getBoundingClientRect().top - here.top) > here.height / 2,
      );
      const distance = (one) => {
        const there = one.getBoundingClientRect();
        return Math.abs(there.top - here.top) * 1e4 + Math.abs(there.left - here.left);
      };
      return lines.reduce((best, one) => (best && distance(best) <= distance(one) ? best : one), null);
    };
    const next = {
      ArrowRight: () => buttons[at + 1],
      ArrowLeft: () => buttons[at - 1],
      Home: () => buttons[0],
      End: () => buttons.at(-1),
      ArrowDown: () => inLine(1),
      ArrowUp: () => inLine(-1),
    }[event.key]?.();
    if (!next) return;
    event.preventDefault();
    makeReachable(group, next);
    next.focus();
  });
}

function makeReachable(group, chosen) {
  for (const one of group.querySelectorAll("button[data-rove]")) one.tabIndex = one === chosen ? 0 : -1;
}
