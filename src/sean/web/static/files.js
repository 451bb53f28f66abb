// Files in and out: photos by button, drop and paste; style photos; label maps; projects; downloads.

import { postPhoto, postProject, postSegmap, postStyle, sessionUrl } from "./api.js";
import { plainName, regionName } from "./edits.js";
import { error, info, progress, progressEnd } from "./messages.js";
import { adopt, guarded } from "./session.js";
import { byId, onChange, store } from "./store.js";
import { chooseSource } from "./styling.js";

let busy = false;

// One upload at a time, with the progress bar.
async function uploading(stage, work) {
  if (busy) return info("One moment, another file is still being read");
  busy = true;
  progress(stage, null);
  await guarded(work);
  progressEnd();
  busy = false;
}

async function openPhoto(file) {
  const { segmap, isGiven } = await segmapOf(file);
  if (!isGiven) return;
  await uploading("sending the photo", async () => adopt(await postPhoto(store.session.id, file, segmap), { newPicture: true }));
}

const openSegmap = (file) =>
  uploading("reading the map", async () => adopt(await postSegmap(store.session.id, file), { newPicture: true }));

const openProject = (file) =>
  uploading("opening the project", async () => adopt(await postProject(store.session.id, file), { newPicture: true }));

// A photo's style for one region, or for all that it has.
export async function addStyle(file, region) {
  const { segmap, isGiven } = await segmapOf(file);
  if (!isGiven) return;
  await uploading("sending the style photo", async () => {
    const { source, regions } = await postStyle(store.session.id, file, segmap);
    if (!region || regions.includes(region.label)) return chooseSource(region, source);
    const has = regions.map(plainName).join(", ") || "nothing";
    error(`No ${regionName(region)} was found in that photo (found: ${has}). The photo is kept under the sources`);
    await adopt(null);
  });
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

// A photo for the region whose style is shown.
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
  startDrops();
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith("image/"));
    if (file) openPhoto(file);
  });
  onChange(["session"], showDownloads);
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
  // Over a style slot the slot takes the file itself (styles.js stops the event there).
  document.addEventListener("dragover", (event) => {
    if (event.target.closest?.(".slot")) veil.hidden = true;
  }, { capture: true });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) veil.hidden = true; });
  window.addEventListener("drop-done", () => { veil.hidden = true; });
  document.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    veil.hidden = true;
    const [file] = event.dataTransfer.files;
    if (!file) return;
    if (file.name.endsWith(".zip")) openProject(file);
    else openPhoto(file);
  });
}

function showDownloads() {
  if (!store.session) return;
  const { id, version, has_photo: hasPhoto } = store.session;
  for (const [name, path] of [["picture", "picture.png"], ["photo", "photo.png"], ["map", "map.png"], ["project", "project.zip"]]) {
    byId(`download-${name}`).href = `${sessionUrl(id, path)}?v=${version}`;
  }
  byId("download-photo").hidden = !hasPhoto;
}
