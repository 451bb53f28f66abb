// The networks, run by onnxruntime-web: WebGPU where there is, else WebAssembly with as many threads as the page may
// have. Everything is loaded when it is first needed.

import { picture, resizedPicture } from "./compositing/planes.js";
import { planInputs } from "./plan.js";

const MOST_THREADS = 4;
const ERROR = 3; // the severity of a log line, of onnxruntime

// A runtime: {ort, providers}; wanted: "webgpu", "wasm" or "" (the best that there is).
export async function runtime(folder, wanted) {
  const adapter = wanted === "wasm" ? null : await navigator.gpu?.requestAdapter().catch(() => null);
  const isGpu = Boolean(adapter) && (wanted === "webgpu" || !adapter.info?.isFallbackAdapter);
  const [bundle, core] = isGpu ? ["ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify"] : ["ort.wasm.min.mjs", "ort-wasm-simd-threaded"];
  const ort = await import(new URL(bundle, folder).href);
  ort.env.wasm.wasmPaths = { mjs: new URL(`${core}.mjs`, folder).href, wasm: new URL(`${core}.wasm`, folder).href };
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
  ort.env.logLevel = "error";
  return { ort, providers: isGpu ? ["webgpu", "wasm"] : ["wasm"] };
}

export class Model {
  #sessions = new Map();
  #plan = null; // {segmap, tables} of the last map

  // files: names of networks -> addresses; manifest: what `sean export` wrote; onLoad(share): of a network's bytes.
  constructor({ ort, providers }, files, manifest, onLoad) {
    Object.assign(this, { ort, providers, files, manifest, onLoad });
    const [height, width] = manifest.image_size;
    Object.assign(this, { height, width, count: manifest.labels.names.length, codeDim: manifest.code_dim, blocks: manifest.num_blocks });
  }

  get provider() {
    return this.providers[0];
  }

  get parserSize() {
    return this.manifest.parser_size;
  }

  load(name) {
    if (!this.#sessions.has(name)) this.#sessions.set(name, this.#loaded(name).catch((problem) => { this.#sessions.delete(name); throw problem; }));
    return this.#sessions.get(name);
  }

  async #loaded(name) {
    const bytes = await downloaded(this.files[name], (share) => this.onLoad(name, share));
    try {
      return await this.#session(bytes);
    } catch (problem) {
      if (this.provider === "wasm") throw problem;
      this.providers = ["wasm"]; // a graphics driver that cannot do it
      return this.#session(bytes);
    }
  }

  // Warnings are left out: that a card leaves small steps to the processor is as it should be.
  #session(bytes) {
    return this.ort.InferenceSession.create(bytes, { executionProviders: this.providers, logSeverityLevel: ERROR });
  }

  async #run(name, feeds) {
    const session = await this.load(name);
    const inputs = Object.entries(feeds).map(([key, { data, dims }]) => [key, new this.ort.Tensor(data instanceof Int32Array ? "int32" : "float32", data, dims)]);
    return session.run(Object.fromEntries(inputs));
  }

  // The picture of a map (label ids row by row) in styles as `renderStyles` gives them.
  async render(segmap, { codes, count, variants }) {
    const { height, width, blocks, codeDim } = this;
    const ids = Int32Array.from(segmap);
    if (this.#plan?.segmap !== segmap || variants || this.#plan.variants) {
      this.#plan = { segmap, variants, tables: planInputs(ids, [1, height, width], this.count, variants ? { variants } : {}) };
    }
    const { picture: result } = await this.#run("generator.onnx", {
      segmap: { data: ids, dims: [1, height, width] },
      codes: { data: codes, dims: [count, blocks, this.count, codeDim] },
      ...this.#plan.tables,
    });
    return fromTensor(await result.getData(), height, width);
  }

  // The styles of a picture of the model's size with its map.
  async encode(seen, segmap) {
    const { height, width } = this;
    const { codes, present } = await this.#run("encoder.onnx", {
      image: { data: toTensor(seen), dims: [1, 3, height, width] },
      segmap: { data: Int32Array.from(segmap), dims: [1, height, width] },
    });
    return { codes: Float32Array.from(await codes.getData()), present: Uint8Array.from(await present.getData(), Number) };
  }

  // The label ids of a picture of any size that shows what the parser was trained on: Int32Array of that size.
  async parse(shown) {
    const [height, width] = this.parserSize;
    const { logits } = await this.#run("parser.onnx", { image: { data: toTensor(resizedPicture(shown, height, width)), dims: [1, 3, height, width] } });
    return enlargedArgmax(await logits.getData(), this.count + 1, this.parserSize, shown);
  }
}

// The bytes of an address, with their share on the way.
async function downloaded(url, onShare) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} did not load (${response.status})`);
  const total = Number(response.headers.get("content-length")) || 0;
  const chunks = [];
  let received = 0;
  for (let reader = response.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    received += value.length;
    if (total) onShare(Math.min(1, received / total));
  }
  const bytes = new Uint8Array(received);
  for (let i = 0, at = 0; i < chunks.length; at += chunks[i++].length) bytes.set(chunks[i], at);
  return bytes;
}

function toTensor({ data, height, width }) {
  const pixels = height * width;
  const result = new Float32Array(3 * pixels);
  for (let i = 0; i < pixels; i++) for (let c = 0; c < 3; c++) result[c * pixels + i] = data[3 * i + c] / 127.5 - 1;
  return result;
}

function fromTensor(values, height, width) {
  const pixels = height * width;
  const result = picture(height, width);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) result.data[3 * i + c] = Math.min(255, Math.max(0, Math.round((values[c * pixels + i] + 1) * 127.5)));
  }
  return result;
}

// The label of the largest logit after bilinear interpolation to another size, the first of equal ones.
function enlargedArgmax(logits, count, [ownHeight, ownWidth], { height, width }) {
  const between = (extent, own) => Array.from({ length: extent }, (_, place) => {
    const at = Math.max(0, (place + 0.5) * (own / extent) - 0.5);
    const first = Math.min(Math.trunc(at), own - 1);
    return [first, Math.min(first + 1, own - 1), Math.fround(at - first)];
  });
  const [rows, columns] = [between(height, ownHeight), between(width, ownWidth)];
  const best = new Float32Array(height * width).fill(-Infinity);
  const ids = new Int32Array(height * width);
  for (let label = 0; label < count; label++) {
    const start = label * ownHeight * ownWidth;
    for (let y = 0, i = 0; y < height; y++) {
      const [top, bottom, down] = [start + rows[y][0] * ownWidth, start + rows[y][1] * ownWidth, rows[y][2]];
      for (let x = 0; x < width; x++, i++) {
        const [left, right, across] = columns[x];
        const one = logits[top + left] + (logits[bottom + left] - logits[top + left]) * down;
        const other = logits[top + right] + (logits[bottom + right] - logits[top + right]) * down;
        const value = one + (other - one) * across;
        if (value > best[i]) {
          best[i] = value;
          ids[i] = label;
        }
      }
    }
  }
  return ids;
}
