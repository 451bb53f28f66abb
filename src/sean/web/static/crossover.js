// Style crossover: each block of the network, from coarse to fine, takes the own look or the chosen one.

import { sourceName } from "./edits.js";
import { byId, element, onChange, store } from "./store.js";
import { setBlock, styleOf } from "./styling.js";

const cells = []; // per block {own, other, bar}
let otherHead = null;

export function startCrossover() {
  const { blocks } = store.model;
  const grid = byId("crossover");
  grid.hidden = blocks < 2;
  if (blocks < 2) return;
  grid.style.setProperty("--blocks", blocks);
  for (let block = 0; block < blocks; block++) {
    const cell = (name, isOther) => {
      const label = `Layer ${block + 1}: ${isOther ? "chosen" : "own"} look`;
      const button = element("button", { type: "button", class: "cell", "data-testid": `block-${block}-${name}`, "aria-label": label, "aria-pressed": "false" });
      button.addEventListener("click", () => setBlock(store.region, block, isOther));
      return button;
    };
    cells.push({ own: cell("own", false), other: cell("other", true), bar: element("span", { class: "bar-part" }) });
  }
  otherHead = element("span", { class: "row-head" });
  grid.append(
    element("span", { class: "row-head" }, "Crossover"), ...cells.map((_, index) => element("span", { class: "column-head" }, columnName(index, blocks))),
    element("span", { class: "row-head" }, "own"), ...cells.map(({ own }) => own),
    otherHead, ...cells.map(({ other }) => other),
    element("span", { class: "row-head" }, "result"), ...cells.map(({ bar }) => bar),
  );
  onChange(["session", "region"], show);
}

function columnName(index, blocks) {
  if (index === 0) return "shape";
  return index === blocks - 1 ? "detail" : String(index + 1);
}

function show() {
  if (!store.session) return;
  const { source, blocks } = styleOf(store.region);
  otherHead.textContent = source ? sourceName(source) : "chosen";
  cells.forEach(({ own, other, bar }, index) => {
    const [taken, strength] = blocks[index] ?? ["own", 1];
    own.setAttribute("aria-pressed", String(taken === "own"));
    other.setAttribute("aria-pressed", String(Boolean(source) && taken === source));
    own.disabled = other.disabled = !source;
    bar.style.setProperty("--share", taken === "own" ? 0 : Math.min(1, Math.max(0, strength)));
    bar.title = taken === "own" ? "own look" : `${sourceName(taken)} ${Math.round(strength * 100)} %`;
  });
}
