// The label map of a photo beyond what the model sees, where hair, cloth and background go on: the parser looks at two
// wider squares around the crop. As editing/surroundings.py, which follows regions farther, to the photo's borders.

import { nearestZeros, specks, taken } from "./compositing/fields.js";
import { Frame, carried } from "./compositing/frame.js";
import { masked } from "./compositing/planes.js";
import { cut } from "./photo.js";

const WIDER = [1.8, 1.4];
const CELLS = 192;
const SPECK = 0.01;

// segmap: label ids {data, height, width} of the crop. Gives {frame, ids}.
export async function surroundings({ image, crop }, segmap, model) {
  const near = around(crop, WIDER[0], image);
  const side = Math.round(CELLS * WIDER[0]);
  const frame = Frame.square(near);
  let ids = { data: new Int32Array(side * side).fill(-1), height: side, width: side };
  const parserSide = Math.max(...model.parserSize);
  for (const factor of WIDER) {
    const wider = around(crop, factor, image);
    const seen = await model.parse(cut(image, wider, parserSide));
    ids = over(ids, frame, { data: seen, height: parserSide, width: parserSide }, Frame.square(wider));
  }
  const stray = specks(ids, Math.round(SPECK * CELLS ** 2)).data;
  ids.data = ids.data.map((id, n) => (stray[n] ? -1 : id));
  ids = over(ids, frame, segmap, Frame.square(crop));
  if (ids.data.some((id) => id < 0)) ids = taken(ids, nearestZeros(masked(ids, (id) => id < 0)));
  return { frame, ids };
}

// Label ids over a frame, with those over another one on top.
function over(below, frame, ids, place) {
  const part = carried({ ...ids, data: Int32Array.from(ids.data, (id) => id + 1) }, place, frame, below.height, below.width);
  return { ...below, data: below.data.map((id, n) => (part.data[n] > 0 ? part.data[n] - 1 : id)) };
}

function around(crop, factor, image) {
  const size = Math.min(factor * crop.size, 3 * Math.max(image.height, image.width));
  const reach = (size - crop.size) / 2;
  return { ...crop, top: crop.top - reach, left: crop.left - reach, size };
}
