// The styles that edits can name: the picture's own, those of the model's bank, of style photos, and of colours; as
// editing/sources.py has them.
//
// Styles are {codes: Float32Array [k d], present: Uint8Array [k], colours: Float32Array [3 k] of sRGB in 0..255 with NaN
// where unknown, or null}.

import { labOf, levelsOf, parseColour } from "./compositing/colour.js";
import { Problem } from "./problem.js";

export const OWN = "own";
export const MEAN = "mean";
export const isColour = (source) => source.startsWith("#");

export class Sources {
  #photos = new Map();
  #colours = new Map();
  #steps = new Map(); // names that the page gave to the uploads of style photos

  // bank: styles; bankColours(): the colours of each of them, three numbers a label; keepsColours: whether codes begin
  // with the region's colour.
  constructor(labels, codeDim, bank, bankColours, keepsColours) {
    Object.assign(this, { labels, codeDim, bank, bankColours, keepsColours });
    this.mean = bank.length ? meanStyle(bank, labels.count, codeDim) : noStyle(labels.count, codeDim);
    this.own = this.mean;
  }

  // The own styles as they are rendered: regions that they lack take the bank's mean.
  get completeOwn() {
    return completed(this.own, this.mean, this.codeDim);
  }

  get photos() {
    return [...this.#photos.keys()];
  }

  add(name, styles, step = "") {
    this.#photos.set(name, styles);
    this.#steps.set(`photo:${name}`, step);
  }

  // The same sources for another picture: own styles and style photos as they are now.
  branch() {
    const other = new Sources(this.labels, this.codeDim, this.bank, this.bankColours, this.keepsColours);
    other.own = this.own;
    for (const [name, styles] of this.#photos) other.add(name, styles, this.#steps.get(`photo:${name}`));
    return other;
  }

  forgetColours() {
    this.#colours.clear();
  }

  // All sources but those of single regions and colours, with the labels that each has, and the step that added it.
  names() {
    const bank = this.bank.map((_, number) => `bank:${number}`);
    const sources = [OWN, ...(this.bank.length ? [MEAN] : []), ...bank, ...this.photos.map((name) => `photo:${name}`)];
    return sources.map((source) => ({ source, regions: this.#namesOf(this.get(source)), step: this.#steps.get(source) ?? "" }));
  }

  get(source) {
    const [kind, name] = source.split(/:(.*)/s);
    if (source === OWN) return this.own;
    if (source === MEAN && this.bank.length) return this.mean;
    if (kind === "bank" && /^\d+$/.test(name) && Number(name) < this.bank.length) return this.bank[Number(name)];
    if (kind === "photo" && this.#photos.has(name)) return this.#photos.get(name);
    if (kind === "region") return this.#ofRegion(name);
    if (this.#colours.has(source)) return this.#colours.get(source);
    throw new Problem(`there is no style ${JSON.stringify(source)}`);
  }

  // Look a colour up, of which `get` then knows: of every region the style of the bank whose colour is nearest.
  async prepare(source) {
    if (!/^#([0-9a-f]{3}|[0-9a-f]{6})$/i.test(source) || this.#colours.has(source)) return;
    if (!this.bank.length) throw new Problem(`expected a model with a style bank for the colour ${source}; take the style of a photo`);
    const known = await this.bankColours();
    const wanted = parseColour(source).mean;
    const { codeDim, mean } = this;
    const codes = mean.codes.slice();
    const levels = Float32Array.from(levelsOf(wanted));
    for (let label = 0; label < this.labels.count; label++) {
      let [nearest, least] = [-1, Infinity];
      known.forEach((colours, number) => {
        const own = colours.subarray(3 * label, 3 * label + 3);
        if (Number.isNaN(own[0])) return;
        const lab = labOf(Uint8Array.from(own, Math.round));
        const distance = wanted.reduce((sum, value, c) => sum + (lab[c] - value) ** 2, 0);
        if (distance < least) [nearest, least] = [number, distance];
      });
      if (nearest >= 0) codes.set(codeOf(this.bank[nearest], label, codeDim), label * codeDim);
      if (this.keepsColours && mean.present[label]) codes.set(levels.map((level) => level / 127.5 - 1), label * codeDim);
    }
    const colours = new Float32Array(3 * this.labels.count);
    for (let label = 0; label < this.labels.count; label++) colours.set(levels, 3 * label);
    this.#colours.set(source, { codes, present: mean.present, colours });
  }

  // The label ids of regions whose style is to come from a source; null means all that it has.
  regionsFrom(source, regions) {
    const all = [...this.labels.names.keys()];
    if (source === OWN) return regions ? [...new Set(regions.flatMap((region) => this.labels.idsOf(region)))] : all;
    const { present } = this.get(source);
    if (!regions) return all.filter((label) => present[label]);
    const chosen = regions.map((region) => {
      const having = this.labels.idsOf(region).filter((label) => present[label]);
      if (!having.length) throw new Problem(`${source} has no ${region}; it has ${this.#namesOf({ present }).join(", ") || "no region"}`);
      return having;
    });
    return [...new Set(chosen.flat())];
  }

  // The code of a region: its own, or that mixed with a [source, strength].
  code(label, setting) {
    const own = codeOf(this.completeOwn, label, this.codeDim);
    if (!setting) return own;
    const [source, strength] = setting;
    const other = codeOf(this.get(source), label, this.codeDim);
    return own.map((value, i) => (strength < 0.5 ? value + strength * (other[i] - value) : other[i] - (other[i] - value) * (1 - strength)));
  }

  #ofRegion(name) {
    const { own, labels, codeDim } = this;
    const region = labels.idOf(name);
    if (!own.present[region]) throw new Problem(`the picture has no ${name}; it has ${this.#namesOf(own).join(", ") || "no region"}`);
    const everywhere = (values, width) => {
      const result = new Float32Array(labels.count * width);
      for (let label = 0; label < labels.count; label++) result.set(values.subarray(region * width, (region + 1) * width), label * width);
      return result;
    };
    return {
      codes: everywhere(own.codes, codeDim),
      present: new Uint8Array(labels.count).fill(1),
      colours: own.colours && everywhere(own.colours, 3),
    };
  }

  #namesOf({ present }) {
    return this.labels.names.filter((_, label) => present[label]);
  }
}

export const codeOf = ({ codes }, label, codeDim) => codes.slice(label * codeDim, (label + 1) * codeDim);

const noStyle = (count, codeDim) => ({ codes: new Float32Array(count * codeDim), present: new Uint8Array(count), colours: null });

// Styles, and those of `other` for the regions that have none.
export function completed(styles, other, codeDim) {
  const codes = styles.codes.slice();
  const present = styles.present.slice();
  present.forEach((isThere, label) => {
    if (isThere || !other.present[label]) return;
    codes.set(codeOf(other, label, codeDim), label * codeDim);
    present[label] = 1;
  });
  return { codes, present, colours: styles.colours };
}

function meanStyle(bank, count, codeDim) {
  const codes = new Float32Array(count * codeDim);
  const present = new Uint8Array(count);
  const colours = new Float32Array(3 * count).fill(NaN);
  for (let label = 0; label < count; label++) {
    const having = bank.filter((styles) => styles.present[label]);
    present[label] = having.length ? 1 : 0;
    for (let i = label * codeDim; i < (label + 1) * codeDim; i++) {
      codes[i] = having.reduce((sum, styles) => sum + styles.codes[i], 0) / Math.max(1, having.length);
    }
    const known = bank.filter((styles) => styles.colours && !Number.isNaN(styles.colours[3 * label]));
    for (let c = 3 * label; known.length && c < 3 * label + 3; c++) {
      colours[c] = known.reduce((sum, styles) => sum + styles.colours[c], 0) / known.length;
    }
  }
  return { codes, present, colours: colours.every(Number.isNaN) ? null : colours };
}

// The mean colour of every region of a picture: three numbers a label, NaN for those that are not there.
export function meanColours({ data }, ids, count) {
  const sums = new Float64Array(3 * (count + 1));
  const pixels = new Int32Array(count + 1);
  ids.forEach((id, i) => {
    pixels[id]++;
    for (let c = 0; c < 3; c++) sums[3 * id + c] += data[3 * i + c];
  });
  return Float32Array.from({ length: 3 * count }, (_, i) => sums[i] / pixels[Math.floor(i / 3)]);
}
