// Photos: opened, cropped around a face, and made smaller, as parsing/photo.py does it.
//
// A photo is {image: a picture, own: the same in the colours of its file, before transparency is laid on white, alpha:
// Uint8Array or null, crop: {top, left, size, angle} or null (the whole photo, stretched), faces: crops found, name}.

import { Frame } from "./compositing/frame.js";
import { picture, resizedPicture } from "./compositing/planes.js";
import { rounded } from "./compositing/matte.js";
import { median } from "./compositing/fields.js";
import { Problem } from "./problem.js";

const MOST_PIXELS = 50e6;
const REACH = 3;
const PARSED_SIDE = 256;

// A picture file as the browser shows it: upright, in sRGB.
export async function decoded(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Problem(`this browser cannot open ${file.name || "that file"} as a picture; save it as JPEG or PNG`);
  }
  const { width, height } = bitmap;
  try {
    if (width * height > MOST_PIXELS) throw new Problem(`expected a picture of at most ${MOST_PIXELS / 1e6} megapixels, got ${Math.round(width * height / 1e6)}`);
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    return fromRgba(context.getImageData(0, 0, width, height));
  } finally {
    bitmap.close();
  }
}

// {image, own, alpha} of ImageData, as images/__init__.py has them.
export function fromRgba({ data, width, height }) {
  const own = picture(height, width);
  const alpha = new Uint8Array(height * width);
  for (let i = 0; i < alpha.length; i++) {
    for (let c = 0; c < 3; c++) own.data[3 * i + c] = data[4 * i + c];
    alpha[i] = data[4 * i + 3];
  }
  if (alpha.every((value) => value === 255)) return { image: own, own, alpha: null };
  const image = picture(height, width);
  for (let i = 0; i < image.data.length; i++) {
    const opacity = alpha[Math.floor(i / 3)];
    image.data[i] = Math.floor((own.data[i] * opacity + 255 * (255 - opacity) + 127) / 255);
  }
  return { image, own, alpha };
}

// The colours of an edited photo under the transparency of its file: on white they look like `edited`, and pixels that
// have not changed keep their own. As photo_output.py has them.
export function offWhite(edited, { image, own, alpha }) {
  const result = picture(edited.height, edited.width);
  for (let i = 0; i < alpha.length; i++) {
    const [isChanged, opacity] = [[0, 1, 2].some((c) => edited.data[3 * i + c] !== image.data[3 * i + c]), alpha[i]];
    for (let n = 3 * i; n < 3 * i + 3; n++) {
      const colour = Math.fround(255 - Math.fround(((255 - edited.data[n]) * 255) / opacity));
      result.data[n] = isChanged && opacity ? rounded(Math.min(255, Math.max(0, colour))) : own.data[n];
    }
  }
  return result;
}

// A picture as ImageData; alpha: of its pixels, or null.
export function toRgba({ data, height, width }, alpha = null) {
  const result = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) result.data[4 * i + c] = data[3 * i + c];
    result.data[4 * i + 3] = alpha ? alpha[i] : 255;
  }
  return result;
}

// The part of a picture that a crop shows, size pixels a side; border pixels are repeated where it leaves the photo.
export function cut(image, crop, size) {
  if (crop.angle) return Frame.square(crop).seen(image, size, size).shown;
  const margin = REACH * Math.ceil(crop.size / size);
  const span = (start, extent) => {
    const [first, end] = [Math.floor(start), Math.ceil(start + crop.size)];
    const [from, to] = [Math.max(first - margin, 0), Math.min(end + margin, extent)];
    const [before, after] = [Math.max(0, -first), Math.max(0, end - extent)];
    return { places: Array.from({ length: before + to - from + after }, (_, i) => Math.min(to - 1, Math.max(from, from + i - before))), start: start - from + before };
  };
  const [rows, columns] = [span(crop.top, image.height), span(crop.left, image.width)];
  const shown = picture(rows.places.length, columns.places.length);
  let next = 0;
  for (const row of rows.places) {
    for (const column of columns.places) {
      const from = 3 * (row * image.width + column);
      for (let c = 0; c < 3; c++) shown.data[next++] = image.data[from + c];
    }
  }
  const box = { left: columns.start, top: rows.start, right: columns.start + crop.size, bottom: rows.start + crop.size };
  return resizedPicture(shown, size, size, box);
}

// What the model sees of a photo.
export function seenBy(photo, height, width) {
  if (!photo.crop) return resizedPicture(photo.image, height, width);
  return resizedPicture(cut(photo.image, photo.crop, Math.max(height, width)), height, width);
}

// The parser's map of what the model sees, of the model's size.
export async function parsed(photo, model) {
  const [height, width] = [Math.max(model.height, PARSED_SIDE), Math.max(model.width, PARSED_SIDE)];
  const ids = await model.parse(seenBy(photo, height, width));
  return nearest({ data: ids, height, width }, model.height, model.width).data;
}

// A map at another size by nearest pixels.
export function nearest({ data, height, width }, rows, columns) {
  const result = new data.constructor(rows * columns);
  for (let y = 0, i = 0; y < rows; y++) {
    const row = Math.floor((y * height) / rows) * width;
    for (let x = 0; x < columns; x++, i++) result[i] = data[row + Math.floor((x * width) / columns)];
  }
  return { data: result, height: rows, width: columns };
}

