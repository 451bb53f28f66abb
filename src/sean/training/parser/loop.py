"""The training of parsers, on the common loop of all trainings: step, validation and exported parser."""

import os
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import Dataset

from sean.contact_sheet import Tile, sheet
from sean.errors import InputError
from sean.evaluation.streaming import collated, collated_batches
from sean.hub import SEGMENTATION
from sean.images import tensor_to_image, write_image
from sean.models.parsers import Parser
from sean.models.weights import load_parser, save_parser
from sean.segmap import colorize
from sean.training.card import write_run_card
from sean.training.data import TrainingData
from sean.training.ema import update_average
from sean.training.parser.config import ParserTrainConfig
from sean.training.parser.data import label_pixels, parser_batches
from sean.training.parser.objective import class_weights, parser_losses, parser_scores
from sean.training.parser.self_training import with_pseudo_labels
from sean.training.parser.state import ParserState, new_parser_state
from sean.training.resume import NON_FINITE_ADVICE
from sean.training.training import MODEL_FOLDER, Training

ACCELERATOR = "auto"
SAMPLE_IMAGES = 6


def train_parser(
    config: ParserTrainConfig,
    data: TrainingData,
    run: Path,
    *,
    unlabelled: Dataset[Any] | None = None,
    start_from: Path | None = None,
    resume: bool = False,
    device: str | None = None,
) -> Path:
    """Train a parser in one process, or continue its training, until `config.steps`.

    The folder `run` gets config.json, history.jsonl, label_pixels.json, metrics.jsonl, tensorboard/, samples/,
    checkpoints/ and, at every validation and at the end, model/: the averaged weights as a parser's folder.

    Args:
        config: settings; the number of regions is replaced by that of the data.
        data: data from `open_parser_data`.
        run: the run's folder.
        unlabelled: pictures for self-training, see `open_unlabelled`.
        start_from: parser folder with the initial weights of a new run; its size may differ.
        resume: continue from the newest checkpoint in `run`, or start if there is none. Number of steps, rate, batch
            size and precision may have changed: see `sean.training.resume`.
        device: cpu, cuda or cuda:1; None takes a GPU if there is one.

    Returns:
        The model folder.

    Raises:
        InputError: `run` holds a run and `resume` is off, or another training uses it; the checkpoint does not fit; a
            loss is not finite; the run's folder cannot be written; a process that reads data died.
        Interrupted: SIGINT, SIGTERM or SIGHUP was received; the checkpoint of the last step is written.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise InputError("a parser is trained by one process; start sean train-parser without torchrun")
    training = ParserTraining(config, data, run, device or ACCELERATOR, unlabelled)
    return training.train(resume=resume, start_from=start_from)


class ParserTraining(Training[ParserTrainConfig, ParserState]):
    """A parser, trained with cross-entropy and Dice, and by self-training on pictures without label maps."""

    noun = "parser"

    def __init__(
        self,
        config: ParserTrainConfig,
        data: TrainingData,
        run: Path,
        device: str,
        unlabelled: Dataset[Any] | None = None,
    ) -> None:
        super().__init__(config, data, run, device)
        self.unlabelled = unlabelled

    @property
    def validate_every(self) -> int:
        """See `Training`."""
        return self.config.validate_every

    def prepare(self) -> None:
        """Count the labels; their weights follow from the counts."""
        counts = label_pixels(self.run, self.data)
        weights = class_weights(counts, self.config.largest_class_weight, self.config.class_weight_power)
        self.weights = self.fabric.to_device(weights)

    def new_state(self, start_from: Path | None) -> ParserState:
        """See `new_parser_state`."""
        return new_parser_state(self.config, self.fabric, None if start_from is None else _start(start_from, self.data))

    def batches(self) -> Generator[tuple[Tensor, Tensor]]:
        """Augmented pictures and label maps; with self-training, also of pictures without label maps."""
        with closing(parser_batches(self.data, self.config, self.state.step, self.fabric)) as labelled:
            if self.unlabelled is None:
                yield from labelled
            else:
                yield from with_pseudo_labels(labelled, self.unlabelled, self.state, self.config, self.fabric)

    def step(self, batches: Generator[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """See `parser_step`."""
        return parser_step(self.state, next(batches), self.weights, self.config, self.fabric)

    def validate(self) -> None:
        """Score, sample and export the averaged weights; the state does not change."""
        state, data, config = self.state, self.data, self.config
        held_out = collated_batches(data.validation, config.batch_size, self.fabric.device, with_edges=False)
        scores = parser_scores(state.average, (batch[:2] for batch in held_out), data.labels.names)
        if scores["pixels"]:
            pictures = "validation" if data.held_out else "training pictures"
            self.log.record(pictures, state.step, {name: scores[name] for name in ("miou", "accuracy")})
            iou = {name: value for name, value in scores["iou"].items() if value is not None}
            self.log.record("iou", state.step, iou)
            text = f"miou {scores['miou']:.3f} accuracy {scores['accuracy']:.3f}"
            self.log.message(f"step {state.step}: {pictures} {text}")
        _write_samples(self.run / "samples" / f"step-{state.step:07d}.png", state, data, self.fabric)
        save_parser(self.run / MODEL_FOLDER, state.average, data.labels)
        shown = {name: scores[name] for name in ("miou", "accuracy")} if scores["pixels"] else {}
        write_run_card(self.run / MODEL_FOLDER, self, shown, SEGMENTATION)


def _start(folder: Path, data: TrainingData) -> Parser:
    parser, labels = load_parser(folder)
    if labels.names != data.labels.names:
        raise InputError(
            f"expected a parser of the labels {data.labels.name} to start from, but {folder} has those of {labels.name}"
        )
    return parser


def parser_step(
    state: ParserState,
    batch: tuple[Tensor, Tensor],
    weights: Tensor,
    config: ParserTrainConfig,
    fabric: Fabric,
) -> dict[str, float]:
    """One update of the network and its average, in place; returns the loss terms and their weighted sum.

    Args:
        state: state of the training; its step is increased by one.
        batch: image [b, 3, h, w] in [-1, 1] and segmap [b, h, w].
        weights: [k], weights of the labels.
        config: rates and weights.
        fabric: device and precision.

    Raises:
        InputError: a loss is not finite; the message names step and term.
    """
    for group in state.optimizer.param_groups:
        group["lr"] = config.rate_at(state.step) * group.get("rate_factor", 1.0)  # older checkpoints have none
    state.parser.train()
    image, segmap = batch
    logits = state.parser(image.contiguous(memory_format=torch.channels_last))
    row, column = divmod(state.step % config.loss_stride**2, config.loss_stride)
    seen = (..., slice(row, None, config.loss_stride), slice(column, None, config.loss_stride))
    terms = parser_losses(logits[seen], segmap[seen], weights)
    total = terms["cross_entropy"] + config.dice * terms["dice"]
    values = {name: value.item() for name, value in {**terms, "total": total}.items()}
    for name, value in values.items():
        if not torch.isfinite(torch.tensor(value)):
            raise InputError(f"step {state.step + 1}: the term {name} is {value}; {NON_FINITE_ADVICE}")
    state.optimizer.zero_grad()
    fabric.backward(total)
    fabric.clip_gradients(state.parser, state.optimizer, max_norm=config.gradient_norm)
    state.optimizer.step()
    update_average(state.average, state.parser, config.ema_decay, state.step)
    state.step += 1
    return values


@torch.no_grad()
def _write_samples(path: Path, state: ParserState, data: TrainingData, fabric: Fabric) -> None:
    """A sheet of held-out photos, their label maps, and the label maps of the averaged network."""
    shown = range(min(SAMPLE_IMAGES, len(data.validation)))  # type: ignore[arg-type]
    image, segmap, _ = collated(data.validation, shown, fabric.device, with_edges=False)
    maps = {"label map": segmap, "prediction": state.average.predict(image)}
    rows = [[Tile(tensor_to_image(picture.cpu())) for picture in image]]
    rows += [[Tile(colorize(ids.cpu().numpy(), data.labels), pixelated=True) for ids in row] for row in maps.values()]
    write_image(path, sheet(rows, row_titles=["photo", *maps], title=f"step {state.step}"))
