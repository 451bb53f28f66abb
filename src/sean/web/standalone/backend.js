// What answers the page: a worker within the browser. It has the functions of static/backend.js, which asks a server.

export const TEXT = {
  unreachable: "The part of the page that computes has stopped. Reload the page; your work is kept.",
  expired: "",
  restored: "Your work was brought back",
  connected: "ready",
  place: "Your photos never leave this device.",
};

const root = new URL(".", document.baseURI);
const waiting = new Map(); // number of a request -> its promise's functions
let count = 0;
let socket = null;

const worker = new Worker(new URL("standalone/worker.js", root), { type: "module" });
worker.postMessage({ start: { root: root.href, device: new URLSearchParams(location.search).get("device") ?? "" } });
worker.onmessage = ({ data }) => {
  if (data.id) return settle(data);
  if (data.text) return socket?.onmessage?.({ data: JSON.stringify(data.text) });
  if (data.header) return socket?.onmessage?.({ data });
  if ("loading" in data) return tell(data);
  if (data.failed) failed(data.failed);
};
worker.onerror = ({ message }) => failed(message);

function settle({ id, status, body }) {
  waiting.get(id)?.resolve(new Response(body, { status }));
  waiting.delete(id);
}

function failed(reason) {
  for (const { reject } of waiting.values()) reject(new TypeError(reason));
  waiting.clear();
}

const NETWORKS = { "generator.onnx": "the model", "encoder.onnx": "the style encoder", "parser.onnx": "the parser" };

function tell({ name, loading }) {
  const line = document.getElementById("boot");
  if (!line.hidden) line.textContent = `Loading ${NETWORKS[name]}… ${Math.round(100 * loading)} %`;
}

function request(url, method, body) {
  const { pathname, search } = new URL(url);
  const path = decodeURI(pathname.slice(new URL("api/", root).pathname.length));
  return new Promise((resolve, reject) => {
    waiting.set(++count, { resolve, reject });
    worker.postMessage({ id: count, method, path, query: search, body });
  });
}

export const ask = (url, { method = "GET", body } = {}) => request(url, method, body && JSON.parse(body));

export function send(url, form, { onProgress, signal } = {}) {
  const read = ([name, value]) => [name, value instanceof Blob ? value : JSON.parse(value)];
  if (signal?.aborted) return Promise.reject(signal.reason);
  onProgress?.(1); // the worker has it at once
  return request(url, "POST", Object.fromEntries([...form].map(read)));
}

// What a WebSocket is to the page.
class Socket {
  readyState = WebSocket.OPEN;

  constructor(url) {
    [, this.session] = new URL(url).pathname.match(/sessions\/([^/]+)\/live$/);
    worker.postMessage({ live: { hello: true } });
  }

  send(text) {
    worker.postMessage({ live: { session: this.session, ...JSON.parse(text) } });
  }

  close() {
    this.readyState = WebSocket.CLOSED;
    if (socket === this) socket = null;
  }
}

export function connect(url) {
  socket = new Socket(url);
  return socket;
}

export const unpacked = ({ header, bitmap }) => ({ header, picture: async () => bitmap });

export function decode(blob) {
  return createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}

const pictures = new Map(); // address -> a promise of an address that an element can show

export function showPicture(image, url) {
  if (image.dataset.shows === url && image.hasAttribute("src")) return;
  image.dataset.shows = url;
  if (!pictures.has(url)) pictures.set(url, ask(url).then((response) => response.blob()).then((blob) => URL.createObjectURL(blob)));
  pictures.get(url).then((address) => { if (image.dataset.shows === url) image.src = address; }, () => pictures.delete(url));
}
