// Where the map changed: new regions in the photo, shaped by the model and in the photo's own colours and grain. The
// numbers of compositing/redraw.py, which explains every step.

import constants from "./constants.json" with { type: "json" };
import { labOf, writeLevels } from "./colour.js";
import { depths, distances, gaussian, grown, largestAround, median, nearestZeros, shiftedAlongRows, statistics, taken } from "./fields.js";
import { smoothStep } from "./frame.js";
import { EDGE, gridShape } from "./guide.js";
import { rounded } from "./matte.js";
import { whiteNoise } from "./noise.js";
import { count, cropped, mapped, masked, plane, resized, some } from "./planes.js";

const {
  GRID, QUICK_GRID, SEAM, SURE, MARGIN, CARRY, SCALES, STRAND, SWAY, SWAY_LENGTHS, ROUNDING, ENDS,
  EDGE_STEEPNESS, EDGE_STRANDS, FEATURE_SHARE, FEATURE_KEPT, FEATURE_BLUR, FEATURE_STEEPNESS, NORMAL,
  MOST_GAIN, FEWEST, GRAIN_SEED, ENDS_SEED, SWAY_SEED, SMALL,
} = constants.redraw;

// The photo with new regions where the map changed.
//
// photo: a picture, with its regions recoloured already; frame: of the maps and the picture; ownMap, editedMap: label
// ids {data, height, width}; edited: the model's picture of the edited map; strands: a set of the labels whose grain
// hangs down; colours: Map of label -> {colour, strength} for labels that the photo lacks; quick: on a coarser grid;
// known: null, or a Map in which is kept what the photo shows of its labels, for a stroke that grows: it is then measured
// where the photo's map has the label, not where the label has been left.
export function redrawn(photo, frame, ownMap, editedMap, edited, { strands = new Set(), colours = new Map(), quick = false, known = null } = {}) {
  const changed = masked(ownMap, (id, n) => id !== editedMap.data[n]);
  if (!some(changed)) return photo;
  const { part, cells } = changedPart(changed, frame);
  const shape = shapeOf(part, quick ? QUICK_GRID : GRID);
  const lab = planesOf(labOf(part.seen(photo, shape.height, shape.width).shown.data), shape);
  let whole = null;
  const measured = (kept, inStrands) => {
    whole ??= seenWhole(photo, frame);
    return ownOf(whole.lab, kept, whole.inside, inStrands);
  };
  const model = planesOf(labOf(edited.data), edited);
  const fade = part.edgeWeights(shape.height, shape.width, photo, EDGE);
  const side = (Math.max(...frame.extent) / Math.max(...part.extent)) * Math.max(shape.height, shape.width);
  const alpha = plane(shape.height, shape.width);
  const colour = lab.map((each) => plane(shape.height, shape.width, each.data.slice()));
  const labels = [...new Set(editedMap.data.filter((_, n) => changed.data[n]))].sort((a, b) => a - b);
  for (const label of labels) {
    const area = masked(changed, (value, n) => value && editedMap.data[n] === label);
    const pull = masked(cropped(editedMap, cells), (id) => id === label);
    const kept = masked(ownMap, (id, n) => id === label && editedMap.data[n] === label);
    const keptCells = cropped(kept, cells);
    const inStrands = strands.has(label);
    const region = masked(editedMap, (id) => id === label);
    const feature = !inStrands && count(region) < FEATURE_SHARE * region.data.length;
    const moved = feature && count(kept) < FEATURE_KEPT * count(region);
    if (!moved && known && !known.has(label)) known.set(label, measured(masked(ownMap, (id) => id === label), inStrands));
    const own = moved ? null : known ? known.get(label) : measured(kept, inStrands);
    const share = shareOf(pull, cropped(area, cells), keptCells, shape, side, feature ? FEATURE_STEEPNESS : EDGE_STEEPNESS, inStrands);
    const drawn = lightOf(model, region, own, cells, shape, colours.get(label) ?? null, feature);
    if (own) {
      const sure = masked(enlarged(keptCells, shape), (weight) => weight > 0.9);
      add(drawn, carriedOn(lab, drawn, sure, side, inStrands ? CARRY * side : null));
      const grain = grainOf(feature ? own.grain.slice(0, 1) : own.grain, shape, side, label, inStrands);
      [1, ...own.tint].forEach((factor, c) => { for (let n = 0; n < grain.length; n++) drawn[c].data[n] += Math.fround(factor) * grain[n]; });
    }
    for (let n = 0; n < alpha.data.length; n++) {
      const weight = Math.fround(Math.min(share.data[n] * fade.data[n], 1 - alpha.data[n]));
      if (!weight) continue;
      for (let c = 0; c < 3; c++) colour[c].data[n] += weight * (drawn[c].data[n] - lab[c].data[n]);
      alpha.data[n] += weight;
    }
  }
  const difference = colour.map(({ data }, c) => mapped({ ...shape, data }, (value, n) => value - lab[c].data[n]));
  return written(photo, part, difference, alpha);
}

