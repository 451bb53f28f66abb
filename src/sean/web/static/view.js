// What part of the picture the panes show: one zoom and position for all of them.

const MOST = 48;

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
    this.#keepInside(paneWidth / width, paneHeight / height);
  }

  move(dx, dy, paneWidth, paneHeight, aspect) {
    const { width, height } = this.frame(paneWidth, paneHeight, aspect);
    this.x -= dx / width;
    this.y -= dy / height;
    this.#keepInside(paneWidth / width, paneHeight / height);
  }

  // Let an area (fractions of the picture) take so much of the pane.
  show({ left, top, width, height }, share, paneWidth, paneHeight, aspect) {
    this.reset();
    const whole = this.frame(paneWidth, paneHeight, aspect);
    const scale = share * Math.min(paneWidth / (whole.width * width), paneHeight / (whole.height * height));
    this.scale = Math.min(MOST, Math.max(1, scale));
    this.x = left + width / 2;
    this.y = top + height / 2;
    this.#keepInside(paneWidth / (whole.width * this.scale), paneHeight / (whole.height * this.scale));
  }

  reset() {
    Object.assign(this, { scale: 1, x: 0.5, y: 0.5 });
  }

  // No empty border while there is picture to fill the pane; shares: of the picture that the pane can show.
  #keepInside(shareX, shareY) {
    const inside = (value, share) => (share >= 1 ? 0.5 : Math.min(1 - share / 2, Math.max(share / 2, value)));
    this.x = inside(this.x, shareX);
    this.y = inside(this.y, shareY);
  }
}
