// Filters of fields, with the borders, orders and roundings of SciPy's ndimage, with which the composite in Python is
// made.

import { framed, mask, masked, plane } from "./planes.js";

const BORDERS = {
  nearest: (place, extent) => Math.min(extent - 1, Math.max(0, place)),
  reflect: (place, extent) => {
    const within = ((place % (2 * extent)) + 2 * extent) % (2 * extent);
    return within < extent ? within : 2 * extent - 1 - within;
  },
  wrap: (place, extent) => ((place % extent) + extent) % extent,
};

function gaussianWeights(sigma) {
  const radius = Math.trunc(4 * sigma + 0.5);
  const weights = Float64Array.from({ length: radius + 1 }, (_, x) => Math.exp((-0.5 / (sigma * sigma)) * x * x));
  let total = weights[0];
  for (let x = 1; x <= radius; x++) total += 2 * weights[x];
  return weights.map((weight) => weight / total);
}

// A Gaussian low-pass with a standard deviation along each axis, in pixels.
export function gaussian(source, sigma, border = "reflect") {
  const [down, across] = Array.isArray(sigma) ? sigma : [sigma, sigma];
  const { height, width } = source;
  let { data } = source;
  if (down > 1e-15) data = alongColumns(data, height, width, gaussianWeights(down), BORDERS[border]);
  if (across > 1e-15) data = alongRows(data, height, width, gaussianWeights(across), BORDERS[border]);
  return plane(height, width, data === source.data ? new Float32Array(data) : data);
}

function alongColumns(data, height, width, weights, border) {
  const result = new Float32Array(data.length);
  const sums = new Float64Array(width);
  for (let y = 0; y < height; y++) {
    for (let x = 0, at = y * width; x < width; x++) sums[x] = weights[0] * data[at + x];
    for (let i = 1; i < weights.length; i++) {
      const [above, below, weight] = [border(y - i, height) * width, border(y + i, height) * width, weights[i]];
      for (let x = 0; x < width; x++) sums[x] += weight * (data[above + x] + data[below + x]);
    }
    result.set(sums, y * width);
  }
  return result;
}

function alongRows(data, height, width, weights, border) {
  const result = new Float32Array(data.length);
  const radius = weights.length - 1;
  const places = Int32Array.from({ length: width + 2 * radius }, (_, i) => border(i - radius, width));
  const line = new Float64Array(places.length);
  for (let y = 0; y < height; y++) {
    const row = y * width;
    for (let i = 0; i < places.length; i++) line[i] = data[row + places[i]];
    for (let x = 0; x < width; x++) {
      const middle = x + radius;
      let sum = weights[0] * line[middle];
      for (let i = 1; i <= radius; i++) sum += weights[i] * (line[middle - i] + line[middle + i]);
      result[row + x] = sum;
    }
  }
  return result;
}

// The mean over squares of `size`, an odd number.
export function boxMean({ data, height, width }, size) {
  const half = size >> 1;
  const lines = (source, count, length, step, stride) => {
    const result = new Float32Array(source.length);
    for (let line = 0; line < count; line++) {
      const start = line * stride;
      const at = (place) => source[start + Math.min(length - 1, Math.max(0, place)) * step];
      let sum = 0;
      for (let place = -half; place <= half; place++) sum += at(place);
      let mean = sum / size;
      result[start] = mean;
      for (let place = 1; place < length; place++) {
        mean += (at(place + half) - at(place - half - 1)) / size;
        result[start + place * step] = mean;
      }
    }
    return result;
  };
  const down = lines(data, width, height, width, 1);
  return plane(height, width, lines(down, height, width, 1, width));
}

// Of every pixel the nearest one where the mask is 0 (Maurer, Qi and Raghavan, TPAMI 2003), as SciPy chooses between
// equally near ones: {rows, columns}; where the mask is 0 nowhere, -1 and 0.
export function nearestZeros({ data, height, width }) {
  const rows = new Int32Array(data.length).fill(-1);
  const columns = new Int32Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[y * width + x]) continue;
      rows[y * width + x] = y;
      columns[y * width + x] = x;
    }
  }
  const most = Math.max(height, width);
  const line = { rows: new Int32Array(most), columns: new Int32Array(most), kept: new Int32Array(most) };
  for (let x = 0; x < width; x++) nearestOnLine(rows, columns, x, width, height, x, true, line);
  for (let y = 0; y < height; y++) nearestOnLine(rows, columns, y * width, 1, width, y, false, line);
  return { rows, columns };
}

