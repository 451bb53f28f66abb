// The stroke that the server has not answered yet, drawn into a layer of the map's own pixels.

export class StrokeLayer {
  canvas = document.createElement("canvas");
  empty = true;

  resize(width, height) {
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
  }

  clear() {
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.empty = true;
  }

  // A round brush from one point to the next (fractions); a pixel belongs to it when its centre does, as on the server.
  segment([x0, y0], [x1, y1], radius, color) {
    const { width, height } = this.canvas;
    const context = this.canvas.getContext("2d");
    context.fillStyle = color;
    const put = (x, y, count) => {
      context.clearRect(x, y, count, 1); // a translucent stroke must not add up where it overlaps
      context.fillRect(x, y, count, 1);
    };
    const [ax, ay, bx, by] = [x0 * width, y0 * height, x1 * width, y1 * height];
    const r = radius * height;
    const left = Math.max(0, Math.floor(Math.min(ax, bx) - r));
    const right = Math.min(width - 1, Math.ceil(Math.max(ax, bx) + r));
    const top = Math.max(0, Math.floor(Math.min(ay, by) - r));
    const bottom = Math.min(height - 1, Math.ceil(Math.max(ay, by) + r));
    const [dx, dy] = [bx - ax, by - ay];
    const length = dx * dx + dy * dy;
    for (let y = top; y <= bottom; y++) {
      let start = -1;
      for (let x = left; x <= right + 1; x++) {
        const [px, py] = [x + 0.5 - ax, y + 0.5 - ay];
        const t = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
        const inside = x <= right && (px - t * dx) ** 2 + (py - t * dy) ** 2 <= r * r;
        if (inside && start < 0) start = x;
        if (!inside && start >= 0) {
          put(start, y, x - start);
          start = -1;
        }
      }
    }
    // However thin the brush, what its middle passes over is painted.
    const steps = Math.ceil(2 * Math.max(Math.abs(dx), Math.abs(dy))) || 1;
    for (let step = 0; step <= steps; step++) put(Math.floor(ax + (dx * step) / steps), Math.floor(ay + (dy * step) / steps), 1);
    this.empty = false;
  }
}
