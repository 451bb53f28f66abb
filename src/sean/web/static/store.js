// The page's state in one place. Modules read it and are told when a part that they name has changed.

const listeners = [];

export const store = {
  model: null, // GET /api/model
  session: null, // the server's State
  tool: "brush",
  label: null, // name of the label painted with
  brush: 0.05, // radius as a fraction of the picture's height
  opacity: 0.55, // of the map over the picture beneath it
  underlay: "original",
  region: null, // {label, instance} whose style is shown; null: all regions
  highlight: null, // name of the label pointed at in the lists
  connected: false,
  pane: "result", // the one shown where there is room for one only
  comparing: null, // where in the result pane before goes over into after, 0..1; null: after everywhere
  peeking: false, // the original is shown in the result's place
  modelView: false, // the result shows what the network made
  framing: false, // the crop's frame can be moved
  protect: false, // strokes leave eyes and brows alone
};

export function update(changes) {
  const changed = Object.keys(changes).filter((key) => store[key] !== changes[key]);
  Object.assign(store, changes);
  for (const { keys, run } of listeners) {
    if (keys.some((key) => changed.includes(key))) run();
  }
}

export function onChange(keys, run) {
  listeners.push({ keys, run });
}

// Storage may be switched off; then nothing is remembered.
function stored(area, key, value) {
  try {
    const storage = window[area];
    if (value !== undefined) storage.setItem(key, value);
    return storage.getItem(key);
  } catch {
    return null;
  }
}

// Of this tab; and of this browser.
export const remembered = (key, value) => stored("sessionStorage", key, value);
export const kept = (key, value) => stored("localStorage", key, value);

// A name that nothing else has; crypto.randomUUID is there for https and localhost only.
export function newName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function byId(id) {
  return document.getElementById(id);
}

// A new element: element("button", {class: "chip", type: "button"}, "text", child, …)
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}
