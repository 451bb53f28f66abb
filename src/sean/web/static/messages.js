// What the page says: errors, news, and the progress of a photo.

import { byId, element, kept, onChange, store } from "./store.js";

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

// stage: what is done now; share: how much of it, 0..1, or null where nobody knows.
export function progress(stage, share) {
  byId("progress").hidden = false;
  const percent = share == null ? "" : ` ${Math.round(share * 100)} %`;
  byId("progress-stage").textContent = `${stage.charAt(0).toUpperCase()}${stage.slice(1)}…${percent}`;
  const bar = byId("progress-bar");
  if (share == null) bar.removeAttribute("value");
  else bar.value = share;
}

// Where something under way can be given up; null takes the button away.
export function progressCancel(run) {
  byId("progress-cancel").hidden = !run;
  byId("progress-cancel").onclick = run;
}

export function progressEnd() {
  byId("progress").hidden = true;
  progressCancel(null);
}

// For those who do not see the pictures.
export function announce(text) {
  byId("announce").textContent = text;
}

// The first visit's hint: about the drawn face, so it goes when a photo is opened.
export function startHint() {
  const key = "sean-hint-dismissed";
  const hint = byId("hint");
  const show = () => { hint.hidden = Boolean(kept(key) || store.session?.photo); };
  show();
  onChange(["session"], show);
  byId("hint-close").addEventListener("click", () => {
    kept(key, "1");
    hint.hidden = true;
  });
}
