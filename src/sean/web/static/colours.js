// Colours of regions: as numbers in which distances are as they are seen (CIE Lab), and their names.

const linear = (level) => (level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4);
const cubed = (value) => (value > 216 / 24389 ? Math.cbrt(value) : (24389 / 27 * value + 16) / 116);

// Red, green, blue in 0..255 -> [L, a, b], white of D65.
export function lab([red, green, blue]) {
  const [r, g, b] = [red, green, blue].map((level) => linear(level / 255));
  const x = cubed((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
  const y = cubed(0.2126729 * r + 0.7151522 * g + 0.072175 * b);
  const z = cubed((0.0193339 * r + 0.119192 * g + 0.9503041 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const difference = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);

const HAIR = {
  black: "#1b1715", "dark brown": "#3a281d", brown: "#5b4030", chestnut: "#6e4630", auburn: "#7a3320", copper: "#a85a30",
  "dark blond": "#8c6d4a", blond: "#b8935f", "light blond": "#d8bd8c", platinum: "#e8dcc4", grey: "#8d8a87", white: "#dcdad6",
};
const SKIN = { fair: "#efd0bd", light: "#dfb298", medium: "#c79372", tan: "#a8754f", brown: "#7f5338", dark: "#4e3325" };
const ANY = {
  black: "#181818", grey: "#808080", white: "#f0f0f0", red: "#b02a2a", pink: "#d88a9c", orange: "#d2722c", yellow: "#d9c04a",
  green: "#3f7f3f", teal: "#2f7f80", blue: "#33559f", purple: "#6f448f", brown: "#6b4a33", beige: "#cdb79b",
};
const NAMES = { hair: HAIR, skin: SKIN, nose: SKIN, neck: SKIN, l_ear: SKIN, r_ear: SKIN };

// Colours that are often wanted for a region.
export const PRESETS = {
  hair: { black: "#1b1715", "dark brown": "#3a281d", chestnut: "#6e4630", auburn: "#7a3320", copper: "#a85a30", blond: "#b8935f", platinum: "#e8dcc4", grey: "#8d8a87", blue: "#2f4f9e", pink: "#cf7a9a" },
  u_lip: { nude: "#b5766a", rose: "#b9566a", red: "#a3202f", plum: "#6d2942" },
  l_lip: { nude: "#b5766a", rose: "#b9566a", red: "#a3202f", plum: "#6d2942" },
};

export function colourName(label, colour) {
  const names = Object.entries(NAMES[label] ?? ANY);
  return names.reduce((best, each) => (difference(lab(rgb(each[1])), colour) < difference(lab(rgb(best[1])), colour) ? each : best))[0];
}
