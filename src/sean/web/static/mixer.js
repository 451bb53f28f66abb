// The look of the chosen region, or of all: where it comes from and how strongly it is mixed with the own one.

import { showPicture } from "./backend.js";
import { plainName, regionName, sourceName } from "./edits.js";
import { chooseStyleFile } from "./files.js";
import { byId, element, onChange, store } from "./store.js";
import { chooseSource, mix, photoSources, regions, styleOf, thumbnailOf } from "./styling.js";

const PAUSE = 500; // ms without a key after which the keyboard's steps are one edit
let moved = null; // {region, strength} that is shown but not done yet
let byKeys = false; // the slider is moved by the keyboard
let timer = 0;

export function startMixer() {
  byId("mixer").hidden = store.model.blocks < 1;
  onChange(["session", "region", "originalVersion"], show);
  const slider = byId("strength");
  slider.addEventListener("keydown", () => { byKeys = true; });
  slider.addEventListener("pointerdown", () => { byKeys = false; });
  slider.addEventListener("input", () => {
    moved = { region: store.region, strength: slider.value / 100 };
    showStrength(moved.strength);
    mix(moved.region, moved.strength, { preview: true });
  });
  slider.addEventListener("change", () => {
    clearTimeout(timer);
    if (byKeys) timer = setTimeout(finish, PAUSE);
    else finish();
  });
  slider.addEventListener("blur", finish);
  onChange(["region"], finish);
  byId("other-region").addEventListener("change", ({ target }) => {
    if (target.value) chooseSource(store.region, `region:${target.value}`);
  });
}

function finish() {
  clearTimeout(timer);
  if (!moved) return;
  const { region, strength } = moved;
  moved = null;
  byKeys = false;
  mix(region, strength, { preview: false });
}

function show() {
  if (!store.session) return;
  const { source, strength } = styleOf(store.region);
  byId("mixer-title").textContent = regionName(store.region);
  byId("mixer-source").textContent = source ? `own ↔ ${sourceName(source)}` : "own look";
  showSources(source);
  showOtherRegions(source);
  const slider = byId("strength");
  slider.disabled = !source;
  byId("scrub-end").textContent = source ? sourceName(source) : "choose a look";
  if (moved) return; // what the user does counts, not what the server has heard of it
  slider.value = Math.round(strength * 100);
  showStrength(strength, source);
}

function showStrength(strength, source = true) {
  byId("strength-value").textContent = source ? `${Math.round(strength * 100)} %` : "–";
}

function showSources(source) {
  const buttons = [
    choice("own", "Own", thumbnailOf("own"), !source, () => chooseSource(store.region, "own")),
    ...photoSources().map((each) => choice(each, sourceName(each), thumbnailOf(each), source === each, () => chooseSource(store.region, each))),
  ];
  if (store.model.bank) buttons.splice(1, 0, choice("mean", "Average", null, source === "mean", () => chooseSource(store.region, "mean")));
  buttons.push(choice("photo-add", "From a photo…", null, false, chooseStyleFile));
  const focused = document.activeElement?.dataset?.testid;
  byId("sources").replaceChildren(...buttons);
  if (focused?.startsWith("source-")) buttons.find((button) => button.dataset.testid === focused)?.focus();
}

function choice(name, text, picture, isChosen, run) {
  const inside = picture ? element("img", { alt: "", width: 40, height: 40 }) : element("i", { "aria-hidden": "true" }, { mean: "≈", "photo-add": "+" }[name] ?? "");
  if (picture) showPicture(inside, picture);
  const button = element(
    "button",
    { type: "button", class: "source", "aria-pressed": String(isChosen), "data-testid": `source-${name}` },
    element("span", { class: "thumb" }, inside),
    element("span", {}, text),
  );
  button.addEventListener("click", run);
  return button;
}

// A region's look for another one: only from region to region, as each source has one look per region.
function showOtherRegions(source) {
  byId("other-region-row").hidden = !store.region;
  if (!store.region) return;
  const names = [...new Set(regions().map(({ label }) => label))].filter((label) => label !== store.region.label);
  const select = byId("other-region");
  select.replaceChildren(
    element("option", { value: "" }, "choose…"),
    ...names.map((label) => element("option", { value: label, selected: source === `region:${label}` }, plainName(label))),
  );
}
