// The HTTP part of the server. Every failure is thrown as ApiError with a line to show.

const root = new URL("api/", document.baseURI);

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export function sessionUrl(id, path = "") {
  return new URL(`sessions/${encodeURIComponent(id)}${path && `/${path}`}`, root).href;
}

export const bankUrl = (number) => new URL(`bank/${number}.png`, root).href;

export function liveUrl(id) {
  const url = new URL(sessionUrl(id, "live"));
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

async function request(url, options = {}) {
  let response;
  try {
    response = await fetch(url, options);
  } catch {
    throw new ApiError("The server cannot be reached. Is it still running?", 0);
  }
  if (!response.ok) throw new ApiError(await reason(response), response.status);
  return response.status === 204 ? null : response.json();
}

async function reason(response) {
  try {
    const { detail } = await response.json();
    if (typeof detail === "string") return detail;
  } catch {
    // not JSON: a proxy's page, say
  }
  if (response.status === 413) return "That file is too large for this server.";
  if (response.status === 429 || response.status === 503) return "The server is busy. Try again in a moment.";
  return `The server answered with error ${response.status}.`;
}

const json = (body) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

function upload(id, path, file, segmap = null) {
  const form = new FormData();
  form.append("file", file, file.name || "pasted.png");
  if (segmap) form.append("segmap", segmap, segmap.name);
  return request(sessionUrl(id, path), { method: "POST", body: form });
}

export const getModel = () => request(new URL("model", root));
export const getSession = (id) => request(sessionUrl(id));
export const createSession = (body) => request(new URL("sessions", root), json(body));
export const deleteSession = (id) => request(sessionUrl(id), { method: "DELETE" });
export const postPhoto = (id, file, segmap) => upload(id, "photo", file, segmap);
export const postSegmap = (id, file) => upload(id, "segmap", file);
export const postStyle = (id, file, segmap) => upload(id, "styles", file, segmap);
export const postProject = (id, file) => upload(id, "project", file);

export async function fetchBitmap(id, path, version) {
  let response;
  try {
    response = await fetch(`${sessionUrl(id, path)}?v=${version}`);
  } catch {
    throw new ApiError("The server cannot be reached. Is it still running?", 0);
  }
  if (!response.ok) throw new ApiError(await reason(response), response.status);
  return decode(await response.blob());
}

// Exact colours: those of a map are looked up by value.
export function decode(blob) {
  return createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}
