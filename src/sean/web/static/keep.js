// Keeps the work in this browser (IndexedDB), so that it survives a closed tab, a restart of the server, or its expiry.
//
// What is kept is how the picture came about: the files opened, one after the other (the steps), and the script of the
// edits since. The same steps and edits give the same picture.

import { createSession, deleteSession, getScript, postCrop, postDrawing, postPhoto, postProject, postScript, postSegmap, postStyle } from "./api.js";
import { newName } from "./store.js";

const [DATABASE, WORKS] = ["sean", "works"];
const SOON = 600; // ms after a change at which it is kept
const MOST_WORKS = 8; // and as many records of other kinds
const OLDEST = 30 * 24 * 3600 * 1000; // ms
const BRING_STYLES = ["style", "project"]; // kinds of steps with style photos, which a photo opened later keeps

let database = null; // null: this browser keeps nothing
let work = null; // {id: the session's, steps: {document: [step]}, document, script, edits, name, time}
let timer = 0;
let saving = Promise.resolve();
let lastState = null;
let isKept = true;
const asked = new Map(); // {steps, before} by the names that this page gave them when it asked the backend for them

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

const works = (mode) => database.transaction(WORKS, mode).objectStore(WORKS);

export async function startKeeping() {
  try {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(WORKS, { keyPath: "id" });
    database = await done(opening);
    const kept = await all();
    for (const group of [kept.filter(isWork), kept.filter((each) => !isWork(each))]) {
      for (const old of group.filter(({ time }, index) => index >= MOST_WORKS || Date.now() - time > OLDEST)) await forget(old.id);
    }
  } catch {
    database = null; // storage is switched off: leaving the page asks first
  }
}

// The newest first.
async function all() {
  return (await done(works("readonly").getAll())).sort((a, b) => b.time - a.time);
}

export async function forget(id) {
  if (database) await done(works("readwrite").delete(id));
}

export async function forgetAll() {
  work = null;
  clearTimeout(timer);
  if (database) await done(works("readwrite").clear());
}

// The work of a session, or where it was brought back in another one, of that.
export async function keptWork(id) {
  try {
    const kept = database && (await done(works("readonly").get(id)));
    return kept?.movedTo ? await keptWork(kept.movedTo) : kept;
  } catch {
    return null;
  }
}

// A kept work was brought back in another session: it is kept for that from now on, and other tabs find it there.
export async function keepMoved(kept, state, steps) {
  if (!database || kept.id === state.id) return;
  const store = works("readwrite"); // one transaction: the work is never missing
  store.put({ ...kept, id: state.id, steps, document: state.document });
  await done(store.put({ id: kept.id, movedTo: state.id, steps: {}, edits: 0, name: "", time: Date.now() }));
}

// Whether a kept work is more than the drawn face that every session begins with.
export const isWork = ({ edits, name }) => Boolean(edits || name);

// The newest work of another tab that is closed by now; null where there is none.
export async function offeredWork() {
  if (!database) return null;
  await left;
  const held = new Set(((await navigator.locks?.query())?.held ?? []).map(({ name }) => name));
  return (await all()).find((each) => isWork(each) && !held.has(lockName(each.id))) ?? null;
}

const lockName = (id) => `sean-${id}`;
let lock = null; // of the work, so that other tabs do not offer it
let left = null; // a promise: the lock of the work before is free

// Without locks (no https) a work may be offered while it is open.
function locked(name) {
  const waiting = new AbortController(); // another tab may have the lock
  let release;
  const whole = new Promise((resolve) => { release = resolve; });
  const held = navigator.locks?.request(name, { signal: waiting.signal }, () => whole).catch(() => {});
  return { free: () => { release(); waiting.abort(); return held; } };
}

// From now on the work of this session is kept; steps: how its pictures came about, by number.
export function keepWork(state, steps) {
  work = { id: state.id, steps, document: state.document, script: null, edits: 0, name: "", time: 0 };
  left = lock?.free();
  lock = locked(lockName(state.id));
  keepSoon(state);
}

