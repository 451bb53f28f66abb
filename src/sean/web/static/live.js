// The WebSocket of a session: edits and previews out, states and pictures in; connects again by itself.
// One preview is under way at a time; the newest one waits for it. Pictures are shown in the order in which they come.
// An edit is kept until the server has answered it, and sent again after an outage; the server does none twice.

import { liveUrl } from "./api.js";
import { connect, unpacked } from "./backend.js";
import { newName } from "./store.js";

const ANSWER_TIMEOUT = 8000; // ms after which a preview is taken as lost
const LONGEST_WAIT = 8000; // ms between attempts to connect
const SLOW = 1500; // ms without an answer after which the page says that it waits
const SESSION_GONE = 4404; // close code: there is no such session any more
const MOST_WAITING = 5000; // edits kept while there is no answer

const PAGE = newName();

class Live extends EventTarget {
  document = 0; // number of the picture that edits are made for
  #socket = null;
  #id = null;
  #seq = 0;
  #arrived = 0; // pictures, counted
  #shown = { frame: 0, map: 0 }; // the last one shown of each type, by that count
  #sentAt = new Map();
  #unanswered = []; // {seq, ...message} of edits, undo and redo
  #welcome = false; // the server has said what it has done: from now on messages may be sent
  #pending = null; // the newest preview not sent yet
  #inFlight = 0; // seq of the render waited for, 0: none
  #timeout = 0;
  #attempts = 0;
  #retry = 0;
  #view = "result";

  constructor() {
    super();
    setInterval(() => this.#watch(), 500);
  }

  get open() {
    return this.#socket?.readyState === WebSocket.OPEN && this.#welcome;
  }

  // Edits that the server has not answered yet.
  get unanswered() {
    return this.#unanswered.length;
  }

  connect(id) {
    this.#disconnect();
    this.#id = id;
    const socket = connect(liveUrl(id, PAGE));
    socket.onmessage = ({ data }) => (typeof data === "string" ? this.#text(JSON.parse(data)) : this.#picture(unpacked(data)));
    socket.onclose = ({ code }) => this.#closed(code === SESSION_GONE);
    this.#socket = socket;
  }

  #disconnect() {
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = null;
    this.#welcome = false;
    this.#settle();
    this.#pending = null;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    // browsers report it as an error when a socket is closed before it is open
    if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
    else socket.close();
  }

  reconnectNow() {
    if (this.#id && !this.open) this.#tell("lost");
  }

  // The session that the edits were made in is gone and cannot be brought back.
  dropUnanswered() {
    this.#unanswered = [];
  }

  // In a session that was brought back the pictures have other numbers.
  renumber(document) {
    for (const message of this.#unanswered) if (message.document != null) message.document = document;
    this.document = document;
  }

  edit(edit, document = this.document) {
    this.#pending = null;
    return this.#send({ document, edit });
  }

  undo() {
    return this.#send({ undo: true });
  }

  redo() {
    return this.#send({ redo: true });
  }

  // All that the state shows, picture and map, without the preview.
  render() {
    this.#pending = null;
    return this.#send({ render: true });
  }

  // "result", the photo with the edits in it, or "model", what the network made.
  view(view) {
    this.#view = view;
    return this.#send({ view });
  }

  preview(edit, document = this.document) {
    if (!this.open) return;
    if (this.#inFlight) this.#pending = { edit, document };
    else this.#send({ document, preview: edit });
  }

  #send(values) {
    const message = { seq: ++this.#seq, ...values };
    if (values.edit || values.undo || values.redo) {
      if (this.#unanswered.length >= MOST_WAITING) {
        this.#tell("error", { detail: "too many edits wait for the server; this one was not done" });
        return message.seq;
      }
      this.#unanswered.push(message);
      this.#tell("waiting");
    }
    if (this.open) this.#transmit(message);
    return message.seq;
  }

  #transmit(message) {
    const { seq } = message;
    this.#socket.send(JSON.stringify(message));
    this.#sentAt.set(seq, performance.now());
    this.#inFlight = seq;
    clearTimeout(this.#timeout);
    this.#timeout = setTimeout(() => this.#answered(this.#inFlight), ANSWER_TIMEOUT);
  }

  // The server says which of this page's messages it has done; the others are sent again.
  #welcomed(done) {
    this.#attempts = 0;
    this.#welcome = true;
    this.#confirm(done);
    this.#tell("open");
    for (const message of this.#unanswered) this.#transmit(message);
    if (this.#view !== "result") this.view(this.#view);
    this.render();
  }

  #confirm(seq) {
    if (!this.#unanswered.length || this.#unanswered[0].seq > seq) return;
    this.#unanswered = this.#unanswered.filter((message) => message.seq > seq);
    this.#tell("waiting");
  }

  #closed(isGone) {
    this.#welcome = false;
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

  // Tells how long the oldest message has waited for its answer, once that is noticeable.
  #watch() {
    const [oldest] = this.#sentAt.values();
    const waited = this.open && oldest ? performance.now() - oldest : 0;
    this.#tell("slow", { seconds: waited > SLOW ? Math.round(waited / 1000) : 0 });
  }

  #answered(seq) {
    if (!this.#inFlight || seq < this.#inFlight) return;
    clearTimeout(this.#timeout);
    this.#inFlight = 0;
    const next = this.#pending;
    this.#pending = null;
    if (next) this.preview(next.edit, next.document);
  }

  #received(seq) {
    for (const each of this.#sentAt.keys()) if (each <= seq) this.#sentAt.delete(each);
  }

  #text(message) {
    if (message.type === "welcome") return this.#welcomed(message.seq);
    if (message.type === "error" && message.seq) {
      this.#answered(message.seq);
      this.#received(message.seq);
    }
    if (message.type === "state" || message.type === "error") this.#confirm(message.seq);
    this.#tell(message.type, message);
  }

  async #picture({ header, picture }) {
    if (header.type === "frame") this.#answered(header.seq);
    const sentAt = this.#sentAt.get(header.seq);
    const latency = sentAt ? performance.now() - sentAt : null;
    if (header.type === "frame") this.#received(header.seq);
    const [socket, arrived] = [this.#socket, ++this.#arrived];
    const bitmap = await picture();
    // decoding ends in any order
    if (socket !== this.#socket || arrived < this.#shown[header.type]) return bitmap?.close();
    this.#shown[header.type] = arrived;
    this.#tell(header.type, { ...header, bitmap, latency });
  }

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

export const live = new Live();
