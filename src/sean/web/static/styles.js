// A slot per region of the map: which style it has; drop a photo on it, or choose it to see its style at the side.

import { regionName, sourceName } from "./edits.js";
import { addStyle } from "./files.js";
import { colorOf } from "./panes.js";
import { checkRadio, startRadioGroup } from "./radio.js";
import { byId, element, onChange, store, update } from "./store.js";
import { regions, styleOf, thumbnailOf } from "./styling.js";

const list = byId("slots");
const slots = new Map(); // key -> {button, region}
const HOVER = 150; // ms before a region is shown on the map

export function startSlots() {
  startRadioGroup(list);
  onChange(["session", "originalVersion"], show);
  onChange(["region"], showChosen);
}

const keyOf = (region) => (region ? (region.instance ? `${region.label}-${region.instance}` : region.label) : "all");

function show() {
  const wanted = [null, ...[...regions()].sort((a, b) => b.area - a.area)];
  const keys = new Set(wanted.map(keyOf));
  const isFirst = slots.size === 0;
  for (const [key, { button }] of slots) {
    if (keys.has(key)) continue;
    button.remove();
    slots.delete(key);
  }
  let fresh = null;
  for (const region of wanted) {
    const key = keyOf(region);
    if (!slots.has(key)) {
      slots.set(key, makeSlot(region, key));
      list.append(slots.get(key).button);
      if (region?.instance) fresh = region;
    }
    showSlot(slots.get(key), region);
  }
  if (store.region && !keys.has(keyOf(store.region))) update({ region: null });
  else if (fresh && !isFirst) update({ region: { label: fresh.label, instance: fresh.instance } }); // just split off
  showChosen();
}

function makeSlot(region, key) {
  const swatch = element("i", { class: "swatch" });
  const image = element("img", { alt: "", width: 40, height: 40 });
  const name = element("span", { class: "slot-name" }, swatch, regionName(region));
  const source = element("span", { class: "slot-source" });
  const button = element(
    "button",
    { type: "button", role: "radio", class: "slot", "data-testid": `slot-${key}` },
    element("span", { class: "thumb" }, image),
    element("span", { class: "slot-text" }, name, source),
  );
  if (region) swatch.style.backgroundColor = colorOf(region.label);
  else swatch.classList.add("rainbow");
  const chosen = region && { label: region.label, instance: region.instance };
  button.addEventListener("click", () => update({ region: chosen }));
  takeDrops(button, chosen);
  if (region) highlightOnHover(button, region.label);
  return { button, image, source };
}

function showSlot({ button, image, source }, region) {
  const style = styleOf(region);
  const taking = style.blocks.filter(([each]) => each === style.source).length;
  const shown = taking ? style.source : "own";
  const address = thumbnailOf(shown);
  if (address) {
    if (image.getAttribute("src") !== address) image.src = address;
  } else image.removeAttribute("src");
  const partly = taking && taking < style.blocks.length ? ` · ${taking}/${style.blocks.length}` : "";
  const strength = taking && style.strength !== 1 ? ` ${Math.round(style.strength * 100)} %` : "";
  const changed = region || taking ? 0 : regions().filter((each) => each.styles.some(([from]) => from !== "own")).length;
  const text = changed ? `${changed} of ${regions().length} changed` : `${sourceName(shown)}${strength}${partly}`;
  if (source.textContent !== text) source.textContent = text;
  button.title = partly ? `${text} blocks` : text;
  button.classList.toggle("changed", taking + changed > 0);
  button.dataset.source = shown;
}

function showChosen() {
  const found = [...slots].find(([key]) => key === keyOf(store.region));
  checkRadio(list, found?.[1].button);
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

