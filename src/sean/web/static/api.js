// Requests to the backend. Every failure is thrown as ApiError with a line to show.

import { TEXT, ask, decode, send } from "./backend.js";

const root = new URL("api/", document.baseURI);
const GARBLED = "The server answered with something else than expected; a proxy may stand between.";

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export class Cancelled extends Error {}

export function sessionUrl(id, path = "") {
  return new URL(`sessions/${encodeURIComponent(id)}${path && `/${path}`}`, root).href;
}

// name: what this page calls a step that it asks for; the backend tells it with what comes of it.
function stepUrl(id, path, { name } = {}) {
  const url = new URL(sessionUrl(id, path));
  if (name) url.searchParams.set("step", name);
  return url.href;
}

export const bankUrl = (number) => new URL(`bank/${number}.png`, root).href;
export const sampleUrl = (name) => new URL(`samples/${name}`, root).href;

export function liveUrl(id, page) {
  const url = new URL(sessionUrl(id, "live"));
  url.searchParams.set("page", page);
  return url.href;
}

async function fetched(url, options) {
  let response;
  try {
    response = await ask(url, options);
  } catch {
    throw new ApiError(TEXT.unreachable, 0);
  }
  return succeeded(response);
}

async function succeeded(response) {
  if (!response.ok) throw new ApiError(reason(response.status, await response.text().catch(() => "")), response.status);
  return response;
}

async function request(url, options = {}) {
  const response = await fetched(url, options);
  if (response.status === 204) return null;
  return parsed(await response.text());
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(GARBLED, 0);
  }
}

function reason(status, text) {
  try {
    const { detail } = JSON.parse(text);
    if (typeof detail === "string") return detail;
  } catch {
    // not JSON: a proxy's page, say
  }
  if (status === 413) return "That file is too large for this server.";
  if (status === 429 || status === 503) return "The server is busy. Try again in a moment.";
  return `The server answered with error ${status}.`;
}

const json = (body) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

// fields: names -> Blob or text. onProgress(share): how much of it has been sent; signal cancels; name: see stepUrl.
async function upload(id, path, fields, options = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Blob) form.append(name, value, value.name || "pasted.png");
    else if (value != null) form.append(name, JSON.stringify(value));
  }
  let response;
  try {
    response = await send(stepUrl(id, path, options), form, options);
  } catch (problem) {
    throw problem.name === "AbortError" ? new Cancelled() : new ApiError(TEXT.unreachable, 0);
  }
  return parsed(await (await succeeded(response)).text());
}

export const getModel = () => request(new URL("model", root));
export const getSession = (id) => request(sessionUrl(id));
export const createSession = (body) => request(new URL("sessions", root), json(body));
export const deleteSession = (id) => request(sessionUrl(id), { method: "DELETE" });
export const getScript = (id) => request(sessionUrl(id, "script.json"));
export const postDrawing = (id, bank, options) => request(stepUrl(id, "drawing", options), json(bank == null ? {} : { bank }));
export const postCrop = (id, square, options) => request(stepUrl(id, "crop", options), json(square));
export const postPhoto = (id, { file, segmap, crop }, options) => upload(id, "photo", { file, segmap, crop }, options);
export const postSegmap = (id, file, options) => upload(id, "segmap", { file }, options);
export const postStyle = (id, { file, segmap }, options) => upload(id, "styles", { file, segmap }, options);
export const postProject = (id, file, options) => upload(id, "project", { file }, options);
export const postScript = (id, script) => upload(id, "script", { file: new Blob([JSON.stringify(script)]) });

export const fetchBlob = async (url) => (await fetched(url)).blob();

export async function fetchBitmap(id, path, version) {
  return decode(await fetchBlob(`${sessionUrl(id, path)}?v=${version}`));
}
