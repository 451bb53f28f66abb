// CIE Lab (D65) of 8-bit sRGB, and the colour of a region: the numbers of compositing/colour.py.
//
// A colour is {mean: [L, a, b], contrast: standard deviation of L, or null, spread: root mean square distance of (a, b)
// from their mean, chroma: mean of the lengths of (a, b), or null}.

const TO_XYZ = [
  [0.4124564, 0.3575761, 0.1804375],
  [0.2126729, 0.7151522, 0.072175],
  [0.0193339, 0.119192, 0.9503041],
];
const MIX = TO_XYZ.map((row) => row.map((value) => value / row.reduce((sum, each) => sum + each, 0)));
const FROM_XYZ = inverse(MIX);
const LINEAR = Float32Array.from({ length: 256 }, (_, level) => {
  const share = level / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
});
const [EPSILON, KAPPA] = [216 / 24389, 24389 / 27];
const STEPS = 1 << 14;
const ENCODED = Uint8Array.from({ length: STEPS + 1 }, (_, step) => {
  const share = step / STEPS;
  return Math.round(255 * (share <= 0.0031308 ? 12.92 * share : 1.055 * share ** (1 / 2.4) - 0.055));
});
const SMALLEST = 1e-6;

function inverse([[a, b, c], [d, e, f], [g, h, i]]) {
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  return [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ].map((row) => row.map((value) => value / determinant));
}

const root = (share) => (share > EPSILON ? Math.cbrt(share) : (KAPPA * share + 16) / 116);
const cube = (value) => (value ** 3 > EPSILON ? value ** 3 : (116 * value - 16) / KAPPA);

// Bytes, three a pixel, of the pixels with these numbers (of all without) -> Float32Array [3 n] of Lab.
export function labOf(levels, pixels = null) {
  const count = pixels ? pixels.length : levels.length / 3;
  const lab = new Float32Array(3 * count);
  for (let i = 0; i < count; i++) {
    const at = 3 * (pixels ? pixels[i] : i);
    const [r, g, b] = [LINEAR[levels[at]], LINEAR[levels[at + 1]], LINEAR[levels[at + 2]]];
    const x = root(MIX[0][0] * r + MIX[0][1] * g + MIX[0][2] * b);
    const y = root(MIX[1][0] * r + MIX[1][1] * g + MIX[1][2] * b);
    const z = root(MIX[2][0] * r + MIX[2][1] * g + MIX[2][2] * b);
    lab[3 * i] = 116 * y - 16;
    lab[3 * i + 1] = 500 * (x - y);
    lab[3 * i + 2] = 200 * (y - z);
  }
  return lab;
}

// Write one colour of Lab as bytes; what lies beyond sRGB is clipped by channel.
export function writeLevels(levels, at, lightness, a, b) {
  const y = (lightness + 16) / 116;
  const [x, white, z] = [cube(y + a / 500), cube(y), cube(y - b / 200)];
  for (let channel = 0; channel < 3; channel++) {
    const row = FROM_XYZ[channel];
    const share = row[0] * x + row[1] * white + row[2] * z;
    levels[at + channel] = ENCODED[Math.trunc((share < 0 ? 0 : share > 1 ? 1 : share) * STEPS + 0.5)];
  }
}

export function levelsOf(lab) {
  const levels = new Uint8Array(3);
  writeLevels(levels, 0, ...lab);
  return levels;
}

// A colour of which only the mean is known.
export const flatColour = (mean) => ({ mean, contrast: null, spread: 0, chroma: null });

// "#7a1f2b" or "#a33" -> a colour.
export function parseColour(text) {
  const digits = text.slice(1);
  const full = digits.length === 6 ? digits : [...digits].map((digit) => digit + digit).join("");
  const levels = Uint8Array.from([0, 2, 4], (at) => parseInt(full.slice(at, at + 2), 16));
  return flatColour([...labOf(levels)]);
}

// The colour of pixels, Lab [3 n] with weights [n]; null where the weights add up to nothing.
export function colourOf(lab, weights) {
  let total = 0;
  let chroma = 0;
  const mean = [0, 0, 0];
  for (let i = 0; i < weights.length; i++) {
    total += weights[i];
    chroma += weights[i] * Math.hypot(lab[3 * i + 1], lab[3 * i + 2]);
    for (let c = 0; c < 3; c++) mean[c] += lab[3 * i + c] * weights[i];
  }
  if (total < SMALLEST) return null;
  for (let c = 0; c < 3; c++) mean[c] /= total;
  const variances = [0, 0, 0];
  for (let i = 0; i < weights.length; i++) {
    for (let c = 0; c < 3; c++) variances[c] += (weights[i] * (lab[3 * i + c] - mean[c]) ** 2) / total;
  }
  return { mean, contrast: Math.sqrt(variances[0]), spread: Math.sqrt(variances[1] + variances[2]), chroma: chroma / total };
}
