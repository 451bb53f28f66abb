// What the page asks for: the answers of the server's HTTP interface (web/routes.py), made here.
//
// There is one session at a time, as every tab of the browser has a service of its own.

import { cropped } from "./compositing/planes.js";
import { Document, Documents, SHOWN_SIDE, oneStyle } from "./document.js";
import { checkCrop, cut, decoded, findFace, hasLandmarks, nearest, offWhite, parsed, seenBy, toRgba, wholeSquare } from "./photo.js";
import { paletteFile } from "./png.js";
import { Problem } from "./problem.js";
import { OWN, Sources, completed, meanColours } from "./sources.js";
import { applied, newState, regionsOf } from "./state.js";

const [LOOK_SIDE, THUMBNAIL] = [160, 128];
const MOST_STYLE_PHOTOS = 32;
const GONE = new Problem("there is no such session; begin a new one", 404);

export class Service {
  #session = null; // {id, version, documents, thumbnails: Map}
  #bankPictures = new Map();

  // page: what the builder wrote (page.json); bank: styles; firstMap: label ids of what a session begins with.
  // onProgress(stage, share), onState(state): tell the page.
  constructor({ page, model, labels, bank, firstMap, onProgress, onState }) {
    Object.assign(this, { page, model, labels, bank, firstMap, onProgress, onState });
  }

  get info() {
    const { labels, model, page } = this;
    const hex = (color) => `#${color.map((level) => level.toString(16).padStart(2, "0")).join("")}`;
    return {
      name: page.name,
      labels: labels.names.map((name, id) => ({ id, name, color: hex(labels.colors[id]) })),
      size: [model.height, model.width],
      blocks: model.blocks,
      bank: this.bank.length,
      faces: page.faces,
      samples: page.samples,
      parses: Boolean(model.parserSize),
      projects: false,
      provider: model.provider,
    };
  }

  // Answer a request: a plain value, or a Blob. query: URLSearchParams; body: of JSON, or the fields of a form.
  async answer(method, path, query, body) {
    const [kind, ...rest] = path.split("/");
    if (kind === "model") return this.info;
    if (kind === "bank") return this.#bankThumbnail(parseInt(rest[0], 10));
    if (kind === "samples") return fetched(new URL(`samples/${rest[0]}`, this.page.root));
    if (kind !== "sessions") throw new Problem("there is no such thing here", 404);
    if (!rest.length) return this.#begin(body?.bank ?? null);
    const session = this.session(rest[0]);
    const action = method === "POST" ? ACTIONS[rest[1]] : null;
    if (action) {
      await action(this, session, body, query.get("step") ?? "");
      return rest[1] === "styles" ? this.state.sources.at(-1) : this.state;
    }
    const found = READINGS[rest[1] ?? ""];
    if (!found) throw new Problem("there is no such thing here", 404);
    return found(this, session, rest[2], query);
  }

