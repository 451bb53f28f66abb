// The life of a session: begun, restored after a reload, brought back when it is gone, connected again when lost.

import { ApiError, Cancelled, createSession, fetchBitmap, getModel, getScript, getSession, postCrop, postDrawing } from "./api.js";
import { TEXT } from "./backend.js";
import { asking, begunBy, forget, forgetAll, isUnkept, isWork, keepMoved, keepSoon, keepSteps, keepWork, keptWork, offeredWork, restored, startKeeping } from "./keep.js";
import { live } from "./live.js";
import { announce, error, info, progress, progressEnd } from "./messages.js";
import { showFocus, showMap, showOriginal, showResult } from "./panes.js";
import { byId, onChange, remembered, store, update } from "./store.js";
import { forgetSources } from "./styling.js";

const KEY = "sean-session";
const FIRST_FACE = 0;
const AWAY = [0, 429, 502, 503, 504]; // statuses where a server is not there, or busy
const FIRST_WAIT = 500; // ms between attempts, twice as long each time
const LONGEST_WAIT = 8000; // ms
const MOST_ATTEMPTS = 4; // without an answer, although the server answers to other requests
let lost = false;
let renewing = false;
let originalVersion = 0;
const givenUp = new Set(); // names of steps that the user has cancelled
let shownDocument = null; // its pictures are shown, or on their way
let reconnections = 0;

const first = () => (store.model.bank ? { bank: FIRST_FACE } : {});

// Run work and show what goes wrong; true when it went well. A session that is gone is brought back.
export async function guarded(work) {
  const id = store.session?.id;
  try {
    await work();
    return true;
  } catch (problem) {
    if (problem instanceof Cancelled) info("Cancelled");
    else if (!(problem instanceof ApiError)) throw problem;
    else if (problem.status === 404 && id && id === store.session?.id && !renewing) await renew();
    else error(problem.message);
    return false;
  }
}

export async function startSession() {
  await startKeeping();
  listen();
  const id = remembered(KEY);
  if (id) {
    try {
      const state = await getSession(id);
      return await enter(state, (await keptWork(id))?.steps ?? begunBy(first()));
    } catch (problem) {
      if (!(problem instanceof ApiError) || problem.status !== 404) throw problem;
    }
    return renew(id);
  }
  await begin();
  await offer();
}

async function begin() {
  const state = await createSession(first());
  await enter(state, begunBy(first()));
}

// The session is gone from the server: bring its work back, or else begin a new one.
async function renew(id = store.session?.id) {
  if (renewing) return; // a request and the WebSocket may both find the session gone
  renewing = true;
  try {
    if (!(await patiently(isSameModel))) {
      live.dropUnanswered();
      error("The server has another model now; reload the page to go on with it"); // should the user not let it be reloaded
      return location.reload();
    }
    const kept = await keptWork(id);
    if (kept && kept.id !== id && (await followed(kept))) {
      info(TEXT.restored); // by another tab
    } else if (kept?.script && (await broughtBack(kept))) {
      info(TEXT.restored);
    } else {
      live.dropUnanswered();
      await patiently(begin);
      if (kept?.script && isWork(kept)) await offer();
      else if (TEXT.expired) info(TEXT.expired);
    }
    lost = false;
  } catch (problem) {
    if (!store.session || !(problem instanceof ApiError)) throw problem; // the page says that it could not start
    error(problem.message);
    live.connect(id); // fails, and is tried again later
  } finally {
    renewing = false;
  }
}

// Do work, again where the server is away or busy.
async function patiently(work) {
  let isTold = false;
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (problem) {
        if (!AWAY.includes(problem.status)) throw problem;
        if (problem.status === 0 && attempt >= MOST_ATTEMPTS && (await isThere())) throw problem;
        if (attempt === 1) error(problem.message);
      }
      isTold = true;
      progress("trying again", null);
      await new Promise((resolve) => { setTimeout(resolve, Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1))); });
    }
  } finally {
    if (isTold) progressEnd();
  }
}

const isThere = () => getModel().then(() => true, () => false);

// Whether the server has the model that the page was made for.
async function isSameModel() {
  const shown = ({ limits, ...model }) => JSON.stringify(model);
  return shown(await getModel()) === shown(store.model);
}

