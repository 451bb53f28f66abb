"""A small training in a process of its own, which hangs at a given place of a given step: `test_resume` kills it there.

Usage: hanging_run.py RUN PLACE STEP; PLACE is one of `PLACES`, or `never`.
"""

import os
import sys
import time
from collections.abc import Callable
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

# between the generator's update and the discriminator's; half of the new checkpoint written; all of it, but not
# moved to its place; the validation recorded, its samples not written
PLACES = ("update", "write", "move", "samples")


def scenes() -> TrainingData:
    """Five scenes to train on, five held out."""
    training, held_out = (SyntheticScenes(size=(32, 32), length=5, seed=seed) for seed in (0, 1))
    return TrainingData(training=training, validation=held_out, labels=training.labels)


def main(run: Path, place: str, number: int) -> None:
    """Train in `run`, or continue; hang when step `number` (1, 2, ...) comes to `place`."""
    torch.set_num_threads(1)
    now = 0

    def hang_at(name: str, function: Callable[..., Any], before: Callable[..., Any] = lambda *_: None) -> Any:
        def replacement(*args: Any, **options: Any) -> Any:
            if name == place and now == number:
                before(*args)
                run.with_name("hangs").touch()
                time.sleep(600)
            return function(*args, **options)

        return replacement

    def counted(state: Any, *args: Any) -> dict[str, float]:
        nonlocal now
        now = state.step + 1
        return step.training_step(state, *args)

    loop.training_step = counted
    loop.ACCELERATOR = "cpu"
    validation.STATISTICS_BATCHES = 2
    validation.draw_curves = lambda runs, output: None
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

    loop.train(CONFIG, scenes(), run, resume=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
