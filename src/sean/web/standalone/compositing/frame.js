// Where a small picture or map lies in a photo, and small fields sampled at the photo's pixels: the numbers of
// compositing/frame.py.

import { nearestZeros, distances } from "./fields.js";
import { cropped, framed, mask, plane, reduced, transformed } from "./planes.js";

export class Frame {
  // matrix [a, b, c, d, e, f]: the point (u, v) of the frame, both in 0..1, lies at x = a u + b v + c, y = d u + e v + f.
  constructor(matrix) {
    this.matrix = matrix;
  }

  // A square, turned clockwise around its middle by an angle in degrees.
  static square({ top, left, size, angle = 0 }) {
    if (!angle) return new Frame([size, 0, left, 0, size, top]);
    const turn = (angle * Math.PI) / 180;
    const [across, down] = [size * Math.cos(turn), size * Math.sin(turn)];
    const [x, y] = [left + size / 2, top + size / 2];
    return new Frame([across, -down, x - (across - down) / 2, down, across, y - (across + down) / 2]);
  }

  static whole(height, width) {
    return new Frame([width, 0, 0, 0, height, 0]);
  }

  // The same place in a photo made so many times as high and wide.
  scaled(down, across) {
    const [a, b, c, d, e, f] = this.matrix;
    return new Frame([a * across, b * across, c * across, d * down, e * down, f * down]);
  }

  // Lengths of the upright and the level edge, in pixels of the photo.
  get extent() {
    const [a, b, , d, e] = this.matrix;
    return [Math.hypot(b, e), Math.hypot(a, d)];
  }

  equals(other) {
    return this.matrix.every((value, index) => value === other.matrix[index]);
  }

  part(top, left, bottom, right) {
    const [a, b, c, d, e, f] = this.matrix;
    const [across, down] = [right - left, bottom - top];
    return new Frame([a * across, b * down, c + a * left + b * top, d * across, e * down, f + d * left + e * top]);
  }

  // The smallest box of the photo's pixels around the part of the frame in the photo.
  box({ height, width }) {
    const [a, b, c, d, e, f] = this.matrix;
    const xs = [c, a + c, b + c, a + b + c];
    const ys = [f, d + f, e + f, d + e + f];
    return {
      top: Math.max(0, Math.floor(Math.min(...ys))),
      left: Math.max(0, Math.floor(Math.min(...xs))),
      bottom: Math.min(height, Math.ceil(Math.max(...ys))),
      right: Math.min(width, Math.ceil(Math.max(...xs))),
    };
  }

  // The map from points of the photo to a grid over the frame, as six numbers like `matrix`.
  inverse(height = 1, width = 1) {
    const [a, b, c, d, e, f] = this.matrix;
    const determinant = a * e - b * d;
    const across = [e, -b, b * f - c * e].map((value) => (value / determinant) * width);
    const down = [-d, a, c * d - a * f].map((value) => (value / determinant) * height);
    return [...across, ...down];
  }

  // A plane over the frame at the pixels of a box of the photo; 0 beyond the frame.
  sample(field, box) {
    const [a, b, c, d, e, f] = this.inverse(field.height, field.width);
    const moved = [a, b, c + a * box.left + b * box.top, d, e, f + d * box.left + e * box.top];
    return transformed(field, moved, box.bottom - box.top, box.right - box.left);
  }

  // What the frame shows of a photo: {shown: a picture of that size, the nearest pixels repeated beyond the photo,
  // inside: where a pixel's middle lies in the photo}.
  seen(photo, height, width) {
    const box = this.box(photo);
    const factor = Math.max(1, Math.trunc(Math.min(this.extent[0] / height, this.extent[1] / width) / 1.01));
    const part = cropped(photo, box, 3);
    const small = factor > 1 ? reduced(part, factor) : part;
    const [scaleX, scaleY] = [part.width / small.width, part.height / small.height];
    const [a, b, c, d, e, f] = this.matrix;
    const data = [
      a / width / scaleX, b / height / scaleX, (c - box.left) / scaleX + 1,
      d / width / scaleY, e / height / scaleY, (f - box.top) / scaleY + 1,
    ];
    let shown = transformed(framed(small, 1, 3), data, height, width, 3);
    const inside = this.#points(height, width, 0, (x, y) => x > 0 && x < photo.width && y > 0 && y < photo.height);
    if (inside.data.includes(0) && inside.data.includes(1)) shown = repeated(shown, inside);
    return { shown, inside };
  }

  // Weights on a grid over the frame that fall to 0 towards those of its edges beyond which the photo goes on.
  edgeWeights(height, width, photo, feather) {
    const beyond = this.#points(height, width, 1, (x, y) => !(x > 0 && x < photo.width && y > 0 && y < photo.height));
    for (let y = 1; y <= height; y++) beyond.data.fill(1, y * (width + 2) + 1, y * (width + 2) + 1 + width);
    const weights = plane(height, width);
    if (!beyond.data.includes(0)) {
      weights.data.fill(1);
      return weights;
    }
    const away = cropped(distances(beyond), { top: 1, left: 1, bottom: height + 1, right: width + 1 });
    const reach = Math.max(feather * Math.max(height, width), 1e-6);
    for (let i = 0; i < away.data.length; i++) weights.data[i] = smoothStep((away.data[i] - 0.5) / reach);
    return weights;
  }

  // A test of the middles of a grid's pixels, and of so many more on every side.
  #points(height, width, margin, test) {
    const [a, b, c, d, e, f] = this.matrix;
    const result = mask(height + 2 * margin, width + 2 * margin);
    for (let row = -margin, i = 0; row < height + margin; row++) {
      const v = (row + 0.5) / height;
      for (let column = -margin; column < width + margin; column++, i++) {
        const u = (column + 0.5) / width;
        result.data[i] = test(a * u + b * v + c, d * u + e * v + f) ? 1 : 0;
      }
    }
    return result;
  }
}

function repeated({ data, height, width }, inside) {
  const { rows, columns } = nearestZeros({ ...inside, data: inside.data.map((value) => 1 - value) });
  const result = new Uint8Array(data.length);
  for (let i = 0; i < rows.length; i++) {
    const from = 3 * (rows[i] * width + columns[i]);
    for (let c = 0; c < 3; c++) result[3 * i + c] = data[from + c];
  }
  return { data: result, height, width };
}

export function smoothStep(share) {
  const t = share < 0 ? 0 : share > 1 ? 1 : share;
  return t * t * (3 - 2 * t);
}

// A field (or map) over one frame on a grid over another one of the same photo: the nearest values, 0 beyond.
export function carried(field, source, target, height, width) {
  if (source.equals(target) && field.height === height && field.width === width) return field;
  const [a, b, c, d, e, f] = target.matrix;
  const [p, q, r, s, t, w] = source.matrix;
  const determinant = p * t - q * s;
  const data = new field.data.constructor(height * width);
  for (let row = 0, i = 0; row < height; row++) {
    const v = (row + 0.5) / height;
    for (let column = 0; column < width; column++, i++) {
      const u = (column + 0.5) / width;
      const [x, y] = [a * u + b * v + c, d * u + e * v + f];
      const across = (t * (x - r) - q * (y - w)) / determinant;
      const down = (p * (y - w) - s * (x - r)) / determinant;
      if (!(across >= 0 && across < 1 && down >= 0 && down < 1)) continue;
      data[i] = field.data[Math.trunc(down * field.height) * field.width + Math.trunc(across * field.width)];
    }
  }
  return { data, height, width };
}