// The photo with at most so many pixels on its longer side.
export function smaller(photo, side) {
  const { height, width } = photo.image;
  const scale = side / Math.max(height, width);
  if (scale >= 1) return photo;
  const [rows, columns] = [height, width].map((extent) => Math.max(1, rounded(extent * scale)));
  const crop = photo.crop && { ...photo.crop, top: (photo.crop.top * rows) / height, left: (photo.crop.left * columns) / width, size: photo.crop.size * scale };
  return { ...photo, image: resizedPicture(photo.image, rows, columns), own: null, alpha: null, crop };
}

export function wholeSquare({ height, width }) {
  const size = Math.max(height, width);
  return { top: (height - size) / 2, left: (width - size) / 2, size, angle: 0 };
}

export function checkCrop(crop, { height, width }) {
  const { top, left, size, angle = 0 } = crop;
  const isFinite = [top, left, size, angle].every(Number.isFinite);
  const fits = isFinite && size > 0 && size <= 3 * Math.max(height, width) && Math.abs(angle) <= 180;
  const box = fits && Frame.square(crop).box({ height, width });
  if (!fits || box.top >= box.bottom || box.left >= box.right) throw new Problem("expected a frame that shows a part of the photo");
}

// The crop of a face in a photo as the training pictures show faces, or null: the parser looks at squares of the photo,
// from large ones to small ones, and follows the landmarks of the map that it makes.
export async function findFace(image, model, onProgress) {
  const squares = candidates(image);
  for (const [number, square] of squares.entries()) {
    onProgress?.(number / squares.length);
    const found = await refined(image, square, model);
    if (found) return found;
  }
  return null;
}

function candidates({ height, width }) {
  const squares = [wholeSquare({ height, width })];
  for (const share of [1, 0.6]) {
    const size = share * Math.min(height, width);
    const steps = (extent) => {
      const room = extent - size;
      const count = Math.min(3, 1 + Math.ceil(room / (0.7 * size)));
      return count === 1 ? [room / 2] : Array.from({ length: count }, (_, i) => (i * room) / (count - 1));
    };
    const places = steps(height).flatMap((top) => steps(width).map((left) => ({ top, left, size })));
    const middle = ({ top, left }) => Math.hypot(left + size / 2 - width / 2, 0.5 * (top + size / 2 - 0.4 * height));
    squares.push(...places.sort((a, b) => middle(a) - middle(b)));
  }
  return squares.filter((square, index) => squares.findIndex((other) => Math.abs(other.top - square.top) < 1 && Math.abs(other.left - square.left) < 1 && Math.abs(other.size - square.size) < 1) === index);
}

async function refined(image, crop, model, rounds = 4) {
  const side = Math.max(...model.parserSize);
  const marks = landmarks({ data: await model.parse(cut(image, crop, side)), height: side, width: side }, model.manifest.labels.names);
  if (!marks || !isUpright(marks)) return null;
  const middle = [0, 1].map((axis) => marks.eyes[axis] + 0.1 * (marks.mouth[axis] - marks.eyes[axis]));
  const share = Math.max(4 * marks.eyeDistance, 3.6 * Math.hypot(marks.mouth[0] - marks.eyes[0], marks.mouth[1] - marks.eyes[1]));
  const at = { y: crop.top + middle[0] * crop.size, x: crop.left + middle[1] * crop.size };
  const size = share * crop.size;
  if (at.y < 0 || at.x < 0 || at.y >= image.height || at.x >= image.width || size > 2 * Math.max(image.height, image.width)) return null;
  const moved = { top: at.y - size / 2, left: at.x - size / 2, size, angle: 0 };
  const isNear = (tolerance) => Math.max(...middle.map((place) => Math.abs(place - 0.5))) < tolerance && share > 1 / (1 + 2 * tolerance) && share < 1 + 2 * tolerance;
  if (rounds > 1 && !isNear(0.02)) return refined(image, moved, model, rounds - 1);
  return isNear(0.1) && marks.eyeDistance > 0 ? moved : null;
}

const EYES = ["l_eye", "r_eye"];

export const hasLandmarks = (names) => ["nose", "eye_g", "mouth", "u_lip", "l_lip", ...EYES].every((name) => names.includes(name));

// Middles of eyes, nose and mouth as [y, x] in 0..1; null where one is missing.
function landmarks({ data, height, width }, names) {
  const middle = (...wanted) => {
    const ids = new Set(wanted.map((name) => names.indexOf(name)));
    const [rows, columns] = [[], []];
    data.forEach((id, i) => {
      if (!ids.has(id)) return;
      rows.push(Math.floor(i / width));
      columns.push(i % width);
    });
    return rows.length > 0.0003 * data.length ? [(median(rows) + 0.5) / height, (median(columns) + 0.5) / width] : null;
  };
  const [mouth, nose, glasses] = [middle("mouth", "u_lip", "l_lip"), middle("nose"), middle("eye_g")];
  const eyes = EYES.map((name) => middle(name)).filter(Boolean);
  const seen = eyes.length ? eyes : [glasses].filter(Boolean);
  if (!seen.length || !mouth || !nose) return null;
  return {
    eyes: [0, 1].map((axis) => seen.reduce((sum, place) => sum + place[axis], 0) / seen.length),
    eyeDistance: eyes.length === 2 ? Math.hypot(eyes[0][0] - eyes[1][0], eyes[0][1] - eyes[1][1]) : 0,
    mouth,
    nose,
  };
}

function isUpright({ eyes, mouth, nose }) {
  const [down, across] = [mouth[0] - eyes[0], mouth[1] - eyes[1]];
  const height = nose[0] - eyes[0];
  return Math.abs(across) < 0.6 * down && 0.2 * down < height && height < 0.6 * down;
}
