// The label map as it last came from the server: its pixels, the label at a point, and the look of one label alone.

export class LabelMap {
  bitmap = null;
  width = 1;
  height = 1;
  #pixels = null; // Uint32, one colour per pixel
  #names = new Map(); // colour -> label
  #highlight = document.createElement("canvas");

  setLabels(labels) {
    for (const { name, color } of labels) {
      const key = colorKey(color);
      if (!this.#names.has(key)) this.#names.set(key, name);
    }
  }

  show(bitmap) {
    this.bitmap?.close();
    Object.assign(this, { bitmap, width: bitmap.width, height: bitmap.height });
    const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    this.#pixels = new Uint32Array(context.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer);
  }

  labelAt([x, y]) {
    if (!this.#pixels || x < 0 || y < 0 || x >= 1 || y >= 1) return null;
    const key = this.#pixels[Math.floor(y * this.height) * this.width + Math.floor(x * this.width)];
    return this.#names.get(key) ?? null;
  }

  // A veil over everything but one label.
  veil(color) {
    Object.assign(this.#highlight, { width: this.width, height: this.height });
    const context = this.#highlight.getContext("2d");
    const image = context.createImageData(this.width, this.height);
    const out = new Uint32Array(image.data.buffer);
    const key = colorKey(color);
    for (let i = 0; i < out.length; i++) out[i] = this.#pixels[i] === key ? 0 : 0xb0181410;
    context.putImageData(image, 0, 0);
    return this.#highlight;
  }
}

// "#rrggbb" as a pixel of ImageData reads in a Uint32Array (little-endian).
function colorKey(color) {
  const value = parseInt(color.slice(1), 16);
  return (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}
