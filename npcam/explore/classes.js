// The photograph, and the classes that the network finds in it.

async function usePhoto(pixels, view, name, size, notes = []) {
  state.pixels = pixels;
  const canvas = $("photo");
  [canvas.width, canvas.height] = [view.naturalWidth ?? view.width, view.naturalHeight ?? view.height];
  canvas.getContext("2d").drawImage(view, 0, 0);
  canvas.setAttribute("aria-label", `The photograph ${name}`);
  $("photo-name").textContent = `${name}, ${size.join("\u00d7")} pixels`;
  say("Computing.");
  const { milliseconds, shapes, ...results } = await ask("run", { pixels });
  [state.results, state.shapes] = [results, shapes];
  if (!state.chosen) state.target = largest(results.shown.logits);
  $("inside").hidden = false;
  $("try").hidden = false;
  await redraw();
  state.milliseconds = milliseconds;
  const words = [`All layers in ${Math.round(milliseconds)} ms: ${about.class_names[state.best]}.`, ...notes];
  say(words.join(" "), notes.length > 0);
}

const CLEAR =
  "It has transparent places: npcam drops transparency, the browser does not; there the numbers differ.";
const DEEP =
  "It has 16 bits a channel, of which npcam and the browser make 8 differently: all numbers differ.";
const GUARDED =
  "This browser changes what a page reads of a picture, as a guard: the numbers are of other pixels.";

async function openFile(file) {
  say(`Reading ${file.name}.`);
  turns.photo = (turns.photo ?? 0) + 1;
  const own = turns.photo;
  let photo;
  try {
    photo = await decode(file, about.photo_size, 640);
  } catch {
    say(`${file.name}: is no photograph that this browser can read; choose a JPEG, PNG or WebP.`, true);
    return;
  }
  if (own !== turns.photo) return; // another one came meanwhile
  const notes = [photo.clear && CLEAR, photo.deep && DEEP, !canvasIsTrue() && GUARDED].filter(Boolean);
  await usePhoto(photo.pixels, photo.view, file.name, photo.size, notes);
}

async function openOwn() {
  const view = new Image();
  view.src = opening.view;
  await view.decode();
  const text = atob(opening.pixels);
  const pixels = Uint8Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
  await usePhoto(
    pixels,
    view,
    opening.name,
    opening.size,
    opening.turned ? ["Its EXIF asks for a turn, which Keras and npcam do not make."] : [],
  );
}

function largest(numbers) {
  return numbers.reduce((best, x, at) => (x > numbers[best] ? at : best), 0);
}

const LISTED = 14;

function drawClasses() {
  const place = $("classes");
  const focused = place.contains(document.activeElement);
  place.replaceChildren();
  place.classList.toggle("compared", state.off.size > 0);
  const { shown, plain } = state.results;
  state.best = largest(shown.logits);
  const order = [...plain.probabilities.keys()].sort(
    (a, b) => plain.probabilities[b] - plain.probabilities[a] || a - b,
  );
  const listed = order.slice(0, LISTED);
  for (const k of [state.best, state.target]) if (!listed.includes(k)) listed.push(k);
  const words = about.activation === "linear" ? few : percent;
  const bar = (x) => `${100 * Math.min(1, Math.max(0, about.activation === "linear" ? 0 : x))}%`;
  for (const k of listed) {
    const [now, before] = [shown.probabilities[k], plain.probabilities[k]];
    const one = button(place, "", () => {
      state.target = k;
      state.chosen = true;
      drawClasses();
      drawEvidence();
    });
    one.dataset.rove = "";
    one.setAttribute("aria-pressed", String(k === state.target));
    one.title = `${digits(now)}, logit ${digits(shown.logits[k])}`;
    make(one, "span", about.class_names[k], "name");
    const track = make(one, "span", undefined, "track");
    make(track, "i", undefined, "now").style.width = bar(now);
    if (state.off.size) make(track, "i", undefined, "before").style.left = bar(before);
    make(one, "span", words(now), "value");
    if (state.off.size) make(one, "span", `was ${words(before)}`, "was");
  }
  const chosen = place.querySelector('[aria-pressed="true"]');
  makeReachable(place, chosen);
  if (focused) chosen.focus();
}
