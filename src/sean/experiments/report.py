"""The report of a whole comparison, docs/results.md: every table and figure, with the command that makes it again."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

import sean
from sean.experiments.runner import EXPERIMENTS, Experiment, Section, tables_1_and_2
from sean.files import write_text_atomic

RESULTS = "results"
"""The name of the experiment that is all of them."""


def write_experiment(name: str, experiment: Experiment, output: Path, remarks: Path | None = None) -> Path:
    """Do an experiment and write OUTPUT/NAME.md, with its values and pictures in OUTPUT/NAME/.

    Args:
        name: one of `EXPERIMENTS`, or `RESULTS` for all of them.
        experiment: its settings.
        output: folder, made when missing.
        remarks: a markdown file to go in after the tables.

    Returns:
        The path of the report.
    """
    folder = output / name
    sections = _all(experiment, folder) if name == RESULTS else {"": EXPERIMENTS[name](experiment, folder)}
    parts = [f"# {_TITLES.get(name, name)}", "", _circumstances(name, experiment)]
    for title, section in sections.items():
        parts += [*([f"## {title}", ""] if title else []), section.text]
        if title == _LAST_TABLE and remarks is not None:
            parts += ["## Remarks", "", remarks.read_text(encoding="utf-8").strip(), ""]
    report = output / f"{name}.md"
    write_text_atomic(report, "\n".join(parts))
    values: dict[str, Any] = {title or name: section.values for title, section in sections.items() if section.values}
    if values:
        settings = {"terms": asdict(experiment.terms), "seeds": list(experiment.seeds)}
        versions = {"sean": sean.__version__, "torch": torch.__version__, "device": experiment.run.device.type}
        text = json.dumps({**versions, **settings, "evaluation": asdict(experiment.evaluation), **values}, indent=1)
        write_text_atomic(folder / f"{name}.json", text + "\n")
    return report


_TITLES = {
    RESULTS: "Results: the paper's comparison, rerun",
    "table1": "Table 1",
    "table2": "Table 2",
    "table3": "Table 3",
    "edit-benchmark": "The edit benchmark",
}
_LAST_TABLE = "The edit benchmark"


def _all(experiment: Experiment, pictures: Path) -> dict[str, Section]:
    """Everything; what shows pictures does so without any of the data sets'."""
    undocumented = replace(experiment, data=())
    shown = ("figure1", "figure2", "figure5", "figure6", "figure7")
    texts = [EXPERIMENTS[name](undocumented, pictures).text for name in shown]
    return {
        "Tables 1 and 2: the methods": tables_1_and_2(experiment, pictures),
        "Table 3: the ablation": EXPERIMENTS["table3"](experiment, pictures),
        _LAST_TABLE: EXPERIMENTS["edit-benchmark"](undocumented, pictures),
        "Figures": Section(text=_FIGURES + "\n" + "\n".join(texts)),
    }


_FIGURES = """No picture of a data set is shown: the figures 1, 2, 5 and 7 are the bundled model's, on drawn label maps
rendered with styles of its bank; figure 6 is of methods trained on synthetic scenes.
"""


def _circumstances(name: str, experiment: Experiment) -> str:
    """What the figures depend on, and the command that makes them again."""
    command = ["sean", "experiment", name]
    for data in experiment.data:
        split = "" if data.validation is None else f":{data.validation}:{data.training_prefix}"
        command += ["--data", f"{data.name}{split}"]
    command += ["--preset", experiment.terms.preset, "--budget", str(experiment.terms.budget)]
    for seed in experiment.seeds:
        command += ["--seed", str(seed)]
    command += ["--train", "--output", "docs" if name == RESULTS else "results"]
    return f"""Made by, with the data sets' folders in the working directory:

    {" ".join(command)}

Every method is trained on the same pairs by the same loop with the settings of the preset `{experiment.terms.preset}`
(size, loss weights, rates, batch), {experiment.terms.budget} steps, seed {", ".join(map(str, experiment.seeds))}, \
and has SEAN's number of parameters, reached by its base width. What differs is what makes the
method: networks, the style that it takes of the picture, pix2pixHD's least-squares loss and SPADE's KL term. No method
has the perceptual (VGG19) term. The measured models are those after the last step, on held-out pairs. SSIM: Gaussian
window of 11 x 11, sigma 1.5, data range 1; RMSE on [0, 1]. A value with ± is a mean over seeds and half their range.
The run configs and all values are in [{name}.json]({name}/{name}.json).
"""
