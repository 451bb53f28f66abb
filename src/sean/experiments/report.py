"""The report of the whole comparison, docs/results.md: every table and figure, with its command."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

import sean
from sean.evaluation.metrics import SSIM_KIND
from sean.experiments.runner import EXPERIMENTS, OF_ONE_MODEL, Experiment, Section, tables_1_and_2
from sean.files import read_text, write_text_atomic

RESULTS = "results"
"""The name of the experiment that makes the tables, the edit benchmark and the figures."""


def write_experiment(name: str, experiment: Experiment, output: Path, remarks: Path | None = None) -> Path:
    """Run an experiment and write OUTPUT/NAME.md, with its values and pictures in OUTPUT/NAME/.

    Args:
        name: one of `EXPERIMENTS`, or `RESULTS`.
        experiment: its settings.
        output: folder, made when missing.
        remarks: a markdown file to go in after the tables.

    Returns:
        The path of the report.
    """
    folder = output / name
    inserted = None if remarks is None else read_text(remarks).strip()
    sections = _all(experiment, folder) if name == RESULTS else {"": EXPERIMENTS[name](experiment, folder)}
    parts = [f"# {_TITLES.get(name, name)}", "", _circumstances(name, experiment, remarks)]
    for title, section in sections.items():
        parts += [*([f"## {title}", ""] if title else []), section.text]
        if title == _LAST_TABLE and inserted is not None:
            parts += ["## Remarks", "", inserted, ""]
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
    "style-fidelity": "Style fidelity",
    "photo-benchmark": "Edits of photos",
    "augmentation": "Restyled copies as training data",
}
_LAST_TABLE = "The edit benchmark"


def _all(experiment: Experiment, pictures: Path) -> dict[str, Section]:
    """The tables, the edit benchmark and the figures; these show no picture of a data set."""
    without_data = replace(experiment, data=())
    shown = ("figure1", "figure2", "figure5", "figure6", "figure7")
    texts = [EXPERIMENTS[name](without_data, pictures).text for name in shown]
    return {
        "Tables 1 and 2: the methods": tables_1_and_2(experiment, pictures),
        "Table 3: the ablation": EXPERIMENTS["table3"](experiment, pictures),
        _LAST_TABLE: EXPERIMENTS["edit-benchmark"](without_data, pictures),
        "Figures": Section(text=_FIGURES + "\n" + "\n".join(texts)),
    }


_FIGURES = """No picture of a data set is shown: the figures 1, 2, 5 and 7 are the bundled model's, on drawn label maps
rendered with styles of its bank; figure 6 is of methods trained on synthetic scenes.
"""


def _circumstances(name: str, experiment: Experiment, remarks: Path | None) -> str:
    """The command that reproduces the report, and the conditions that its numbers depend on."""
    options = [option for data in experiment.data for option in ("--data", str(data))]
    if name in OF_ONE_MODEL:
        options += ["--model", experiment.model]
        return _COMMAND.format(" ".join(["sean", "experiment", name, *options, "--output", "results"]))
    terms = experiment.terms
    if name == "augmentation":
        options += ["--model", experiment.model, "--preset", terms.preset, "--budget", str(terms.budget)]
        options += [option for seed in experiment.seeds for option in ("--seed", str(seed))]
        options += [option for network in experiment.segmenters for option in ("--network", network)]
        options += ["--copies", str(experiment.copies)]
        command = " ".join(["sean", "experiment", name, *options, "--output", "results"])
        height, width = terms.config().model.image_size
        return _COMMAND.format(command) + "\n" + _AUGMENTATION.format(height=height, width=width, steps=terms.budget)
    given, usual = experiment.networks, Experiment(models=experiment.models)
    for option, value in (("--segmenter", given.segmenter), ("--extractor", given.extractor)):
        options += [] if value is None else [option, value]
    options += [] if experiment.num_pairs == usual.num_pairs else ["--pairs", str(experiment.num_pairs)]
    options += [] if name != RESULTS or experiment.model == usual.model else ["--model", experiment.model]
    options += ["--preset", terms.preset, "--budget", str(terms.budget)]
    options += [] if terms.rate is None else ["--rate", f"{terms.rate:g}"]
    options += [option for seed in experiment.seeds for option in ("--seed", str(seed))]
    output = "docs" if name == RESULTS else "results"
    options.append("--train")
    if remarks is not None:
        options += ["--remarks", remarks.name if remarks.is_absolute() else str(remarks)]
    command = " ".join(["sean", "experiment", name, *options, "--output", output])
    config = terms.config()
    height, width = config.model.image_size
    seeds = ", ".join(map(str, experiment.seeds))
    sentences = [
        f"Pictures of {height} x {width} pixels.",
        f"Every method is trained on the same pairs by the same loop with the settings of the preset `{terms.preset}` "
        f"(batch, schedule, loss weights) for {terms.budget} steps at the rate {config.generator_rate:g}, seed "
        f"{seeds}, with SEAN's number of parameters, which its base width is fitted to.",
        "What differs is what makes the method: networks, the style that it takes of the picture, pix2pixHD's "
        "least-squares loss, SPADE's KL term.",
        f"All have the perceptual term ({config.perceptual_network})."
        if config.losses.perceptual > 0
        else "No method has the perceptual term.",
        "Measured are the averaged weights after the last step, on held-out pairs.",
        f"SSIM: {SSIM_KIND}; RMSE on [0, 1]. A figure with ± is a mean over seeds and half their range.",
        f"Configs of the runs and all values: [{name}.json]({name}/{name}.json).",
    ]
    return _COMMAND.format(command) + "\n" + " ".join(sentences) + "\n"


_AUGMENTATION = """Segmentation networks on pictures of {height} x {width} pixels, {steps} steps of 8 pictures in every
way and part, from the same first weights; half of the pictures are mirrored. Half of the pictures of a step are copies
in the ways with copies. Each seed draws another part of
the training pictures, other weights and other copies; a figure with ± is a mean over seeds and half their range. Copies
take their styles from the pictures of the same part only. The model that restyles them may have been trained on more
labelled pictures than the part: then the copies tell the network more than its own pictures do.
"""
_COMMAND = """Made by the following command, with the data sets' folders in the working directory:

    {}
"""
