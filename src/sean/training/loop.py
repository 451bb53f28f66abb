"""The training loop: batches, steps, logs, validation, checkpoints, and the exported model at the end."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch
from lightning_fabric import Fabric

from sean.errors import InputError, Interrupted
from sean.files import write_text_atomic
from sean.losses.perceptual import PerceptualLoss
from sean.models.weights import load_model
from sean.training.batch import TrainingBatch, batch_schedule, training_batches
from sean.training.checkpoints import CHECKPOINTS_FOLDER, checkpoint_files, read_newest, save_checkpoint, sole_user
from sean.training.config import TrainConfig, config_to_json
from sean.training.data import TrainingData
from sean.training.distributed import device_line, largest, lost_processes_as_input_errors, on_first, start_processes
from sean.training.interruption import Interruption
from sean.training.log import METRICS_NAME, Log, TrainingLog
from sean.training.perceptual import perceptual_loss
from sean.training.resume import NON_FINITE_ADVICE, Changes, check_labels, note, said
from sean.training.state import TrainingState, new_state
from sean.training.step import training_step
from sean.training.validation import MODEL_FOLDER, validate_and_export
from sean.training.workers import dead_workers_as_input_errors

ACCELERATOR = "auto"
MAX_SKIPPED_IN_A_ROW = 20


def train(
    config: TrainConfig,
    data: TrainingData,
    run: Path,
    *,
    resume: bool = False,
    start_from: Path | None = None,
    device: str | None = None,
) -> Path:
    """Train, or continue a training, until `config.steps`.

    The folder `run` gets config.json, metrics.jsonl, tensorboard/, curves.png, samples/, checkpoints/ and, at every
    validation and at the end, model/: the averaged weights as a model folder; best/ is the best of them. Several
    processes (see `sean.training.distributed`) need a file system that all of them see.

    Args:
        config: its number of regions is replaced by that of the data.
        data: what to train and validate on.
        run: the run's folder.
        resume: continue from the newest checkpoint in `run`; where there is none yet, start. Number of steps, rates,
            batch size, accumulation and precision may have changed: see `sean.training.resume`.
        start_from: model folder whose weights a new run starts with; the discriminator starts afresh.
        device: cpu, cuda or cuda:1; None is a GPU where there is one.

    Returns:
        The model folder.

    Raises:
        InputError: `run` holds a run and `resume` is off, or is in use by another training; the checkpoint or the model
            to start from does not fit; a loss is not finite; the run's folder cannot be written; a process died.
        Interrupted: SIGINT, SIGTERM or SIGHUP came; the checkpoint of the last step is written.
    """
    config = replace(config, model=replace(config.model, num_regions=data.labels.num_regions))
    fabric = start_processes(config.precision, device or ACCELERATOR)
    batch_schedule(data, config, world_size=fabric.world_size)  # says at once if the batch cannot be shared
    with ExitStack() as stack:
        stack.enter_context(lost_processes_as_input_errors(fabric))
        on_first(fabric, lambda: _enter(stack, run, resume))
        interruption = stack.enter_context(Interruption())
        if resume:
            on_first(fabric, lambda: check_labels(run, data.labels))
        state = new_state(config, fabric)
        continued = _continue(state, config, run, fabric) if resume else None
        if continued is None and start_from is not None:
            _take_weights(state, start_from, config)
        changes = {} if continued is None else continued.changes
        on_first(fabric, lambda: _write_down(run, state.step, config, data, fabric, changes))
        log = Log()
        if fabric.is_global_zero:
            log = stack.enter_context(TrainingLog(run, state.step, config.steps, config.log_every, config.batch_size))
        _announce(log, state, run, fabric, continued)
        if not data.held_out:
            log.message("no pictures are held out: the scores are those of training pictures")
        perceptual = perceptual_loss(config, fabric, log)
        stream = training_batches(data, config, state.step, fabric)
        with dead_workers_as_input_errors(state), closing(stream):
            _steps(state, data, config, run, fabric, log, perceptual, interruption, stream)
        log.message(f"the model is in {run / MODEL_FOLDER}")
    return run / MODEL_FOLDER


def _steps(
    state: TrainingState,
    data: TrainingData,
    config: TrainConfig,
    run: Path,
    fabric: Fabric,
    log: Log,
    perceptual: PerceptualLoss | None,
    interruption: Interruption,
    stream: Iterator[TrainingBatch],
) -> None:
    skipped_in_a_row = 0
    while state.step < config.steps:
        skipped = state.skipped
        terms = training_step(state, list(islice(stream, config.accumulate)), config, fabric, perceptual)
        log.step(state.step, terms)
        skipped_in_a_row = skipped_in_a_row + 1 if state.skipped > skipped else 0
        if skipped_in_a_row:
            _report_skipped(log, state, skipped_in_a_row)
        is_last = state.step == config.steps
        signal = largest(interruption.signal, fabric)
        if not signal and (state.step % config.sample_every == 0 or is_last):
            validate_and_export(state, data, config, run, fabric, log)
        if signal or state.step % config.checkpoint_every == 0 or is_last:
            on_first(fabric, lambda: save_checkpoint(run, state, config))
        if signal and not is_last:
            raise Interrupted(f"stopped at step {state.step}, which is saved; continue with --resume", signal)


def _enter(stack: ExitStack, run: Path, resume: bool) -> None:
    """Take the run's folder for this training."""
    if not resume and (checkpoint_files(run) or (run / METRICS_NAME).exists()):
        raise InputError(f"{run} already holds a training; continue it with --resume or choose another --output")
    stack.enter_context(sole_user(run))


