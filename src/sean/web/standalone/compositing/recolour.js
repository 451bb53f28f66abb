// Regions of a photo in other colours: the photo's detail stays, its light and colour move. The numbers of
// compositing/recolour.py.
//
// A change is {mask, target: a colour or null (what the model made of it), strength, strands: whether the surroundings
// shine through, several: whether it shows several things}; pictures are {own, edited, frame} of the model.

import constants from "./constants.json" with { type: "json" };
import { flatColour, labOf, writeLevels } from "./colour.js";
import { carried, smoothStep } from "./frame.js";
import { colourTransfer } from "./transfer.js";

const { VEIL_GAINS, VEIL_SHIFTS } = constants.recolour;

export function recoloured(guide, changes, pictures) {
  const result = { ...guide.photo, data: guide.photo.data.slice() };
  const plans = changes.map((change) => planned(guide, change, pictures)).filter(Boolean);
  if (!plans.length) return result;
  const strands = plans.map((plan) => plan.strands && veilStrength(plan.transfer) > 0);
  for (const { index, lab, shares, veiled } of guide.parts(plans.map(({ mask }) => mask), strands)) {
    const moved = lab.slice();
    plans.forEach(({ transfer }, region) => {
      const veil = veiled[region];
      const [own, share] = veil ? unveiled(lab, shares[region], veil, veilStrength(transfer)) : [lab, shares[region]];
      const after = transfer(own);
      for (let n = 0; n < index.length; n++) {
        if (share[n]) for (let c = 3 * n; c < 3 * n + 3; c++) moved[c] += share[n] * (after[c] - own[c]);
      }
    });
    for (let n = 0; n < index.length; n++) writeLevels(result.data, 3 * index[n], moved[3 * n], moved[3 * n + 1], moved[3 * n + 2]);
  }
  return result;
}

// In 0..1, how far only the strands' own part of a pixel changes.
function veilStrength({ own, goal }) {
  const values = [goal[0] / own[0], Math.hypot(goal[1] - own[1], goal[2] - own[2])];
  const [lighter, other] = [VEIL_GAINS, VEIL_SHIFTS].map(([first, last], n) => smoothStep((values[n] - first) / (last - first)));
  return 1 - (1 - lighter) * (1 - other);
}

// The strands' own colours and shares of pixels of a region.
function unveiled(lab, shares, { place, share, difference }, strength) {
  const [own, left] = [lab.slice(), shares.slice()];
  place.forEach((n, number) => {
    const through = strength * share[number];
    for (let c = 0; c < 3; c++) own[3 * n + c] -= through * difference[3 * number + c];
    own[3 * n] = Math.min(100, Math.max(0, own[3 * n]));
    left[n] = Math.min(left[n], 1 - through);
  });
  return [own, left];
}

function planned(guide, { mask, target, strength, strands, several }, pictures) {
  const own = guide.colour(mask);
  if (!own || strength === 0) return null;
  if (target) return { mask, strands, transfer: colourTransfer(own, target, strength, several) };
  const moved = pictures && modelChange(guide, mask, pictures);
  if (!moved || !moved.some(Boolean)) return null;
  const mean = own.mean.map((value, channel) => value + moved[channel]);
  return { mask, strands, transfer: colourTransfer(own, flatColour(mean), 1, several) };
}

// The mean change in Lab that the model made in a region; null where its pictures do not show the region.
function modelChange(guide, mask, { own, edited, frame }) {
  const shown = carried(mask, guide.frame, frame, own.height, own.width);
  const pixels = [];
  for (let n = 0; n < shown.data.length; n++) if (shown.data[n]) pixels.push(n);
  if (!pixels.length) return null;
  const [before, after] = [labOf(own.data, pixels), labOf(edited.data, pixels)];
  const sum = [0, 0, 0];
  for (let n = 0; n < before.length; n++) sum[n % 3] += after[n] - before[n];
  return sum.map((value) => value / pixels.length);
}
