// A photo prepared for composites: what depends on the photo and its map, and not on the edit, is kept. The numbers of
// compositing/guide.py.

import constants from "./constants.json" with { type: "json" };
import { colourOf, flatColour, labOf } from "./colour.js";
import { carried } from "./frame.js";
import { ColourGuide, finishedMatte, finishedVeil, guideRadius, rounded, veilOf } from "./matte.js";
import { plane } from "./planes.js";

const { GRID, LEAST_SHARE, MOST_MIXED } = constants.guide;
export const { EDGE } = constants.guide; // width of the fall to 0 where regions end without the photo ending, as a part of the frame

const STRIP_PIXELS = 1 << 18;
const CACHED_BYTES = 128 << 20;

// The size of the grid for a frame: the photo's own resolution, at most 512 cells a side.
export function gridShape(frame) {
  const [height, width] = frame.extent;
  const scale = Math.min(1, GRID / Math.max(height, width));
  return { height: Math.max(1, rounded(height * scale)), width: Math.max(1, rounded(width * scale)) };
}

export class PhotoGuide {
  #guide;
  #edges;
  #regions = new Map(); // by the mask's bytes
  #pixels = null; // {key, parts}

  // photo: a picture that does not change; frame: what the maps of its regions cover; mapSize: {height, width} of those.
  constructor(photo, frame, mapSize) {
    Object.assign(this, { photo, frame, mapSize, shape: gridShape(frame) });
    const { height, width } = this.shape;
    const { shown, inside } = frame.seen(photo, height, width);
    Object.assign(this, { seen: shown, inside });
    const colours = [0, 1, 2].map((c) => plane(height, width, Float32Array.from({ length: height * width }, (_, n) => shown.data[3 * n + c] / 255)));
    this.#guide = new ColourGuide(colours, guideRadius(this.shape, mapSize));
    this.#edges = frame.edgeWeights(height, width, photo, EDGE);
  }

  matte(region) {
    return this.#region(region).matte;
  }

  // The colour of a region in the photo; null where the photo shows nothing of it.
  colour(region) {
    return this.#region(region).colour;
  }

  // The colour of a region's inside, where only the mean of all pixels of such a region elsewhere is known: the difference
  // between both in this photo is taken for the one there.
  insideColour(region, mean) {
    const own = this.colour(region);
    const plain = this.#plainMean(region);
    if (!own || !plain) return mean;
    const gain = Math.min(Math.max(own.mean[0] / Math.max(plain[0], 1), 1 / MOST_MIXED), MOST_MIXED);
    const [lightness, a, b] = mean.mean;
    return flatColour([lightness * gain, a + own.mean[1] - plain[1], b + own.mean[2] - plain[2]]);
  }

  // The pixels of regions in parts of bounded size: {index: places in the photo, lab, shares: one array per region,
  // veiled: per region what shines through it, {place: among those of the part, share, difference}, or null}.
  *parts(regions, strands = []) {
    const key = regions.map((region, n) => `${keyOf(region)} ${Boolean(strands[n])}`).join();
    if (this.#pixels?.key === key) return yield* this.#pixels.parts;
    const mattes = regions.map((region) => this.matte(region));
    const veils = regions.map((region, n) => (strands[n] ? this.#veil(region) : null));
    this.#pixels = null;
    let kept = [];
    let bytes = 0;
    for (const box of this.#strips(mattes)) {
      const part = this.#part(mattes, veils, box);
      bytes += 4 * (part.index.length * (4 + regions.length));
      for (const veiled of part.veiled) bytes += veiled ? 20 * veiled.place.length : 0;
      if (bytes > CACHED_BYTES) kept = null;
      kept?.push(part);
      yield part;
    }
    if (kept) this.#pixels = { key, parts: kept };
  }

  #region(region) {
    const key = keyOf(region);
    if (!this.#regions.has(key)) this.#regions.set(key, this.#prepared(region));
    return this.#regions.get(key);
  }

  #prepared(region) {
    const matte = this.#guide.matte(region);
    const edges = this.#edges.data;
    for (let n = 0; n < edges.length; n++) {
      matte.least.data[n] *= edges[n];
      matte.most.data[n] *= edges[n];
    }
    const { colours } = this.#guide;
    const value = (n) => matte.offset.data[n] + matte.slopes.reduce((sum, { data }, c) => sum + data[n] * colours[c].data[n], 0);
    let sure = Float32Array.from(this.inside.data, (_, n) => (this.inside.data[n] ? Math.max(matte.least.data[n] - 0.5, 0) : 0));
    if (!sure.some(Boolean)) { // a region so thin that it has no inside
      sure = sure.map((_, n) => (this.inside.data[n] ? finishedMatte(value(n), matte.least.data[n], matte.most.data[n]) : 0));
    }
    const shown = [];
    for (let n = 0; n < sure.length; n++) if (sure[n] > 0) shown.push(n);
    return { matte, colour: colourOf(labOf(this.seen.data, shown), shown.map((n) => sure[n])), veil: null };
  }

  // Lab of the mean level of all pixels of a region; null where the photo shows nothing of it.
  #plainMean(region) {
    const { height, width } = this.shape;
    const { data } = carried(region, this.frame, this.frame, height, width);
    const sums = [0, 0, 0];
    let count = 0;
    for (let n = 0; n < data.length; n++) {
      if (!data[n] || !this.inside.data[n]) continue;
      count++;
      for (let c = 0; c < 3; c++) sums[c] += this.seen.data[3 * n + c];
    }
    return count ? [...labOf(Uint8Array.from(sums, (sum) => rounded(sum / count)))] : null;
  }

  #veil(region) {
    const kept = this.#region(region);
    if (!kept.colour || kept.veil) return kept.veil;
    const { height, width } = this.shape;
    const { colours } = this.#guide;
    const { slopes, offset, least, most } = this.#guide.matte(region); // without the fall to 0 at the frame's edges
    const matte = plane(height, width, offset.data.map((value, n) => {
      return finishedMatte(slopes.reduce((sum, { data }, c) => sum + data[n] * colours[c].data[n], value), least.data[n], most.data[n]);
    }));
    const lab = labOf(this.seen.data);
    const planes = [0, 1, 2].map((c) => plane(height, width, Float32Array.from(matte.data, (_, n) => lab[3 * n + c])));
    kept.veil = veilOf(planes, matte, this.inside, kept.colour.mean);
    return kept.veil;
  }

