// The three panes: original, map and result, drawn with one view. All show the whole photo; the map covers its crop.
// A drawn picture is its own crop.

import { LabelMap } from "./labelmap.js";
import { StrokeLayer } from "./raster.js";
import { byId, onChange, store } from "./store.js";
import { View } from "./view.js";

export const PANES = ["original", "map", "result"];
export const view = new View();
export const labelMap = new LabelMap();
export const stroke = new StrokeLayer();
// What the tool in use draws over the panes: points are fractions of the map, frames fractions of the photo.
// pane: the one that the tool is used on; the others but the map stay as they are.
export const overlay = { pane: null, cursor: null, polygon: [], frame: null, faces: [] };

const TURN_HANDLE = 24; // CSS pixels from the frame to the handle that turns it
const WHOLE = { left: 0, top: 0, width: 1, height: 1 };
const FACE_SHARE = 0.8; // of the pane, which a small face takes at first
const SMALL_FACE = 0.5; // crops that take less of the pane are shown larger
const canvases = Object.fromEntries(PANES.map((name) => [name, byId(name)]));
const scene = { document: null, original: null, crop: WHOLE, patch: null, area: null, model: null };
let scheduled = false;

export function startPanes() {
  const observer = new ResizeObserver(redraw);
  for (const canvas of Object.values(canvases)) observer.observe(canvas);
  onChange(["opacity", "underlay", "highlight", "label", "tool", "brush", "comparing", "peeking", "modelView", "framing", "pane"], redraw);
  byId("compare").addEventListener("input", redraw);
}

export const canvasOf = (name) => canvases[name];
export const aspect = () => (scene.original ? scene.original.width / scene.original.height : 1);
export const isShown = (canvas) => canvas.clientWidth > 0;
export const shownCanvas = () => Object.values(canvases).find(isShown) ?? canvases.map;

// Another picture; what the panes showed of the one before goes.
export function showOriginal(bitmap, crop, document) {
  for (const name of ["original", "patch", "model"]) scene[name]?.close();
  Object.assign(scene, { document, original: bitmap, crop: crop ?? WHOLE, patch: null, area: null, model: null });
  canvases.original.dataset.document = document;
  redraw();
}

// A frame of the server: the model's picture, or what edits have changed of the photo. False where it is of another picture.
export function showResult({ bitmap, of, area, document }) {
  if (document !== scene.document) {
    bitmap?.close();
    return false;
  }
  if (of === "model") {
    scene.model?.close();
    scene.model = bitmap;
  } else {
    scene.patch?.close();
    Object.assign(scene, { patch: bitmap, area });
  }
  redraw();
  return true;
}

export function showMap(bitmap) {
  labelMap.show(bitmap);
  stroke.resize(bitmap.width, bitmap.height);
  redraw();
}

// The whole photo, or where the face is small in it, the face.
export function showFocus() {
  const canvas = shownCanvas();
  view.reset();
  const crop = cropFrame(canvas);
  const share = Math.max(crop.width / canvas.clientWidth, crop.height / canvas.clientHeight);
  if (share < SMALL_FACE) view.show(scene.crop, FACE_SHARE, canvas.clientWidth, canvas.clientHeight, aspect());
  redraw();
}

// The photo's frame in a pane, in CSS pixels; and the crop's.
export function photoFrame(canvas) {
  return view.frame(canvas.clientWidth, canvas.clientHeight, aspect());
}

const isWhole = (area) => Object.keys(WHOLE).every((side) => area[side] === WHOLE[side]);

export const cropFrame = (canvas) => partOf(photoFrame(canvas), scene.crop);

function partOf(frame, { left, top, width, height }) {
  return { left: frame.left + left * frame.width, top: frame.top + top * frame.height, width: width * frame.width, height: height * frame.height };
}

// How far below the frame's upper edge, in CSS pixels, its middle has the handle that turns it: above the edge, or within
// the frame where the pane ends.
export function turnHandle(canvas, area) {
  const { left, top, width, height } = partOf(photoFrame(canvas), area);
  const [angle, reach] = [(area.angle ?? 0) * Math.PI / 180, height / 2 + TURN_HANDLE];
  const [x, y] = [left + width / 2 + reach * Math.sin(angle), top + height / 2 - reach * Math.cos(angle)];
  const isShown = x > 0 && y > 0 && x < canvas.clientWidth && y < canvas.clientHeight;
  return isShown ? -TURN_HANDLE : TURN_HANDLE;
}

