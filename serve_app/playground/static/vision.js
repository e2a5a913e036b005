// Paints what the model was given and how it weighed it. Boxes and sizes are the reply's; nothing is kept.

const LONGEST_SIDE = 1600; // of what is painted; screens show no more
const VEIL = [20, 19, 17]; // dark, on light pages too: a lamp on what matters
const STRONGEST_VEIL = 0.84;

/** The patches' names, best first: A, B, C... */
export const nameOf = (index) => String.fromCharCode(65 + index);

/** How many times closer a patch is than the overview, along a side. */
export function zoomOf(patch, reply) {
  const [x0, y0, x1, y1] = patch.box;
  const dense = patch.tokens / ((x1 - x0) * (y1 - y0));
  const sparse = reply.overview.tokens / (reply.image.width * reply.image.height);
  return Math.sqrt(dense / sparse);
}

/** The largest of a map's cells as `{ value, row, col }`. */
export function peakOf(cells) {
  const best = { value: -1, row: 0, col: 0 };
  cells.forEach((line, row) => line.forEach((value, col) => {
    if (value > best.value) Object.assign(best, { value, row, col });
  }));
  return best;
}

/** Covers each cell by as much as it falls short of the strongest one; one canvas pixel a cell. */
export function paintVeil(canvas, cells) {
  const strongest = Math.max(peakOf(cells).value, 1e-6);
  canvas.width = cells[0].length;
  canvas.height = cells.length;
  const alphas = cells.flat().map((value) => 255 * STRONGEST_VEIL * (1 - value / strongest));
  const pixels = alphas.flatMap((alpha) => [...VEIL, Math.round(alpha)]);
  const data = new ImageData(new Uint8ClampedArray(pixels), canvas.width, canvas.height);
  canvas.getContext("2d").putImageData(data, 0, 0);
}

/** The picture at the detail that was encoded: the first view, and each patch in its place. */
export function paintSeen(canvas, image, reply, side) {
  const { width, height } = reply.image;
  const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  const paint = (view, [x0, y0, x1, y1]) =>
    context.drawImage(view, x0 * scale, y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale);
  const whole = { ...reply.overview, box: [0, 0, width, height] };
  for (const view of [whole, ...reply.patches.toReversed()]) {
    paint(encodedView(image, view, reply, side), view.box);
  }
}

/** A box of the picture, `rows x cols` tokens of `side` pixels, as a canvas. */
export function encodedView(image, { box: [x0, y0, x1, y1], rows, cols }, reply, side) {
  const across = image.naturalWidth / reply.image.width;
  const down = image.naturalHeight / reply.image.height;
  const canvas = document.createElement("canvas");
  canvas.width = cols * side;
  canvas.height = rows * side;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  const source = [x0 * across, y0 * down, (x1 - x0) * across, (y1 - y0) * down];
  context.drawImage(image, ...source, 0, 0, canvas.width, canvas.height);
  return canvas;
}
