// Edits as the server takes them (coordinates: fractions of width and height; radii: of the height), and names.

const between = (low, high, value) => Math.round(Math.min(high, Math.max(low, value)) * 1e5) / 1e5;
const inside = (point) => point.map((value) => between(0, 1, value));

// A stroke may leave the picture; what is drawn here and what the server paints must be of the same numbers.
export const strokePoint = (point) => point.map((value) => between(-1, 2, value));
export const strokeRadius = (radius) => between(1e-5, 1, radius);

const keeping = (keep) => (keep?.length ? { keep } : {});
export const paint = (points, radius, label, keep) => ({ kind: "paint", points, radius, label, ...keeping(keep) });
export const erase = (points, radius) => ({ kind: "erase", points, radius });
export const fill = (point, label) => ({ kind: "fill", point: inside(point), label });
export const polygon = (points, label, keep) => ({ kind: "polygon", points: points.map(strokePoint), label, ...keeping(keep) });
export const replaceLabel = (old, label) => ({ kind: "replace_label", old, new: label });
export const resetSegmap = () => ({ kind: "reset_segmap" });
export const splitRegion = (point) => ({ kind: "split_region", point: inside(point) });

// region: {label, instance} or null for all; blocks: numbers of blocks or null for all.
export function setStyle(source, region, { strength = 1, blocks = null } = {}) {
  const edit = { kind: "set_style", source, strength };
  if (region) edit.regions = [region.label];
  if (region?.instance) edit.instance = region.instance;
  if (blocks) edit.blocks = blocks;
  return edit;
}

// Labels that "protect eyes and brows" keeps.
export const PROTECTED = new Set(["l_eye", "r_eye", "l_brow", "r_brow", "eye_g"]);

// CelebAMask-HQ's short names; a name that is not here is shown as it is, with spaces.
const PLAIN = {
  eye_g: "glasses", l_eye: "left eye", r_eye: "right eye", l_brow: "left brow", r_brow: "right brow",
  l_ear: "left ear", r_ear: "right ear", u_lip: "upper lip", l_lip: "lower lip", ear_r: "earring",
  neck_l: "necklace", cloth: "clothes",
};

export function plainName(label) {
  return PLAIN[label] ?? label.replaceAll("_", " ");
}

export function regionName(region) {
  if (!region) return "All regions";
  return region.instance ? `${plainName(region.label)} ${region.instance}` : plainName(region.label);
}

// What an edit does, for those who do not see it.
export function sentence(edit) {
  return {
    paint: () => `Painted ${plainName(edit.label)}`,
    erase: () => "Painted the first map back",
    fill: () => `Filled with ${plainName(edit.label)}`,
    polygon: () => `Polygon of ${plainName(edit.label)}`,
    replace_label: () => `All ${plainName(edit.old)} is ${plainName(edit.new)} now`,
    reset_segmap: () => "The map is the first one again",
    split_region: () => "The area can have a look of its own now",
    set_style: () => `${edit.regions ? plainName(edit.regions[0]) : "All regions"}: ${sourceName(edit.source)}`,
  }[edit.kind]();
}

export function sourceName(source) {
  const [kind, rest] = source.split(/:(.*)/s);
  if (kind === "own") return "own look";
  if (kind === "mean") return "average look";
  if (kind === "bank") return `look ${Number(rest) + 1}`;
  if (/^#[0-9a-f]{6}$/.test(source)) return `colour ${source}`;
  if (kind === "region") return `look of ${plainName(rest)}`;
  return kind === "photo" ? `photo ${rest}` : source;
}

