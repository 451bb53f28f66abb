// The looks of the model's bank, each tried on the picture itself: a strip for the chosen region, with names by colour.

import { fetchBlob, sessionUrl } from "./api.js";
import { PRESETS, colourName, lab } from "./colours.js";
import { plainName } from "./edits.js";
import { labelMap } from "./panes.js";
import { checkRadio, startRadioGroup } from "./radio.js";
import { byId, element, onChange, store } from "./store.js";
import { chooseSource, styleOf } from "./styling.js";

const AT_ONCE = 2; // so that edits come between
const list = byId("looks");
const tried = new Map(); // "session/document/label" -> looks
let shown = null; // the key of the strip
let run = 0; // counts the strips that were begun, so that an old one ends

export function startLooks() {
  byId("looks-panel").hidden = !store.model.bank;
  if (!store.model.bank) return;
  startRadioGroup(list);
  onChange(["session", "region", "originalVersion"], show);
  byId("colour").addEventListener("change", ({ target }) => chooseColour(target.value));
}

const regionLabel = () => store.region?.label ?? null;

function show() {
  if (!store.session || !store.originalVersion) return;
  const { id, document } = store.session;
  const key = `${id}/${document}/${regionLabel() ?? ""}`;
  if (key !== shown) begin(key);
  showChosen();
}

function begin(key) {
  shown = key;
  const [label, { id, document }] = [regionLabel(), store.session];
  byId("looks-title").textContent = label ? `Looks: ${plainName(label)}` : "Looks on this face";
  byId("colour-row").hidden = !label;
  showPresets(label);
  if (!tried.has(key)) {
    tried.set(key, Array.from({ length: store.model.bank }, (_, number) => ({ number, button: makeLook(number), colour: null, name: `Look ${number + 1}` })));
  }
  const looks = tried.get(key);
  list.replaceChildren(...looks.map(({ button }) => button));
  const turn = ++run;
  const waiting = looks.filter(({ isLoaded }) => !isLoaded);
  const next = async () => {
    while (turn === run && waiting.length) await load(waiting.shift(), label, id, document).catch(() => {});
    if (turn === run && !waiting.length) finish(looks, label);
  };
  // not at once: the picture itself comes first
  setTimeout(() => { for (let each = 0; each < AT_ONCE; each++) next(); }, 300);
}

function makeLook(number) {
  const image = element("img", { alt: "", width: 84, height: 84 });
  const name = element("span", { class: "look-name" }, `Look ${number + 1}`);
  const button = element("button", { type: "button", role: "radio", class: "look", "aria-checked": "false", "data-testid": `look-${number}` }, image, name);
  button.addEventListener("click", () => chooseSource(store.region, `bank:${number}`));
  return button;
}

async function load(look, label, id, document) {
  const query = new URLSearchParams({ document, ...(label ? { region: label } : {}) });
  const blob = await fetchBlob(`${sessionUrl(id, `looks/${look.number}.png`)}?${query}`);
  look.button.querySelector("img").src = URL.createObjectURL(blob);
  look.isLoaded = true;
  if (label) look.colour = await regionColour(blob, label);
  if (look.colour) {
    look.name = colourName(label, look.colour);
    look.button.querySelector("span").textContent = look.name;
  }
}

// Light looks stay beside light ones; names that come twice get numbers.
function finish(looks, label) {
  if (!label || looks.some(({ colour }) => !colour)) return;
  const sorted = [...looks].sort((a, b) => a.colour[0] - b.colour[0]);
  const counts = new Map();
  for (const look of sorted) {
    const count = (counts.get(look.name) ?? 0) + 1;
    counts.set(look.name, count);
    look.button.querySelector("span").textContent = count > 1 ? `${look.name} ${count}` : look.name;
  }
  list.append(...sorted.map(({ button }) => button));
}

// The mean colour of a region in a look's picture, which lies as the map lies.
async function regionColour(blob, label) {
  const bitmap = await createImageBitmap(blob);
  const { width, height } = bitmap;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const sum = [0, 0, 0];
  let count = 0;
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    if (labelMap.labelAt([(x + 0.5) / width, (y + 0.5) / height]) !== label) continue;
    for (let channel = 0; channel < 3; channel++) sum[channel] += data[4 * (y * width + x) + channel];
    count++;
  }
  return count ? lab(sum.map((value) => value / count)) : null;
}

function showChosen() {
  const { source } = styleOf(store.region);
  const looks = tried.get(shown) ?? [];
  checkRadio(list, looks.find(({ number }) => source === `bank:${number}`)?.button);
}

function showPresets(label) {
  const presets = Object.entries(PRESETS[label] ?? {});
  byId("presets").hidden = !presets.length;
  byId("presets").replaceChildren(...presets.map(([name, colour]) => {
    const swatch = element("i", { class: "swatch" });
    swatch.style.backgroundColor = colour;
    const button = element("button", { type: "button", class: "preset", "data-testid": `preset-${name.replaceAll(" ", "-")}` }, swatch, name);
    button.addEventListener("click", () => chooseColour(colour));
    return button;
  }));
}

const chooseColour = (colour) => chooseSource(store.region, colour);