// Pointer position -> fractions of the map (also outside of 0..1).
export function pointAt(canvas, event) {
  const frame = cropFrame(canvas);
  const [across, down] = placeIn(frame, canvas, event);
  const { angle } = scene.crop;
  if (!angle) return [across, down];
  const [x, y, turn] = [(across - 0.5) * frame.width, (down - 0.5) * frame.height, -angle * Math.PI / 180];
  return [
    0.5 + (x * Math.cos(turn) - y * Math.sin(turn)) / frame.width, 0.5 + (x * Math.sin(turn) + y * Math.cos(turn)) / frame.height,
  ];
}

// Pointer position -> fractions of the photo.
export const photoPointAt = (canvas, event) => placeIn(photoFrame(canvas), canvas, event);

function placeIn(frame, canvas, event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left - frame.left) / frame.width, (event.clientY - box.top - frame.top) / frame.height];
}

export function redraw() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    for (const name of PANES) if (isShown(canvases[name])) drawPane(name);
    const percent = `${Math.round(view.scale * 100)} %`;
    if (byId("zoom-value").textContent !== percent) byId("zoom-value").textContent = percent;
    byId("tab-zoom-fit").hidden = view.scale === 1;
  });
}

function begin(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  return context;
}

function drawImage(context, image, { left, top, width, height }, smooth = true) {
  context.imageSmoothingEnabled = smooth;
  context.imageSmoothingQuality = "high";
  context.drawImage(image, left, top, width, height);
}

function drawPane(name) {
  const canvas = canvases[name];
  const context = begin(canvas);
  const [photo, crop] = [photoFrame(canvas), cropFrame(canvas)];
  if (name === "original") drawOriginal(context, photo);
  else if (name === "result") drawCompared(context, canvas, photo, crop);
  else drawMap(context, photo, crop);
  const isUsed = name === overlay.pane;
  const inCrop = (draw) => turned(context, crop, scene.crop.angle, draw);
  if (isUsed && name !== "map" && !stroke.empty) inCrop(() => withAlpha(context, 0.45, () => drawImage(context, stroke.canvas, crop, false)));
  if (!isWhole(scene.crop) || store.framing) drawFrames(context, photo, name);
  inCrop(() => {
    if (isUsed || name === "map") drawPolygon(context, crop);
    if (isUsed) drawCursor(context, crop);
  });
}

function drawOriginal(context, photo) {
  if (scene.original) drawImage(context, scene.original, photo);
}

function drawResult(context, photo, crop) {
  if (store.modelView && scene.model) {
    withAlpha(context, 0.25, () => drawOriginal(context, photo));
    return turned(context, crop, scene.crop.angle, () => drawImage(context, scene.model, crop));
  }
  if (!store.session?.photo) {
    if (scene.model) drawImage(context, scene.model, crop);
    return;
  }
  drawOriginal(context, photo);
  if (scene.patch && scene.area) {
    const [left, top, width, height] = scene.area;
    drawImage(context, scene.patch, partOf(photo, { left, top, width, height }));
  }
}

// Before on the left of the border, after on its right.
function drawCompared(context, canvas, photo, crop) {
  if (store.peeking) return drawOriginal(context, photo);
  drawResult(context, photo, crop);
  if (!store.comparing) return;
  const border = canvas.clientWidth * (byId("compare").value / 100);
  context.save();
  context.beginPath();
  context.rect(0, 0, border, canvas.clientHeight);
  context.clip();
  context.clearRect(0, 0, border, canvas.clientHeight);
  drawOriginal(context, photo);
  context.restore();
  outlined(context, () => {
    context.beginPath();
    context.moveTo(border, 0);
    context.lineTo(border, canvas.clientHeight);
  });
}

function withAlpha(context, alpha, draw) {
  context.globalAlpha = alpha;
  draw();
  context.globalAlpha = 1;
}

function drawMap(context, photo, crop) {
  if (!labelMap.bitmap) return;
  if (store.opacity < 1 || !isWhole(scene.crop)) {
    if (store.underlay === "result") drawResult(context, photo, crop);
    else drawOriginal(context, photo);
  }
  turned(context, crop, scene.crop.angle, () => drawLabels(context, crop));
}

