// What part of the picture the three panes show: one zoom and position for all of them.

const MOST = 24;

export class View {
  scale = 1; // 1: the whole picture fits the pane
  x = 0.5; // the point of the picture in the middle of the pane, fractions
  y = 0.5;

  // Where the picture lies in a pane: {left, top, width, height} in the pane's pixels.
  frame(paneWidth, paneHeight, aspect) {
    const fit = Math.min(paneWidth / aspect, paneHeight);
    const width = fit * aspect * this.scale;
    const height = fit * this.scale;
    return { left: paneWidth / 2 - this.x * width, top: paneHeight / 2 - this.y * height, width, height };
  }

  // Zoom so that the point under (px, py) stays there.
  zoom(factor, px, py, paneWidth, paneHeight, aspect) {
    const before = this.frame(paneWidth, paneHeight, aspect);
    const [fx, fy] = [(px - before.left) / before.width, (py - before.top) / before.height];
    this.scale = Math.min(MOST, Math.max(1, this.scale * factor));
    const { width, height } = this.frame(paneWidth, paneHeight, aspect);
    this.x = fx - (px - paneWidth / 2) / width;
    this.y = fy - (py - paneHeight / 2) / height;
    this.#keepInside();
  }

  move(dx, dy, paneWidth, paneHeight, aspect) {
    const { width, height } = this.frame(paneWidth, paneHeight, aspect);
    this.x -= dx / width;
    this.y -= dy / height;
    this.#keepInside();
  }

  reset() {
    Object.assign(this, { scale: 1, x: 0.5, y: 0.5 });
  }

  #keepInside() {
    const half = 0.5 / this.scale;
    this.x = Math.min(1 - half, Math.max(half, this.x));
    this.y = Math.min(1 - half, Math.max(half, this.y));
  }
}
