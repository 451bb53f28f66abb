// The service worker of the page: everything is answered from its own store once it has been fetched, with headers that
// allow threads and forbid the page every other host.

importScripts("build.js"); // BUILD = {version, policy, shell: [names], models: [names], runtime: [names]}, which the builder writes

const [SHELL, LARGE] = [`sean-shell-${BUILD.version}`, "sean-large"]; // names of large files change with what is in them
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Content-Security-Policy": BUILD.policy,
};
const scope = new URL(self.registration.scope);
const large = new Set([...BUILD.models, ...BUILD.runtime]);

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll(BUILD.shell.map((name) => new Request(new URL(name, scope), { cache: "no-cache" })))));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(tidied().then(() => self.clients.claim()));
});

async function tidied() {
  for (const name of await caches.keys()) if (name.startsWith("sean-shell-") && name !== SHELL) await caches.delete(name);
  const cache = await caches.open(LARGE);
  for (const request of await cache.keys()) if (!large.has(nameOf(request.url))) await cache.delete(request);
}

const nameOf = (url) => decodeURI(new URL(url).pathname.slice(scope.pathname.length)) || "index.html";

self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(scope.href)) event.respondWith(answer(event.request));
});

async function answer(request) {
  const name = nameOf(request.url);
  const cache = await caches.open(large.has(name) ? LARGE : SHELL);
  const address = new URL(name, scope);
  let response = await cache.match(address);
  if (!response) {
    response = await fetch(address);
    if (response.ok && large.has(name)) await cache.put(address, response.clone());
  }
  const headers = new Headers(response.headers);
  for (const [header, value] of Object.entries(HEADERS)) headers.set(header, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

self.addEventListener("message", (event) => {
  if (event.data !== "keep all") return;
  event.waitUntil(Promise.all(BUILD.models.map((name) => answer(new Request(new URL(name, scope))))));
});
