"""The networks and optimizers of a model's training."""

from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule
from torch import nn

from sean.models.base import StyledModel
from sean.models.build import build_model
from sean.models.discriminator import build_discriminator
from sean.models.efficientnet import load_efficientnet
from sean.models.projected_discriminator import ProjectedDiscriminator
from sean.models.sean.norm import synchronize_batch_norms
from sean.training.checkpoints import RunState
from sean.training.config import TrainConfig
from sean.training.ema import averaged_copy

_DISCRIMINATOR_TRUNK = "lite1"  # the published choice, for its speed


@dataclass(kw_only=True)
class TrainingState(RunState):
    """The state of a model's training.

    `model` and `discriminator` are wrapped by Fabric for device, precision and processes; `average` is not.

    Attributes:
        skipped: number of updates skipped because a loss was not finite.
        best: the best PSNR on the held-out pairs so far, and its step; None before the first validation.
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
    """New networks and optimizers, equal on all processes, as they are drawn from the config's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = build_model(config.model, config.init_gain)
        discriminator = new_discriminator(config)
    if fabric.world_size > 1:
        synchronize_batch_norms(model)
    betas = (config.beta1, config.beta2)
    generator_optimizer = torch.optim.Adam(model.parameters(), lr=config.generator_rate, betas=betas)
    judges = [parameter for parameter in discriminator.parameters() if parameter.requires_grad]  # no frozen trunk
    discriminator_optimizer = torch.optim.Adam(judges, lr=config.discriminator_rate, betas=betas)
    average = averaged_copy(model)
    fabric.to_device(average)
    wrapped_model, wrapped_generator_optimizer = fabric.setup(model, generator_optimizer)
    wrapped_model.mark_forward_method("training_pass")
    wrapped_discriminator, wrapped_discriminator_optimizer = fabric.setup(discriminator, discriminator_optimizer)
    # the discriminator's gradients are switched on for its own update only
    wrapped_discriminator.requires_grad_(False)
    return TrainingState(
        model=wrapped_model,
        discriminator=wrapped_discriminator,
        average=average,
        generator_optimizer=wrapped_generator_optimizer,
        discriminator_optimizer=wrapped_discriminator_optimizer,
    )


def new_discriminator(config: TrainConfig) -> nn.Module:
    """The discriminator of the config, drawn from torch's global generator.

    Raises:
        InputError: the ImageNet weights of the projected discriminator are not installed or damaged.
    """
    model = config.model
    if config.discriminator == "projected":
        condition_dim = model.num_regions + model.instance_edges
        return ProjectedDiscriminator(
            load_efficientnet(_DISCRIMINATOR_TRUNK), condition_dim, config.discriminator_channels
        )
    return build_discriminator(model.num_regions, config.discriminator_channels, instance_edges=model.instance_edges)