  // The boxes of the photo to look at: strips of the box around all regions.
  #strips(mattes) {
    const { height, width } = this.shape;
    let [top, left, bottom, right] = [height, width, -1, -1];
    for (let y = 0, n = 0; y < height; y++) {
      for (let x = 0; x < width; x++, n++) {
        if (!mattes.some(({ most }) => most.data[n])) continue;
        [top, left, bottom, right] = [Math.min(top, y), Math.min(left, x), Math.max(bottom, y), Math.max(right, x)];
      }
    }
    if (bottom < 0) return [];
    const part = this.frame.part((top - 1) / height, (left - 1) / width, (bottom + 2) / height, (right + 2) / width);
    const box = part.box(this.photo);
    const step = Math.max(1, Math.floor(STRIP_PIXELS / Math.max(1, box.right - box.left)));
    const strips = [];
    for (let row = box.top; row < box.bottom; row += step) strips.push({ ...box, top: row, bottom: Math.min(row + step, box.bottom) });
    return strips;
  }

  #part(mattes, veils, box) {
    const shares = mattes.map((matte) => this.#shares(matte, box));
    const width = box.right - box.left;
    const index = [];
    const places = [];
    for (let n = 0; n < shares[0].length; n++) {
      let total = 0;
      for (const share of shares) total += share[n];
      if (total > 1) for (const share of shares) share[n] /= total;
      if (Math.min(total, 1) <= LEAST_SHARE) continue;
      places.push(n);
      index.push((box.top + Math.floor(n / width)) * this.photo.width + box.left + (n % width));
    }
    const lab = labOf(this.photo.data, index);
    return {
      index: Int32Array.from(index),
      lab,
      shares: shares.map((share) => Float32Array.from(places, (n) => share[n])),
      veiled: veils.map((veil) => veil && this.#veiled(veil, box, places, lab)),
    };
  }

  // A veil at pixels of a box of the photo: their places in the box, their colours.
  #veiled(veil, box, places, lab) {
    const at = (field) => this.frame.sample(field, box).data;
    const [offset, near, slopes, difference] = [at(veil.offset), at(veil.near), veil.slopes.map(at), veil.difference.map(at)];
    const [place, share, differences] = [[], [], []];
    places.forEach((n, number) => {
      const linear = slopes.reduce((sum, slope, c) => sum + slope[n] * lab[3 * number + c], offset[n]);
      const through = finishedVeil(linear, near[n]);
      if (through <= LEAST_SHARE) return;
      place.push(number);
      share.push(through);
      for (const each of difference) differences.push(each[n]);
    });
    return { place: Int32Array.from(place), share: Float32Array.from(share), difference: Float32Array.from(differences) };
  }

  // The matte of a box of the photo.
  #shares(matte, box) {
    const { frame, photo } = this;
    const most = frame.sample(matte.most, box).data;
    if (!most.some(Boolean)) return most;
    const linear = frame.sample(matte.offset, box).data;
    const slopes = matte.slopes.map((slope) => frame.sample(slope, box).data);
    const least = frame.sample(matte.least, box).data;
    const width = box.right - box.left;
    for (let n = 0; n < most.length; n++) {
      if (!most[n]) continue;
      const at = 3 * ((box.top + Math.floor(n / width)) * photo.width + box.left + (n % width));
      let value = linear[n];
      for (let c = 0; c < 3; c++) value += slopes[c][n] * (photo.data[at + c] / 255);
      most[n] = finishedMatte(value, least[n], most[n]);
    }
    return most;
  }
}

// A mask as text: the lengths of its runs.
function keyOf({ data, height, width }) {
  const runs = [height, width];
  for (let n = 0, start = 0; n <= data.length; n++) {
    if (n < data.length && data[n] === data[start]) continue;
    runs.push(n - start);
    start = n;
  }
  return `${data[0]}:${runs.join(" ")}`;
}
