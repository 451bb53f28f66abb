// Says why the page does not start: a part that did not load, a browser that is too old. Runs before everything else.

(() => {
  const started = () => document.body?.dataset.ready === "true";

  function say(text) {
    if (!document.body) return document.addEventListener("DOMContentLoaded", () => say(text));
    if (started()) return;
    const line = document.getElementById("boot");
    line.textContent = `The editor could not start: ${text} Reload the page to try again.`;
    line.setAttribute("role", "alert");
    line.hidden = false;
  }

  window.addEventListener("error", ({ target, message }) => {
    if (target instanceof HTMLScriptElement || target instanceof HTMLLinkElement) return say("a part of the page did not load.");
    if (message) say(`${message}.`);
  }, { capture: true });
  window.addEventListener("unhandledrejection", ({ reason }) => say(`${reason?.message ?? reason}.`));
  if (!("noModule" in HTMLScriptElement.prototype)) say("this browser is too old for it.");
})();
