// The life of a session: begun, restored after a reload, begun anew when expired, connected again when lost.

import { ApiError, createSession, deleteSession, fetchBitmap, getSession } from "./api.js";
import { live } from "./live.js";
import { error, info, progress } from "./messages.js";
import { showMap, showPicture } from "./panes.js";
import { byId, store, update } from "./store.js";
import { forgetSources } from "./styling.js";

const KEY = "sean-session";
const FIRST_FACE = 0;
let lost = false;
let renewing = false;
let originalVersion = 0;

// Run work and show what goes wrong; true when it went well. A session that is gone is begun anew.
export async function guarded(work) {
  try {
    await work();
    return true;
  } catch (problem) {
    if (!(problem instanceof ApiError)) throw problem;
    if (problem.status === 404 && store.session && !renewing) await renew();
    else error(problem.message);
    return false;
  }
}

export async function startSession() {
  listen();
  const id = sessionStorage.getItem(KEY);
  if (!id) return begin();
  try {
    await enter(await getSession(id));
  } catch (problem) {
    if (!(problem instanceof ApiError) || problem.status !== 404) throw problem;
    await renew();
  }
}

async function begin(bank = FIRST_FACE) {
  await enter(await createSession(store.model.bank ? { bank } : {}));
}

async function renew() {
  if (renewing) return; // a request and the WebSocket may both find the session gone
  renewing = true;
  sessionStorage.removeItem(KEY);
  await guarded(async () => {
    await begin();
    lost = false;
    info("Your last session had expired on the server, so a new one began");
  });
  renewing = false;
}

export async function startAgain() {
  const old = store.session?.id;
  const done = await guarded(() => begin(Math.floor(Math.random() * Math.max(1, store.model.bank))));
  if (old && done) deleteSession(old).catch(() => {}); // it would expire anyway
}

async function enter(state) {
  sessionStorage.setItem(KEY, state.id);
  forgetSources();
  update({ session: state, region: null });
  live.connect(state.id);
  await loadPictures(state);
}

// A new picture (or a new state, null: ask for it) of the session that is open.
export async function adopt(state, { newPicture = false } = {}) {
  const fresh = state ?? (await getSession(store.session.id));
  if (newPicture) forgetSources();
  take(fresh);
  if (!newPicture) return;
  update({ region: null });
  live.render();
  await loadPictures(fresh);
}

async function loadPictures({ id, version }) {
  const [map, original] = await Promise.all([
    fetchBitmap(id, "map.png", version),
    fetchBitmap(id, "original.png", version).catch(() => null), // a session of a map alone has none
  ]);
  if (store.session.id !== id) return;
  showMap(map);
  showPicture("original", original);
  update({ originalVersion: ++originalVersion });
}

function take(state) {
  if (state.id === store.session?.id && state.version < store.session.version) return; // an older answer
  update({ session: state });
}

function listen() {
  live.addEventListener("state", ({ detail: { type, seq, ...state } }) => take(state));
  live.addEventListener("frame", ({ detail }) => {
    showPicture("result", detail.bitmap);
    Object.assign(byId("result").dataset, { seq: detail.seq, version: detail.version });
    if (detail.latency != null) byId("result").dataset.latency = Math.round(detail.latency);
  });
  live.addEventListener("map", ({ detail }) => {
    showMap(detail.bitmap);
    Object.assign(byId("map").dataset, { seq: detail.seq, version: detail.version });
  });
  live.addEventListener("progress", ({ detail }) => { if (!byId("progress").hidden) progress(detail.stage, detail.done); });
  live.addEventListener("error", ({ detail }) => error(detail.detail));
  live.addEventListener("open", () => {
    connection("connected");
    if (lost) info("Connected again");
    lost = false;
  });
  live.addEventListener("closed", () => {
    connection("reconnecting");
    if (!lost) error("The connection to the server was lost. Trying again");
    lost = true;
  });
  live.addEventListener("lost", reconnect);
  window.addEventListener("online", () => live.reconnectNow());
}

async function reconnect() {
  const { id } = store.session;
  try {
    take(await getSession(id));
  } catch (problem) {
    if (problem.status === 404) return renew();
  }
  live.connect(id); // fails, and is tried again later, while the server is away
}

function connection(status) {
  update({ connected: status === "connected" });
  byId("connection").dataset.status = status;
  byId("connection").lastElementChild.textContent = status;
}
