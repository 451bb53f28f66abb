// What a session has made of its picture, and what an edit makes of that, as editing/state.py has it.
//
// A state {segmap: Uint16Array, instances: Uint16Array, styles: Map} never changes: label ids row by row with k for "no
// region", numbers of regions split off (0: none), and settings by "label:instance": for each block [source, strength]
// or null for the own style. A base is {state, sources, size: {height, width}, blocks}.

import { brushMask, connectedArea, pixelAt, polygonMask } from "./shapes.js";
import { Problem } from "./problem.js";
import { OWN } from "./sources.js";

const MOST_INSTANCES = 65535;

export const newState = (segmap, styles = new Map()) => ({ segmap: Uint16Array.from(segmap), instances: new Uint16Array(segmap.length), styles });

export const keyOf = (label, instance = 0) => `${label}:${instance}`;
export const partsOf = (key) => key.split(":").map(Number);

// The styles set for an instance of a label, or else for its class; undefined: its own.
export const settingsOf = (state, label, instance = 0) => state.styles.get(keyOf(label, instance)) ?? state.styles.get(keyOf(label));

// The state after an edit; throws a Problem where it cannot be done.
export function applied(state, edit, base) {
  const { labels } = base.sources;
  const kind = KINDS[edit.kind];
  if (!kind) throw new Problem(`unknown kind of edit ${JSON.stringify(edit.kind)}`);
  return kind(state, edit, base, labels);
}

const KINDS = {
  paint: (state, edit, base, labels) => labelled(state, without(brushMask(edit.points, edit.radius, base.size), state, edit.keep, labels), labels.idOf(edit.label)),
  polygon: (state, edit, base, labels) => labelled(state, without(polygonMask(edit.points, base.size), state, edit.keep, labels), labels.idOf(edit.label)),
  fill: (state, edit, base, labels) => labelled(state, areaAt(state, edit.point, base), labels.idOf(edit.label)),
  replace_label: (state, edit, base, labels) => {
    const old = labels.idOf(edit.old);
    return labelled(state, Uint8Array.from(state.segmap, (id) => (id === old ? 1 : 0)), labels.idOf(edit.new));
  },
  erase: (state, edit, base) => restored(state, brushMask(edit.points, edit.radius, base.size), base),
  reset_segmap: (state, edit, base) => restored(state, new Uint8Array(state.segmap.length).fill(1), base),
  split_region: split,
  set_style: styled,
};

function areaAt({ segmap, instances }, point, base) {
  return connectedArea(pixelAt(point, base.size), base.size, (i, j) => segmap[i] === segmap[j] && instances[i] === instances[j]);
}

function without(mask, { segmap }, keep, labels) {
  const kept = new Set((keep ?? []).flatMap((region) => labels.idsOf(region)));
  return kept.size ? mask.map((value, i) => (kept.has(segmap[i]) ? 0 : value)) : mask;
}

const labelled = (state, mask, label) => changed(state, mask, () => label, () => 0);
const restored = (state, mask, base) => changed(state, mask, (i) => base.state.segmap[i], (i) => base.state.instances[i]);

// The state with other values where the mask is set.
function changed(state, mask, idAt, instanceAt) {
  const segmap = state.segmap.map((id, i) => (mask[i] ? idAt(i) : id));
  const instances = state.instances.map((number, i) => (mask[i] ? instanceAt(i) : number));
  if (instances.every((number, i) => number === state.instances[i])) return { ...state, segmap };
  // styles of instances that are gone would pass to the next one of their number
  const left = new Set([0, ...instances]);
  return { segmap, instances, styles: new Map([...state.styles].filter(([key]) => left.has(partsOf(key)[1]))) };
}

