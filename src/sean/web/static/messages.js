// What the page says: errors, news, and the progress of a photo.

import { byId, element } from "./store.js";

const MOST = 3;

function show(kind, text) {
  const list = byId("messages");
  for (const old of list.children) if (old.dataset.text === text) old.remove();
  const close = element("button", { class: "icon-button", type: "button", "aria-label": "Dismiss" }, "×");
  const message = element("div", { class: `message ${kind}`, "data-testid": `message-${kind}`, "data-text": text }, element("p", {}, text), close);
  close.addEventListener("click", () => message.remove());
  list.append(message);
  while (list.children.length > MOST) list.firstChild.remove();
  return message;
}

// Stays until it is dismissed.
export const error = (text) => show("error", sentence(text));

export function info(text) {
  const message = show("info", sentence(text));
  setTimeout(() => message.remove(), 6000);
}

function sentence(text) {
  // A line that begins with a file's name keeps it as it is.
  const first = /^[a-z]+[ ,]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

export function progress(stage, done) {
  byId("progress").hidden = false;
  byId("progress-stage").textContent = `${stage.charAt(0).toUpperCase()}${stage.slice(1)}…`;
  const bar = byId("progress-bar");
  if (done == null) bar.removeAttribute("value");
  else bar.value = done;
}

export function progressEnd() {
  byId("progress").hidden = true;
}

export function startHint() {
  const key = "sean-hint-dismissed";
  const hint = byId("hint");
  let seen = false;
  try {
    seen = Boolean(localStorage.getItem(key));
  } catch {
    // storage is switched off: the hint comes each time
  }
  hint.hidden = seen;
  byId("hint-close").addEventListener("click", () => {
    hint.hidden = true;
    try {
      localStorage.setItem(key, "1");
    } catch {
      // as above
    }
  });
}
