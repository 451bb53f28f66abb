// The worker that computes: requests and live messages come in, answers, states and pictures go out, one thing at a time.
// Live messages go before requests, and of the pictures that they ask for only the newest is made: at once a quick one,
// and when nothing else waits the exact one.

import { readBank } from "./bank.js";
import { Labels } from "./labels.js";
import { Model, runtime } from "./model.js";
import { toRgba } from "./photo.js";
import { Problem } from "./problem.js";
import { Service } from "./service.js";

const QUIET = 250; // ms without a message after which the exact picture is made

let service = null;
let view = "result";
let due = null; // {seq, preview, quick, rests}: the picture to make next; rests: when nothing else is wanted
let shownMap = null; // the map that the page has
let running = false;
const live = [];
const requests = [];

self.onmessage = ({ data }) => {
  if (data.start) return void start(data.start);
  (data.live ? live : requests).push(data);
  if (!running) run();
};

async function start({ root, device }) {
  try {
    const page = { ...(await (await fetch(new URL("page.json", root))).json()), root };
    const address = (name) => new URL(page.files[name], root).href;
    const [manifest, bank, firstMap] = await Promise.all([
      fetch(address("manifest.json")).then((answer) => answer.json()),
      page.files["style_bank.safetensors"] ? fetch(address("style_bank.safetensors")).then((answer) => answer.arrayBuffer()) : null,
      fetch(address("first_map.bin")).then((answer) => answer.arrayBuffer()),
    ]);
    const files = Object.fromEntries(Object.keys(page.files).map((name) => [name, address(name)]));
    const labels = new Labels({ ...manifest.labels, groups: page.groups });
    const model = new Model(await runtime(new URL(page.runtime, root), device), files, manifest, (name, share) => post({ loading: share, name }));
    service = new Service({
      page, model, labels, bank: bank ? readBank(bank, labels.count, manifest.code_dim) : [], firstMap: new Uint16Array(firstMap),
      onProgress: (stage, done) => post({ text: { type: "progress", stage, done } }),
      onState: (state) => post({ text: { type: "state", seq: lastSeq, ...state } }),
    });
    await model.load("generator.onnx");
    post({ started: true });
    if (!running) run();
  } catch (problem) {
    post({ failed: problem.message });
  }
}

const post = (message, transferred = []) => self.postMessage(message, transferred);
let lastSeq = 0;

async function run() {
  if (!service) return; // it goes on when everything is loaded
  running = true;
  while (live.length || due || requests.length) {
    if (live.length) await heard(live.shift().live);
    else if (due && (!due.rests || (await isQuiet()))) await shown();
    else if (requests.length && !due) await answered(requests.shift());
    await pause(0); // for messages that have come meanwhile
  }
  running = false;
}

const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

// The exact picture of a photo takes a while, in which no stroke could be followed.
async function isQuiet() {
  await pause(QUIET);
  return !live.length;
}

async function answered({ id, method, path, query, body }) {
  try {
    const value = await service.answer(method, path, new URLSearchParams(query), body);
    post({ id, status: 200, body: value instanceof Blob ? value : JSON.stringify(value) });
  } catch (problem) {
    post({ id, status: problem.status ?? 500, body: JSON.stringify({ detail: said(problem) }) });
  }
}

const said = (problem) => (problem instanceof Problem ? problem.message : `something went wrong (${problem.message}); try again, or reload the page`);

async function heard({ seq, ...wish }) {
  if (wish.hello) return post({ text: { type: "welcome", seq: lastSeq } });
  lastSeq = seq;
  try {
    service.session(wish.session);
    const ofThis = wish.document == null || wish.document === service.document.number;
    if (wish.edit) await service.edit(wish.edit, wish.document);
    else if (wish.undo) await service.change((documents) => documents.undo());
    else if (wish.redo) await service.change((documents) => documents.redo());
    else if (wish.view) view = wish.view;
    else if (wish.render) shownMap = null; // the page asks for all that is shown
    if (!wish.preview || ofThis) due = { seq, preview: wish.preview ?? null, quick: Boolean(service.document.photo) };
  } catch (problem) {
    post({ text: { type: "error", detail: said(problem), seq } });
  }
}

async function shown() {
  const { seq, preview, quick } = due;
  due = null;
  const { document } = service;
  const header = { seq, version: service.state.version, document: document.number };
  try {
    const state = preview ? await document.after(preview) : document.state;
    if (document.photo && view === "result") {
      const { area, picture } = await service.patch(state, quick);
      await send({ type: "frame", of: "photo", area, ...header }, picture);
    } else {
      await send({ type: "frame", of: "model", ...header }, await document.render(state));
    }
    if (state.segmap !== shownMap) {
      shownMap = state.segmap;
      const file = await service.mapFile(state);
      const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
      post({ header: { type: "map", ...header }, bitmap }, [bitmap]);
    }
    if (quick && !preview && !due) due = { seq, preview, quick: false, rests: true };
  } catch (problem) {
    post({ text: { type: "error", detail: said(problem), seq } });
  }
}

async function send(header, picture) {
  const bitmap = picture && (await createImageBitmap(toRgba(picture), { colorSpaceConversion: "none", premultiplyAlpha: "none" }));
  post({ header, bitmap }, bitmap ? [bitmap] : []);
}
