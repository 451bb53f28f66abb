// The WebSocket of a session: edits and previews out, states and pictures in; connects again by itself.
// One preview is under way at a time; the newest one waits for it. Answers older than what is shown are dropped.

import { decode, liveUrl } from "./api.js";

const ANSWER_TIMEOUT = 8000; // ms after which a preview is taken as lost
const LONGEST_WAIT = 8000; // ms between attempts to connect
const SESSION_GONE = 4404; // close code: there is no such session any more
const MOST_WAITING = 200; // edits kept while there is no connection

class Live extends EventTarget {
  #socket = null;
  #id = null;
  #seq = 0;
  #shown = { frame: 0, map: 0 };
  #sentAt = new Map();
  #waiting = []; // edits made without a connection
  #pending = null; // the newest preview not sent yet
  #inFlight = 0; // seq of the render waited for, 0: none
  #timeout = 0;
  #attempts = 0;
  #retry = 0;

  get open() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  connect(id) {
    this.close();
    this.#id = id;
    const socket = new WebSocket(liveUrl(id));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }) => (typeof data === "string" ? this.#text(JSON.parse(data)) : this.#binary(data));
    socket.onclose = ({ code }) => this.#closed(socket, code === SESSION_GONE);
    this.#socket = socket;
  }

  close() {
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = null;
    this.#settle();
    this.#pending = null;
    this.#waiting = [];
    socket?.close();
  }

  reconnectNow() {
    if (this.#id && !this.open) this.#tell("lost");
  }

  edit(edit) {
    this.#pending = null;
    return this.#send({ edit });
  }

  undo() {
    return this.#send({ undo: true });
  }

  redo() {
    return this.#send({ redo: true });
  }

  // What the state shows, without the preview.
  render() {
    this.#pending = null;
    return this.#send({ render: true });
  }

  preview(edit) {
    if (!this.open) return;
    if (this.#inFlight) this.#pending = edit;
    else this.#send({ preview: edit });
  }

  #send(message) {
    const seq = ++this.#seq;
    const text = JSON.stringify({ seq, ...message });
    if (!this.open) {
      if (message.edit && this.#waiting.length < MOST_WAITING) this.#waiting.push(message);
      return seq;
    }
    this.#socket.send(text);
    this.#sentAt.set(seq, performance.now());
    this.#inFlight = seq;
    clearTimeout(this.#timeout);
    this.#timeout = setTimeout(() => this.#answered(this.#inFlight), ANSWER_TIMEOUT);
    return seq;
  }

  #opened() {
    this.#attempts = 0;
    const waiting = this.#waiting.splice(0);
    this.#tell("open");
    for (const message of waiting) this.#send(message);
    if (!waiting.length) this.render();
  }

  #closed(socket, isGone) {
    if (socket !== this.#socket) return;
    this.#settle();
    if (isGone) return this.#tell("lost");
    const wait = Math.min(LONGEST_WAIT, 500 * 2 ** this.#attempts++);
    if (this.#attempts === 1) this.#tell("closed");
    this.#retry = setTimeout(() => this.#tell("lost"), wait);
  }

  #settle() {
    clearTimeout(this.#timeout);
    this.#inFlight = 0;
    this.#sentAt.clear();
  }

  #answered(seq) {
    if (!this.#inFlight || seq < this.#inFlight) return;
    clearTimeout(this.#timeout);
    this.#inFlight = 0;
    const next = this.#pending;
    this.#pending = null;
    if (next) this.preview(next);
  }

  #text(message) {
    if (message.type === "error" && message.seq) this.#answered(message.seq);
    this.#tell(message.type, message);
  }

  async #binary(data) {
    const length = new DataView(data).getUint32(0);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    if (header.type === "frame") this.#answered(header.seq);
    if (this.#isStale(header)) return;
    const bitmap = await decode(new Blob([new Uint8Array(data, 4 + length)]));
    if (this.#isStale(header)) return; // decoding ends in any order
    this.#shown[header.type] = header.seq;
    const sentAt = this.#sentAt.get(header.seq);
    this.#tell(header.type, { ...header, bitmap, latency: sentAt ? performance.now() - sentAt : null });
    if (header.type === "frame") for (const seq of this.#sentAt.keys()) if (seq < header.seq) this.#sentAt.delete(seq);
  }

  #isStale({ type, seq }) {
    return seq < this.#shown[type];
  }

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

export const live = new Live();
