// Starts the page: with its service worker, which keeps the page for visits without a network, and gives it the headers
// without which browsers allow WebAssembly no threads. The first visit therefore loads twice.

const KEY = "sean-reloaded";

async function isolated() {
  if (!navigator.serviceWorker) return; // a private window, or no https: one thread
  try {
    await navigator.serviceWorker.register("sw.js", { updateViaCache: "none" });
  } catch {
    return;
  }
  if (crossOriginIsolated || sessionStorage.getItem(KEY)) return;
  sessionStorage.setItem(KEY, "1");
  await navigator.serviceWorker.ready;
  location.reload();
  await new Promise(() => {});
}

// What has not been needed yet is fetched when the page is at rest, for visits without a network.
function keepAll() {
  if (document.body.dataset.ready !== "true") return setTimeout(keepAll, 500);
  navigator.serviceWorker?.ready.then(({ active }) => active.postMessage("keep all"));
}

await isolated();
await import("../main.js");
keepAll();
