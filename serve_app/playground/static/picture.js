// Where a picture comes from: a file that is dropped, pasted or chosen, or one of the samples.

import { byId } from "./dom.js";

const SAMPLES = "/playground/samples/";
const EXTENSIONS = { "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif" };

/** A picture that the browser can show. `image` is decoded, `width` and `height` are its upright pixels;
 * `path` is where the server has it, for samples; `pasted` ones have no file of the user's. */
async function open(blob, name, more = {}) {
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  try {
    await image.decode();
  } catch {
    URL.revokeObjectURL(image.src);
    throw new Error(`This browser cannot show ${name} as a picture.`);
  }
  return {
    blob, name, image, alt: `Your picture, ${name}`, questions: [], path: null, pasted: false,
    width: image.naturalWidth, height: image.naturalHeight, ...more,
  };
}

/** Listens to all sources. `chosen` gets each picture, `failed` the reason why there is none. */
export function listenForPictures(chosen, failed) {
  let newest = 0; // a slow one must not replace a later one
  async function bring(opening) {
    const turn = (newest += 1);
    try {
      const picture = await opening;
      if (turn === newest) chosen(picture);
    } catch (error) {
      if (turn === newest) failed(error.message);
    }
  }
  listenForFiles((file) => bring(open(file, file.name)));
  listenForPaste((file) => bring(open(file, `pasted.${EXTENSIONS[file.type] ?? "png"}`, { pasted: true })));
  listenForSamples(bring);
}

function listenForFiles(take) {
  const input = byId("file");
  for (const button of document.querySelectorAll("[data-choose]")) {
    button.addEventListener("click", () => input.click());
  }
  input.addEventListener("change", () => {
    if (input.files.length) take(input.files[0]);
    input.value = ""; // the same file again is a choice too
  });
  const stage = byId("stage");
  addEventListener("dragover", (event) => {
    event.preventDefault(); // anywhere: a missed drop would leave the page
    stage.toggleAttribute("data-over", true);
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) stage.removeAttribute("data-over");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    stage.removeAttribute("data-over");
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
}

function listenForPaste(take) {
  addEventListener("paste", (event) => {
    const { files, types } = event.clipboardData;
    const file = [...files].find(({ type }) => type.startsWith("image/"));
    const isText = event.target.matches("textarea") && types.includes("text/plain"); // with a picture of it
    if (!file || isText) return;
    event.preventDefault();
    take(file);
  });
}

/** The page shows them from the start; what may be asked about each comes when it is needed. */
function listenForSamples(take) {
  for (const button of document.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", () => take(openSample(button.dataset.sample)));
  }
}

async function openSample(file) {
  const path = SAMPLES + file;
  const [listed, response] = await Promise.all([fetch("/playground/samples.json"), fetch(path)]);
  if (!listed.ok || !response.ok) throw new Error("The sample cannot be loaded.");
  const { alt, questions } = (await listed.json()).find((sample) => sample.file === file);
  return open(await response.blob(), file, { alt, questions, path });
}
