// Files in and out: photos by button, drop and paste; samples; style photos; label maps; projects; downloads.

import { fetchBlob, postPhoto, postProject, postSegmap, postStyle, sampleUrl, sessionUrl } from "./api.js";
import { plainName, regionName } from "./edits.js";
import { error, info, progress, progressCancel, progressEnd } from "./messages.js";
import { adopt, doing, guarded, openDrawing, opening } from "./session.js";
import { byId, element, onChange, store } from "./store.js";
import { chooseSource } from "./styling.js";

let busy = false;

// One upload at a time, with progress and, while it is being sent, a way to give it up. work({onProgress, signal}).
async function uploading(what, work) {
  if (!store.session) return info("One moment, the editor is still starting");
  if (busy) return info("One moment, another file is still being read");
  busy = true;
  const cancel = new AbortController();
  const onProgress = (share) => {
    if (share < 1) return progress(`sending ${what}`, share);
    progressCancel(null); // the backend has it, and will do it
    progress(`reading ${what}`, null);
  };
  progress(`sending ${what}`, 0);
  progressCancel(() => cancel.abort());
  try {
    await work({ onProgress, signal: cancel.signal });
  } finally {
    progressEnd();
    busy = false;
  }
}

async function openPhoto(file) {
  const { segmap, isGiven } = await segmapOf(file);
  if (!isGiven) return;
  const step = { kind: "photo", file, segmap };
  await uploading("the photo", (options) => opening(step, (name) => postPhoto(store.session.id, step, { ...options, name })));
}

const openSegmap = (file) =>
  uploading("the map", (options) => opening({ kind: "segmap", file }, (name) => postSegmap(store.session.id, file, { ...options, name })));

const openProject = (file) =>
  uploading("the project", (options) => opening({ kind: "project", file }, (name) => postProject(store.session.id, file, { ...options, name })));

async function openSample() {
  const [name] = store.model.samples;
  await guarded(async () => openPhoto(new File([await fetchBlob(sampleUrl(name))], name, { type: "image/png" })));
}

// A photo's look for one region, or for all that it has.
export async function addStyle(file, region) {
  const { segmap, isGiven } = await segmapOf(file);
  if (!isGiven) return;
  await uploading("the other photo", (options) => guarded(async () => {
    const { id, document } = store.session;
    const step = { kind: "style", file, segmap };
    const { source, regions } = await doing([step], document, (name) => postStyle(id, step, { ...options, name }));
    if (!region || regions.includes(region.label)) return chooseSource(region, source);
    const has = regions.map(plainName).join(", ") || "nothing";
    error(`No ${regionName(region)} was found in that photo (found: ${has}). The photo is kept under the sources`);
    await adopt(null);
  }));
}

// The label map of a photo, asked for where the server makes none; isGiven is false when the user gave up.
function segmapOf(photo) {
  if (store.model.parses !== false) return { segmap: null, isGiven: true };
  const dialog = byId("segmap-dialog");
  byId("segmap-photo").textContent = photo.name;
  dialog.showModal();
  return new Promise((resolve) => {
    let segmap = null;
    dialog.onclose = () => resolve({ segmap, isGiven: segmap !== null });
    onInput("photo-segmap-input", (file) => {
      segmap = file;
      dialog.close();
    });
  });
}

// A photo for the region whose look is shown.
export function chooseStyleFile() {
  byId("style-input").click();
}

export function startFiles() {
  onInput("photo-input", openPhoto);
  onInput("segmap-input", openSegmap);
  onInput("project-input", openProject);
  onInput("style-input", (file) => addStyle(file, store.region));
  byId("open-photo").addEventListener("click", () => byId("photo-input").click());
  byId("open-segmap").addEventListener("click", () => byId("segmap-input").click());
  byId("segmap-choose").addEventListener("click", () => byId("photo-segmap-input").click());
  byId("open-project").addEventListener("click", () => byId("project-input").click());
  for (const id of ["open-project", "download-project"]) byId(id).hidden = store.model.projects === false;
  byId("open-drawing").addEventListener("click", openDrawing);
  byId("open-sample").hidden = !store.model.samples.length;
  byId("open-sample").addEventListener("click", openSample);
  startDrops();
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith("image/"));
    if (file) openPhoto(file);
  });
  for (const [id, what] of Object.entries(DOWNLOADS)) byId(id).addEventListener("click", () => download(what));
  onChange(["session"], () => { byId("download-photo").hidden = !store.session?.photo; });
}

function onInput(id, run) {
  byId(id).onchange = ({ target }) => {
    const [file] = target.files;
    if (file) run(file);
    target.value = ""; // so that the same file can be chosen again
  };
}

function startDrops() {
  const veil = byId("drop-veil");
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  // Over a region the region takes the file itself (regions.js stops the event there).
  document.addEventListener("dragover", (event) => {
    if (event.target.closest?.(".region")) veil.hidden = true;
  }, { capture: true });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) veil.hidden = true; });
  window.addEventListener("drop-done", () => { veil.hidden = true; });
  document.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    veil.hidden = true;
    const [file] = event.dataTransfer.files;
    if (!file) return;
    if (file.name.toLowerCase().endsWith(".zip")) openProject(file);
    else openPhoto(file);
  });
}

// Entries of the download menu: path at the server, and what is added to the name of the user's file.
const DOWNLOADS = {
  "download-photo": { path: "photo.png", ending: "-edited.png", what: "the photo" }, // a JPEG of a JPEG
  "download-picture": { path: "picture.png", ending: "-model.png", what: "the picture" },
  "download-map": { path: "map.png", ending: "-map.png", what: "the map" },
  "download-project": { path: "project.zip", ending: ".zip", what: "the project" },
};

async function download({ path, ending, what }) {
  const { id, version, photo } = store.session;
  if (path === "photo.png" && /\.jpe?g$/i.test(photo?.name ?? "")) [path, ending] = ["photo.jpg", "-edited.jpg"];
  const stem = (photo?.name ?? "").replace(/\.[^.]*$/, "").replace(/-edited$/, "") || "sean";
  progress(`preparing ${what}`, null);
  try {
    await guarded(async () => {
      const address = URL.createObjectURL(await fetchBlob(`${sessionUrl(id, path)}?v=${version}`));
      element("a", { href: address, download: stem + ending }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    });
  } finally {
    progressEnd();
  }
}
