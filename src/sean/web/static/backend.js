// What answers the page: here the server that it came from. standalone/backend.js has the same functions, and answers
// within the browser.

export const TEXT = {
  unreachable: "The server cannot be reached. Is it still running?",
  expired: "Your last session had expired on the server, so a new one began",
  restored: "The session had expired on the server; your work was brought back",
  connected: "connected",
  place: "", // where photos are and stay
};

// The answer to a request, a Response; rejects where there is none.
export const ask = (url, options) => fetch(url, options);

// Send a form. onProgress(share): how much of it has been sent, at last 1; signal: gives up, with an AbortError, which stops
// only what has not all been sent.
export function send(url, form, { onProgress, signal } = {}) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest(); // fetch tells nothing about what has been sent
    sending.open("POST", url);
    sending.upload.onprogress = ({ loaded, total }) => onProgress?.(total ? loaded / total : 0);
    sending.upload.onload = () => onProgress?.(1);
    sending.onload = () => resolve(new Response(sending.responseText, { status: sending.status }));
    sending.onerror = () => reject(new TypeError(TEXT.unreachable));
    sending.onabort = () => reject(signal.reason);
    if (signal?.aborted) return reject(signal.reason);
    signal?.addEventListener("abort", () => sending.abort());
    sending.send(form);
  });
}

// A WebSocket for the live messages of a session.
export function connect(url) {
  const address = new URL(url);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  return socket;
}

// A message with a picture: its header, and picture(), which decodes it; null where it has none.
export function unpacked(data) {
  const length = new DataView(data).getUint32(0);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  const isEmpty = data.byteLength === 4 + length;
  return { header, picture: async () => (isEmpty ? null : decode(new Blob([new Uint8Array(data, 4 + length)]))) };
}

// Exact colours: those of a map are looked up by value.
export function decode(blob) {
  return createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}

// Let an image element show the picture of an address.
export function showPicture(image, url) {
  if (image.getAttribute("src") !== url) image.src = url;
}