function drawLabels(context, crop) {
  withAlpha(context, store.opacity, () => drawImage(context, labelMap.bitmap, crop, false));
  // one must see what one paints
  if (!stroke.empty) withAlpha(context, Math.max(0.5, store.opacity), () => drawImage(context, stroke.canvas, crop, false));
  drawInstances(context, crop);
  const highlighted = store.model?.labels.find(({ name }) => name === store.highlight);
  if (highlighted) drawImage(context, labelMap.veil(highlighted.color), crop, false);
}

// Areas that were split off look like the others of their label, so each has a mark with its number.
function drawInstances(context, crop) {
  for (const { label, instance, at } of store.session?.regions ?? []) {
    if (!instance || !at) continue;
    const [x, y] = [crop.left + at[0] * crop.width, crop.top + at[1] * crop.height];
    context.beginPath();
    context.arc(x, y, 10, 0, 7);
    context.fillStyle = colorOf(label);
    context.fill();
    outlined(context, () => { context.beginPath(); context.arc(x, y, 10, 0, 7); });
    context.font = "600 12px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 3;
    context.strokeStyle = "rgb(0 0 0 / 0.7)";
    context.strokeText(instance, x, y);
    context.fillStyle = "#fff";
    context.fillText(instance, x, y);
  }
}

function outlined(context, path) {
  path();
  context.lineWidth = 3;
  context.strokeStyle = "rgb(0 0 0 / 0.55)";
  context.stroke();
  context.lineWidth = 1.5;
  context.strokeStyle = "#fff";
  context.stroke();
}

// Draw what is upright in a rectangle that is itself turned around its middle.
function turned(context, { left, top, width, height }, angle, draw) {
  context.save();
  context.translate(left + width / 2, top + height / 2);
  context.rotate((angle ?? 0) * Math.PI / 180);
  context.translate(-left - width / 2, -top - height / 2);
  draw();
  context.restore();
}

// The crop's frame, the other faces, and while the frame is moved, a handle in each corner and one above to turn it.
function drawFrames(context, photo, name) {
  if (!store.framing && name === "result") return;
  const rectangle = (area) => {
    const { left, top, width, height } = partOf(photo, area);
    turned(context, { left, top, width, height }, area.angle, () => outlined(context, () => {
      context.beginPath();
      context.rect(left, top, width, height);
    }));
  };
  context.setLineDash([6, 5]);
  if (store.framing) for (const face of overlay.faces) rectangle(face);
  else rectangle(scene.crop);
  context.setLineDash([]);
  if (!store.framing || !overlay.frame) return;
  rectangle(overlay.frame);
  const { left, top, width, height } = partOf(photo, overlay.frame);
  turned(context, { left, top, width, height }, overlay.frame.angle, () => {
    const corners = [left, left + width].flatMap((x) => [top, top + height].map((y) => () => context.rect(x - 5, y - 5, 10, 10)));
    const handle = top + turnHandle(canvases[name], overlay.frame);
    for (const shape of [...corners, () => context.arc(left + width / 2, handle, 6, 0, 2 * Math.PI)]) {
      context.beginPath();
      shape();
      context.fillStyle = "#fff";
      context.fill();
      outlined(context, () => { context.beginPath(); shape(); });
    }
  });
}

function drawPolygon(context, { left, top, width, height }) {
  const points = overlay.polygon.map(([x, y]) => [left + x * width, top + y * height]);
  if (!points.length) return;
  const cursor = overlay.cursor && [left + overlay.cursor[0] * width, top + overlay.cursor[1] * height];
  const path = () => {
    context.beginPath();
    for (const [x, y] of cursor ? [...points, cursor] : points) context.lineTo(x, y);
    context.closePath();
  };
  path();
  context.fillStyle = colorOf(store.label);
  withAlpha(context, 0.55, () => context.fill());
  outlined(context, path);
  for (const [x, y] of points) outlined(context, () => { context.beginPath(); context.arc(x, y, 3, 0, 7); });
}

function drawCursor(context, { left, top, width, height }) {
  if (!overlay.cursor) return;
  const [x, y] = [left + overlay.cursor[0] * width, top + overlay.cursor[1] * height];
  const isRound = store.tool === "brush" || store.tool === "eraser";
  const radius = isRound ? Math.max(1, store.brush * height) : 4;
  outlined(context, () => { context.beginPath(); context.arc(x, y, radius, 0, 7); });
}

export function colorOf(label) {
  return store.model?.labels.find(({ name }) => name === label)?.color ?? "#888888";
}