function seenWhole(photo, frame) {
  const shape = gridShape(frame);
  const { shown, inside } = frame.seen(photo, shape.height, shape.width);
  return { lab: planesOf(labOf(shown.data), shape), inside };
}

const planesOf = (lab, { height, width }) =>
  [0, 1, 2].map((c) => plane(height, width, Float32Array.from({ length: height * width }, (_, n) => lab[3 * n + c])));

const enlarged = ({ data, height, width }, shape) => resized(plane(height, width, new Float32Array(data)), shape.height, shape.width);

function add(planes, others) {
  planes.forEach(({ data }, c) => { for (let n = 0; n < data.length; n++) data[n] += others[c].data[n]; });
}

// The photo with a difference, over a part of it, added to what it shows in place of its own detail.
function written(photo, part, difference, alpha) {
  const box = part.box(photo);
  const result = { ...photo, data: photo.data.slice() };
  const shown = part.sample(alpha, box);
  const pixels = [];
  const places = [];
  for (let n = 0; n < shown.data.length; n++) {
    if (!(shown.data[n] > 1 / 512)) continue;
    places.push(n);
    pixels.push((box.top + Math.floor(n / shown.width)) * photo.width + box.left + (n % shown.width));
  }
  if (!pixels.length) return result;
  const lab = labOf(photo.data, pixels);
  const grid = planesOf(labOf(part.seen(photo, alpha.height, alpha.width).shown.data), alpha);
  const smooth = grid.map((each) => part.sample(each, box).data);
  const moved = difference.map((each) => part.sample(each, box).data);
  pixels.forEach((pixel, i) => {
    const n = places[i];
    const [lightness, a, b] = [0, 1, 2].map((c) => smooth[c][n] + (1 - shown.data[n]) * (lab[3 * i + c] - smooth[c][n]) + moved[c][n]);
    writeLevels(result.data, 3 * pixel, lightness, a, b);
  });
  return result;
}

// The part of the frame around what changed, and its cells in the map.
function changedPart(changed, frame) {
  const { data, height, width } = changed;
  let [top, left, bottom, right] = [height, width, 0, 0];
  for (let n = 0; n < data.length; n++) {
    if (!data[n]) continue;
    const [y, x] = [Math.floor(n / width), n % width];
    [top, left, bottom, right] = [Math.min(top, y), Math.min(left, x), Math.max(bottom, y + 1), Math.max(right, x + 1)];
  }
  const margin = rounded(MARGIN * Math.max(height, width));
  const cells = { top: Math.max(0, top - margin), left: Math.max(0, left - margin), bottom: Math.min(height, bottom + margin), right: Math.min(width, right + margin) };
  return { part: frame.part(cells.top / height, cells.left / width, cells.bottom / height, cells.right / width), cells };
}

function shapeOf(part, grid) {
  const [height, width] = part.extent;
  const scale = Math.min(1, grid / Math.max(height, width));
  return { height: Math.max(2, rounded(height * scale)), width: Math.max(2, rounded(width * scale)) };
}

// What a photo, three planes over the frame, shows of a label: {mean, deviation, grain, tint}; null where that is next
// to nothing.
function ownOf(lab, kept, inside, inStrands) {
  if (count(kept) < FEWEST) return null;
  const side = Math.max(inside.height, inside.width);
  let sure = masked(enlarged(kept, inside), (weight, n) => weight > 0.5 && inside.data[n]);
  const deep = masked(depths(sure), (depth) => depth > SURE * side);
  if (count(deep) > FEWEST) sure = deep;
  if (count(sure) < FEWEST) return null;
  const known = plane(sure.height, sure.width, new Float32Array(sure.data));
  const levels = [0, ...SCALES].map((scale) => maskedLowPass(lab[0], known, scale * side));
  const bands = SCALES.map((_, i) => levels[i].data.map((value, n) => value - levels[i + 1].data[n]));
  const grain = inStrands
    ? bands.map((band) => statistics(band, sure.data).deviation)
    : bands.slice(0, -1).map((band) => NORMAL * median(band.filter((_, n) => sure.data[n]).map(Math.abs)));
  const shown = lab.map(({ data }) => statistics(data, sure.data));
  const products = [0, 0, 0];
  for (let n = 0; n < sure.data.length; n++) {
    if (!sure.data[n]) continue;
    const lightness = lab[0].data[n] - shown[0].mean;
    for (let c = 0; c < 3; c++) products[c] += lightness * (lab[c].data[n] - shown[c].mean);
  }
  return {
    mean: shown.map(({ mean }) => mean),
    deviation: shown.map(({ deviation }) => deviation),
    grain,
    tint: [1, 2].map((c) => products[c] / Math.max(products[0], SMALL)),
  };
}