// Whether a kept work could be brought back. Where it could not, it stays kept, for another model perhaps.
async function broughtBack(kept) {
  try {
    await patiently(() => goOn(kept));
    return true;
  } catch (problem) {
    if (isWork(kept)) error(`Your work cannot be opened here; it stays kept in this browser (${problem.message.replace(/\.$/, "")})`);
    return false;
  }
}

async function followed(kept) {
  const state = await patiently(() => getSession(kept.id)).catch(() => null);
  if (!state) return false;
  live.renumber(state.document);
  await enter(state, kept.steps);
  return true;
}

async function goOn(kept) {
  progress("bringing your work back", null);
  try {
    const { state, steps } = await restored(kept, first(), (share) => progress("sending the photo", share));
    live.renumber(state.document);
    await keepMoved(kept, state, steps).catch(() => {}); // it stays kept as it was
    await enter(state, steps);
  } finally {
    progressEnd();
  }
}

// The work of a tab that was closed.
async function offer() {
  const kept = await offeredWork();
  byId("offer").hidden = !kept;
  if (!kept) return;
  const time = new Date(kept.time).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const edits = kept.edits === 1 ? "1 edit" : `${kept.edits} edits`;
  byId("offer-text").textContent = `Your last work is still here: ${kept.name || "a drawn face"}, ${edits}, ${time}.`;
  byId("offer-close").onclick = () => { byId("offer").hidden = true; };
  byId("offer-drop").onclick = async () => {
    await forget(kept.id);
    byId("offer").hidden = true; // it is gone for good now
  };
  byId("offer-take").onclick = async () => {
    byId("offer").hidden = true;
    const state = await getSession(kept.id).catch(() => null);
    if (state) return enter(state, kept.steps); // the server has it still, with all that can be undone
    if (await broughtBack(kept)) return;
    byId("offer").hidden = false;
    await guarded(() => adopt(null)); // without a server there is one session at a time: the attempt has ended this one
  };
}

// Open a drawn face, another one each time.
export async function openDrawing() {
  const bank = store.model.bank ? Math.floor(Math.random() * store.model.bank) : null;
  await opening({ kind: "drawing", bank }, (name) => postDrawing(store.session.id, bank, { name }));
}

export async function openCrop(square) {
  await opening({ kind: "crop", square }, (name) => postCrop(store.session.id, square, { name }));
}

// Open a picture by a step (see keep.js); post(name) gives the new state.
export async function opening(step, post) {
  return guarded(async () => {
    const { id, document: before } = store.session;
    // the styles set so far stay on another map, so they belong to how it came about
    const script = step.kind === "segmap" ? await getScript(id) : null;
    const styles = script?.done.length ? [{ kind: "script", script: { done: script.done, undone: [] } }] : [];
    take(await doing([...styles, step], before, post));
  });
}

// Ask the backend for a step, the last of `steps`, by a name that it tells with what comes of it; before: see keep.js.
export async function doing(steps, before, ask) {
  const name = asking(steps, before);
  try {
    return await ask(name);
  } catch (problem) {
    if (problem instanceof Cancelled) givenUp.add(name);
    throw problem;
  }
}

// What the backend tells of the steps that it has done.
function heard(news) {
  keepSteps(news);
  const names = [news.step, ...(news.sources ?? []).map(({ step }) => step)];
  if (names.filter((name) => givenUp.delete(name)).length) info("It was too late to cancel: the file had arrived");
}

async function enter(state, steps) {
  remembered(KEY, state.id);
  forgetSources();
  shownDocument = null;
  keepWork(state, steps);
  update({ session: null });
  sources = NO_SOURCES;
  live.document = state.document;
  take(state);
  live.connect(state.id);
  await pictures;
}

// A new state (null: ask for it) of the session that is open.
export async function adopt(state) {
  take(state ?? (await getSession(store.session.id)));
}

let pictures = Promise.resolve();
const NO_SOURCES = { version: -1, sources: [] };
let sources = NO_SOURCES;

function take(state) {
  heard(state);
  // an answer of the session before this one, or an older one
  if (store.session && (state.id !== store.session.id || state.version < store.session.version)) return;
  if (state.sources) sources = { version: state.version, sources: state.sources };
  update({ session: { ...state, sources: sources.sources } }); // over the WebSocket they come by themselves
  keepSoon(state);
  if (state.document === shownDocument) return;
  shownDocument = state.document;
  forgetSources();
  update({ region: null });
  pictures = loadPictures(state);
}

