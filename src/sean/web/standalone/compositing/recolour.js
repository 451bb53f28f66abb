// Regions of a photo in other colours: the photo's detail stays, its light and colour move. The numbers of
// compositing/recolour.py.
//
// A change is {mask, target: a colour or null (what the model made of it), strength}; pictures are {own, edited, frame}
// of the model.

import { flatColour, labOf, writeLevels } from "./colour.js";
import { carried } from "./frame.js";
import { colourTransfer } from "./transfer.js";

export function recoloured(guide, changes, pictures) {
  const result = { ...guide.photo, data: guide.photo.data.slice() };
  const plans = changes.map((change) => planned(guide, change, pictures)).filter(Boolean);
  if (!plans.length) return result;
  for (const { index, lab, shares } of guide.parts(plans.map(({ mask }) => mask))) {
    const moved = lab.slice();
    plans.forEach(({ transfer }, region) => {
      const after = transfer(lab);
      for (let n = 0; n < index.length; n++) {
        const share = shares[region][n];
        if (share) for (let c = 3 * n; c < 3 * n + 3; c++) moved[c] += share * (after[c] - lab[c]);
      }
    });
    for (let n = 0; n < index.length; n++) writeLevels(result.data, 3 * index[n], moved[3 * n], moved[3 * n + 1], moved[3 * n + 2]);
  }
  return result;
}

function planned(guide, { mask, target, strength }, pictures) {
  const own = guide.colour(mask);
  if (!own || strength === 0) return null;
  if (target) return { mask, transfer: colourTransfer(own, target, strength) };
  const moved = pictures && modelChange(guide, mask, pictures);
  if (!moved || !moved.some(Boolean)) return null;
  const mean = own.mean.map((value, channel) => value + moved[channel]);
  return { mask, transfer: colourTransfer(own, flatColour(mean)) };
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
