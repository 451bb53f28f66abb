// Keeps the work in this browser (IndexedDB), so that it survives a closed tab, a restart of the server, or its expiry.
//
// What is kept is how the picture came about: the files opened, one after the other (the steps), and the script of the
// edits since. The same steps and edits give the same picture.

import { createSession, getScript, postCrop, postDrawing, postPhoto, postProject, postScript, postSegmap, postStyle } from "./api.js";

const [DATABASE, WORKS] = ["sean", "works"];
const SOON = 600; // ms after a change at which it is kept
const MOST_WORKS = 8;
const OLDEST = 30 * 24 * 3600 * 1000; // ms
const BRING_STYLES = ["style", "project"]; // kinds of steps with style photos, which a photo opened later keeps

let database = null; // null: this browser keeps nothing
let work = null; // {id: the session's, steps: {document: [step]}, document, script, edits, name, time}
let timer = 0;
let saving = Promise.resolve();
let lastState = null;

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
    for (const old of (await all()).filter(({ time }, index) => index >= MOST_WORKS || Date.now() - time > OLDEST)) await forget(old.id);
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

export async function keptWork(id) {
  try {
    return database ? await done(works("readonly").get(id)) : null;
  } catch {
    return null;
  }
}

// The newest work of another tab that is closed by now; null where there is none.
export async function offeredWork() {
  if (!database) return null;
  const held = new Set(((await navigator.locks?.query())?.held ?? []).map(({ name }) => name));
  return (await all()).find(({ id, edits, name }) => (edits || name) && !held.has(lockName(id))) ?? null;
}

const lockName = (id) => `sean-${id}`;
let release = () => {};

// From now on the work of this session is kept; steps: how its pictures came about, by number.
export function keepWork(state, steps) {
  work = { id: state.id, steps, document: state.document, script: null, edits: 0, name: "", time: 0 };
  release();
  // so that other tabs do not offer it
  navigator.locks?.request(lockName(state.id), () => new Promise((resolve) => { release = resolve; }));
  keepSoon(state);
}

export const stepsOf = (document) => work?.steps[document] ?? null;

// A picture was opened by a step; before: number of the picture that it was opened from.
export function keepOpened(state, step, before) {
  if (!work) return;
  const earlier = work.steps[before] ?? [];
  work.steps[state.document] = {
    project: [step],
    photo: [...earlier.filter(({ kind }) => BRING_STYLES.includes(kind)), step],
    drawing: [step], // the one picture that is opened without the style photos so far
  }[step.kind] ?? [...earlier, step];
  keepSoon(state);
}

export function keepStyle(document, step) {
  if (work?.steps[document]) work.steps[document] = [...work.steps[document], step];
  keepSoon();
}

export function keepSoon(state = lastState) {
  lastState = state;
  clearTimeout(timer);
  timer = setTimeout(() => { timer = 0; saving = save(lastState).catch(() => {}); }, SOON);
}

// Whether something has not been kept yet.
export const isUnkept = () => Boolean(timer) || (!database && Boolean(lastState?.edits || lastState?.photo));

async function save(state) {
  if (!work || !database || !state || state.id !== work.id || !work.steps[state.document]) return;
  const script = await getScript(state.id);
  const name = state.photo?.name ?? "";
  if (!work) return; // forgotten meanwhile
  Object.assign(work, { document: state.document, script, edits: state.edits, name, time: Date.now() });
  await done(works("readwrite").put(work));
  document.body.dataset.kept = state.version;
}

// Make the session of a kept work again; onProgress: see api.js. Gives the state and the steps by picture.
export async function restored(kept, bank, onProgress) {
  let state = await createSession(bank);
  const steps = kept.steps[kept.document];
  const id = state.id;
  for (const step of steps) {
    if (step.kind === "drawing") state = await postDrawing(id, step.bank);
    else if (step.kind === "photo") state = await postPhoto(id, step, { onProgress });
    else if (step.kind === "project") state = await postProject(id, step.file, { onProgress });
    else if (step.kind === "crop") state = await postCrop(id, step.square);
    else if (step.kind === "segmap") state = await postSegmap(id, step.file, { onProgress });
    else if (step.kind === "style") await postStyle(id, step, { onProgress });
    else if (step.kind === "script") state = await postScript(id, step.script);
  }
  if (kept.script) state = await postScript(id, kept.script);
  return { state, steps: { [state.document]: steps } };
}
