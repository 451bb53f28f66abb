// Edits as the server takes them (coordinates: fractions of width and height; radii: of the height), and names.

const between = (low, high, value) => Math.round(Math.min(high, Math.max(low, value)) * 1e5) / 1e5;
const inside = (point) => point.map((value) => between(0, 1, value));

// A stroke may leave the picture; what is drawn here and what the server paints must be of the same numbers.
export const strokePoint = (point) => point.map((value) => between(-1, 2, value));
export const strokeRadius = (radius) => between(1e-5, 1, radius);

export const paint = (points, radius, label) => ({ kind: "paint", points, radius, label });
export const erase = (points, radius) => ({ kind: "erase", points, radius });
export const fill = (point, label) => ({ kind: "fill", point: inside(point), label });
export const polygon = (points, label) => ({ kind: "polygon", points: points.map(strokePoint), label });
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

export function sourceName(source) {
  const [kind, rest] = source.split(/:(.*)/s);
  if (kind === "own") return "own style";
  if (kind === "mean") return "mean of the bank";
  if (kind === "bank") return `bank ${rest}`;
  if (kind === "region") return `look of ${plainName(rest)}`;
  return kind === "photo" ? `photo ${rest}` : source;
}

