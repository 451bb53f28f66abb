// Menus that open under a button: closed by Escape, a choice, or a click elsewhere; arrow keys go through them.

import { byId } from "./store.js";

export function startMenu(buttonId, menuId) {
  const [button, menu] = [byId(buttonId), byId(menuId)];
  const items = () => [...menu.querySelectorAll('[role="menuitem"]:not([hidden])')];
  const toggle = (open) => {
    menu.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) items()[0]?.focus();
  };
  button.addEventListener("click", () => toggle(menu.hidden));
  menu.addEventListener("click", () => {
    toggle(false);
    button.focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!menu.hidden && !menu.contains(event.target) && !button.contains(event.target)) toggle(false);
  });
  menu.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.indexOf(document.activeElement);
    if (event.key === "Tab") return toggle(false); // and on to the next control
    if (event.key === "Escape") {
      toggle(false);
      button.focus();
    } else if (event.key === "ArrowDown") all[(at + 1) % all.length].focus();
    else if (event.key === "ArrowUp") all[(at + all.length - 1) % all.length].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