  session(id) {
    if (this.#session?.id !== id) throw GONE;
    return this.#session;
  }

  get document() {
    return this.#session.documents.current;
  }

  // What the session shows, as the server's State.
  get state() {
    const { id, version, documents } = this.#session;
    const { number, step, photo, sources, history, base } = documents.current;
    const { names } = this.labels;
    const state = documents.current.state;
    return {
      id, version, document: number, step,
      photo: photo && { name: photo.name, width: photo.image.width, height: photo.image.height, crop: photo.crop, faces: photo.faces },
      regions: regionsOf(state, base).map(({ label, instance, area, styles }) => ({
        label: names[label], instance, area, at: instance ? pointIn(state, label, instance, base.size) : null,
        styles: styles.map((setting) => setting ?? [OWN, 1]),
      })),
      sources: sources.names(),
      can_undo: documents.canUndo, can_redo: documents.canRedo, edits: history.position,
    };
  }

  // Do something to the session, whose state then counts on.
  async change(action) {
    await action(this.#session.documents);
    this.#session.version++;
    this.onState(this.state);
  }

  edit(edit, number) {
    return this.change(async (documents) => {
      const document = documents.find(number);
      if (!document) throw new Problem("the picture that this edit was made for is no longer kept");
      await documents.apply(edit, document);
    });
  }

  async mapFile(state = this.document.state) {
    const { height, width } = this.model;
    const none = this.labels.ignoreId ?? this.labels.count;
    return paletteFile({ data: Uint8Array.from(state.segmap, (id) => (id === this.labels.count ? none : id)), height, width }, this.labels.colors);
  }

  // What edits have changed of the photo as the page shows it: {area in fractions, picture}; both null where nothing has.
  async patch(state, quick) {
    const edited = await this.document.composited(SHOWN_SIDE, state, quick);
    const { image } = this.document.photoAt(SHOWN_SIDE);
    const { height, width } = image;
    let [top, left, bottom, right] = [height, width, 0, 0];
    for (let i = 0; edited !== image && i < edited.data.length; i++) {
      if (edited.data[i] === image.data[i]) continue;
      const n = Math.floor(i / 3);
      const [y, x] = [Math.floor(n / width), n % width];
      [top, left, bottom, right] = [Math.min(top, y), Math.min(left, x), Math.max(bottom, y + 1), Math.max(right, x + 1)];
    }
    if (!bottom) return { area: null, picture: null };
    const area = [left / width, top / height, (right - left) / width, (bottom - top) / height];
    return { area, picture: cropped(edited, { top, left, bottom, right }, 3) };
  }

  async #begin(bank) {
    const document = this.drawing(bank);
    this.#session = { id: crypto.randomUUID?.() ?? String(Math.random()).slice(2), version: 0, documents: new Documents(document), thumbnails: new Map() };
    return this.state;
  }

  // A drawn face (or scene) in a style of the bank.
  drawing(bank) {
    const sources = this.sources();
    if (bank !== null) sources.own = this.#bankStyle(bank);
    return new Document(this.model, sources, newState(this.firstMap));
  }

  sources() {
    return new Sources(this.labels, this.model.codeDim, this.bank, null, this.page.mean_color);
  }

  // Styles of what the model sees of a photo.
  async encoded(photo, segmap) {
    const seen = seenBy(photo, this.model.height, this.model.width);
    return { ...(await this.model.encode(seen, segmap)), colours: meanColours(seen, segmap, this.model.count) };
  }

  // An uploaded photo and the label map of what the model sees of it.
  async opened({ file, segmap, crop }) {
    this.onProgress("reading the photo", 0);
    const photo = { ...(await decoded(file)), crop: null, faces: [], name: file.name === "pasted.png" ? "" : file.name };
    if (segmap) {
      const { data, height, width } = await this.readMap(segmap);
      return { photo, segmap: nearest({ data, height, width }, this.model.height, this.model.width).data, parses: false };
    }
    if (!this.model.parserSize) throw new Problem("this page has no parser for photos; give the photo's label map with it");
    if (crop) {
      checkCrop(crop, photo.image);
      photo.crop = crop;
    } else if (hasLandmarks(this.labels.names)) {
      this.onProgress("finding the face", 0.1);
      const face = await findFace(photo.image, this.model, (share) => this.onProgress("finding the face", 0.1 + 0.5 * share));
      photo.crop = face ?? wholeSquare(photo.image);
      photo.faces = face ? [face] : [];
    }
    return { photo, segmap: await this.mapOf(photo), parses: true };
  }

  async mapOf(photo) {
    this.onProgress("making the map", 0.7);
    return parsed(photo, this.model);
  }

  // A label map in the colours of the labels, or of label ids as levels of grey.
  async readMap(file) {
    const { own } = await decoded(file);
    const { data, height, width } = own;
    const ids = new Map(this.labels.colors.map((color, id) => [color.join(), id]).reverse());
    const read = (find) => Int32Array.from({ length: height * width }, (_, i) => find(data[3 * i], data[3 * i + 1], data[3 * i + 2]) ?? -1);
    const { count, ignoreId } = this.labels;
    const ofLevel = (level) => (level < count ? level : level === (ignoreId ?? count) ? count : -1);
    const byLevel = read((r, g, b) => (r === g && g === b ? ofLevel(r) : -1));
    const found = byLevel.includes(-1) ? read((r, g, b) => ids.get([r, g, b].join())) : byLevel;
    if (found.includes(-1)) throw new Problem("expected a label map: a PNG in the colours of the labels, or whose levels of grey are label numbers");
    return { data: found, height, width };
  }

  #bankStyle(number) {
    if (!this.bank[number]) throw new Problem(`expected a number of a bank style in 0..${this.bank.length - 1}`);
    return this.bank[number];
  }

  async #bankThumbnail(number) {
    if (!this.#bankPictures.has(number)) {
      const styles = completed(this.#bankStyle(number), this.sources().mean, this.model.codeDim);
      this.#bankPictures.set(number, await file(await this.model.render(this.firstMap, oneStyle(styles, this.model)), THUMBNAIL));
    }
    return this.#bankPictures.get(number);
  }
}

