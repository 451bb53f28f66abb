// Fields and pictures, and Pillow's ways to resample them: the composite in Python is made of these, so the same sums
// are taken in the same order.
//
// A plane is a field {data: Float32Array, height, width}; a mask the same with a Uint8Array of 0 and 1; a picture has
// three bytes a pixel in data (Uint8Array), without transparency.

export const plane = (height, width, data = new Float32Array(height * width)) => ({ data, height, width });
export const mask = (height, width, data = new Uint8Array(height * width)) => ({ data, height, width });
export const picture = (height, width, data = new Uint8Array(3 * height * width)) => ({ data, height, width });

export function mapped({ data, height, width }, f) {
  const result = new Float32Array(data.length); // a loop: `from` with a function is several times slower
  for (let i = 0; i < data.length; i++) result[i] = f(data[i], i);
  return plane(height, width, result);
}

export const some = ({ data }) => data.some(Boolean);
export const every = ({ data }) => data.every(Boolean);

export function count({ data }) {
  let total = 0;
  for (const value of data) total += value ? 1 : 0;
  return total;
}

export function masked({ data, height, width }, test) {
  const result = mask(height, width);
  for (let i = 0; i < data.length; i++) result.data[i] = test(data[i], i) ? 1 : 0;
  return result;
}

// A box {top, left, bottom, right} of a field with `channels` numbers a pixel.
export function cropped(source, { top, left, bottom, right }, channels = 1) {
  const [height, width] = [bottom - top, right - left];
  const data = new source.data.constructor(height * width * channels);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * source.width + left) * channels;
    data.set(source.data.subarray(start, start + width * channels), y * width * channels);
  }
  return { data, height, width };
}

// One more row and column on every side, the nearest values repeated.
export function framed(source, margin = 1, channels = 1) {
  const { data, height, width } = source;
  const [rows, columns] = [height + 2 * margin, width + 2 * margin];
  const result = new data.constructor(rows * columns * channels);
  const clamp = (value, end) => Math.min(end - 1, Math.max(0, value));
  for (let y = 0, next = 0; y < rows; y++) {
    const row = clamp(y - margin, height) * width;
    for (let x = 0; x < columns; x++) {
      const from = (row + clamp(x - margin, width)) * channels;
      for (let c = 0; c < channels; c++) result[next++] = data[from + c];
    }
  }
  return { data: result, height: rows, width: columns };
}

const triangle = (x) => Math.max(0, 1 - Math.abs(x));

function cubic(x) {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
}

// The weights of the input for every place of the output: {first, weights} of each.
function taps(extent, start, end, count, filter, reach) {
  const scale = Math.fround(end - start) / count;
  const stretch = Math.max(1, scale);
  const support = reach * stretch;
  return Array.from({ length: count }, (_, place) => {
    const middle = start + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(middle - support + 0.5));
    const last = Math.min(extent, Math.trunc(middle + support + 0.5));
    const weights = Float64Array.from({ length: last - first }, (_, i) => filter((first + i - middle + 0.5) / stretch));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: total ? weights.map((weight) => weight / total) : weights };
  });
}

// A plane at another size: bilinear, antialiased where it shrinks.
export function resized(source, height, width) {
  let { data } = source;
  let rows = source.height;
  if (width !== source.width) {
    const across = taps(source.width, 0, source.width, width, triangle, 1);
    const result = new Float32Array(rows * width);
    for (let y = 0; y < rows; y++) {
      const row = y * source.width;
      for (let x = 0; x < width; x++) {
        const { first, weights } = across[x];
        let sum = 0;
        for (let i = 0; i < weights.length; i++) sum += data[row + first + i] * weights[i];
        result[y * width + x] = sum;
      }
    }
    data = result;
  }
  if (height !== rows) {
    const down = taps(rows, 0, rows, height, triangle, 1);
    const result = new Float32Array(height * width);
    const sums = new Float64Array(width);
    for (let y = 0; y < height; y++) {
      const { first, weights } = down[y];
      sums.fill(0);
      for (let i = 0; i < weights.length; i++) {
        const row = (first + i) * width;
        const weight = weights[i];
        for (let x = 0; x < width; x++) sums[x] += data[row + x] * weight;
      }
      result.set(sums, y * width);
    }
    data = result;
    rows = height;
  }
  return plane(rows, width, data === source.data ? data.slice() : data);
}

const BITS = 22; // of Pillow's weights for bytes
const inBits = (weights) => Float64Array.from(weights, (weight) => Math.trunc(weight * 2 ** BITS + (weight < 0 ? -0.5 : 0.5)));
const byte = (sum) => {
  const value = Math.floor(sum / 2 ** BITS);
  return value < 0 ? 0 : value > 255 ? 255 : value;
};

