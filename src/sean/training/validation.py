"""Validation of the averaged weights during training: scores on held-out pairs, a sample sheet, the exported model."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from sean.contact_sheet import Tile, sheet
from sean.evaluation.metrics import reconstruction_scores
from sean.evaluation.streaming import collated, collated_batches
from sean.hub import SYNTHESIS
from sean.images import tensor_to_image, write_image
from sean.labels import LabelSet
from sean.models.base import StyledModel
from sean.models.weights import save_model
from sean.segmap import colorize
from sean.training.batch import STATISTICS_NOISE, training_batches
from sean.training.card import write_run_card
from sean.training.config import TrainConfig
from sean.training.curves import draw_curves
from sean.training.distributed import on_first
from sean.training.ema import averaged_copy, recompute_statistics
from sean.training.state import TrainingState
from sean.training.training import MODEL_FOLDER, Training

BEST_FOLDER = "best"
CURVES_NAME = "curves.png"
STATISTICS_BATCHES = 50
VALIDATION_IMAGES = 64
SAMPLE_IMAGES = 6


def validate_and_export(training: Training[TrainConfig, TrainingState]) -> None:
    """Score, sample and export the averaged weights; only the best score of the state changes.

    All processes recompute the batch-norm statistics together; the first process does the rest.
    """
    state, config, fabric = training.state, training.config, training.fabric
    model = averaged_copy(state.average)
    some = training_batches(training.data, config, state.step, fabric, STATISTICS_NOISE)
    recompute_statistics(model, islice(some, STATISTICS_BATCHES * config.accumulate))
    state.best = on_first(fabric, lambda: _score_and_write(training, model))


def _score_and_write(
    training: Training[TrainConfig, TrainingState], model: StyledModel
) -> dict[str, int | float] | None:
    state, data, config, run = training.state, training.data, training.config, training.run
    fabric, log = training.fabric, training.log
    edges = config.model.instance_edges
    size = max(1, config.batch_size // (config.accumulate * fabric.world_size))
    scores = reconstruction_scores(
        model, collated_batches(data.validation, size, fabric.device, with_edges=edges, count=VALIDATION_IMAGES)
    )
    pictures = "validation" if data.held_out else "training pictures"
    log.record(pictures, state.step, scores)
    text = " ".join(f"{name} {value:.3f}" for name, value in scores.items())
    log.message(f"step {state.step}: {pictures} {text}")
    shown = range(min(SAMPLE_IMAGES, len(data.validation)))  # type: ignore[arg-type]
    batch = collated(data.validation, shown, fabric.device, with_edges=edges)
    path = run / "samples" / f"step-{state.step:07d}.png"
    write_samples(path, model, *batch, data.labels, title=f"step {state.step}")
    draw_curves([run], run / CURVES_NAME)
    _export(run / MODEL_FOLDER, training, model, scores)
    if not data.held_out or (state.best is not None and scores["psnr"] <= state.best["psnr"]):
        return state.best
    if config.keep_best:
        _export(run / BEST_FOLDER, training, model, scores)
    return {"step": state.step, "psnr": scores["psnr"]}


def _export(
    folder: Path, training: Training[TrainConfig, TrainingState], model: StyledModel, scores: Mapping[str, float]
) -> None:
    save_model(folder, model, training.data.labels)
    shown = {name: value for name, value in scores.items() if name in ("psnr", "ssim", "rmse")}
    write_run_card(folder, training, shown, SYNTHESIS)


@torch.no_grad()
def write_samples(
    path: Path, model: StyledModel, image: Tensor, segmap: Tensor, edges: Tensor | None, labels: LabelSet, title: str
) -> None:
    """Render and write a sample sheet: segmap, photo, reconstruction, each photo with the styles of the one before.

    Args:
        path: path of the sheet.
        model: model in evaluation mode.
        image: [b, 3, h, w] in [-1, 1]; segmap: [b, h, w]; edges: [b, h, w] of the instances, if the model takes them.
        labels: label set with the colours of the segmaps.
        title: title of the sheet.
    """
    codes, present = model.encode(image, segmap)
    other = torch.roll(codes, 1, dims=0)
    # regions missing from the other photo keep their own styles
    exchanged = torch.where(torch.roll(present, 1, dims=0).unsqueeze(-1), other, codes)
    rows = {
        "segmap": [Tile(colorize(ids.cpu().numpy(), labels), pixelated=True) for ids in segmap],
        "photo": [Tile(tensor_to_image(picture.cpu())) for picture in image],
        "reconstruction": [
            Tile(tensor_to_image(picture.cpu().float())) for picture in model.render(segmap, codes, edges=edges)
        ],
        "styles of the photo to the left": [
            Tile(tensor_to_image(picture.cpu().float())) for picture in model.render(segmap, exchanged, edges=edges)
        ],
    }
    write_image(path, sheet(list(rows.values()), row_titles=list(rows), title=title))
