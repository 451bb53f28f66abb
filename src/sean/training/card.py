"""The model card of a run: data, settings and scores, with the head that the Hugging Face hub reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sean
from sean.hub import Task, with_card_head
from sean.pretrained import read_card, write_card
from sean.training.training import Training

_OURS = "<!-- Written by sean at every validation of the run; without this line it leaves the card as it is. -->"


def write_run_card(folder: Path, training: Training[Any, Any], scores: Mapping[str, float], task: Task) -> None:
    """Write the card of a network's folder; a card that was edited by hand (see its first comment) stays.

    Args:
        folder: of the network.
        training: its training, whose state has the step.
        scores: of the validation, by the name of the metric.
        task: of the network.
    """
    card, terms = read_card(folder)
    if card and _OURS not in card:
        return
    title = training.run.resolve().name
    data = "synthetic scenes" if training.data.location is None else Path(training.data.location).name
    text = with_card_head(
        _text(title, data, training, scores),
        title,
        task=task,
        tags=[training.config.model.architecture, training.data.labels.name],
        scores=scores,
        data=data,
    )
    write_card(folder, text, terms)


def _text(title: str, data: str, training: Training[Any, Any], scores: Mapping[str, float]) -> str:
    config, labels = training.config, training.data.labels
    pictures, held_out = len(training.data.training), len(training.data.validation)  # type: ignore[arg-type]
    split = f"{pictures} for training, {held_out} held out" if training.data.held_out else f"{pictures}, none held out"
    height, width = config.model.image_size
    architecture = config.model.architecture
    names = ", ".join(labels.names).replace("|", r"\|")
    return f"""{_OURS}

# {title}

A {training.noun} of {labels.num_regions} labels at {width} x {height} pixels (architecture `{architecture}`),
trained by sean {sean.__version__}.

| | |
|---|---|
| data | {data}: {split} |
| labels | {names} |
| training | {training.state.step} steps of {config.batch_size} pictures, seed {config.seed}; averaged weights |

{_scores(training, scores) if scores else ""}## Terms

The terms of the training data apply to these weights, too. A file LICENSE beside this card names them; if it has a line
like `SPDX: cc-by-nc-4.0`, that licence goes into the head of the card on the hub.
"""


def _scores(training: Training[Any, Any], scores: Mapping[str, float]) -> str:
    pictures = "held-out" if training.data.held_out else "training"
    rows = (list(scores), ["---"] * len(scores), [f"{value:.4f}" for value in scores.values()])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"## Scores\n\nOn {pictures} pictures, by the validation at step {training.state.step}:\n\n{table}\n\n"
