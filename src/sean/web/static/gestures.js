// Zoom and move: wheel, two fingers, middle button, space bar or the hand tool, and the zoom buttons.

import { PANES, aspect, canvasOf, redraw, shownCanvas, view } from "./panes.js";
import { byId, store } from "./store.js";

const held = { space: false };

function zoomAt(canvas, factor, clientX, clientY) {
  const box = canvas.getBoundingClientRect();
  view.zoom(factor, clientX - box.left, clientY - box.top, canvas.clientWidth, canvas.clientHeight, aspect());
  redraw();
}

export function zoomMiddle(factor) {
  const canvas = shownCanvas();
  const box = canvas.getBoundingClientRect();
  zoomAt(canvas, factor, box.left + box.width / 2, box.top + box.height / 2);
}

export function zoomFit() {
  view.reset();
  redraw();
}

export function holdSpace(down) {
  held.space = down;
  for (const name of PANES) canvasOf(name).classList.toggle("panning", down || store.tool === "pan");
}

export const wantsPan = (event) => event.button === 1 || held.space || store.tool === "pan";

export function panBy(canvas, dx, dy) {
  view.move(dx, dy, canvas.clientWidth, canvas.clientHeight, aspect());
  redraw();
}

// Two fingers: what was between them stays between them.
export function pinch(canvas, before, after) {
  const middle = (touches) => [(touches[0][0] + touches[1][0]) / 2, (touches[0][1] + touches[1][1]) / 2];
  const distance = (touches) => Math.hypot(touches[0][0] - touches[1][0], touches[0][1] - touches[1][1]) || 1;
  const [[x0, y0], [x1, y1]] = [middle(before), middle(after)];
  panBy(canvas, x1 - x0, y1 - y0);
  zoomAt(canvas, distance(after) / distance(before), x1, y1);
}

export function startGestures() {
  for (const name of PANES) {
    const canvas = canvasOf(name);
    canvas.addEventListener("wheel", (event) => {
      // One notch of a wheel is about 100 px; a trackpad's pinch comes as small steps with ctrlKey.
      event.preventDefault();
      const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 33 : event.deltaY;
      zoomAt(canvas, Math.exp(-Math.max(-200, Math.min(200, pixels)) * (event.ctrlKey ? 0.01 : 0.002)), event.clientX, event.clientY);
    }, { passive: false });
  }
  byId("zoom-in").addEventListener("click", () => zoomMiddle(1.5));
  byId("zoom-out").addEventListener("click", () => zoomMiddle(1 / 1.5));
  byId("zoom-fit").addEventListener("click", zoomFit);
  byId("tab-zoom-fit").addEventListener("click", zoomFit);
}
