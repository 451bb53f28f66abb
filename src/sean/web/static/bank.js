// The bank's styles as a grid of thumbnails in a dialog.

import { bankUrl } from "./api.js";
import { byId, element, store } from "./store.js";

let answer = null;

export function startBank() {
  const dialog = byId("bank-dialog");
  dialog.addEventListener("close", () => {
    answer?.(dialog.returnValue || null);
    answer = null;
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}

// Resolves to "bank:N", or null when the dialog is closed without a choice.
export function chooseFromBank(title) {
  const dialog = byId("bank-dialog");
  byId("bank-title").textContent = title;
  if (!byId("bank").children.length) fillGrid(dialog);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => { answer = resolve; });
}

function fillGrid(dialog) {
  for (let number = 0; number < store.model.bank; number++) {
    const image = element("img", { src: bankUrl(number), alt: "", loading: "lazy", width: 96, height: 96 });
    const button = element("button", { type: "button", class: "bank-style", "data-testid": `bank-${number}`, "aria-label": `Style ${number} of the bank` }, image);
    button.addEventListener("click", () => dialog.close(`bank:${number}`));
    byId("bank").append(button);
  }
}