function maskedLowPass(values, known, sigma) {
  if (sigma === 0) return values;
  const weights = gaussian(known, sigma, "nearest");
  const sums = gaussian(mapped(values, (value, n) => value * known.data[n]), sigma, "nearest");
  return mapped(sums, (sum, n) => sum / Math.max(weights.data[n], SMALL));
}

// How much of each cell is drawn of a label; see the arguments in redraw.py.
function shareOf(label, area, kept, shape, side, steepness, inStrands) {
  const soft = gaussian(plane(label.height, label.width, new Float32Array(label.data)), inStrands ? [ENDS, ROUNDING] : ROUNDING, "nearest");
  const nearest = nearestZeros(masked(label, (value) => !value));
  const peak = taken(largestAround(mapped(soft, (value, n) => (label.data[n] ? value : 0))), nearest);
  const full = mapped(soft, (value, n) => Math.min(1, Math.max(0, Math.fround(value / Math.min(1, Math.max(SMALL, 2 * peak.data[n]))))));
  let weights = resized(full, shape.height, shape.width);
  if (inStrands) {
    const noise = unit(strandNoise(shape, SCALES[1] * side, side, [ENDS_SEED])).data;
    weights = mapped(weights, (weight, n) => weight + EDGE_STRANDS * Math.min(1, Math.max(-1, noise[n])) * 4 * weight * (1 - weight));
  }
  const seam = SEAM * side;
  const half = (field) => masked(enlarged(field, shape), (weight) => weight > 0.5);
  const depth = depths(half(kept)).data;
  const near = distances(masked(half(area), (value) => !value)).data;
  return mapped(weights, (weight, n) => {
    const wanted = (1 - smoothStep((depth[n] - seam / 2) / seam)) * smoothStep(2 - near[n] / seam);
    return Math.min(1, Math.max(0, (weight - 0.5) * steepness + 0.5)) * wanted;
  });
}

// The low-frequency Lab of a label: the model's light and shade at the photo's level and contrast; of a feature with the
// model's detail.
function lightOf(model, label, own, cells, shape, colour, feature) {
  const [{ height, width }] = model;
  const weight = resized(plane(label.height, label.width, new Float32Array(label.data)), height, width);
  let known = masked(weight, (value) => value > 0.5);
  if (!some(known)) known = masked(weight, (value) => value > 0);
  const shown = model.map(({ data }) => statistics(data, known.data));
  const mean = shown.map((each) => each.mean);
  const around = grown(known, 3);
  for (let n = 0; n < around.data.length; n++) if (known.data[n]) around.data[n] = 0;
  const beside = some(around) ? model.map(({ data }) => median(data.filter((_, n) => around.data[n]))) : mean;
  let level = [0, 0, 0];
  let total = 0;
  for (let n = 0; n < known.data.length; n++) {
    if (!known.data[n]) continue;
    let contrast = SMALL; // where nothing stands out, the mean
    for (let c = 0; c < 3; c++) contrast += (model[c].data[n] - beside[c]) ** 2;
    for (let c = 0; c < 3; c++) level[c] += contrast * model[c].data[n];
    total += contrast;
  }
  level = level.map((sum) => sum / total);
  if (colour) level = level.map((value, c) => value + colour.strength * (colour.colour.mean[c] - value));
  let gain = new Array(3).fill(feature ? 1 : 0.5);
  let sigma = 1;
  if (own) {
    level = own.mean;
    gain = shown.map(({ deviation }, c) => Math.min(own.deviation[c] / Math.max(deviation, SMALL), MOST_GAIN));
    sigma = (SCALES.at(-1) * height) / 2;
  }
  if (feature) sigma = FEATURE_BLUR;
  const weights = plane(height, width, new Float32Array(known.data));
  const scaled = (place, extent, other) => Math.floor((place * extent) / other);
  const box = {
    top: scaled(cells.top, height, label.height), bottom: scaled(cells.bottom, height, label.height),
    left: scaled(cells.left, width, label.width), right: scaled(cells.right, width, label.width),
  };
  const far = masked(gaussian(weights, sigma, "nearest"), (value) => value < SMALL);
  const nearest = some(far) ? nearestZeros(far) : null;
  return model.map((channel, c) => {
    let low = maskedLowPass(mapped(channel, (value) => value - mean[c]), weights, sigma);
    if (nearest) low = taken(low, nearest);
    return resized(cropped(mapped(low, (value) => level[c] + gain[c] * value), box), shape.height, shape.width);
  });
}

