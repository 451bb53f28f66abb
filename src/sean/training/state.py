"""All that a training is at one moment, and nothing else: what a checkpoint holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from sean.errors import InputError
from sean.models.build import SEANModel, build_discriminator, build_model
from sean.training.config import TrainConfig, check_resumable, config_from_json, config_to_json
from sean.training.ema import averaged_copy
from sean.training.tree_file import load_tree, save_tree


@dataclass(kw_only=True)
class TrainingState:
    """Networks, their averages and optimizers, and how many steps are done.

    `model` and `discriminator` are wrapped by Fabric for device, precision and processes; `average` is not.
    The data position needs no state of its own: the batch of a step follows from the step.
    """

    model: nn.Module
    discriminator: nn.Module
    average: SEANModel
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    step: int = 0

    def _parts(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "discriminator": self.discriminator,
            "average": self.average,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }

    def save(self, path: Path, config: TrainConfig) -> None:
        """Write a checkpoint, atomically: a kill at any moment leaves the old one or the new one."""
        tree = {name: dict(part.state_dict()) for name, part in self._parts().items()}
        save_tree(path, {**tree, "step": self.step, "config": config_to_json(config), "rng": _rng_state()})

    def load(self, path: Path, config: TrainConfig) -> None:
        """Continue from a checkpoint, also the random numbers.

        Raises:
            InputError: the file is missing, damaged, or of a run with other settings.
        """
        tree = load_tree(path)
        try:
            saved = config_from_json(tree["config"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} is not a training checkpoint of this version of sean ({error})") from error
        check_resumable(saved, config)
        try:
            for name, part in self._parts().items():
                part.load_state_dict(tree[name])
            self.step = tree["step"]
            _restore_rng(tree["rng"])
        except (KeyError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path} does not fit the networks of this version of sean ({reason})") from error


def new_state(config: TrainConfig, fabric: Fabric) -> TrainingState:
    """Fresh networks and optimizers; torch's global generator is to be seeded before."""
    model = build_model(config.model, config.init_gain)
    discriminator = build_discriminator(config.model.num_regions, config.discriminator_channels)
    betas = (config.beta1, config.beta2)
    generator_optimizer = torch.optim.Adam(model.parameters(), lr=config.generator_rate, betas=betas)
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=config.discriminator_rate, betas=betas)
    average = averaged_copy(model)
    fabric.to_device(average)
    wrapped_model, wrapped_generator_optimizer = fabric.setup(model, generator_optimizer)
    wrapped_discriminator, wrapped_discriminator_optimizer = fabric.setup(discriminator, discriminator_optimizer)
    # gradients of the discriminator are switched on only for its own update
    wrapped_discriminator.requires_grad_(False)
    return TrainingState(
        model=wrapped_model,
        discriminator=wrapped_discriminator,
        average=average,
        generator_optimizer=wrapped_generator_optimizer,
        discriminator_optimizer=wrapped_discriminator_optimizer,
    )


def _rng_state() -> dict[str, Any]:
    state: dict[str, Any] = {"torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def _restore_rng(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