function split(state, edit, base, labels) {
  const pixel = pixelAt(edit.point, base.size);
  const [label, old] = [state.segmap[pixel], state.instances[pixel]];
  if (label >= labels.count) throw new Problem("expected a point in a region, but that one has no label");
  const number = state.instances.reduce((most, value) => Math.max(most, value), 0) + 1;
  if (number > MOST_INSTANCES) throw new Problem("there are too many areas with looks of their own; reset the map first");
  const styles = new Map(state.styles);
  if (old && styles.has(keyOf(label, old))) styles.set(keyOf(label, number), styles.get(keyOf(label, old))); // so that splitting changes no picture
  return changed({ ...state, styles }, areaAt(state, edit.point, base), (i) => state.segmap[i], () => number);
}

function styled(state, edit, base, names) {
  const { source, strength = 1, blocks } = edit;
  const instance = edit.instance ?? 0;
  const labels = base.sources.regionsFrom(source, edit.regions ?? null);
  if (instance && !state.segmap.some((id, i) => id === labels[0] && state.instances[i] === instance)) {
    throw new Problem(`${names.names[labels[0]]} has no instance ${instance}; split it first`);
  }
  const setting = source === OWN ? null : [source, strength];
  const styles = new Map(state.styles);
  for (const label of labels) {
    const before = settingsOf(state, label, instance) ?? Array(base.blocks).fill(null);
    const after = before.map((each, block) => (!blocks || blocks.includes(block) ? setting : each));
    if (!instance && after.every((each) => each === null)) styles.delete(keyOf(label));
    else styles.set(keyOf(label, instance), after);
  }
  return { ...state, styles };
}

// The regions of a state's map, by label and instance.
export function regionsOf(state, base) {
  const counts = new Map();
  state.segmap.forEach((label, i) => {
    if (label >= base.sources.labels.count) return;
    const key = keyOf(label, state.instances[i]);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  });
  return [...counts].map(([key, count]) => {
    const [label, instance] = partsOf(key);
    const styles = settingsOf(state, label, instance) ?? Array(base.blocks).fill(null);
    return { label, instance, area: count / state.segmap.length, styles };
  }).sort((a, b) => a.label - b.label || a.instance - b.instance);
}

// The styles of a state as the generator takes them: {codes: Float32Array [v blocks k d], count: v, variants: Int32Array
// that tells which variant each pixel takes, or null where there is one}.
export function renderStyles(state, base) {
  const { sources, blocks } = base;
  const { codeDim } = sources;
  const own = sources.completeOwn.codes;
  const classes = Array.from({ length: blocks }, () => own.slice());
  for (const [key, settings] of state.styles) {
    const [label, instance] = partsOf(key);
    if (!instance) settings.forEach((setting, block) => classes[block].set(sources.code(label, setting), label * codeDim));
  }
  const variants = [classes];
  const numbers = new Int32Array(state.segmap.length);
  const part = (codes, label) => codes.subarray(label * codeDim, (label + 1) * codeDim);
  const isSame = (variant, label, wanted) => variant.every((codes, block) => part(codes, label).every((value, i) => value === wanted[block][i]));
  for (const [key, settings] of [...state.styles].sort(([a], [b]) => partsOf(a)[0] - partsOf(b)[0] || partsOf(a)[1] - partsOf(b)[1])) {
    const [label, instance] = partsOf(key);
    if (!instance) continue;
    const wanted = settings.map((setting) => sources.code(label, setting));
    let number = variants.findIndex((variant) => isSame(variant, label, wanted));
    if (number < 0) {
      const ofClass = classes.map((codes) => part(codes, label));
      number = variants.findIndex((variant, index) => index > 0 && isSame(variant, label, ofClass));
      if (number < 0) number = variants.push(classes.map((codes) => codes.slice())) - 1;
      variants[number].forEach((codes, block) => codes.set(wanted[block], label * codeDim));
    }
    state.segmap.forEach((id, i) => { if (id === label && state.instances[i] === instance) numbers[i] = number; });
  }
  const codes = new Float32Array(variants.length * blocks * own.length);
  variants.flat().forEach((block, index) => codes.set(block, index * own.length));
  return { codes, count: variants.length, variants: variants.length > 1 ? numbers : null };
}
