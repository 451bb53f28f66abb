// A session's edits in its photo, at the photo's own resolution, as editing/photo_composite.py puts them there.

import { flatColour, labOf } from "./compositing/colour.js";
import { composite } from "./compositing/composite.js";
import { Frame, carried } from "./compositing/frame.js";
import { PhotoGuide } from "./compositing/guide.js";
import { masked } from "./compositing/planes.js";
import { codeOf, isColour } from "./sources.js";
import { partsOf } from "./state.js";

const STRANDS = ["hair"];
const BACKGROUND = "background";

export class PhotoComposite {
  #guide = null; // {guide, ids}
  #known = new Map(); // what the photo shows of its labels

  // photo: see photo.js; segmap: label ids {data, height, width} of what the model sees; own(): a promise of the model's
  // picture of that map with the photo's own styles; around(): a promise of the map to follow regions in, {frame, ids}.
  constructor(photo, segmap, own, around) {
    Object.assign(this, { photo, segmap, own, around, place: placeOf(photo) });
  }

  // The photo with the edits of a state in it; rendered(): a promise of the model's picture of the state.
  async withEdits(state, base, rendered, { quick = false } = {}) {
    const { labels } = base.sources;
    const restyled = restyledRegions(state, base);
    const isRedrawn = state.segmap.some((id, n) => id !== this.segmap.data[n]);
    if (!restyled.length && !isRedrawn) return this.photo.image;
    const { guide, ids } = await this.#prepared();
    const changes = this.#changes(state, base, restyled, guide, ids);
    let pictures = null;
    if (isRedrawn || changes.some(({ target }) => !target)) {
      pictures = { own: await this.own(), edited: await rendered(), frame: this.place };
    }
    const colours = new Map();
    for (const { label, instance, settings } of restyled) {
      const wanted = targetOf(label, settings, base);
      if (!instance && wanted.target) colours.set(label, { colour: wanted.target, strength: wanted.strength });
    }
    const maps = isRedrawn ? { own: this.segmap, edited: { ...this.segmap, data: state.segmap } } : null;
    const strands = new Set(STRANDS.map((name) => labels.names.indexOf(name)));
    return composite(guide, changes, pictures, maps, { strands, colours, quick, known: quick && !changes.length ? this.#known : null });
  }

  #changes(state, base, restyled, guide, ids) {
    const size = { height: this.segmap.height, width: this.segmap.width };
    const numbers = carried({ ...size, data: state.instances }, this.place, guide.frame, ids.height, ids.width).data;
    return restyled.flatMap(({ label, instance, settings }) => {
      const others = new Set([...state.styles.keys()].map(partsOf).filter(([each, number]) => each === label && number).map(([, number]) => number));
      const mask = masked(ids, (id, n) => id === label && (instance ? numbers[n] === instance : !others.has(numbers[n])));
      if (!mask.data.includes(1)) return [];
      const name = base.sources.labels.names[label];
      const { target, strength } = targetOf(label, settings, base);
      const colour = target && !isColour(settings[0][0]) ? guide.insideColour(mask, target) : target;
      return [{ mask, target: colour, strength, strands: STRANDS.includes(name), several: name === BACKGROUND }];
    });
  }

  async #prepared() {
    if (!this.#guide) {
      const { frame, ids } = await this.around();
      this.#guide = { guide: new PhotoGuide(this.photo.image, frame, ids), ids };
    }
    return this.#guide;
  }
}

// The place of what the model sees in its photo.
export const placeOf = ({ image, crop }) => (crop ? Frame.square(crop) : Frame.whole(image.height, image.width));

// The styles set that are others than the picture's own.
function restyledRegions(state, base) {
  const { sources } = base;
  const own = sources.completeOwn;
  return [...state.styles].map(([key, settings]) => ({ label: partsOf(key)[0], instance: partsOf(key)[1], settings })).filter(({ label, settings }) => {
    if (!sources.own.present[label] && settings.some(Boolean)) return true; // it has no colour of its own
    const code = codeOf(own, label, sources.codeDim);
    return !settings.every((setting) => !setting || sources.code(label, setting).every((value, i) => value === code[i]));
  }).sort((a, b) => a.label - b.label || a.instance - b.instance);
}

// The colour that a style gives a label, and its strength; null where the model's pictures have to tell.
function targetOf(label, settings, base) {
  const [setting] = settings;
  const unknown = { target: null, strength: 1 };
  if (!setting || settings.some((other) => !other || other[0] !== setting[0] || other[1] !== setting[1])) return unknown;
  const { colours } = base.sources.get(setting[0]);
  if (!colours || Number.isNaN(colours[3 * label])) return unknown;
  const levels = Uint8Array.from(colours.subarray(3 * label, 3 * label + 3), Math.round);
  return { target: flatColour([...labOf(levels)]), strength: setting[1] };
}
