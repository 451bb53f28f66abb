// Which part of the photo is edited: a frame that can be moved, resized and turned, on any face of the photo.

import { overlay, photoFrame, photoPointAt, redraw, turnHandle } from "./panes.js";
import { openCrop } from "./session.js";
import { byId, onChange, store, update } from "./store.js";

const HANDLE = 16; // CSS pixels around a corner that take hold of it
const SMALLEST = 0.02; // of the photo's longer side
const LEVEL = 3; // degrees that count as none
let grip = null; // {corner: [0 or 1, 0 or 1] or null, turns: whether it is the round handle, at: the pointer, frame: as it was}
let told = null; // the document whose faces were told

export function startFraming() {
  byId("frame-button").addEventListener("click", () => frame(!store.framing));
  byId("frame-apply").addEventListener("click", apply);
  byId("faces-close").addEventListener("click", () => {
    byId("faces").hidden = true;
    frame(false);
  });
  onChange(["session"], showFaces);
  onChange(["framing"], () => {
    byId("frame-button").setAttribute("aria-pressed", String(store.framing));
    byId("frame-apply").hidden = !store.framing;
  });
}

// What was found is said once for each photo: no face, or several of which one is edited.
function showFaces() {
  const { photo, document } = store.session ?? {};
  byId("frame-button").hidden = !photo?.crop || !store.model.parses;
  if (told === document) return;
  told = document;
  if (store.framing) frame(false);
  const count = photo?.faces?.length;
  // once a frame has been chosen, there is nothing to say
  const isTold = photo && ((count === 0 && isWhole(photo)) || (count > 1 && same(photo.crop, photo.faces[0])));
  byId("faces").hidden = !isTold;
  if (!isTold) return;
  say(count);
  frame(true);
}

// Whether the crop is the square around all of the photo, which is taken where no face is found.
function isWhole({ crop, width, height }) {
  const middle = { left: (width - crop.size) / 2, top: (height - crop.size) / 2 };
  return Boolean(crop.size >= Math.max(width, height) - 1 && same(crop, middle));
}

const same = (a, b) =>
  a && b && Math.abs(a.left - b.left) < 1 && Math.abs(a.top - b.top) < 1 && Math.abs((a.angle ?? 0) - (b.angle ?? 0)) < 1;

function say(count) {
  byId("faces-text").textContent = {
    0: "No face was found in this photo. Move the frame over the face, so that the head fills it, or open another photo.",
    1: "The frame shows what is edited. Move it, drag a corner, or turn it by the round handle.",
  }[count] ?? `${count} faces were found; the largest is edited. Click another one, or move the frame.`;
}

function frame(on) {
  if (on) {
    const { photo } = store.session;
    const part = ({ left, top, size, angle }) =>
      ({ left: left / photo.width, top: top / photo.height, width: size / photo.width, height: size / photo.height, angle });
    overlay.frame = part(photo.crop); // the panes may still show the picture before
    overlay.faces = (photo.faces ?? []).map(part);
    if (byId("faces").hidden) say(1);
    byId("faces").hidden = false;
  } else {
    overlay.frame = null;
    overlay.faces = [];
    byId("faces").hidden = true;
  }
  update({ framing: on });
  redraw();
}

// From the middle of a part of the photo to a point, in pixels of the photo.
function fromMiddle({ left, top, width, height }, [x, y]) {
  const { photo } = store.session;
  return [(x - left - width / 2) * photo.width, (y - top - height / 2) * photo.height];
}

// A point as it would lie if the part of the photo were upright.
function upright(area, point) {
  const [x, y] = fromMiddle(area, point);
  const angle = -(area.angle ?? 0) * Math.PI / 180;
  const { photo } = store.session;
  return [
    area.left + area.width / 2 + (x * Math.cos(angle) - y * Math.sin(angle)) / photo.width,
    area.top + area.height / 2 + (x * Math.sin(angle) + y * Math.cos(angle)) / photo.height,
  ];
}

// Take hold of a corner, of the frame, or choose the face under the pointer; false where there is nothing.
export function grabFrame(canvas, event) {
  const { width, height } = photoFrame(canvas);
  const area = overlay.frame;
  const point = photoPointAt(canvas, event);
  const [x, y] = upright(area, point);
  const corner = [[0, 0], [0, 1], [1, 0], [1, 1]].find(([right, low]) =>
    Math.hypot((area.left + right * area.width - x) * width, (area.top + low * area.height - y) * height) < HANDLE);
  const handle = turnHandle(canvas, area);
  const turns = Math.hypot((area.left + area.width / 2 - x) * width, (area.top - y) * height + handle) < HANDLE;
  const isIn = (each) => {
    const [right, down] = upright(each, point);
    return right > each.left && right < each.left + each.width && down > each.top && down < each.top + each.height;
  };
  const face = overlay.faces.find((each) => isIn(each) && !isIn(area));
  if (face && !turns) {
    overlay.frame = { ...face };
    redraw();
    return true;
  }
  if (!corner && !turns && !isIn(area)) return false;
  grip = { corner, turns, at: point, frame: { ...area } };
  return true;
}

export function dragFrame(canvas, event) {
  if (!grip) return;
  const { width: photoWidth, height: photoHeight } = store.session.photo;
  const before = grip.frame;
  const point = photoPointAt(canvas, event);
  if (grip.turns) {
    const [across, down] = fromMiddle(before, point);
    const angle = Math.atan2(across, -down) * 180 / Math.PI;
    overlay.frame = { ...before, angle: Math.abs(angle) < LEVEL ? 0 : angle };
    redraw();
    return;
  }
  const [x, y] = grip.corner ? upright(before, point) : point;
  if (!grip.corner) {
    overlay.frame = { ...before, left: before.left + x - grip.at[0], top: before.top + y - grip.at[1] };
  } else {
    const [right, low] = grip.corner;
    // the opposite corner stays, and the frame stays a square
    const [fixedX, fixedY] = [before.left + (1 - right) * before.width, before.top + (1 - low) * before.height];
    const least = SMALLEST * Math.max(photoWidth, photoHeight);
    const size = Math.max(least, Math.abs(x - fixedX) * photoWidth, Math.abs(y - fixedY) * photoHeight);
    const [w, h] = [size / photoWidth, size / photoHeight];
    overlay.frame = { ...before, left: right ? fixedX : fixedX - w, top: low ? fixedY : fixedY - h, width: w, height: h };
  }
  redraw();
}

export function dropFrame() {
  grip = null;
}

async function apply() {
  const { photo } = store.session;
  const { left, top, width, angle } = overlay.frame;
  frame(false);
  await openCrop({ left: left * photo.width, top: top * photo.height, size: width * photo.width, angle: angle ?? 0 });
}
