// The change of one region's colour: what each of its pixels becomes. The numbers of compositing/transfer.py, which
// explains them.

import constants from "./constants.json" with { type: "json" };
import { smoothStep } from "./frame.js";

const {
  LIGHTENING, FREEDOM, DARKENING, TINT, WHITENING, MIN_LIGHTNESS, MAX_LIGHTNESS, OFFSET, ONE_COLOUR,
  SEVERAL_COLOURS, FAR_HUE, ONE_HUE, GREY, MOST_HUE, FAINT,
} = constants.transfer;

const clip = (value, low, high) => Math.min(high, Math.max(low, value));
const bent = (share, slope) => (slope <= 1 ? slope * share : (slope * share) / (1 + (slope - 1) * share));

export function naturalSlope(own, goal) {
  const gain = goal / own;
  return gain ** (gain <= 1 ? DARKENING : LIGHTENING);
}

// The transfer from a region's own colour to another one, at a strength in 0..1: a function that changes Lab [3 n] into
// another array of the same length; its properties own and goal are the means.
export function colourTransfer(own, target, strength = 1, several = false) {
  const goal = own.mean.map((value, channel) => value + strength * (target.mean[channel] - value));
  const [start, end] = [own.mean[0], goal[0]].map((lightness) => clip(lightness, MIN_LIGHTNESS, MAX_LIGHTNESS));
  let slope = naturalSlope(start, end);
  if (target.contrast !== null && own.contrast) {
    const final = naturalSlope(start, clip(target.mean[0], MIN_LIGHTNESS, MAX_LIGHTNESS));
    slope *= (clip(target.contrast / own.contrast, final / FREEDOM, final * FREEDOM) / final) ** strength;
  }
  let oneHue = 0; // how far pixels take the new hue, in place of a shift of their own
  if (own.chroma !== null) {
    const moved = Math.hypot(goal[1] - own.mean[1], goal[2] - own.mean[2]);
    oneHue = Math.min(1, moved / FAR_HUE) * smoothStep((own.spread - ONE_COLOUR) / (SEVERAL_COLOURS - ONE_COLOUR));
    if (several) oneHue = Math.max(oneHue, smoothStep((moved - ONE_HUE[0]) / (ONE_HUE[1] - ONE_HUE[0])));
  }
  const from = [start, own.mean[1], own.mean[2]];
  const to = [end, goal[1], goal[2]];
  return Object.assign((lab) => transferred(lab, from, to, slope, oneHue, own.chroma), { own: from, goal: to });
}

function transferred(lab, own, goal, slope, oneHue, meanChroma) {
  const result = new Float32Array(lab.length);
  const chroma = (colour) => Math.hypot(colour[1], colour[2]) + FAINT;
  const kept = Math.min(1, (goal[0] + OFFSET) / (own[0] + OFFSET)) * Math.min(1, chroma(goal) / chroma(own));
  const [up, down] = [(slope * (100 - own[0])) / (100 - goal[0]), (slope * own[0]) / goal[0]];
  for (let at = 0; at < lab.length; at += 3) {
    const above = (lab[at] - own[0]) / (100 - own[0]);
    const lightness = Math.fround(
      above > 0
        ? goal[0] + bent(clip(above, 0, 1), up) * (100 - goal[0])
        : goal[0] - bent(clip((own[0] - lab[at]) / own[0], 0, 1), down) * goal[0],
    );
    const [ownTint, newTint] = [tint(lab[at], own[0]), tint(lightness, goal[0])];
    result[at] = lightness;
    for (let c = 1; c < 3; c++) result[at + c] = kept * (lab[at + c] - own[c] * ownTint) + goal[c] * newTint;
    if (!oneHue) continue;
    const share = newTint * Math.min((Math.hypot(lab[at + 1], lab[at + 2]) + GREY) / (meanChroma + GREY), MOST_HUE);
    for (let c = 1; c < 3; c++) result[at + c] += oneHue * (goal[c] * share - result[at + c]);
  }
  return result;
}

function tint(lightness, mean) {
  const share = (lightness + OFFSET) / (mean + OFFSET);
  return clip(1 + TINT * (share - 1), 0, 2) * clip((100 - lightness) / (100 - mean), 0, 1) ** WHITENING;
}
