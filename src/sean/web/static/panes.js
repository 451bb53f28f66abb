// The three panes: original, map and result, drawn with one view; the map in crisp pixels, pictures smoothly.

import { LabelMap } from "./labelmap.js";
import { StrokeLayer } from "./raster.js";
import { byId, onChange, store } from "./store.js";
import { View } from "./view.js";

export const view = new View();
export const labelMap = new LabelMap();
export const stroke = new StrokeLayer();
export const overlay = { cursor: null, polygon: [], label: null }; // what the tool in use draws over the map

const pictures = { original: null, result: null };
const canvases = { original: byId("original"), map: byId("map"), result: byId("result") };
let scheduled = false;

export function startPanes() {
  const observer = new ResizeObserver(redraw);
  for (const canvas of Object.values(canvases)) observer.observe(canvas);
  onChange(["opacity", "underlay", "highlight", "label", "tool", "brush"], redraw);
}

export function showPicture(name, bitmap) {
  pictures[name]?.close();
  pictures[name] = bitmap;
  redraw();
}

export function showMap(bitmap) {
  labelMap.show(bitmap);
  stroke.resize(bitmap.width, bitmap.height);
  redraw();
}

export const aspect = () => labelMap.width / labelMap.height;

// The picture's frame in a pane, in CSS pixels.
function frameOf(canvas) {
  return view.frame(canvas.clientWidth, canvas.clientHeight, aspect());
}

// Pointer position -> fractions of the picture (also outside of 0..1).
export function pointAt(canvas, event) {
  const box = canvas.getBoundingClientRect();
  const frame = frameOf(canvas);
  return [(event.clientX - box.left - frame.left) / frame.width, (event.clientY - box.top - frame.top) / frame.height];
}

export function redraw() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    for (const name of ["original", "result"]) drawPicture(name);
    drawMap();
    byId("zoom-value").textContent = `${Math.round(view.scale * 100)} %`;
  });
}

function begin(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  return { context, frame: frameOf(canvas) };
}

function drawImage(context, image, { left, top, width, height }, smooth) {
  context.imageSmoothingEnabled = smooth;
  context.imageSmoothingQuality = "high";
  context.drawImage(image, left, top, width, height);
}

function drawPicture(name) {
  const { context, frame } = begin(canvases[name]);
  if (pictures[name]) drawImage(context, pictures[name], frame, true);
}

function drawMap() {
  const { context, frame } = begin(canvases.map);
  if (!labelMap.bitmap) return;
  const beneath = pictures[store.underlay] ?? pictures.original;
  if (store.opacity < 1 && beneath) drawImage(context, beneath, frame, true);
  context.globalAlpha = store.opacity;
  drawImage(context, labelMap.bitmap, frame, false);
  context.globalAlpha = Math.max(0.5, store.opacity); // one must see what one paints
  if (!stroke.empty) drawImage(context, stroke.canvas, frame, false);
  context.globalAlpha = 1;
  const highlighted = store.model?.labels.find(({ name }) => name === store.highlight);
  if (highlighted) drawImage(context, labelMap.veil(highlighted.color), frame, false);
  drawPolygon(context, frame);
  drawCursor(context, frame);
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
  context.globalAlpha = 0.55;
  context.fillStyle = colorOf(store.label);
  context.fill();
  context.globalAlpha = 1;
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
