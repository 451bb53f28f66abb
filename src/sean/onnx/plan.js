// Patch plans in JavaScript, as the inputs of the fast generator: the numbers of plan.py, which explains the tables.

export const SCALES = [32, 16, 8, 4, 2, 1];

const NUM_TAPS = 9;
const CORNERS = [0, 2, 6, 8]; // of a 3x3 of 3x3 patches: they cover the 5x5 patch
const ALL = [0, 1, 2, 3, 4, 5, 6, 7, 8];

/**
 * The tables of a batch of label maps, named as the inputs of the fast generator.
 *
 * @param {Int32Array} segmap label ids 0..k of every pixel, sample by sample, row by row
 * @param {number[]} shape [b, h, w]; h and w are multiples of 32
 * @param {number} numRegions labels k of the model
 * @param {{variants?: Int32Array, edges?: Int32Array}} maps which of the given codes every pixel takes its style from
 *   (by default the number of its sample), and, for models with instance edges, where a pixel lies at one
 * @returns {Object<string, {data: Int32Array, dims: number[]}>}
 */
export function planInputs(segmap, shape, numRegions, { variants, edges } = {}) {
  const tables = {};
  for (const scale of SCALES) {
    const size = [shape[0], shape[1] / scale, shape[2] / scale];
    const labels = strided(segmap, shape, scale);
    const edge = edges && strided(edges, shape, scale);
    const symbols = labels.map((label, i) => 1 + (edge ? 2 * label + (edge[i] ? 1 : 0) : label));
    const perSample = size[1] * size[2];
    const number = variants
      ? strided(variants, shape, scale)
      : labels.map((_, i) => Math.floor(i / perSample));
    for (const [name, table] of Object.entries(level(labels, number, symbols, size, numRegions))) {
      tables[`${name}_${scale}`] = table;
    }
  }
  return tables;
}

function level(labels, variants, symbols, size, numRegions) {
  // labels without a region count as different ones of each variant here, as they do in Python
  const regions = labels.map((label, i) => 1 + variants[i] * (numRegions + 1) + label);
  const patches = distinctPatches(symbols, size, ALL);
  const styled = distinctPatches(regions, size, ALL);
  const corners = Math.min(size[1], size[2]) > 1 ? CORNERS : ALL;
  const masks = distinctPatches(patches.numbers.map((number) => number + 1), size, corners);
  const pairs = distinctPairs(masks.numbers, styled.numbers);
  const entries = styled.table.map((entry) => {
    const label = (entry - 1) % (numRegions + 1);
    if (entry === 0 || label === numRegions) return 0;
    return 1 + Math.floor((entry - 1) / (numRegions + 1)) * numRegions + label;
  });
  const rows = (data) => ({ data, dims: [data.length / NUM_TAPS, NUM_TAPS] });
  const list = (data) => ({ data, dims: [data.length] });
  return {
    label_patches: rows(patches.table),
    mask_patches: rows(masks.table),
    region_patches: rows(entries),
    mask_rows: list(pairs.first),
    region_rows: list(pairs.second),
    pixels: { data: pairs.numbers, dims: size },
  };
}

/** The map at 1 / scale of its size, by nearest. */
function strided(map, [batch, height, width], scale) {
  const result = new Int32Array((batch * height * width) / (scale * scale));
  let next = 0;
  for (let b = 0; b < batch; b++) {
    for (let y = 0; y < height; y += scale) {
      for (let x = 0; x < width; x += scale) result[next++] = map[(b * height + y) * width + x];
    }
  }
  return result;
}

/** The distinct 3x3 patches of a map in order of appearance, 0 outside, and the number of every pixel's. */
function distinctPatches(map, [batch, height, width], key) {
  const numbers = new Int32Array(map.length);
  const table = [];
  const known = new Numbering(key.length);
  const patch = new Int32Array(NUM_TAPS);
  const code = new Int32Array(key.length);
  for (let b = 0, pixel = 0; b < batch; b++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, pixel++) {
        for (let tap = 0; tap < NUM_TAPS; tap++) {
          const row = y + Math.floor(tap / 3) - 1;
          const column = x + (tap % 3) - 1;
          const inside = row >= 0 && row < height && column >= 0 && column < width;
          patch[tap] = inside ? map[(b * height + row) * width + column] : 0;
        }
        for (let i = 0; i < key.length; i++) code[i] = patch[key[i]];
        const before = known.count;
        numbers[pixel] = known.numberOf(code);
        if (known.count > before) table.push(...patch);
      }
    }
  }
  return { table: Int32Array.from(table), numbers };
}

/** The distinct pairs of two lists of numbers in order of appearance, and the number of every pair. */
function distinctPairs(first, second) {
  const numbers = new Int32Array(first.length);
  const pairs = [[], []];
  const known = new Numbering(2);
  const code = new Int32Array(2);
  for (let i = 0; i < first.length; i++) {
    code[0] = first[i];
    code[1] = second[i];
    const before = known.count;
    numbers[i] = known.numberOf(code);
    if (known.count > before) code.forEach((entry, side) => pairs[side].push(entry));
  }
  return { first: Int32Array.from(pairs[0]), second: Int32Array.from(pairs[1]), numbers };
}

/** Numbers rows of integers in order of appearance, exactly: a hash finds the place, the rows are compared. */
class Numbering {
  constructor(width) {
    this.width = width;
    this.count = 0;
    this.rows = new Int32Array(1024 * width);
    this.places = new Int32Array(4096); // 1 + number, 0 where free
    this.lastNumber = -1;
  }

  numberOf(code) {
    if (this.lastNumber >= 0 && this.isRow(this.lastNumber, code)) return this.lastNumber;
    if (2 * this.count >= this.places.length) this.grow();
    let place = this.placeOf(code);
    while (this.places[place] !== 0 && !this.isRow(this.places[place] - 1, code)) {
      place = (place + 1) & (this.places.length - 1);
    }
    if (this.places[place] === 0) this.append(place, code);
    this.lastNumber = this.places[place] - 1;
    return this.lastNumber;
  }

  isRow(number, code) {
    const start = number * this.width;
    for (let i = 0; i < this.width; i++) if (this.rows[start + i] !== code[i]) return false;
    return true;
  }

  placeOf(code) {
    let hash = 0;
    for (let i = 0; i < this.width; i++) hash = Math.imul(hash ^ code[i], 0x9e3779b1) ^ (hash >>> 15);
    return (hash ^ (hash >>> 13)) & (this.places.length - 1);
  }

  append(place, code) {
    if ((this.count + 1) * this.width > this.rows.length) {
      const larger = new Int32Array(2 * this.rows.length);
      larger.set(this.rows);
      this.rows = larger;
    }
    this.rows.set(code, this.count * this.width);
    this.count += 1;
    this.places[place] = this.count;
  }

  grow() {
    this.places = new Int32Array(4 * this.places.length);
    for (let number = 0; number < this.count; number++) {
      let place = this.placeOf(this.rows.subarray(number * this.width, (number + 1) * this.width));
      while (this.places[place] !== 0) place = (place + 1) & (this.places.length - 1);
      this.places[place] = number + 1;
    }
  }
}
