// All of it together: what is drawn anew, what is listened to, how the page begins.

async function redraw() {
  drawOff();
  drawClasses();
  await drawStrip();
  markStrip();
  drawDiagram();
  await drawEvidence();
  await Promise.all([drawMaps(), drawNumber()]);
}

const TRY = {
  edges: () => openLayer("conv1_relu", 0, [20, 20]),
  async largest() {
    await drawEvidence();
    await openLayer(last_maps, evidence.order[0]);
    await toLargest();
  },
  async block() {
    const blocks = groups.filter(({ title }) => blockOf(title)).map(({ title }) => title);
    const name = blocks[Math.floor(blocks.length / 2)];
    await openLayer(`${name}_out`);
    await turn(name, state.off.has(name));
  },
  async norm() {
    await openLayer("conv1_bn");
    await turn("conv1_bn", state.off.has("conv1_bn"));
  },
  sum: () => openLayer(about.layers.filter(({ kind }) => kind === "Add").at(-1).name, 0, [5, 5]),
  evidence() {
    $("evidence").scrollIntoView({ block: "start" });
    if (!playing) {
      state.added = evidence.order.length;
      play();
    }
  },
};

async function save() {
  $("saved").textContent = "Writing.";
  const pieces = await ask("record");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(pieces, { type: "application/zip" }));
  link.download = "page.npz";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  $("saved").textContent = "page.npz";
}

function listen() {
  for (const group of [$("classes"), $("strip"), $("diagram"), $("grid")]) rove(group);
  $("file").addEventListener("change", () => $("file").files[0] && openFile($("file").files[0]));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragged");
  });
  document.addEventListener(
    "dragleave",
    (event) => event.relatedTarget ?? document.body.classList.remove("dragged"),
  );
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragged");
    const [file] = event.dataTransfer.files;
    if (file) openFile(file);
    else say("What was dropped is no file; save the photograph first, then drop its file.", true);
  });
  document.addEventListener(
    "paste",
    (event) => event.clipboardData.files[0] && openFile(event.clipboardData.files[0]),
  );
  $("all-on").addEventListener("click", async () => {
    const names = [...state.off];
    state.off = new Set(names.slice(0, 1));
    await turn(names[0], true);
    focusAfterBar();
  });
  $("own-scale").addEventListener("change", drawMaps);
  $("tint").addEventListener("change", drawSum);
  $("to-largest").addEventListener("click", toLargest);
  $("count").addEventListener("input", () => {
    state.added = Number($("count").value);
    drawSum();
  });
  $("play").addEventListener("click", play);
  $("save").addEventListener("click", save);
  $("try").addEventListener("click", ({ target }) => TRY[target.dataset.try]?.());
}

async function begin() {
  $("about").textContent =
    `${about.name}: ${about.layers.length} layers, ${about.parameters.toLocaleString("en")} parameters, ${about.class_names.length} classes.`;
  $("command").textContent = `npcam verify PHOTO --against page.npz${about.verify_options}`;
  if (about.checked) $("checked").lastElementChild.textContent = about.checked;
  $("checked").hidden = !about.checked;
  for (const words of [
    ...about.assumptions,
    "A photograph is taken as its file's pixels are: no colour profile, no turn by EXIF, nearest pixel, as Keras does it.",
    "PNG and other lossless files give npcam's pixels. Of a JPEG each browser's decoder may round a pixel otherwise, by a step or two; the photograph that the page opens with was decoded by npcam.",
    `Written by npcam ${about.npcam}; SHA-256 of the weights ${about.tensors_sha256}.`,
  ])
    make($("assumed"), "li", words);
  buildStrip();
  listen();
  const text = atob($("weights-data").textContent);
  const bytes = Uint8Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
  try {
    await ask("load", { about, bytes }, [bytes.buffer]);
    if (opening.pixels) await openOwn();
    else say("Ready: drop a photograph in.");
  } catch (error) {
    say(`This browser cannot run the page (${error.message}); take a browser of 2023 or later.`, true);
  }
}

begin();
