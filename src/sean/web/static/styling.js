// Which style a region has and which one it is mixed with: what slots, mixer and crossover show and change.

import { bankUrl, sessionUrl } from "./api.js";
import { sentence, setStyle } from "./edits.js";
import { live } from "./live.js";
import { announce } from "./messages.js";
import { store, update } from "./store.js";

const OWN = "own";
const remembered = new Map(); // region -> the last source chosen for it, also when no block takes it now
const keyOf = (region) => (region ? `${region.label}#${region.instance}` : "");

export function forgetSources() {
  remembered.clear();
}

export const regions = () => store.session?.regions ?? [];

const othersIn = (region) => region.styles.map(([source]) => source).filter((source) => source !== OWN);

function sharedByMost(found) {
  const having = (source) => found.filter((region) => othersIn(region).includes(source)).length;
  return found.flatMap(othersIn).find((source) => 2 * having(source) > found.length);
}

function allRegions() {
  const largestFirst = [...regions()].sort((a, b) => b.area - a.area);
  const source = remembered.get("") ?? sharedByMost(largestFirst);
  const example = largestFirst.find((region) => othersIn(region).includes(source));
  return { source, styles: example?.styles ?? largestFirst[0]?.styles.map(() => [OWN, 1]) ?? [] };
}

// {source: the style beside the own one or null, blocks: per block [source, strength], strength: 0 where no block has it}
export function styleOf(region) {
  const found = region && regions().find((each) => keyOf(each) === keyOf(region));
  const { styles, source: forAll } = found ?? allRegions();
  const source = (region ? remembered.get(keyOf(region)) ?? (found && othersIn(found)[0]) : forAll) ?? null;
  const mixed = styles.find(([each]) => each === source);
  // what was chosen a moment ago is shown as chosen before the server has answered
  return { source, blocks: styles, strength: mixed ? mixed[1] : Number(Boolean(source) && live.unanswered > 0) };
}

export function chooseSource(region, source) {
  if (source === OWN) remembered.delete(keyOf(region));
  else remembered.set(keyOf(region), source);
  if (!region) for (const key of [...remembered.keys()]) if (key) remembered.delete(key);
  update({ region });
  const edit = setStyle(source, region);
  live.edit(edit);
  announce(sentence(edit));
}

// Mix with the own style, in the blocks that take the source now (in all where none does).
export function mix(region, strength, { preview }) {
  const { source, blocks } = styleOf(region);
  if (!source) return;
  const taking = blocks.flatMap(([each], index) => (each === source ? [index] : []));
  const some = taking.length && taking.length < blocks.length ? taking : null;
  const edit = setStyle(source, region, { strength, blocks: some });
  if (preview) live.preview(edit);
  else live.edit(edit);
}

export function setBlock(region, block, isOther) {
  const { source, strength } = styleOf(region);
  if (!source) return;
  remembered.set(keyOf(region), source);
  live.edit(isOther ? setStyle(source, region, { strength: strength || 1, blocks: [block] }) : setStyle(OWN, region, { blocks: [block] }));
}

// Address of a picture of a source; null where it has none.
export function thumbnailOf(source) {
  const { id } = store.session;
  const [kind, rest] = source.split(/:(.*)/s);
  if (kind === OWN) return `${sessionUrl(id, "original.png")}?v=${store.originalVersion}`;
  if (kind === "bank") return bankUrl(rest);
  return kind === "photo" ? sessionUrl(id, `styles/${encodeURIComponent(rest)}.png`) : null;
}

export const photoSources = () =>
  (store.session?.sources ?? []).map(({ source }) => source).filter((source) => source.startsWith("photo:"));
