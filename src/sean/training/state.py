"""The networks and optimizers of a model's training."""

from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule

from sean.models.base import StyledModel
from sean.models.build import build_discriminator, build_model
from sean.models.sean.norm import synchronize_batch_norms
from sean.training.checkpoints import RunState
from sean.training.config import TrainConfig
from sean.training.ema import averaged_copy


@dataclass(kw_only=True)
class TrainingState(RunState):
    """The state of a model's training.

    `model` and `discriminator` are wrapped by Fabric for device, precision and processes; `average` is not.

    Attributes:
        skipped: updates that were left out because a loss was not finite.
        best: the best PSNR on the held-out pairs so far and its step; None before the first validation.
    """

    model: _FabricModule
    discriminator: _FabricModule
    average: StyledModel
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    skipped: int = 0
    best: dict[str, int | float] | None = None

    config_type = TrainConfig
    config_key = "config"

    def parts(self) -> dict[str, Any]:
        """See `RunState`."""
        return {
            "model": self.model,
            "discriminator": self.discriminator,
            "average": self.average,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }

    def counts(self) -> dict[str, Any]:
        """See `RunState`."""
        return {"step": self.step, "skipped": self.skipped, "best": self.best}


def new_state(config: TrainConfig, fabric: Fabric) -> TrainingState:
    """Fresh networks and optimizers, the same on all processes: they are drawn from the config's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = build_model(config.model, config.init_gain)
        discriminator = build_discriminator(
            config.model.num_regions, config.discriminator_channels, instance_edges=config.model.instance_edges
        )
    if fabric.world_size > 1:
        synchronize_batch_norms(model)
    betas = (config.beta1, config.beta2)
    generator_optimizer = torch.optim.Adam(model.parameters(), lr=config.generator_rate, betas=betas)
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=config.discriminator_rate, betas=betas)
    average = averaged_copy(model)
    fabric.to_device(average)
    wrapped_model, wrapped_generator_optimizer = fabric.setup(model, generator_optimizer)
    wrapped_model.mark_forward_method("training_pass")
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
