// The composite: a photo with the edits of the model's picture in it, at the photo's own resolution.

import { recoloured } from "./recolour.js";
import { redrawn } from "./redraw.js";

// changes: see recolour.js; pictures: of the model, or null where every change has a target and the map stayed; maps:
// {own, edited}, label ids over the frame of the pictures, or null where the map stayed; options: see redraw.js.
export function composite(guide, changes, pictures, maps, options) {
  const result = recoloured(guide, changes, pictures);
  return maps ? redrawn(result, pictures.frame, maps.own, maps.edited, pictures.edited, options) : result;
}
