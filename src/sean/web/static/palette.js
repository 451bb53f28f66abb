// The labels to paint with, and the size of the brush.

import { plainName } from "./edits.js";
import { checkRadio, startRadioGroup } from "./radio.js";
import { byId, element, onChange, store, update } from "./store.js";

const SEARCH_FROM = 25; // labels; fewer are seen at a glance
const [SMALLEST, LARGEST] = [0.004, 0.3]; // radius of the brush, of the picture's height
const list = byId("palette");

export function startPalette() {
  const { labels } = store.model;
  for (const { id, name, color } of labels) {
    const swatch = element("i", { class: "swatch" });
    swatch.style.backgroundColor = color;
    const button = element(
      "button",
      { type: "button", role: "radio", class: "label", "data-label": name, "data-testid": `label-${name}`, title: `${name} (${id})` },
      swatch,
      element("span", {}, plainName(name)),
    );
    button.addEventListener("click", () => update({ label: name }));
    list.append(button);
  }
  startRadioGroup(list);
  onChange(["label"], showChosen);
  startSearch(labels.length);
  byId("brush-size").addEventListener("input", ({ target }) => update({ brush: radiusAt(target.value / 100) }));
  onChange(["brush"], () => { byId("brush-size").value = sliderAt(store.brush) * 100; });
  update({ brush: radiusAt(byId("brush-size").value / 100) });
}

// The slider is logarithmic: small brushes need fine steps.
const radiusAt = (position) => SMALLEST * (LARGEST / SMALLEST) ** position;
const sliderAt = (radius) => Math.log(radius / SMALLEST) / Math.log(LARGEST / SMALLEST);

export function scaleBrush(factor) {
  update({ brush: Math.min(LARGEST, Math.max(SMALLEST, store.brush * factor)) });
}

function showChosen() {
  const chosen = list.querySelector(`[data-label="${CSS.escape(store.label ?? "")}"]`);
  checkRadio(list, chosen);
  const [box, inner] = [list.getBoundingClientRect(), chosen?.getBoundingClientRect()];
  if (inner && (inner.top < box.top || inner.bottom > box.bottom)) list.scrollTop += inner.top - box.top - 8;
}

function startSearch(count) {
  const search = byId("label-search");
  search.hidden = count < SEARCH_FROM;
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const button of list.children) {
      const name = button.dataset.label.toLowerCase();
      button.hidden = !name.includes(wanted) && !plainName(name).includes(wanted);
    }
  });
}
