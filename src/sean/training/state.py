"""All that a training is at one moment, and nothing else: what a checkpoint holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule

from sean.errors import InputError
from sean.models.base import StyledModel
from sean.models.build import build_discriminator, build_model
from sean.models.sean.norm import synchronize_batch_norms
from sean.training.config import TrainConfig, check_resumable, config_from_json, config_to_json
from sean.training.ema import averaged_copy
from sean.training.resume import Changes, check_steps
from sean.training.tree_file import load_tree, save_tree


@dataclass(kw_only=True)
class TrainingState:
    """Networks, their averages and optimizers, and how many steps are done.

    `model` and `discriminator` are wrapped by Fabric for device, precision and processes; `average` is not.
    The position in the data and the random numbers need no state of their own: both follow from the step.

    Attributes:
        step: optimizer steps done.
        skipped: updates that were left out because a loss was not finite.
        best: the best PSNR on the held-out pairs so far and its step; None before the first validation.
    """

    model: _FabricModule
    discriminator: _FabricModule
    average: StyledModel
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    step: int = 0
    skipped: int = 0
    best: dict[str, int | float] | None = None

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
        counts = {"step": self.step, "skipped": self.skipped, "best": self.best}
        save_tree(path, {**tree, **counts, "config": config_to_json(config)})

    def load(self, path: Path, config: TrainConfig) -> Changes:
        """Continue from a checkpoint.

        Returns:
            The settings that change from here on.

        Raises:
            InputError: the file is missing, damaged, or of a run that cannot go on with these settings.
        """
        return self.restore(load_tree(path), path, config)

    def restore(self, tree: Any, path: Path, config: TrainConfig) -> Changes:
        """Continue from the content of the checkpoint at `path`; see `load`."""
        try:
            saved = config_from_json(tree["config"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} is not a training checkpoint of this version of sean ({error})") from error
        changes = check_resumable(saved, config)
        try:
            check_steps(tree["step"], config.steps)
            for name, part in self._parts().items():
                part.load_state_dict(tree[name])
            self.step, self.skipped, self.best = tree["step"], tree["skipped"], tree["best"]
        except InputError:
            raise
        except (KeyError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path} does not fit the networks of this version of sean ({reason})") from error
        return changes


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
