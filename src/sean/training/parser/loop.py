"""The training loop of a parser: steps, logs, validation, checkpoints, and the exported model."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import Dataset

from sean.errors import InputError, Interrupted
from sean.evaluation.streaming import collated, collated_batches
from sean.figures import Tile, sheet
from sean.files import write_text_atomic
from sean.images import tensor_to_image, write_image
from sean.models.parsers import Parser
from sean.models.weights import load_parser, save_parser
from sean.segmap import colorize
from sean.training.checkpoints import checkpoint_files, sole_user
from sean.training.data import TrainingData
from sean.training.distributed import device_line, start_processes
from sean.training.ema import update_average
from sean.training.interruption import Interruption
from sean.training.log import METRICS_NAME, TrainingLog
from sean.training.parser.config import ParserTrainConfig, config_to_json
from sean.training.parser.data import label_pixels, parser_batches
from sean.training.parser.objective import class_weights, parser_losses
from sean.training.parser.scores import parser_scores
from sean.training.parser.self_training import with_pseudo_labels
from sean.training.parser.state import ParserState, new_parser_state
from sean.training.resume import CONFIG_NAME, NON_FINITE_ADVICE, check_labels, note, said
from sean.training.workers import dead_workers_as_input_errors

ACCELERATOR = "auto"
MODEL_FOLDER = "model"
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
        config: its number of regions is replaced by that of the data.
        data: of `open_parser_data`.
        run: the run's folder.
        unlabelled: pictures for the self-training, see `open_unlabelled`.
        start_from: a parser's folder whose weights a new run begins with; it may be of another size.
        resume: continue from the newest checkpoint in `run`; where there is none yet, start. Number of steps, rate,
            batch size and precision may have changed: see `sean.training.resume`.
        device: cpu, cuda or cuda:1; None is a GPU where there is one.

    Returns:
        The model folder.

    Raises:
        InputError: `run` holds a run and `resume` is off, or is in use by another training; the checkpoint does not
            fit; a loss is not finite; the run's folder cannot be written; a process that reads data died.
        Interrupted: SIGINT, SIGTERM or SIGHUP came; the checkpoint of the last step is written.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise InputError("a parser is trained by one process; start sean train-parser without torchrun")
    config = replace(config, model=replace(config.model, num_regions=data.labels.num_regions))
    if not resume and (checkpoint_files(run) or (run / METRICS_NAME).exists()):
        raise InputError(f"{run} already holds a training; continue it with --resume or choose another --output")
    fabric = start_processes(config.precision, device or ACCELERATOR)
    with ExitStack() as stack:
        stack.enter_context(sole_user(run))
        if resume:
            check_labels(run, data.labels)
        pixels = label_pixels(run, data)  # before signals are held back for a checkpoint: there is none to write yet
        weights = fabric.to_device(class_weights(pixels, config.largest_class_weight, config.class_weight_power))
        interruption = stack.enter_context(Interruption())
        state = new_parser_state(config, fabric, None if start_from is None else _start(start_from, data))
        continued = state.continue_from(run, config) if resume else None
        problems, changes = continued or ([], {})
        write_text_atomic(run / CONFIG_NAME, config_to_json(config) + "\n")
        note(run, state.step, data=data.location, labels=data.labels, device=fabric.device.type, changes=changes)
        log = stack.enter_context(TrainingLog(run, state.step, config.steps, config.log_every, config.batch_size))
        for problem in problems:
            log.message(f"{problem}; going on from the checkpoint before it")
        if continued is not None:
            log.message(f"continuing {run} at step {state.step}")
        if changes:
            log.message(f"from here on with other settings: {said(changes)}")
        log.message(device_line(fabric))
        if not data.held_out:
            log.message("no pictures are held out: the scores are those of training pictures")
        stream = stack.enter_context(closing(parser_batches(data, config, state.step, fabric)))
        if unlabelled is not None:
            stream = stack.enter_context(closing(with_pseudo_labels(stream, unlabelled, state, config, fabric)))
        with dead_workers_as_input_errors(state):
            _steps(state, stream, data, weights, config, run, fabric, log, interruption)
        log.message(f"the parser is in {run / MODEL_FOLDER}")
    return run / MODEL_FOLDER


def _start(folder: Path, data: TrainingData) -> Parser:
    parser, labels = load_parser(folder)
    if labels.names != data.labels.names:
        raise InputError(
            f"expected a parser of the labels {data.labels.name} to start from, but {folder} has those of {labels.name}"
        )
    return parser


def _steps(
    state: ParserState,
    stream: Iterator[tuple[Tensor, Tensor]],
    data: TrainingData,
    weights: Tensor,
    config: ParserTrainConfig,
    run: Path,
    fabric: Fabric,
    log: TrainingLog,
    interruption: Interruption,
) -> None:
    while state.step < config.steps:
        log.step(state.step + 1, parser_step(state, next(stream), weights, config, fabric))
        is_last = state.step == config.steps
        signal = interruption.signal
        if not signal and (state.step % config.validate_every == 0 or is_last):
            _validate_and_export(state, data, config, run, fabric, log)
        if signal or state.step % config.checkpoint_every == 0 or is_last:
            state.save(run, config)
        if signal and not is_last:
            raise Interrupted(f"stopped at step {state.step}, which is saved; continue with --resume", signal)


def parser_step(
    state: ParserState,
    batch: tuple[Tensor, Tensor],
    weights: Tensor,
    config: ParserTrainConfig,
    fabric: Fabric,
) -> dict[str, float]:
    """One update of the network and its average, in place; returns the loss terms and their weighted sum.

    Args:
        state: its step goes up by one.
        batch: image [b, 3, h, w] in [-1, 1] and segmap [b, h, w].
        weights: [k], of the labels.
        config: rates and weights.
        fabric: device and precision.

    Raises:
        InputError: a loss is not finite; names step and term.
    """
    for group in state.optimizer.param_groups:
        group["lr"] = config.rate_at(state.step) * group["rate_factor"]
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


def _validate_and_export(
    state: ParserState, data: TrainingData, config: ParserTrainConfig, run: Path, fabric: Fabric, log: TrainingLog
) -> None:
    """Score, sample and export the averaged weights; the state is left as it is."""
    scores = parser_scores(state.average, _held_out(data, config, fabric), data.labels.names)
    if scores["pixels"]:
        pictures = "validation" if data.held_out else "training pictures"
        log.record(pictures, state.step, {name: scores[name] for name in ("miou", "accuracy")})
        log.record("iou", state.step, {name: value for name, value in scores["iou"].items() if value is not None})
        log.message(f"step {state.step}: {pictures} miou {scores['miou']:.3f} accuracy {scores['accuracy']:.3f}")
    _write_samples(run / "samples" / f"step-{state.step:07d}.png", state, data, fabric)
    save_parser(run / MODEL_FOLDER, state.average, data.labels)


def _held_out(data: TrainingData, config: ParserTrainConfig, fabric: Fabric) -> Iterator[tuple[Tensor, Tensor]]:
    for image, segmap, _ in collated_batches(data.validation, config.batch_size, fabric.device, with_edges=False):
        yield image, segmap


@torch.no_grad()
def _write_samples(path: Path, state: ParserState, data: TrainingData, fabric: Fabric) -> None:
    """A sheet of held-out photos, their label maps, and what the averaged network makes of them."""
    shown = range(min(SAMPLE_IMAGES, len(data.validation)))  # type: ignore[arg-type]
    image, segmap, _ = collated(data.validation, shown, fabric.device, with_edges=False)
    maps = {"label map": segmap, "prediction": state.average.predict(image)}
    rows = [[Tile(tensor_to_image(picture.cpu())) for picture in image]]
    rows += [[Tile(colorize(ids.cpu().numpy(), data.labels), pixelated=True) for ids in row] for row in maps.values()]
    write_image(path, sheet(rows, row_titles=["photo", *maps], title=f"step {state.step}"))