// What is to be added so that the drawn goes over smoothly into the photo's own part of the label, where `kept` is set;
// reach: in cells, where the difference dies away; null carries it on everywhere.
function carriedOn(lab, drawn, kept, side, reach) {
  if (!some(kept)) return lab.map(({ height, width }) => plane(height, width));
  const known = plane(kept.height, kept.width, new Float32Array(kept.data));
  const sigma = (SCALES.at(-1) * side) / 2;
  const filled = lab.map((each, c) => {
    const [own, other] = [maskedLowPass(each, known, sigma), maskedLowPass(drawn[c], known, sigma)];
    return pulled(mapped(own, (value, n) => Math.fround(value - other.data[n]) * known.data[n]), known);
  });
  if (reach === null) return filled;
  const away = distances(masked(kept, (value) => !value)).data;
  return filled.map((each) => mapped(each, (value, n) => value * Math.exp(-away[n] / reach)));
}

// A field filled smoothly where its weights are 0, by averages over growing squares (pull and push).
function pulled(values, weights) {
  const { height, width } = values;
  if (Math.min(height, width) === 1) {
    const sum = (data) => data.reduce((total, value) => total + value, 0);
    return plane(height, width, new Float32Array(height * width).fill(sum(values.data) / Math.max(sum(weights.data), SMALL)));
  }
  const [halfValues, halfWeights] = [halved(values), halved(weights)];
  const scaled = mapped(halfValues, (value, n) => value * Math.fround(Math.min(1, halfWeights.data[n]) / Math.max(halfWeights.data[n], SMALL)));
  const finer = resized(pulled(scaled, mapped(halfWeights, (weight) => Math.min(1, weight))), height, width);
  return mapped(values, (value, n) => value + (1 - weights.data[n]) * finer.data[n]);
}

function halved({ data, height, width }) {
  const result = plane(Math.ceil(height / 2), Math.ceil(width / 2));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) result.data[(y >> 1) * result.width + (x >> 1)] += data[y * width + x];
  }
  return result;
}

// The grain of a label in L with the given standard deviations between two scales.
function grainOf(strengths, shape, side, label, inStrands) {
  const total = new Float32Array(shape.height * shape.width);
  strengths.forEach((strength, number) => {
    const sigma = SCALES[number] * side * 0.7;
    let field;
    if (inStrands) {
      field = strandNoise(shape, sigma, side, [GRAIN_SEED, label, number]);
    } else {
      const noise = plane(shape.height, shape.width, whiteNoise(total.length, GRAIN_SEED, label, number));
      const wide = gaussian(noise, sigma).data;
      field = mapped(gaussian(noise, sigma / 2), (value, n) => value - wide[n]);
    }
    const { data } = unit(field);
    for (let n = 0; n < total.length; n++) total[n] += Math.fround(strength) * data[n];
  });
  return total;
}

// Noise in long strands of a width, which hang down and sway.
function strandNoise({ height, width }, sigma, side, key) {
  const noise = plane(height, width, whiteNoise(height * width, ...key));
  const narrow = gaussian(noise, [Math.min(STRAND * sigma, 0.12 * side), Math.max(0.35, sigma / 2)], "wrap");
  const wide = gaussian(narrow, [0, 2 * sigma + 0.5], "wrap").data;
  const straight = mapped(narrow, (value, n) => value - wide[n]);
  const sway = unit(gaussian(plane(height, width, whiteNoise(height * width, SWAY_SEED)), SWAY_LENGTHS.map((length) => length * side)));
  return shiftedAlongRows(straight, sway.data.map((value) => SWAY * side * value));
}

function unit(field) {
  const { deviation } = statistics(field.data);
  return mapped(field, (value) => value / Math.max(deviation, SMALL));
}
