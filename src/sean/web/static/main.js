// The editor's page: asks for the model, starts every part, and begins or restores the session.

import { ApiError, getModel } from "./api.js";
import { TEXT } from "./backend.js";
import { startCanvas } from "./canvas.js";
import { startCrossover } from "./crossover.js";
import { startFiles } from "./files.js";
import { startFraming } from "./framing.js";
import { startGestures } from "./gestures.js";
import { startLooks } from "./looks.js";
import { startMenu } from "./menus.js";
import { startHint } from "./messages.js";
import { startMixer } from "./mixer.js";
import { labelMap, startPanes } from "./panes.js";
import { startRegions } from "./regions.js";
import { startSession } from "./session.js";
import { startShortcuts } from "./shortcuts.js";
import { byId, store, update } from "./store.js";
import { startTools } from "./tools.js";
import { startViewing } from "./viewing.js";

function startParts() {
  byId("model-name").textContent = store.model.name;
  for (const place of document.querySelectorAll(".place")) Object.assign(place, { textContent: TEXT.place, hidden: !TEXT.place });
  labelMap.setLabels(store.model.labels);
  // Styles per instance and per block are SEAN's; other architectures have one style for all.
  byId("tools").querySelector('[data-tool="split"]').hidden = store.model.blocks < 2;
  startPanes();
  startGestures();
  startTools();
  startCanvas();
  startFraming();
  startViewing();
  startRegions();
  startMixer();
  startLooks();
  startCrossover();
  startFiles();
  startShortcuts();
  startMenu("open-menu-button", "open-menu");
  startMenu("download-menu-button", "download-menu");
  const names = store.model.labels.map(({ name }) => name);
  update({ label: names.includes("hair") ? "hair" : names[0] });
}

async function start() {
  try {
    update({ model: await getModel() });
    startParts();
    await startSession();
    for (const part of document.querySelectorAll("[inert]")) part.inert = false; // there is something to work on
    startHint();
    document.body.dataset.ready = "true";
    byId("boot").hidden = true;
  } catch (problem) {
    // boot.js says what is no ApiError
    if (!(problem instanceof ApiError)) throw problem;
    byId("boot").textContent = `The editor could not start. ${problem.message} Reload the page to try again.`;
    byId("boot").setAttribute("role", "alert");
  }
}

start();
