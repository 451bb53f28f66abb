// The labels of the model: names, colours and groups, as sean.labels has them.

import { Problem } from "./problem.js";

export class Labels {
  // names; colors: [r, g, b] of each; groups: {name: [ids]}; ignoreId: of "no region" in files, or null.
  constructor({ names, colors, groups, ignore_id: ignoreId }) {
    Object.assign(this, { names, colors, groups, ignoreId, count: names.length });
  }

  idOf(region) {
    const id = typeof region === "number" ? region : this.names.indexOf(region);
    if (Number.isInteger(id) && id >= 0 && id < this.count) return id;
    throw new Problem(`unknown region ${JSON.stringify(region)}; there are ${this.names.join(", ")}`);
  }

  // The ids of a region, or of all labels of a group, as "face" or "lips".
  idsOf(region) {
    return this.names.includes(region) ? [this.idOf(region)] : (this.groups[region] ?? [this.idOf(region)]);
  }
}
