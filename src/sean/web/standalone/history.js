// Undo and redo without bound on the count: every edit is kept, of the states a few, and the others are made again.

const KEPT_AROUND = 16; // states before and after the present one
const KEPT_EVERY = 64;

export class History {
  #apply;
  #edits = [];
  #states;
  position = 0;

  // apply(state, edit): the next state, always the same.
  constructor(beginning, apply) {
    this.#apply = apply;
    this.#states = new Map([[0, beginning]]);
  }

  get state() {
    return this.#stateAt(this.position);
  }

  get canRedo() {
    return this.position < this.#edits.length;
  }

  get done() {
    return this.#edits.slice(0, this.position);
  }

  get undone() {
    return this.#edits.slice(this.position);
  }

  // Do an edit; if it fails, nothing has changed. Edits that were undone are dropped.
  push(edit) {
    const state = this.#apply(this.state, edit);
    this.#edits.splice(this.position, Infinity, edit);
    for (const position of [...this.#states.keys()]) if (position > this.position) this.#states.delete(position);
    this.#states.set(++this.position, state);
    for (const position of [...this.#states.keys()]) {
      if (Math.abs(position - this.position) > KEPT_AROUND && position % KEPT_EVERY) this.#states.delete(position);
    }
  }

  undo() {
    if (!this.position) return false;
    this.position--;
    return true;
  }

  redo() {
    if (!this.canRedo) return false;
    this.position++;
    return true;
  }

  #stateAt(position) {
    let known = position;
    while (!this.#states.has(known)) known--;
    let state = this.#states.get(known);
    while (known < position) {
      state = this.#apply(state, this.#edits[known++]);
      this.#states.set(known, state);
    }
    return state;
  }
}
