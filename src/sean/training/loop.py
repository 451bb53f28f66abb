"""The training loop: batches, steps, logs, validation, checkpoints, and the exported model at the end."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import default_collate

from sean.data.loader import BatchPlan, batches
from sean.errors import InputError
from sean.evaluation.reconstruction import reconstruction_scores
from sean.files import write_text_atomic
from sean.losses.perceptual import PerceptualLoss, load_vgg19
from sean.models.weights import load_model, save_model
from sean.plan.patch_plan import SegmapPlan
from sean.training.config import TrainConfig, config_to_json
from sean.training.data import TrainingData
from sean.training.ema import averaged_copy, recompute_statistics
from sean.training.log import METRICS_NAME, TrainingLog
from sean.training.samples import write_samples
from sean.training.state import TrainingState, new_state
from sean.training.step import training_step

CHECKPOINT_NAME = "checkpoint.safetensors"
MODEL_FOLDER = "model"
STATISTICS_BATCHES = 50
VALIDATION_IMAGES = 64
SAMPLE_IMAGES = 6


def train(
    config: TrainConfig, data: TrainingData, run: Path, *, resume: bool = False, start_from: Path | None = None
) -> Path:
    """Train, or continue a training, until `config.steps`.

    The folder `run` gets config.json, metrics.jsonl, tensorboard/, samples/, checkpoint.safetensors and, at every
    validation and at the end, model/: the averaged weights as a model folder.

    Args:
        config: its number of regions is replaced by that of the data.
        data: what to train and validate on.
        run: the run's folder.
        resume: continue from the checkpoint in `run`; where there is none yet, start.
        start_from: model folder whose weights a new run starts with; the discriminator starts afresh.

    Returns:
        The model folder.

    Raises:
        InputError: `run` holds a run and `resume` is off, the checkpoint or the model to start from does not fit, or a
            loss is not finite.
    """
    config = replace(config, model=replace(config.model, num_regions=data.labels.num_regions))
    checkpoint = run / CHECKPOINT_NAME
    if not resume and (checkpoint.exists() or (run / METRICS_NAME).exists()):
        raise InputError(f"{run} already holds a training; continue it with --resume or choose another --output")
    fabric = Fabric(accelerator="auto", devices=1, precision=config.precision)  # type: ignore[arg-type]
    fabric.launch()
    torch.manual_seed(config.seed)
    state = new_state(config, fabric)
    continued = resume and checkpoint.exists()
    if continued:
        state.load(checkpoint, config)
    elif start_from is not None:
        _take_weights(state, start_from, config)
    write_text_atomic(run / "config.json", config_to_json(config) + "\n")
    with TrainingLog(run, state.step, config.steps, config.log_every) as log:
        if continued:
            log.message(f"continuing {run} at step {state.step}")
        perceptual = _perceptual_loss(config, fabric, log)
        stream = _batches(data, config, state.step, fabric)
        while state.step < config.steps:
            image, segmap, plan = next(stream)
            log.step(state.step + 1, training_step(state, image, segmap, config, fabric, perceptual, plan))
            is_last = state.step == config.steps
            if state.step % config.sample_every == 0 or is_last:
                _validate_and_export(state, data, config, run, fabric, log)
            if state.step % config.checkpoint_every == 0 or is_last:
                state.save(checkpoint, config)
        log.message(f"the model is in {run / MODEL_FOLDER}")
    return run / MODEL_FOLDER


def _take_weights(state: TrainingState, folder: Path, config: TrainConfig) -> None:
    model, _ = load_model(folder)
    if model.config != config.model:
        raise InputError(f"the model in {folder} has other sizes ({model.config}) than this training ({config.model})")
    for network in (state.model, state.average):
        network.load_state_dict(model.state_dict())


def _batches(
    data: TrainingData, config: TrainConfig, start: int, fabric: Fabric
) -> Iterator[tuple[Tensor, Tensor, SegmapPlan]]:
    """Images, segmaps and the plans of these, which the loader's workers make."""
    plan = BatchPlan(
        length=len(data.training),  # type: ignore[arg-type]
        batch_size=config.batch_size,
        seed=config.seed,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
    )
    for batch in batches(data.training, plan, start, num_workers=config.num_workers, plan_segmaps=True):
        yield fabric.to_device(batch["image"]), fabric.to_device(batch["segmap"]), fabric.to_device(batch["plan"])


def _perceptual_loss(config: TrainConfig, fabric: Fabric, log: TrainingLog) -> PerceptualLoss | None:
    if config.losses.perceptual == 0:
        return None
    with torch.random.fork_rng(devices=[]):  # building it draws numbers, which a continued run has restored already
        network = load_vgg19(config.vgg_weights)
    if network is None:
        log.message(
            "the perceptual term is OFF: VGG19's weights could not be downloaded; "
            "give torchvision's vgg19-dcbb9e9d.pth by --config.vgg-weights"
        )
        return None
    loss = PerceptualLoss(network)
    fabric.to_device(loss)
    return loss


def _validate_and_export(
    state: TrainingState, data: TrainingData, config: TrainConfig, run: Path, fabric: Fabric, log: TrainingLog
) -> None:
    """Score, sample and export the averaged weights; neither the state nor its random numbers are touched."""
    model = averaged_copy(state.average)
    with torch.random.fork_rng():
        some = islice(_batches(data, config, state.step, fabric), STATISTICS_BATCHES)
        recompute_statistics(model, ((image, segmap) for image, segmap, _ in some))
        scores = reconstruction_scores(model, _validation_batches(data, config, fabric))
    log.record("validation", state.step, scores)
    text = " ".join(f"{name} {value:.3f}" for name, value in scores.items())
    log.message(f"step {state.step}: validation {text}")
    image, segmap = _collated(data.validation, range(min(SAMPLE_IMAGES, len(data.validation))), fabric)  # type: ignore[arg-type]
    path = run / "samples" / f"step-{state.step:06d}.png"
    write_samples(path, model, image, segmap, data.labels, title=f"step {state.step}")
    save_model(run / MODEL_FOLDER, model, data.labels)


def _validation_batches(data: TrainingData, config: TrainConfig, fabric: Fabric) -> Iterator[tuple[Tensor, Tensor]]:
    count = min(VALIDATION_IMAGES, len(data.validation))  # type: ignore[arg-type]
    for start in range(0, count, config.batch_size):
        yield _collated(data.validation, range(start, min(start + config.batch_size, count)), fabric)


def _collated(dataset: Any, indices: range, fabric: Fabric) -> tuple[Tensor, Tensor]:
    batch = default_collate([dataset[index] for index in indices])
    return fabric.to_device(batch["image"]), fabric.to_device(batch["segmap"])
