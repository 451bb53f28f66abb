// Mattes: how much of each pixel of a photo belongs to a region, from a small map and the photo's own edges (colour
// guided filter). The numbers of compositing/matte.py, which explains them.

import constants from "./constants.json" with { type: "json" };
import { boxMean, depths } from "./fields.js";
import { smoothStep } from "./frame.js";
import { every, masked, plane, resized, some } from "./planes.js";

const {
  FLATNESS, RADIUS, REACH, THICKNESS, NEIGHBOURHOOD, GLOBAL_COLOUR, LIGHTNESS_WEIGHT, LEAST_DIFFERENCE,
  VEIL_SLACK, KNOWN_SHARE, LITTLE, SLACK,
} = constants.matte;

// The matte from the value of its linear function of colour and its bounds.
export function finishedMatte(linear, least, most) {
  const sharp = (linear - SLACK) / (1 - 2 * SLACK);
  return Math.min(Math.max(sharp < 0 ? 0 : sharp > 1 ? 1 : sharp, least), most);
}

// The radius of the filter, in pixels of a grid {height, width}, for maps of another size.
export const guideRadius = (grid, map) => lengthOf(RADIUS, grid, map);

function lengthOf([least, share], grid, map) {
  const pixel = Math.max(grid.height / map.height, grid.width / map.width, 1);
  return Math.max(least * pixel, share * Math.max(grid.height, grid.width));
}

// What shines through a region of strands, as a function of Lab: {slopes, offset, near, difference}. See Veil in
// compositing/matte.py.
//
// planes: of Lab; matte: of the region; inside: the pixels that the photo shows; mean: Lab of the region.
export function veilOf(planes, matte, inside, mean) {
  const { height, width } = matte;
  const size = 2 * Math.max(1, rounded(NEIGHBOURHOOD * Math.max(height, width))) + 1;
  const twiceMean = (values) => boxMean(boxMean(values, size), size);
  const each = (value) => plane(height, width, Float32Array.from({ length: height * width }, (_, n) => value(n)));
  const unit = (value) => (value < 0 ? 0 : value > 1 ? 1 : value);
  const hair = each((n) => (inside.data[n] ? unit(10 * matte.data[n] - 9) : 0));
  const other = each((n) => (inside.data[n] ? unit(1 - 10 * matte.data[n]) : 0));
  const total = Math.max(1, other.data.reduce((sum, value) => sum + value, 0));
  const rest = planes.map(({ data }) => other.data.reduce((sum, value, n) => sum + value * data[n], 0) / total);
  const near = twiceMean(other);
  const localMean = (weights, meanWeights, values) =>
    planes.map(({ data }, c) => {
      const sums = twiceMean(each((n) => weights.data[n] * data[n]));
      return each((n) => (sums.data[n] + LITTLE * values[c]) / (meanWeights.data[n] + LITTLE));
    });
  const local = localMean(hair, twiceMean(hair), mean);
  const own = local.map(({ data }, c) => each((n) => data[n] + GLOBAL_COLOUR * (mean[c] - data[n])));
  const difference = localMean(other, near, rest).map(({ data }, c) => each((n) => data[n] - own[c].data[n]));
  const weights = [LIGHTNESS_WEIGHT ** 2, 1, 1];
  const squares = each((n) => weights.reduce((sum, weight, c) => sum + weight * difference[c].data[n] ** 2, LEAST_DIFFERENCE ** 2));
  const slopes = weights.map((weight, c) => each((n) => (weight * difference[c].data[n]) / squares.data[n]));
  return {
    slopes,
    offset: each((n) => -slopes.reduce((sum, { data }, c) => sum + data[n] * own[c].data[n], 0)),
    near: each((n) => smoothStep(near.data[n] / KNOWN_SHARE)),
    difference,
  };
}

// The share of the surroundings from the value of a veil's linear function.
export function finishedVeil(linear, near) {
  const share = (linear - VEIL_SLACK) / (1 - 2 * VEIL_SLACK);
  return near * (share < 0 ? 0 : share > 1 ? 1 : share);
}

// NumPy's rounding: halves to the even number.
export function rounded(value) {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 ? down + 1 : down;
}

// The statistics of a picture that all its mattes share.
export class ColourGuide {
  // colours: three planes in 0..1
  constructor(colours, radius) {
    this.colours = colours;
    const [{ height, width }] = colours;
    Object.assign(this, { height, width, size: 2 * Math.max(1, rounded(radius)) + 1 });
    this.means = colours.map((each) => boxMean(each, this.size));
    const covariances = [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]].map(([i, j]) => {
      const product = this.#each((n) => colours[i].data[n] * colours[j].data[n]);
      const mean = boxMean(product, this.size);
      return this.#each((n) => mean.data[n] - Math.fround(this.means[i].data[n] * this.means[j].data[n]));
    });
    this.inverse = Array.from({ length: 6 }, () => new Float32Array(height * width));
    for (let n = 0; n < height * width; n++) {
      let [rr, rg, rb, gg, gb, bb] = covariances.map(({ data }) => data[n]);
      rr += FLATNESS;
      gg += FLATNESS;
      bb += FLATNESS;
      const cofactors = [gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg, rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg];
      const determinant = rr * cofactors[0] + rg * cofactors[1] + rb * cofactors[2];
      for (let i = 0; i < 6; i++) this.inverse[i][n] = cofactors[i] / determinant;
    }
  }

  #each(value) {
    const result = plane(this.height, this.width);
    for (let n = 0; n < result.data.length; n++) result.data[n] = value(n);
    return result;
  }

  // The guided filter of weights: {slopes: three planes, offset} of the local linear function of colour.
  filter(weights) {
    const { colours, means, inverse, size } = this;
    const mean = boxMean(weights, size);
    const joint = colours.map(({ data }, c) => {
      const product = boxMean(this.#each((n) => data[n] * weights.data[n]), size);
      return this.#each((n) => product.data[n] - Math.fround(means[c].data[n] * mean.data[n]));
    });
    const rows = [[0, 1, 2], [1, 3, 4], [2, 4, 5]];
    const slopes = rows.map((row) => this.#each((n) => row.reduce((sum, i, c) => sum + inverse[i][n] * joint[c].data[n], 0)));
    const offset = this.#each((n) => mean.data[n] - slopes.reduce((sum, { data }, c) => sum + data[n] * means[c].data[n], 0));
    return { slopes: slopes.map((each) => boxMean(each, size)), offset: boxMean(offset, size) };
  }

  // The matte of a region, a mask in a map of the same frame: {slopes, offset, least, most}.
  matte(region) {
    const { height, width } = this;
    const weights = resized(plane(region.height, region.width, new Float32Array(region.data)), height, width);
    const inside = masked(weights, (weight) => weight >= 0.5);
    const { slopes, offset } = this.filter(weights);
    const [isThere, isAll] = [some(inside), every(inside)];
    const depth = isAll ? null : depths(inside);
    const away = isThere ? depths(masked(inside, (value) => !value)) : null;
    const thickness = isThere && !isAll ? depth.data.reduce((most, value) => Math.max(most, value), 0) : Infinity;
    const reach = Math.min(lengthOf(REACH, this, region), Math.max(1, THICKNESS * thickness));
    return {
      slopes,
      offset,
      least: this.#each((n) => smoothStep(((depth ? depth.data[n] : Infinity) - 1) / reach)),
      most: this.#each((n) => smoothStep(1 - ((away ? away.data[n] : Infinity) - 1) / reach)),
    };
  }
}