const ACTIONS = {
  drawing: (service, session, body, step) => service.change((documents) => documents.open(service.drawing(body?.bank ?? null), step)),
  photo: async (service, session, body, step) => {
    const { photo, segmap, parses } = await service.opened(body);
    service.onProgress("encoding", 0.9);
    const sources = service.document.sources.branch();
    sources.own = await service.encoded(photo, segmap);
    await service.change((documents) => documents.open(new Document(service.model, sources, newState(segmap), { photo, segmap, parses }), step));
  },
  crop: async (service, session, square, step) => {
    const { photo: before, sources: known } = service.document;
    if (!before) throw new Problem("expected a session with a photo; open one first");
    checkCrop(square, before.image);
    const photo = { ...before, crop: square };
    const segmap = await service.mapOf(photo);
    const sources = known.branch();
    sources.own = await service.encoded(photo, segmap);
    await service.change((documents) => documents.open(new Document(service.model, sources, newState(segmap), { photo, segmap, parses: true }), step));
  },
  segmap: async (service, session, { file: given }, step) => {
    const { height, width } = service.model;
    const ids = nearest(await service.readMap(given), height, width).data;
    const { photo, segmap, parses, sources, state } = service.document;
    const styles = new Map([...state.styles].filter(([key]) => key.endsWith(":0")));
    await service.change((documents) => documents.open(new Document(service.model, sources.branch(), newState(ids, styles), { photo, segmap, parses }), step));
  },
  styles: async (service, session, body, step) => {
    const { sources } = service.document;
    if (sources.photos.length >= MOST_STYLE_PHOTOS) throw new Problem(`this session has ${MOST_STYLE_PHOTOS} style photos already, which is all it may have`);
    const { photo, segmap } = await service.opened(body);
    const name = String(sources.photos.length + 1);
    const styles = await service.encoded(photo, segmap);
    session.thumbnails.set(name, await file(photo.crop ? cut(photo.image, photo.crop, THUMBNAIL) : photo.image, THUMBNAIL));
    await service.change(() => sources.add(name, styles, step));
  },
  script: async (service, session, { file: given }) => {
    const { done, undone } = JSON.parse(await given.text());
    const { document } = service;
    await service.change(async () => {
      for (const edit of [...done, ...undone]) await document.apply(edit);
      for (const _ of undone) document.history.undo();
    });
  },
};

const READINGS = {
  "": (service) => service.state,
  "script.json": ({ document: { history } }) => ({ done: history.done, undone: history.undone }),
  "map.png": (service) => service.mapFile(),
  "original.png": async ({ document }) => file(await document.original()),
  "whole.jpg": async ({ document }) => file(document.photo ? document.photoAt(SHOWN_SIDE).image : await document.original()),
  "picture.png": async ({ document }) => file(await document.render()),
  "photo.png": (service) => wholePhoto(service, { type: "image/png" }),
  "photo.jpg": (service) => wholePhoto(service, { type: "image/jpeg", quality: 0.95 }),
  looks: (service, session, name, query) => look(service, parseInt(name, 10), query.get("region")),
  styles: (service, session, name) => {
    const found = session.thumbnails.get(decodeURIComponent(name.replace(/\.png$/, "")));
    if (!found) throw new Problem("there is no such style photo", 404);
    return found;
  },
};

async function wholePhoto({ document }, format) {
  const { photo } = document;
  if (!photo) throw new Problem("expected a session with a photo; open one first");
  const edited = await document.composited(Infinity);
  if (!photo.alpha || format.type === "image/jpeg") return file(edited, 0, null, format); // a JPEG cannot be transparent
  return file(offWhite(edited, photo), 0, photo.alpha, format);
}

// The session's picture, or the part of its photo that the model sees, in a style of the bank.
async function look({ document, model }, number, region) {
  const edit = { kind: "set_style", source: `bank:${number}`, ...(region ? { regions: [region] } : {}) };
  const state = applied(document.state, edit, document.base);
  const { photo } = document;
  if (!photo) return file(await document.render(state), THUMBNAIL);
  const extent = Math.max(photo.image.height, photo.image.width);
  const side = Math.min(SHOWN_SIDE, Math.round((extent * LOOK_SIDE) / (photo.crop ? photo.crop.size : extent)));
  const edited = await document.composited(side, state, true);
  const { crop } = document.photoAt(side);
  return file(crop ? cut(edited, crop, LOOK_SIDE) : edited, THUMBNAIL);
}

// A picture as a PNG; side: make it fit into a square of so many pixels.
async function file(image, side = 0, alpha = null, format = { type: "image/png" }) {
  const { height, width } = image;
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(toRgba(image, alpha), 0, 0);
  const scale = side / Math.max(height, width);
  if (!side || scale >= 1) return canvas.convertToBlob(format);
  const small = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, 0, 0, small.width, small.height);
  return small.convertToBlob({ type: "image/png" });
}

// The pixel of a region that is nearest to its middle, as fractions x and y.
function pointIn({ segmap, instances }, label, instance, { height, width }) {
  const pixels = [];
  segmap.forEach((id, i) => { if (id === label && instances[i] === instance) pixels.push(i); });
  const [row, column] = [(i) => Math.floor(i / width), (i) => i % width];
  const mean = (place) => pixels.reduce((sum, i) => sum + place(i), 0) / pixels.length;
  const [y, x] = [mean(row), mean(column)];
  const away = (i) => (row(i) - y) ** 2 + (column(i) - x) ** 2;
  const found = pixels.reduce((best, i) => (away(i) < away(best) ? i : best));
  return [(column(found) + 0.5) / width, (row(found) + 0.5) / height];
}

async function fetched(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Problem("there is no such sample", 404);
  return response.blob();
}