// A picture, or the box of it between fractions of pixels, at another size: bicubic, antialiased where it shrinks.
export function resizedPicture(source, height, width, box = { left: 0, top: 0, right: source.width, bottom: source.height }) {
  const { data } = source;
  box = Object.fromEntries(Object.entries(box).map(([side, place]) => [side, Math.fround(place)])); // Pillow's boxes are of 32 bits
  const isWhole = box.left === 0 && box.top === 0 && box.right === source.width && box.bottom === source.height;
  if (isWhole && height === source.height && width === source.width) return source;
  const down = taps(source.height, box.top, box.bottom, height, cubic, 2);
  const needsRows = height !== source.height || box.top !== 0 || box.bottom !== height;
  const firstRow = needsRows ? down[0].first : 0;
  const lastRow = needsRows ? down[height - 1].first + down[height - 1].weights.length : source.height;
  let rows = data.subarray(3 * firstRow * source.width, 3 * lastRow * source.width);
  if (width !== source.width || box.left !== 0 || box.right !== width) {
    const across = taps(source.width, box.left, box.right, width, cubic, 2).map(({ first, weights }) => ({ first, weights: inBits(weights) }));
    const result = new Uint8Array(3 * (lastRow - firstRow) * width);
    for (let y = 0, next = 0; y < lastRow - firstRow; y++) {
      const row = 3 * y * source.width;
      for (let x = 0; x < width; x++) {
        const { first, weights } = across[x];
        let [red, green, blue] = [2 ** (BITS - 1), 2 ** (BITS - 1), 2 ** (BITS - 1)];
        for (let i = 0, at = row + 3 * first; i < weights.length; i++, at += 3) {
          red += rows[at] * weights[i];
          green += rows[at + 1] * weights[i];
          blue += rows[at + 2] * weights[i];
        }
        result[next++] = byte(red);
        result[next++] = byte(green);
        result[next++] = byte(blue);
      }
    }
    rows = result;
  }
  if (!needsRows) return picture(height, width, rows.slice());
  const result = picture(height, width);
  const sums = new Float64Array(3 * width);
  for (let y = 0; y < height; y++) {
    const { first } = down[y];
    const weights = inBits(down[y].weights);
    sums.fill(2 ** (BITS - 1));
    for (let i = 0; i < weights.length; i++) {
      const row = 3 * (first - firstRow + i) * width;
      for (let x = 0; x < sums.length; x++) sums[x] += rows[row + x] * weights[i];
    }
    for (let x = 0; x < sums.length; x++) result.data[3 * y * width + x] = byte(sums[x]);
  }
  return result;
}

// A picture with every square of so many pixels made one: their mean.
export function reduced(source, factor) {
  const { data } = source;
  const result = picture(Math.ceil(source.height / factor), Math.ceil(source.width / factor));
  for (let y = 0; y < result.height; y++) {
    const [top, bottom] = [y * factor, Math.min(source.height, (y + 1) * factor)];
    for (let x = 0; x < result.width; x++) {
      const [left, right] = [x * factor, Math.min(source.width, (x + 1) * factor)];
      const cells = (bottom - top) * (right - left);
      const multiplier = Math.floor(2 ** 24 / cells);
      for (let c = 0; c < 3; c++) {
        let sum = Math.floor(cells / 2);
        for (let row = top; row < bottom; row++) {
          for (let column = left; column < right; column++) sum += data[3 * (row * source.width + column) + c];
        }
        result.data[3 * (y * result.width + x) + c] = Math.floor((sum * multiplier) / 2 ** 24);
      }
    }
  }
  return result;
}

// The field, of `channels` numbers a pixel, at x = a u + b v + c, y = d u + e v + f of the pixels (u, v) of a grid:
// bilinear, 0 beyond it. Bytes are rounded down, as Pillow does.
export function transformed(source, [a, b, c, d, e, f], height, width, channels = 1) {
  const { data } = source;
  const result = new data.constructor(height * width * channels);
  for (let v = 0; v < height; v++) {
    for (let u = 0; u < width; u++) {
      const x = a * (u + 0.5) + b * (v + 0.5) + c;
      const y = d * (u + 0.5) + e * (v + 0.5) + f;
      if (x < 0 || x >= source.width || y < 0 || y >= source.height) continue;
      const [left, top] = [Math.floor(x - 0.5), Math.floor(y - 0.5)];
      const [dx, dy] = [x - 0.5 - left, y - 0.5 - top];
      const first = left < 0 ? 0 : left;
      const second = left + 1 < source.width ? left + 1 : source.width - 1;
      const row = (top < 0 ? 0 : top) * source.width;
      const below = top + 1 < source.height ? (top + 1) * source.width : row;
      for (let channel = 0; channel < channels; channel++) {
        const [p, q] = [data[(row + first) * channels + channel], data[(row + second) * channels + channel]];
        const [r, s] = [data[(below + first) * channels + channel], data[(below + second) * channels + channel]];
        const upper = p + (q - p) * dx;
        const lower = r + (s - r) * dx;
        result[(v * width + u) * channels + channel] = upper + (lower - upper) * dy;
      }
    }
  }
  return { data: result, height, width };
}