@dataclass(frozen=True, kw_only=True)
class _Continued:
    """What there is to say of a checkpoint that a run goes on from: newer ones that are damaged, changed settings."""

    problems: list[str]
    changes: Changes


def _continue(state: TrainingState, config: TrainConfig, run: Path, fabric: Fabric) -> _Continued | None:
    """Load the newest checkpoint into the state; None where there is none."""

    def load_first() -> tuple[str, _Continued] | None:
        newest = read_newest(run)
        if newest is None:
            return None
        path, tree, problems = newest
        return path.name, _Continued(problems=problems, changes=state.restore(tree, path, config))

    loaded = on_first(fabric, load_first)
    if loaded is None:
        return None
    name, continued = loaded
    if not fabric.is_global_zero:
        state.load(run / CHECKPOINTS_FOLDER / name, config)
    return continued


def _write_down(
    run: Path, step: int, config: TrainConfig, data: TrainingData, fabric: Fabric, changes: Changes
) -> None:
    """The settings, and in the run's history what has changed."""
    write_text_atomic(run / "config.json", config_to_json(config) + "\n")
    note(run, step, data=data.location, labels=data.labels, device=fabric.device.type, changes=changes)


def _take_weights(state: TrainingState, folder: Path, config: TrainConfig) -> None:
    model, _ = load_model(folder)
    if replace(model.config, image_size=config.model.image_size) != config.model:  # weights fit any size
        raise InputError(f"the model in {folder} has other sizes ({model.config}) than this training ({config.model})")
    for network in (state.model, state.average):
        network.load_state_dict(model.state_dict())


def _announce(log: Log, state: TrainingState, run: Path, fabric: Fabric, continued: _Continued | None) -> None:
    if continued is not None:
        for problem in continued.problems:
            log.message(f"{problem}; going on from the checkpoint before it")
        log.message(f"continuing {run} at step {state.step}")
        if continued.changes:
            log.message(f"from here on with other settings: {said(continued.changes)}")
    log.message(device_line(fabric))
    if fabric.device.type == "cuda" and fabric.world_size == 1 and torch.cuda.device_count() > 1:
        log.message(
            f"one of {torch.cuda.device_count()} GPUs is used; for all of them: "
            f"torchrun --nproc-per-node {torch.cuda.device_count()} -m sean train ..."
        )


def _report_skipped(log: Log, state: TrainingState, in_a_row: int) -> None:
    log.message(f"step {state.step}: a loss was not finite, the update was skipped ({state.skipped} so far)")
    if in_a_row == MAX_SKIPPED_IN_A_ROW:
        raise InputError(
            f"step {state.step}: {in_a_row} steps in a row had a loss that is not finite; {NON_FINITE_ADVICE}"
        )
