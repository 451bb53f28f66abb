// The editor's page: asks for the model, starts every part, and begins or restores the session.

import { ApiError, getModel } from "./api.js";
import { startBank } from "./bank.js";
import { startCanvas } from "./canvas.js";
import { startCrossover } from "./crossover.js";
import { startFiles } from "./files.js";
import { startGestures } from "./gestures.js";
import { startMenu } from "./menus.js";
import { error, startHint } from "./messages.js";
import { startMixer } from "./mixer.js";
import { startPalette } from "./palette.js";
import { labelMap, startPanes } from "./panes.js";
import { startSession, startAgain } from "./session.js";
import { startShortcuts } from "./shortcuts.js";
import { byId, store, update } from "./store.js";
import { startSlots } from "./styles.js";
import { startTools } from "./tools.js";

function startParts() {
  byId("model-name").textContent = store.model.name;
  labelMap.setLabels(store.model.labels);
  // Styles per instance and per block are SEAN's; other architectures have one style for all.
  byId("tools").querySelector('[data-tool="split"]').hidden = store.model.blocks < 2;
  byId("start-again").addEventListener("click", startAgain);
  startPanes();
  startGestures();
  startTools();
  startCanvas();
  startPalette();
  startSlots();
  startBank();
  startMixer();
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
    startHint();
    document.body.dataset.ready = "true";
  } catch (problem) {
    if (!(problem instanceof ApiError)) throw problem;
    error(`${problem.message} Reload the page to try again.`);
  }
}

start();