// The sources of styles, which the WebSocket sends when they have changed.
function takeSources({ version, document, sources: changed }) {
  if (version < sources.version) return;
  sources = { version, sources: changed };
  if (!store.session) return;
  heard({ id: store.session.id, document, sources: changed });
  update({ session: { ...store.session, sources: changed } });
  keepSoon();
}

// Also where another tab has opened the picture, or undo has gone back to it. Until its pictures are there, edits are made
// for the picture that is shown.
async function loadPictures({ id, version, document, photo }) {
  const isWanted = () => store.session?.id === id && store.session.document === document;
  const ask = () => isWanted() && Promise.all([fetchBitmap(id, "map.png", version), fetchBitmap(id, "whole.jpg", document)]);
  const isShown = await guarded(async () => {
    const found = await patiently(ask);
    if (!isWanted()) return;
    const [map, original] = found;
    const crop = photo?.crop && { left: photo.crop.left / photo.width, top: photo.crop.top / photo.height, width: photo.crop.size / photo.width, height: photo.crop.size / photo.height, angle: photo.crop.angle };
    showOriginal(original, crop, document);
    live.document = document;
    showMap(map);
    showFocus();
    update({ originalVersion: ++originalVersion });
    if (live.open) live.render();
    announce(photo ? `Opened ${photo.name || "a photo"}` : "Opened a drawn face");
  });
  if (!isShown && isWanted()) shownDocument = null; // the next state asks for them again
}

function listen() {
  live.addEventListener("state", ({ detail: { type, seq, ...state } }) => take(state));
  live.addEventListener("sources", ({ detail }) => takeSources(detail));
  live.addEventListener("frame", ({ detail }) => {
    if (!showResult(detail)) return;
    Object.assign(byId("result").dataset, { seq: detail.seq, version: detail.version });
    if (detail.latency != null) byId("result").dataset.latency = Math.round(detail.latency);
  });
  live.addEventListener("map", ({ detail }) => {
    if (detail.document !== shownDocument) return;
    showMap(detail.bitmap);
    Object.assign(byId("map").dataset, { seq: detail.seq, version: detail.version });
  });
  live.addEventListener("progress", ({ detail }) => { if (!byId("progress").hidden) progress(detail.stage, detail.done); });
  live.addEventListener("error", ({ detail }) => error(detail.detail));
  live.addEventListener("slow", ({ detail }) => { if (live.open) connection(detail.seconds ? "waiting" : "connected", detail.seconds); });
  live.addEventListener("waiting", () => { if (!live.open && store.session) connection("reconnecting"); });
  live.addEventListener("open", () => {
    connection("connected");
    if (lost) info("Connected again");
    lost = false;
  });
  live.addEventListener("closed", () => {
    connection("reconnecting");
    if (!lost) error("The connection to the server was lost. Trying again; what you do meanwhile is kept");
    lost = true;
  });
  live.addEventListener("lost", reconnect);
  window.addEventListener("online", () => live.reconnectNow());
  window.addEventListener("beforeunload", (event) => { if (live.unanswered || isUnkept()) event.preventDefault(); });
  byId("forget-work").addEventListener("click", () => guarded(async () => {
    await forgetAll();
    info("All kept work was deleted from this browser");
  }));
  onChange(["connected"], () => document.body.classList.toggle("offline", !store.connected));
}

async function reconnect() {
  const [{ id }, turn] = [store.session, ++reconnections];
  const state = await getSession(id).catch((problem) => problem);
  if (turn !== reconnections || id !== store.session?.id) return; // another attempt was begun, or another session
  if (state.status === 404) return renew();
  if (!(state instanceof Error)) take(state);
  if (!live.open) live.connect(id); // fails, and is tried again later, while the server is away
}

function connection(status, seconds = 0) {
  const waiting = live.unanswered ? `; ${live.unanswered} not sent yet` : "";
  const text = { waiting: `waiting for the server, ${seconds} s`, reconnecting: `reconnecting${waiting}`, connected: TEXT.connected }[status];
  update({ connected: status === "connected" || status === "waiting" });
  const place = byId("connection");
  if (place.dataset.status === status && place.lastElementChild.textContent === text) return;
  place.dataset.status = status;
  place.lastElementChild.textContent = text;
}
