// Pointer, touch and keyboard on the map: which tool they work, with coalesced points.

import { panBy, pinch, wantsPan } from "./gestures.js";
import { labelMap, overlay, pointAt, redraw } from "./panes.js";
import { byId, onChange, store } from "./store.js";
import { beginStroke, cancelTool, continueStroke, endStroke, finishPolygon, pick, pointTool } from "./tools.js";

const canvas = byId("map");
const pointers = new Map(); // pointerId -> [clientX, clientY]
let mode = null; // "stroke", "pan", "pinch" or null
let byKeyboard = false; // the cursor was last moved by the arrow keys

export function startCanvas() {
  canvas.addEventListener("pointerdown", down);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", cancelled);
  canvas.addEventListener("pointerleave", () => { if (!pointers.size) showCursor(null); });
  canvas.addEventListener("dblclick", () => finishPolygon());
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("keydown", key);
  canvas.addEventListener("blur", () => showCursor(null));
  byId("polygon-finish").addEventListener("click", finishPolygon);
  onChange(["tool"], () => canvas.classList.toggle("panning", store.tool === "pan"));
}

function showCursor(point) {
  overlay.cursor = point;
  redraw();
}

function down(event) {
  if (event.button > 1) return;
  canvas.focus({ preventScroll: true });
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  if (pointers.size === 2) {
    cancelTool(); // the first finger was no stroke after all
    mode = "pinch";
    return showCursor(null);
  }
  if (pointers.size > 2) return;
  const point = pointAt(canvas, event);
  if (wantsPan(event)) mode = "pan";
  else if (event.altKey) pick(point);
  else if (store.tool === "brush" || store.tool === "eraser") {
    mode = "stroke";
    beginStroke(point);
  } else pointTool(point);
  showCursor(mode === "pan" ? null : point);
}

function move(event) {
  const before = pointers.get(event.pointerId);
  const now = [event.clientX, event.clientY];
  if (mode === "pinch" && before) {
    const old = [...pointers.values()].slice(0, 2);
    pointers.set(event.pointerId, now);
    return pinch(canvas, old, [...pointers.values()].slice(0, 2));
  }
  if (before) pointers.set(event.pointerId, now);
  if (mode === "pan" && before) return panBy(canvas, now[0] - before[0], now[1] - before[1]);
  if (mode === "stroke" && before) {
    const events = event.getCoalescedEvents?.() ?? [];
    continueStroke((events.length ? events : [event]).map((each) => pointAt(canvas, each)));
  }
  byKeyboard = false;
  showCursor(pointAt(canvas, event));
}

function up(event) {
  pointers.delete(event.pointerId);
  if (mode === "stroke" && !pointers.size) endStroke();
  if (!pointers.size) mode = null;
  if (event.pointerType === "touch") showCursor(null);
}

function cancelled(event) {
  pointers.delete(event.pointerId);
  if (mode === "stroke") cancelTool();
  if (!pointers.size) mode = null;
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function key(event) {
  if (ARROWS[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const step = event.shiftKey ? 1 : Math.max(1, Math.round(labelMap.height / 32)); // in pixels of the map
    const [x, y] = overlay.cursor ?? [0.5, 0.5];
    const [dx, dy] = ARROWS[event.key];
    byKeyboard = true;
    const inside = (value) => Math.min(0.999, Math.max(0, value));
    showCursor([inside(x + (dx * step) / labelMap.width), inside(y + (dy * step) / labelMap.height)]);
    event.preventDefault();
  } else if (event.key === "Enter" && overlay.cursor) {
    if (store.tool === "brush" || store.tool === "eraser") {
      beginStroke(overlay.cursor);
      endStroke();
    } else if (store.tool === "polygon" && !byKeyboard) finishPolygon();
    else pointTool(overlay.cursor);
    event.preventDefault();
  }
}
