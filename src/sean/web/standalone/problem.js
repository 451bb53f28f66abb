// A mistake of the user's, in one line; status: the HTTP status that the server answers with.

export class Problem extends Error {
  constructor(message, status = 400) {
    super(message);
    this.status = status;
  }
}
