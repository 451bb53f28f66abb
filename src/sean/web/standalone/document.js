// A picture and everything done to it, and a session's history of pictures; as sean.Editor and web/documents.py.

import { History } from "./history.js";
import { PhotoComposite, placeOf } from "./photo_composite.js";
import { seenBy, smaller } from "./photo.js";
import { meanColours } from "./sources.js";
import { applied, newState, renderStyles } from "./state.js";
import { surroundings } from "./surroundings.js";

export const SHOWN_SIDE = 1280; // pixels of the longer side of a photo as the page shows it
const MOST_EARLIER = 8;

export class Document {
  number = 0;
  step = ""; // name that the page gave to the request that opened it
  leftAt = Infinity; // edits done when another picture was opened
  #rendered = null; // {state, picture}
  #composites = new Map(); // by the longer side of the photo
  #own = null; // a promise of the model's picture of the photo's map in the photo's styles
  #around = new Map(); // promises of maps of more of the photo than its crop, by the longer side of the photo

  // sources: see sources.js; state: that the picture begins with; photo: see photo.js, or null; segmap: the photo's map;
  // parses: whether the parser made that map.
  constructor(model, sources, state, { photo = null, segmap = null, parses = false } = {}) {
    Object.assign(this, { model, sources, photo, segmap, parses });
    this.base = { state, sources, size: { height: model.height, width: model.width }, blocks: model.blocks };
    this.history = new History(state, (before, edit) => applied(before, edit, this.base));
    sources.forgetColours();
    sources.bankColours = () => this.#bankColours();
  }

  get state() {
    return this.history.state;
  }

  // What the model sees of the photo; of a drawn picture, what the model made of it at first.
  async original() {
    return this.photo ? seenBy(this.photo, this.model.height, this.model.width) : this.render(this.base.state);
  }

  // Styles that an edit names and that take a while to find.
  async prepare(edit) {
    if (edit.kind === "set_style" && typeof edit.source === "string") await this.sources.prepare(edit.source);
  }

  async after(edit) {
    await this.prepare(edit);
    return applied(this.state, edit, this.base);
  }

  async apply(edit) {
    await this.prepare(edit);
    this.history.push(edit);
  }

  async render(state = this.state) {
    if (this.#rendered?.state !== state) this.#rendered = { state, picture: await this.model.render(state.segmap, renderStyles(state, this.base)) };
    return this.#rendered.picture;
  }

  photoAt(side) {
    return this.#compositeAt(side).photo;
  }

  // The photo, at most so many pixels a side (Infinity: its own), with the edits of a state in it.
  composited(side, state = this.state, quick = false) {
    return this.#compositeAt(side).withEdits(state, this.base, () => this.render(state), { quick });
  }

  forgetRendered() {
    this.#rendered = null;
    this.#composites.clear();
  }

  #compositeAt(most) {
    const side = Math.min(most, Math.max(this.photo.image.height, this.photo.image.width));
    if (!this.#composites.has(side)) {
      const photo = smaller(this.photo, side);
      const map = { data: this.segmap, height: this.model.height, width: this.model.width };
      this.#composites.set(side, new PhotoComposite(photo, map, () => this.#ownPicture(), () => this.#mapAround(photo, map)));
    }
    return this.#composites.get(side);
  }

  #ownPicture() {
    this.#own ??= this.model.render(this.segmap, renderStyles(newState(this.segmap), this.base));
    return this.#own;
  }

  // The map to follow regions in, {frame, ids}: where the parser made the map, more than the crop. That of a photo smaller
  // than the page shows it is the shown one's.
  async #mapAround(photo, map) {
    if (!photo.crop || !this.parses) return { frame: placeOf(photo), ids: map };
    const { image: shown } = this.photoAt(SHOWN_SIDE);
    const { height, width } = photo.image;
    if (height < shown.height) {
      const { frame, ids } = await this.#mapAround(this.photoAt(SHOWN_SIDE), map);
      return { frame: frame.scaled(height / shown.height, width / shown.width), ids };
    }
    const side = Math.max(height, width);
    if (!this.#around.has(side)) this.#around.set(side, surroundings(photo, map, this.model));
    return this.#around.get(side);
  }

  // The colours of the bank's styles; those of no known colour are rendered on the first map.
  async #bankColours() {
    const { segmap } = this.base.state;
    const colours = [];
    for (const styles of this.sources.bank) {
      colours.push(styles.colours ?? meanColours(await this.model.render(segmap, oneStyle(styles, this.model)), segmap, this.model.count));
    }
    return colours;
  }
}

// One style for all blocks, as the generator takes it.
export function oneStyle({ codes }, { blocks }) {
  const all = new Float32Array(blocks * codes.length);
  for (let block = 0; block < blocks; block++) all.set(codes, block * codes.length);
  return { codes: all, count: 1, variants: null };
}

// A history of pictures: opening one is a step that undo takes back, between the edits of the two pictures.
export class Documents {
  #earlier = [];
  #later = [];
  #count = 0;

  constructor(current) {
    this.current = current;
  }

  open(document, step) {
    Object.assign(document, { number: ++this.#count, step });
    this.current.leftAt = this.current.history.position;
    this.current.forgetRendered();
    this.#earlier = [...this.#earlier, this.current].slice(-MOST_EARLIER);
    this.#later = [];
    this.current = document;
  }

  // The document of that number, where it is still kept; null stands for the current one.
  find(number) {
    return number == null ? this.current : [this.current, ...this.#earlier, ...this.#later].find((each) => each.number === number);
  }

  async apply(edit, document) {
    await document.apply(edit);
    if (document === this.current) {
      this.#later = [];
      document.leftAt = Infinity;
    } else {
      document.leftAt = document.history.position;
    }
  }

  get canUndo() {
    return this.current.history.position > 0 || this.#earlier.length > 0;
  }

  get canRedo() {
    return this.#canRedoEdit || this.#later.length > 0;
  }

  get #canRedoEdit() {
    const { history, leftAt } = this.current;
    return history.canRedo && history.position < leftAt;
  }

  undo() {
    if (this.current.history.undo()) return;
    if (this.#earlier.length) this.#go(this.#later, this.#earlier);
  }

  redo() {
    if (this.#canRedoEdit) this.current.history.redo();
    else if (this.#later.length) this.#go(this.#earlier, this.#later);
  }

  #go(from, to) {
    this.current.forgetRendered();
    from.push(this.current);
    this.current = to.pop();
  }
}
