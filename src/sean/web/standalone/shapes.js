// The pixels that brushes, polygons and fills cover: the pixels of editing/shapes.py, which explains how.
//
// Coordinates are fractions of width and height; a pixel belongs to a shape when its middle does. All give a Uint8Array
// of 0 and 1.

const MIN_RADIUS = Math.sqrt(0.5);
const CLOSE = 1e-9;

const pixelsOf = (points, { height, width }) => points.map(([x, y]) => [x * width - 0.5, y * height - 0.5]);

// The pixels no farther than the radius, a fraction of the height, from a line through the points.
export function brushMask(points, radius, size) {
  const { height, width } = size;
  const corners = pixelsOf(points, size);
  const reach = Math.max(radius * height, MIN_RADIUS);
  const covered = new Uint8Array(height * width);
  for (let i = 0; i < Math.max(1, corners.length - 1); i++) {
    const [start, end] = [corners[i], corners[i + 1] ?? corners[i]];
    const top = Math.max(0, Math.floor(Math.min(start[1], end[1]) - reach));
    const bottom = Math.min(height - 1, Math.ceil(Math.max(start[1], end[1]) + reach));
    for (let y = top; y <= bottom; y++) {
      const [low, high] = stadiumRow(start, end, reach, y);
      const first = Math.max(0, Math.ceil(low - CLOSE));
      const last = Math.min(width - 1, Math.floor(high + CLOSE));
      if (first <= last) covered.fill(1, y * width + first, y * width + last + 1);
    }
  }
  return covered;
}

// Where a row of pixels lies within `reach` of a segment: first and last x.
function stadiumRow(start, end, reach, y) {
  let [low, high] = [Infinity, -Infinity];
  const cover = (first, last) => {
    low = Math.min(low, first);
    high = Math.max(high, last);
  };
  for (const [x, middle] of [end, start]) {
    const square = reach ** 2 - (y - middle) ** 2;
    const half = Math.sqrt(Math.max(0, square));
    if (square >= -CLOSE) cover(x - half, x + half);
  }
  const [x, down] = [start[0], y - start[1]];
  const length = Math.hypot(end[0] - x, end[1] - start[1]);
  if (length <= CLOSE) return [low, high];
  const [dx, dy] = [(end[0] - x) / length, (end[1] - start[1]) / length];
  const along = between(dx, dy * down, 0, length);
  const across = between(-dy, dx * down, -reach, reach);
  const [first, last] = [Math.max(along[0], across[0]) + x, Math.min(along[1], across[1]) + x];
  if (first <= last) cover(first, last);
  return [low, high];
}

// First and last u with lowest <= slope * u + offset <= highest.
function between(slope, offset, lowest, highest) {
  if (Math.abs(slope) < CLOSE) return lowest <= offset && offset <= highest ? [-Infinity, Infinity] : [Infinity, -Infinity];
  const [one, other] = [(lowest - offset) / slope, (highest - offset) / slope];
  return one < other ? [one, other] : [other, one];
}

// The pixels whose middle a closed polygon goes round (non-zero rule).
export function polygonMask(points, size) {
  const { height, width } = size;
  const corners = pixelsOf(points, size);
  const steps = new Int32Array(height * (width + 1));
  corners.forEach(([x0, y0], i) => {
    const [x1, y1] = corners[(i + 1) % corners.length];
    const first = Math.max(0, Math.ceil(Math.min(y0, y1)));
    for (let y = first; y < height && y < Math.max(y0, y1); y++) {
      const x = x0 + ((y - y0) / (y1 - y0)) * (x1 - x0);
      const begin = Math.min(width, Math.max(0, Math.ceil(Math.min(width, Math.max(-1, x)) - CLOSE)));
      steps[y * (width + 1) + begin] += y1 > y0 ? 1 : -1;
    }
  });
  const covered = new Uint8Array(height * width);
  for (let y = 0; y < height; y++) {
    for (let x = 0, winding = 0; x < width; x++) {
      winding += steps[y * (width + 1) + x];
      covered[y * width + x] = winding ? 1 : 0;
    }
  }
  return covered;
}

// The pixels that are reached from one over the four neighbours without leaving its region; same(i, j): whether two
// pixels are of one region.
export function connectedArea(pixel, { height, width }, same) {
  const covered = new Uint8Array(height * width);
  const stack = [pixel];
  covered[pixel] = 1;
  while (stack.length) {
    const i = stack.pop();
    const x = i % width;
    for (const j of [i >= width ? i - width : -1, i + width < covered.length ? i + width : -1, x ? i - 1 : -1, x + 1 < width ? i + 1 : -1]) {
      if (j < 0 || covered[j] || !same(pixel, j)) continue;
      covered[j] = 1;
      stack.push(j);
    }
  }
  return covered;
}

// The pixel, as its place row by row, at a point with fractions in 0..1.
export function pixelAt([x, y], { height, width }) {
  return Math.min(Math.trunc(y * height), height - 1) * width + Math.min(Math.trunc(x * width), width - 1);
}
