"""A small training in processes of its own (`tests.support.forks`), which are killed, or hang at a place of a step."""

import os
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import torch

from sean import files
from sean.data.synthetic.scenes import SyntheticScenes
from sean.losses.weights import LossWeights
from sean.models import weights
from sean.models.configs import SEANConfig
from sean.training import loop, step, validation
from sean.training.checkpoints import CHECKPOINTS_FOLDER
from sean.training.config import TrainConfig
from sean.training.data import TrainingData

from ..support.forks import fork_ranks

CONFIG = TrainConfig(
    model=SEANConfig(
        image_size=(32, 32), style_dim=8, base_channels=4, max_channels=16, mask_dim=8, encoder_channels=4
    ),
    losses=LossWeights(adversarial=1.0, feature_matching=10.0, perceptual=0.0, l1=10.0),
    discriminator_channels=4,
    batch_size=2,
    steps=12,
    decay_steps=6,
    generator_rate=1e-3,
    discriminator_rate=1e-3,
    num_workers=0,
    log_every=1,
    sample_every=4,
    checkpoint_every=3,
)


def start(config: TrainConfig, run: Path, processes: int = 1, double: bool = False) -> list[ForkServerProcess]:
    """Start, or continue, a training in processes as torchrun would; `double` computes it in float64."""
    return fork_ranks(processes, _train_double if double else train, config, run)


def _train_double(config: TrainConfig, run: Path) -> None:
    torch.set_default_dtype(torch.float64)
    read = SyntheticScenes.__getitem__
    SyntheticScenes.__getitem__ = lambda self, key: {**(s := read(self, key)), "image": s["image"].double()}
    loop.validate_and_export = lambda *_: None  # the metrics are for float32
    train(config, run)


def train(config: TrainConfig, run: Path) -> None:
    """Train in this process, or continue, on five scenes with five held out."""
    torch.set_num_threads(1)
    loop.ACCELERATOR = "cpu"
    validation.STATISTICS_BATCHES = 2
    validation.draw_curves = lambda runs, output: None
    training, held_out = (SyntheticScenes(size=(32, 32), length=5, seed=seed) for seed in (0, 1))
    loop.train(config, TrainingData(training=training, validation=held_out, labels=training.labels), run, resume=True)


def train_and_hang(run: Path, sign: Path, place: str, number: int) -> None:
    """Train, or continue; when step `number` (1, 2, ...) comes to `place`, touch `sign` and hang.

    Places: "update": between the generator's update and the discriminator's; "write": half of the new checkpoint is
    written; "move": all of it is written, but not moved to its place; "samples": the validation is recorded, its
    samples are not written.
    """
    now = 0

    def hang_at(name: str, function: Callable[..., Any], before: Callable[..., Any] = lambda *_: None) -> Any:
        def replacement(*args: Any, **options: Any) -> Any:
            if name == place and now == number:
                before(*args)
                sign.touch()
                time.sleep(600)
            return function(*args, **options)

        return replacement

    def counted(state: Any, *args: Any) -> dict[str, float]:
        nonlocal now
        now = state.step + 1
        return step.training_step(state, *args)

    loop.training_step = counted
    step.discriminator_losses = hang_at("update", step.discriminator_losses)
    validation.write_samples = hang_at("samples", validation.write_samples)
    save = weights.save_file
    hanging_save = hang_at("write", save, lambda tensors, path: path.write_bytes(bytes(500_000)))
    weights.save_file = lambda tensors, path, **options: (
        hanging_save if path.parent.name == CHECKPOINTS_FOLDER else save
    )(tensors, path, **options)
    move = os.replace
    hanging_move = hang_at("move", move)
    files.os.replace = lambda old, new: (hanging_move if new.parent.name == CHECKPOINTS_FOLDER else move)(old, new)
    train(CONFIG, run)
