// One list of regions: a choice says what is painted and whose look is changed. What the picture has comes first.

import { showPicture } from "./backend.js";
import { plainName, regionName, sourceName } from "./edits.js";
import { addStyle } from "./files.js";
import { colorOf } from "./panes.js";
import { checkRadio, startRadioGroup } from "./radio.js";
import { byId, element, onChange, store, update } from "./store.js";
import { regions, styleOf, thumbnailOf } from "./styling.js";

const SEARCH_FROM = 25; // labels; fewer are seen at a glance
const HOVER = 150; // ms before a region is shown on the map
const SPECK = 0.0005; // of the map: what the parser leaves of that size is listed with what the picture has not
const [SMALLEST, LARGEST] = [0.004, 0.3]; // radius of the brush, of the picture's height
const list = byId("regions");
const entries = new Map(); // key -> {button, image, source, region}

export function startRegions() {
  startRadioGroup(list);
  onChange(["session", "originalVersion"], show);
  onChange(["region", "label"], showChosen);
  startSearch(store.model.labels.length);
  byId("brush-size").addEventListener("input", ({ target }) => update({ brush: radiusAt(target.value / 100) }));
  onChange(["brush"], showBrush);
  byId("protect").addEventListener("change", ({ target }) => update({ protect: target.checked }));
  byId("protect").closest("label").hidden = !store.model.faces;
  update({ brush: radiusAt(byId("brush-size").value / 100) });
}

// The slider is logarithmic: small brushes need fine steps.
const radiusAt = (position) => SMALLEST * (LARGEST / SMALLEST) ** position;
const sliderAt = (radius) => Math.log(radius / SMALLEST) / Math.log(LARGEST / SMALLEST);

export function scaleBrush(factor) {
  update({ brush: Math.min(LARGEST, Math.max(SMALLEST, store.brush * factor)) });
}

function showBrush() {
  const slider = byId("brush-size");
  slider.value = sliderAt(store.brush) * 100;
  slider.setAttribute("aria-valuetext", `${(200 * store.brush).toPrecision(2)} % of the picture's height wide`);
}

const keyOf = (region) => (region ? (region.instance ? `${region.label}-${region.instance}` : region.label) : "all");

function show() {
  if (!store.session) return;
  const present = [...regions()].sort((a, b) => b.area - a.area);
  const isThere = new Set(present.filter(({ area, instance }) => area > SPECK || instance).map(({ label }) => label));
  const absent = store.model.labels.map(({ name }) => name).filter((name) => !isThere.has(name));
  const wanted = [
    null,
    ...present.filter(({ label }) => isThere.has(label)),
    ...absent.map((label) => ({ label, instance: 0, area: 0, styles: [] })),
  ];
  const isFirst = entries.size === 0;
  let fresh = null;
  const keys = new Set(wanted.map(keyOf));
  for (const [key, { button }] of entries) {
    if (keys.has(key)) continue;
    button.remove();
    entries.delete(key);
  }
  wanted.forEach((region, index) => {
    const key = keyOf(region);
    if (!entries.has(key)) {
      entries.set(key, makeEntry(region, key));
      if (region?.instance) fresh = region;
    }
    const entry = entries.get(key);
    if (list.children[index] !== entry.button) list.insertBefore(entry.button, list.children[index] ?? null);
    showEntry(entry, region);
  });
  if (store.region && !keys.has(keyOf(store.region))) update({ region: { label: store.region.label, instance: 0 } });
  else if (fresh && !isFirst) update({ region: { label: fresh.label, instance: fresh.instance } }); // just split off
  showChosen();
}

function makeEntry(region, key) {
  const swatch = element("i", { class: "swatch" });
  const image = element("img", { alt: "", width: 36, height: 36 });
  const name = element("span", { class: "region-name" }, swatch, regionName(region));
  const source = element("span", { class: "region-source" });
  const button = element(
    "button",
    { type: "button", role: "radio", class: "region", "data-testid": `region-${key}`, "data-label": region?.label ?? "" },
    element("span", { class: "thumb" }, image),
    element("span", { class: "region-text" }, name, source),
  );
  if (region) swatch.style.backgroundColor = colorOf(region.label);
  else swatch.classList.add("rainbow");
  const chosen = region && { label: region.label, instance: region.instance };
  button.addEventListener("click", () => update(chosen ? { region: chosen, label: chosen.label } : { region: null }));
  takeDrops(button, chosen);
  if (region) highlightOnHover(button, region.label);
  return { button, image, source, region: chosen };
}

function showEntry({ button, image, source }, region) {
  const isAbsent = Boolean(region) && !region.styles.length;
  button.classList.toggle("absent", isAbsent);
  const style = styleOf(region);
  const taking = style.blocks.filter(([each]) => each === style.source).length;
  const shown = taking ? style.source : "own";
  const address = thumbnailOf(shown);
  if (isAbsent || !address) image.removeAttribute("src");
  else showPicture(image, address);
  const partly = taking && taking < style.blocks.length ? ` · ${taking}/${style.blocks.length}` : "";
  const strength = taking && style.strength !== 1 ? ` ${Math.round(style.strength * 100)} %` : "";
  const changed = region || taking ? 0 : regions().filter((each) => each.styles.some(([from]) => from !== "own")).length;
  const text = isAbsent ? "not in the picture" : changed ? `${changed} of ${regions().length} changed` : `${sourceName(shown)}${strength}${partly}`;
  if (source.textContent !== text) source.textContent = text;
  button.title = partly ? `${text} layers` : text;
  button.classList.toggle("changed", taking + changed > 0);
  button.dataset.source = shown;
}

function showChosen() {
  const found = entries.get(keyOf(store.region));
  checkRadio(list, found?.button);
  for (const { button, region } of entries.values()) button.classList.toggle("painted", Boolean(region) && region.label === store.label);
  const [box, inner] = [list.getBoundingClientRect(), found?.button.getBoundingClientRect()];
  if (inner && (inner.top < box.top || inner.bottom > box.bottom)) list.scrollTop += inner.top - box.top - 8;
}

function takeDrops(button, region) {
  button.addEventListener("dragover", (event) => {
    event.preventDefault();
    event.stopPropagation();
    button.classList.add("drop");
  });
  button.addEventListener("dragleave", () => button.classList.remove("drop"));
  button.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    button.classList.remove("drop");
    window.dispatchEvent(new Event("drop-done"));
    const [file] = event.dataTransfer.files;
    if (file) addStyle(file, region);
  });
}

function highlightOnHover(button, label) {
  let timer = 0;
  button.addEventListener("pointerenter", (event) => {
    if (event.pointerType === "mouse") timer = setTimeout(() => update({ highlight: label }), HOVER);
  });
  button.addEventListener("pointerleave", () => {
    clearTimeout(timer);
    update({ highlight: null });
  });
}

function startSearch(count) {
  const search = byId("label-search");
  search.hidden = count < SEARCH_FROM;
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const { button, region } of entries.values()) {
      const name = (region?.label ?? "").toLowerCase();
      button.hidden = !region || (!name.includes(wanted) && !plainName(name).includes(wanted));
    }
  });
}