function nearestOnLine(rows, columns, start, step, length, other, isColumn, line) {
  const { kept } = line;
  for (let i = 0; i < length; i++) {
    line.rows[i] = rows[start + i * step];
    line.columns[i] = columns[start + i * step];
  }
  const [along, across] = isColumn ? [line.rows, line.columns] : [line.columns, line.rows];
  let last = -1;
  for (let i = 0; i < length; i++) {
    if (line.rows[i] < 0) continue;
    const distance = (across[i] - other) ** 2;
    while (last >= 1) {
      const [one, two] = [kept[last], kept[last - 1]];
      const a = along[one] - along[two];
      const b = along[i] - along[one];
      const c = a + b;
      if (c * (across[one] - other) ** 2 - b * (across[two] - other) ** 2 - a * distance - a * b * c <= 0) break;
      last--;
    }
    kept[++last] = i;
  }
  if (last < 0) return;
  const squared = (candidate, i) => (along[kept[candidate]] - i) ** 2 + (across[kept[candidate]] - other) ** 2;
  for (let i = 0, best = 0; i < length; i++) {
    let distance = squared(best, i);
    while (best < last) {
      const next = squared(best + 1, i);
      if (distance <= next) break;
      distance = next;
      best++;
    }
    rows[start + i * step] = line.rows[kept[best]];
    columns[start + i * step] = line.columns[kept[best]];
  }
}

// The distance of every pixel to the nearest one where the mask is 0.
export function distances(source) {
  const { rows, columns } = nearestZeros(source);
  const { height, width } = source;
  const result = plane(height, width);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) result.data[i] = Math.sqrt((rows[i] - y) ** 2 + (columns[i] - x) ** 2);
  }
  return result;
}

// The same with the mask going on beyond the borders.
export function depths(source) {
  const { data, width } = distances(framed(source));
  const result = plane(source.height, source.width);
  for (let y = 0; y < source.height; y++) {
    const start = (y + 1) * width + 1;
    result.data.set(data.subarray(start, start + source.width), y * source.width);
  }
  return result;
}

// The values of a field at the pixels that `nearestZeros` gives.
export function taken(source, { rows, columns }) {
  const { data, height, width } = source;
  const result = new data.constructor(data.length);
  const at = (place, extent) => (place < 0 ? place + extent : place);
  for (let i = 0; i < data.length; i++) result[i] = data[at(rows[i], height) * width + at(columns[i], width)];
  return { data: result, height, width };
}

// The largest value of 3x3 pixels.
export function largestAround({ data, height, width }) {
  const result = plane(height, width);
  const near = BORDERS.nearest;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let most = -Infinity;
      for (let dy = -1; dy <= 1; dy++) for (let dx = -1; dx <= 1; dx++) most = Math.max(most, data[near(y + dy, height) * width + near(x + dx, width)]);
      result.data[y * width + x] = most;
    }
  }
  return result;
}

// The mask grown by one pixel to its four neighbours, so many times.
export function grown(source, times) {
  let { data } = source;
  const { height, width } = source;
  for (let turn = 0; turn < times; turn++) {
    const before = data;
    data = new Uint8Array(before);
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        if (before[i]) continue;
        data[i] = (y && before[i - width]) || (y + 1 < height && before[i + width]) || (x && before[i - 1]) || (x + 1 < width && before[i + 1]) ? 1 : 0;
      }
    }
  }
  return mask(height, width, data);
}

// Where pixels of one number hang together (four neighbours) in groups of fewer than `smallest`; numbers below 0 are in
// no group.
export function specks({ data, height, width }, smallest) {
  const group = new Int32Array(data.length).fill(-1);
  const sizes = [];
  const stack = [];
  for (let first = 0; first < data.length; first++) {
    if (group[first] >= 0 || data[first] < 0) continue;
    const number = sizes.length;
    let size = 0;
    stack.push(first);
    group[first] = number;
    while (stack.length) {
      const i = stack.pop();
      size++;
      const x = i % width;
      const visit = (j) => {
        if (group[j] >= 0 || data[j] !== data[first]) return;
        group[j] = number;
        stack.push(j);
      };
      if (i >= width) visit(i - width);
      if (i + width < data.length) visit(i + width);
      if (x) visit(i - 1);
      if (x + 1 < width) visit(i + 1);
    }
    sizes.push(size);
  }
  return masked({ data: group, height, width }, (number) => number >= 0 && sizes[number] < smallest);
}

// The field at (row, column + shift), bilinear along rows; it goes on as if it were repeated.
export function shiftedAlongRows({ data, height, width }, shift) {
  const result = plane(height, width);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const place = Math.fround(x + shift[i]);
      const left = Math.floor(place);
      const share = place - left;
      const row = y * width;
      const [one, two] = [data[row + BORDERS.wrap(left, width)], data[row + BORDERS.wrap(left + 1, width)]];
      result.data[i] = one * (1 - share) + two * share;
    }
  }
  return result;
}

// Mean and standard deviation of the values where the mask is set (everywhere without one).
export function statistics(data, where) {
  let [sum, number] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    if (where && !where[i]) continue;
    sum += data[i];
    number++;
  }
  const mean = sum / number;
  let squares = 0;
  for (let i = 0; i < data.length; i++) if (!where || where[i]) squares += (data[i] - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / number) };
}

export function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
