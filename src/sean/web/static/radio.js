// A group of buttons of which one is chosen: one tab stop, the arrow keys go through it.

export function startRadioGroup(group) {
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const radios = [...group.querySelectorAll('[role="radio"]:not([hidden])')];
    const next = radios[(radios.indexOf(document.activeElement) + step + radios.length) % radios.length];
    event.preventDefault();
    next?.focus();
    next?.click();
  });
}

export function checkRadio(group, chosen) {
  for (const radio of group.querySelectorAll('[role="radio"]')) {
    radio.setAttribute("aria-checked", String(radio === chosen));
    radio.tabIndex = radio === chosen ? 0 : -1;
  }
  if (!chosen) group.querySelector('[role="radio"]')?.setAttribute("tabindex", "0");
}
