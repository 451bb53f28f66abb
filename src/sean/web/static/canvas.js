// Pointer, touch and keyboard on the panes: which tool they work, with coalesced points. All panes take all tools.

import { plainName } from "./edits.js";
import { dragFrame, dropFrame, grabFrame } from "./framing.js";
import { panBy, pinch, wantsPan } from "./gestures.js";
import { announce } from "./messages.js";
import { PANES, canvasOf, labelMap, overlay, pointAt, redraw } from "./panes.js";
import { byId, onChange, store } from "./store.js";
import { beginStroke, cancelTool, continueStroke, endStroke, finishPolygon, pick, pointTool } from "./tools.js";

const pointers = new Map(); // pointerId -> [clientX, clientY]
let mode = null; // "stroke", "pan", "pinch", "frame" or null
let byKeyboard = false; // the cursor was last moved by the arrow keys
let spoken = null; // label under the keyboard's cursor that was announced last

export function startCanvas() {
  for (const name of PANES) {
    const canvas = canvasOf(name);
    canvas.addEventListener("pointerdown", (event) => down(canvas, event));
    canvas.addEventListener("pointermove", (event) => move(canvas, event));
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", cancelled);
    canvas.addEventListener("pointerleave", () => { if (!pointers.size) showCursor(null); });
    canvas.addEventListener("dblclick", () => finishPolygon());
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("keydown", key);
    canvas.addEventListener("blur", () => showCursor(null));
  }
  byId("polygon-finish").addEventListener("click", finishPolygon);
  onChange(["tool"], () => { for (const name of PANES) canvasOf(name).classList.toggle("panning", store.tool === "pan"); });
}

function showCursor(point, canvas = null) {
  overlay.cursor = point;
  if (canvas) overlay.pane = canvas.id;
  redraw();
}

function down(canvas, event) {
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
  else if (store.framing) mode = grabFrame(canvas, event) ? "frame" : "pan";
  else if (event.altKey) pick(point);
  else if (store.tool === "brush" || store.tool === "eraser") {
    mode = "stroke";
    beginStroke(point);
  } else pointTool(point, canvas);
  showCursor(mode === "pan" || mode === "frame" ? null : point, canvas);
}

function move(canvas, event) {
  const before = pointers.get(event.pointerId);
  const now = [event.clientX, event.clientY];
  if (mode === "pinch" && before) {
    const old = [...pointers.values()].slice(0, 2);
    pointers.set(event.pointerId, now);
    return pinch(canvas, old, [...pointers.values()].slice(0, 2));
  }
  if (before) pointers.set(event.pointerId, now);
  if (mode === "pan" && before) return panBy(canvas, now[0] - before[0], now[1] - before[1]);
  if (mode === "frame" && before) return dragFrame(canvas, event);
  if (mode === "stroke" && before) {
    const events = event.getCoalescedEvents?.() ?? [];
    continueStroke((events.length ? events : [event]).map((each) => pointAt(canvas, each)));
  }
  byKeyboard = false;
  showCursor(store.framing ? null : pointAt(canvas, event), canvas);
}

function up(event) {
  pointers.delete(event.pointerId);
  if (mode === "stroke" && !pointers.size) endStroke();
  if (mode === "frame") dropFrame();
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
    showCursor([inside(x + (dx * step) / labelMap.width), inside(y + (dy * step) / labelMap.height)], event.target);
    sayWhere();
    event.preventDefault();
  } else if (event.key === "Enter" && overlay.cursor) {
    if (store.tool === "brush" || store.tool === "eraser") {
      beginStroke(overlay.cursor);
      endStroke();
    } else if (store.tool === "polygon" && !byKeyboard) finishPolygon();
    else pointTool(overlay.cursor, event.target);
    event.preventDefault();
  }
}

function sayWhere() {
  const label = labelMap.labelAt(overlay.cursor);
  if (label === spoken) return;
  spoken = label;
  announce(label ? plainName(label) : "no region");
}