// The backend is about to be asked for a step, the last of `steps`; gives the name that the step goes by there. before: number
// of the picture that is shown.
export function asking(steps, before) {
  const name = newName();
  asked.set(name, { steps, before });
  return name;
}

// The backend has told how a picture came about, and its sources: what this page has asked for is kept from now on. It is told
// in more than the step's own answer, which may be lost.
export function keepSteps({ id, document, step, sources = [] }) {
  if (id !== work?.id) return;
  const opened = asked.get(step);
  if (opened && !work.steps[document]) keepOpened(document, opened);
  const styles = sources.flatMap((source) => asked.get(source.step)?.steps ?? []);
  const added = styles.filter((style) => work.steps[document] && !work.steps[document].includes(style));
  if (added.length) work.steps[document] = [...work.steps[document], ...added];
}

function keepOpened(document, { steps, before }) {
  const { kind } = steps.at(-1);
  const earlier = work.steps[before];
  if (kind === "project" || kind === "drawing") work.steps[document] = steps; // they bring all that they need
  else if (!earlier) return; // nobody knows what it was opened from
  else if (kind === "photo") work.steps[document] = [...earlier.filter((each) => BRING_STYLES.includes(each.kind)), ...steps];
  else work.steps[document] = [...earlier, ...steps];
}

export function keepSoon(state = lastState) {
  lastState = state;
  isKept = false;
  clearTimeout(timer);
  timer = setTimeout(() => { timer = 0; saving = save(lastState).catch(() => {}); }, SOON);
}

// Whether something has not been kept yet.
export const isUnkept = () => (database ? work !== null && !isKept : Boolean(lastState?.edits || lastState?.photo));

async function save(state) {
  if (!work || !database || !state || state.id !== work.id) return;
  const present = work;
  const steps = work.steps[state.document] ?? (await keptWork(state.id))?.steps[state.document]; // of another tab's picture
  if (!steps) return;
  const script = await getScript(state.id);
  const name = state.photo?.name ?? "";
  if (work !== present) return; // forgotten, or another session began meanwhile
  work.steps[state.document] ??= steps;
  Object.assign(work, { document: state.document, script, edits: state.edits, name, time: Date.now() });
  await done(works("readwrite").put(work));
  isKept ||= state === lastState && !timer;
  document.body.dataset.kept = state.version;
}

// How the first picture of a session comes about, from the body of the request for a session.
export const begunBy = (first) => ({ 0: [{ kind: "drawing", ...first }] });

// Make the session of a kept work again; first: the body of the request for a session; onProgress: see api.js. Gives the state
// and the steps by picture.
export async function restored(kept, first, onProgress) {
  const begun = await createSession(first);
  try {
    return await redone(kept, begun, begunBy(first), onProgress);
  } catch (problem) {
    await deleteSession(begun.id).catch(() => {}); // it would take up room
    throw problem;
  }
}

async function redone(kept, begun, steps, onProgress) {
  const { id } = begun;
  let state = begun;
  for (const [index, step] of kept.steps[kept.document].entries()) {
    if (step.kind === "drawing") state = await postDrawing(id, step.bank);
    else if (step.kind === "photo") state = await postPhoto(id, step, { onProgress });
    else if (step.kind === "project") state = await postProject(id, step.file, { onProgress });
    else if (step.kind === "crop") state = await postCrop(id, step.square);
    else if (step.kind === "segmap") state = await postSegmap(id, step.file, { onProgress });
    else if (step.kind === "style") await postStyle(id, step, { onProgress });
    else if (step.kind === "script") state = await postScript(id, step.script);
    steps[state.document] = kept.steps[kept.document].slice(0, index + 1);
  }
  if (kept.script) state = await postScript(id, kept.script);
  return { state, steps };
}
