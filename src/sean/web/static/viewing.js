// What is looked at: which pane (on a phone), before and after, the model's own view, how far the map covers the photo.

import { live } from "./live.js";
import { byId, onChange, store, update } from "./store.js";

const SEE_THROUGH = 0.55;

export function startViewing() {
  for (const button of document.querySelectorAll("[data-pane]")) {
    button.addEventListener("click", () => update({ pane: button.dataset.pane }));
  }
  onChange(["pane"], showPane);
  showPane();
  const compare = byId("compare-toggle");
  compare.addEventListener("click", () => update({ comparing: !store.comparing }));
  onChange(["comparing"], () => {
    compare.setAttribute("aria-pressed", String(Boolean(store.comparing)));
    byId("compare").hidden = !store.comparing;
  });
  startPeeking();
  byId("model-view").addEventListener("change", ({ target }) => {
    update({ modelView: target.checked });
    live.view(target.checked ? "model" : "result");
  });
  onChange(["session"], () => { byId("model-view").closest("label").hidden = !store.session?.photo; });
  byId("opacity").addEventListener("input", ({ target }) => update({ opacity: target.value / 100 }));
  byId("underlay").addEventListener("change", ({ target }) => {
    update({ underlay: target.value });
    if (store.opacity === 1) setOpacity(SEE_THROUGH); // else nothing would be seen of it
  });
}

function showPane() {
  byId("panes").dataset.shown = store.pane;
  for (const button of document.querySelectorAll("[data-pane]")) {
    button.setAttribute("aria-pressed", String(button.dataset.pane === store.pane));
  }
}

function startPeeking() {
  const button = byId("peek");
  button.addEventListener("pointerdown", (event) => {
    button.setPointerCapture(event.pointerId);
    peek(true);
  });
  for (const type of ["pointerup", "pointercancel", "blur"]) button.addEventListener(type, () => peek(false));
  button.addEventListener("contextmenu", (event) => event.preventDefault()); // of a long touch
  button.addEventListener("keydown", ({ key }) => { if (key === " " || key === "Enter") peek(true); });
  button.addEventListener("keyup", () => peek(false));
}

export function peek(on) {
  update({ peeking: on });
  byId("peek").setAttribute("aria-pressed", String(on));
}

export function toggleOpacity() {
  setOpacity(store.opacity < 1 ? 1 : SEE_THROUGH);
}

function setOpacity(opacity) {
  byId("opacity").value = opacity * 100;
  update({ opacity });
}
