// The style of the chosen region, or of all: where it comes from and how strongly it is mixed with the own one.

import { chooseFromBank } from "./bank.js";
import { plainName, regionName, sourceName } from "./edits.js";
import { chooseStyleFile } from "./files.js";
import { byId, element, onChange, store } from "./store.js";
import { chooseSource, mix, photoSources, regions, styleOf, thumbnailOf } from "./styling.js";

let dragging = false;

export function startMixer() {
  byId("mixer").hidden = store.model.blocks < 1;
  onChange(["session", "region", "originalVersion"], show);
  const slider = byId("strength");
  slider.addEventListener("input", () => {
    dragging = true;
    showStrength(slider.value / 100);
    mix(store.region, slider.value / 100, { preview: true });
  });
  slider.addEventListener("change", () => {
    dragging = false;
    mix(store.region, slider.value / 100, { preview: false });
  });
  byId("other-region").addEventListener("change", ({ target }) => {
    if (target.value) chooseSource(store.region, `region:${target.value}`);
  });
}

function show() {
  if (!store.session) return;
  const { source, strength } = styleOf(store.region);
  byId("mixer-title").textContent = regionName(store.region);
  byId("mixer-source").textContent = source ? `own ↔ ${sourceName(source)}` : "own style";
  showSources(source);
  showOtherRegions(source);
  byId("strength").disabled = !source;
  byId("scrub-end").textContent = source ? sourceName(source) : "choose a style";
  if (!dragging) {
    byId("strength").value = Math.round(strength * 100);
    showStrength(strength, source);
  }
}

function showStrength(strength, source = true) {
  byId("strength-value").textContent = source ? `${Math.round(strength * 100)} %` : "–";
}

function showSources(source) {
  const bank = source?.startsWith("bank:") ? source : null;
  const buttons = [
    choice("own", "Own", thumbnailOf("own"), !source, () => chooseSource(store.region, "own")),
    ...photoSources().map((each) => choice(each, sourceName(each), thumbnailOf(each), source === each, () => chooseSource(store.region, each))),
  ];
  if (store.model.bank) {
    buttons.splice(1, 0, choice("mean", "Mean", null, source === "mean", () => chooseSource(store.region, "mean")));
    buttons.push(choice("bank", "Bank…", bank && thumbnailOf(bank), Boolean(bank), fromBank));
  }
  buttons.push(choice("photo-add", "Photo…", null, false, chooseStyleFile));
  const focused = document.activeElement?.dataset?.testid;
  byId("sources").replaceChildren(...buttons);
  if (focused?.startsWith("source-")) buttons.find((button) => button.dataset.testid === focused)?.focus();
}

function choice(name, text, picture, isChosen, run) {
  const inside = picture ? element("img", { src: picture, alt: "", width: 40, height: 40 }) : element("i", {}, { mean: "x̄", bank: "▦", "photo-add": "+" }[name] ?? "");
  const button = element(
    "button",
    { type: "button", class: "source", "aria-pressed": String(isChosen), "data-testid": `source-${name}` },
    element("span", { class: "thumb" }, inside),
    element("span", {}, text),
  );
  button.addEventListener("click", run);
  return button;
}

async function fromBank() {
  const { region } = store;
  const chosen = await chooseFromBank(`Style from the bank: ${regionName(region)}`);
  if (chosen) chooseSource(region, chosen);
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
