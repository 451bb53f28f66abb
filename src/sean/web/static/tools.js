// The tools, such as the brush: from points on the map to edits. A stroke is drawn here at once and sent as a preview while
// it grows. editing/shapes.py finds the pixels that it covers.

import * as edits from "./edits.js";
import { live } from "./live.js";
import { announce, info } from "./messages.js";
import { colorOf, cropFrame, labelMap, overlay, redraw, stroke } from "./panes.js";
import { byId, onChange, store, update } from "./store.js";

const MOST_POINTS = 1000; // a longer stroke goes on as a second edit, so that messages stay small
const MAP_FOLLOWS = 150; // ms within which a picture's map comes
const CLOSE_TO = 10; // CSS pixels from a polygon's first point that close it

let points = [];
let current = null; // {radius, label, color} of the stroke under way
let drawnOn = 0; // number of the picture that the stroke or polygon was begun on; another one may be shown before its end
let lastEdit = 0; // seq of the last stroke sent

export function startTools() {
  for (const type of ["map", "error"]) live.addEventListener(type, ({ detail }) => strokeArrived(detail.seq));
  // No map comes with a picture when the last preview's was the same; else it comes right after it.
  live.addEventListener("frame", ({ detail }) => setTimeout(() => strokeArrived(detail.seq), MAP_FOLLOWS));
  for (const button of byId("tools").querySelectorAll("[data-tool]")) {
    button.addEventListener("click", () => selectTool(button.dataset.tool));
  }
  byId("reset-segmap").addEventListener("click", () => send(edits.resetSegmap()));
  onChange(["tool", "label"], showTool);
  showTool();
}

export function selectTool(tool) {
  if (byId("tools").querySelector(`[data-tool="${tool}"]`).hidden) return;
  cancelTool();
  update({ tool });
}

function send(edit, document) {
  lastEdit = live.edit(edit, document);
  announce(edits.sentence(edit));
}

// What strokes and polygons leave alone, but for the label that is painted.
function protectedLabels() {
  if (!store.protect) return [];
  return store.model.labels.map(({ name }) => name).filter((name) => edits.PROTECTED.has(name) && name !== store.label);
}

// The server has the stroke: from here on the map shows it.
function strokeArrived(seq) {
  if (!current && !stroke.empty && seq >= lastEdit) clearStroke();
}

function clearStroke() {
  stroke.clear();
  redraw();
}

export function beginStroke(point) {
  const erasing = store.tool === "eraser";
  if (!erasing && !store.label) return;
  current = { radius: edits.strokeRadius(store.brush), label: erasing ? null : store.label, color: erasing ? "rgb(255 255 255 / 0.55)" : colorOf(store.label) };
  points = [edits.strokePoint(point)];
  drawnOn = live.document;
  stroke.segment(points[0], points[0], current.radius, current.color);
  redraw();
  live.preview(strokeEdit(), drawnOn);
}

export function continueStroke(more) {
  if (!current) return;
  for (const point of more.map(edits.strokePoint)) {
    const last = points.at(-1);
    // Half a pixel of the map is as fine as the server can tell.
    if (Math.hypot((point[0] - last[0]) * labelMap.width, (point[1] - last[1]) * labelMap.height) < 0.5) continue;
    stroke.segment(last, point, current.radius, current.color);
    points.push(point);
    if (points.length >= MOST_POINTS) {
      send(strokeEdit(), drawnOn);
      points = [point];
    }
  }
  redraw();
  live.preview(strokeEdit(), drawnOn);
}

export function endStroke() {
  if (!current) return;
  send(strokeEdit(), drawnOn);
  current = null;
  points = [];
}

function strokeEdit() {
  return current.label === null ? edits.erase(points, current.radius) : edits.paint(points, current.radius, current.label, protectedLabels());
}

// Drop what is under way: a stroke that turned into a pinch, a polygon not closed.
export function cancelTool() {
  if (current) live.render();
  current = null;
  points = [];
  overlay.polygon = [];
  byId("polygon-finish").hidden = true;
  clearStroke();
}

export function pick(point) {
  const label = labelMap.labelAt(point);
  if (label) update({ label, region: { label, instance: 0 } });
}

export function pointTool(point, canvas) {
  const under = labelMap.labelAt(point);
  if (!under && store.tool !== "polygon") return;
  if (store.tool === "fill") send(edits.fill(point, store.label));
  else if (store.tool === "split") send(edits.splitRegion(point));
  else if (store.tool === "pick") pick(point);
  else if (store.tool === "polygon") addCorner(point, canvas);
  else if (store.tool === "replace") {
    if (under === store.label) info(`That is ${edits.plainName(under)} already. Choose another label first.`);
    else send(edits.replaceLabel(under, store.label));
  }
}

function addCorner(point, canvas) {
  const inside = point.map((value) => Math.min(1, Math.max(0, value)));
  const [first] = overlay.polygon;
  const { width, height } = cropFrame(canvas); // as large as it is shown now
  const near = (a, b) => Math.hypot((a[0] - b[0]) * width, (a[1] - b[1]) * height) < CLOSE_TO;
  if (overlay.polygon.length >= 3 && near(first, inside)) return finishPolygon();
  // The second half of a double click, or Enter twice at one place.
  if (overlay.polygon.length && near(overlay.polygon.at(-1), inside)) return finishPolygon();
  if (!overlay.polygon.length) drawnOn = live.document;
  overlay.polygon.push(inside);
  byId("polygon-finish").hidden = overlay.polygon.length < 3;
  redraw();
}

export function finishPolygon() {
  if (overlay.polygon.length < 3) return;
  const corners = overlay.polygon;
  cancelTool();
  send(edits.polygon(corners, store.label, protectedLabels()), drawnOn);
}

function showTool() {
  for (const button of byId("tools").querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", String(button.dataset.tool === store.tool));
  }
  const label = store.label ? edits.plainName(store.label) : "";
  byId("tool-hint").textContent = {
    brush: `Paint ${label}`,
    eraser: "Paint the first map back",
    fill: `Click an area to fill it with ${label}`,
    polygon: `Click the corners of an area of ${label}; Enter or a double click closes it`,
    replace: `Click a label to make all of it ${label}`,
    split: "Click an area to give it a style of its own",
    pick: "Click the label to paint with",
    pan: "Drag to move, wheel or two fingers to zoom",
  }[store.tool];
}
