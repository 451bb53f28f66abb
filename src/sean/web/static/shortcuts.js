// Undo and redo, the keys, and the dialog that lists them.

import { holdSpace, zoomFit, zoomMiddle } from "./gestures.js";
import { live } from "./live.js";
import { scaleBrush } from "./regions.js";
import { byId, element, onChange, store } from "./store.js";
import { cancelTool, finishPolygon, selectTool } from "./tools.js";
import { peek, toggleOpacity } from "./viewing.js";

const KEYS = [
  ["B", "brush", () => selectTool("brush")],
  ["E", "eraser: back to the first map", () => selectTool("eraser")],
  ["F", "fill an area", () => selectTool("fill")],
  ["P", "polygon", () => selectTool("polygon")],
  ["R", "replace a label everywhere", () => selectTool("replace")],
  ["S", "split: an area gets a style of its own", () => selectTool("split")],
  ["I", "pick the label under the pointer", () => selectTool("pick")],
  ["H", "move the view", () => selectTool("pan")],
  ["[", "smaller brush", () => scaleBrush(1 / 1.2)],
  ["]", "larger brush", () => scaleBrush(1.2)],
  ["C", "hold: see the original", () => peek(true)],
  ["O", "see through the map, or not", toggleOpacity],
  ["+", "zoom in", () => zoomMiddle(1.5)],
  ["-", "zoom out", () => zoomMiddle(1 / 1.5)],
  ["0", "whole picture", zoomFit],
  ["?", "this help", () => byId("help-dialog").showModal()],
];
const ALSO = [
  ["Ctrl+Z", "undo"],
  ["Ctrl+Shift+Z", "redo"],
  ["Alt+click", "pick the label under the pointer"],
  ["Space+drag", "move the view"],
  ["Arrows, Enter", "move the cursor on the map, use the tool"],
  ["Esc", "drop the polygon or stroke"],
];

function undo() {
  if (store.session?.can_undo) step(() => live.undo());
}

function redo() {
  if (store.session?.can_redo) step(() => live.redo());
}

function step(run) {
  if (!live.open) return;
  cancelTool();
  run();
}

export function startShortcuts() {
  byId("undo").addEventListener("click", undo);
  byId("redo").addEventListener("click", redo);
  onChange(["session", "connected"], () => {
    byId("undo").disabled = !store.connected || !store.session?.can_undo;
    byId("redo").disabled = !store.connected || !store.session?.can_redo;
  });
  byId("help-button").addEventListener("click", () => byId("help-dialog").showModal());
  for (const [key, what] of [...KEYS, ...ALSO]) {
    byId("shortcuts").append(element("dt", {}, element("kbd", {}, key)), element("dd", {}, what));
  }
  document.addEventListener("keydown", onKey);
  document.addEventListener("keyup", (event) => {
    if (event.key === " ") holdSpace(false);
    if (event.key.toUpperCase() === "C") peek(false);
  });
  window.addEventListener("blur", () => {
    holdSpace(false);
    peek(false);
  });
}

function onKey(event) {
  if (document.querySelector("dialog[open]")) return;
  const { target } = event;
  const writes = target.matches("input:not([type=range], [type=checkbox], [type=color]), textarea");
  const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
  if ((event.ctrlKey || event.metaKey) && !event.altKey) {
    if (writes || !["Z", "Y"].includes(key)) return;
    event.preventDefault();
    if (event.repeat && live.unanswered) return; // a held key goes as fast as the pictures come
    return key === "Y" || event.shiftKey ? redo() : undo();
  }
  if (writes || target.matches("select") || event.altKey) return;
  if (key === "Escape") return cancelTool();
  if (key === "Enter" && target === document.body) return finishPolygon();
  if (key === " " && (target === document.body || target.matches(".pane canvas"))) {
    event.preventDefault();
    return holdSpace(true);
  }
  const found = KEYS.find(([name]) => name === (key === "=" ? "+" : key));
  if (!found) return;
  event.preventDefault();
  found[2]();
}
