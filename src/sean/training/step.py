"""One training step: the generator's update, then the discriminator's, on the same rendered pictures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from sean.errors import InputError
from sean.losses.objective import discriminator_losses, generator_losses, split_fake_real
from sean.losses.perceptual import PerceptualLoss
from sean.models.discriminator import discriminator_condition
from sean.training.batch import TrainingBatch
from sean.training.config import TrainConfig
from sean.training.differentiable_augmentation import augment, draw_augmentation
from sean.training.distributed import mean_over_processes
from sean.training.ema import update_average
from sean.training.resume import NON_FINITE_ADVICE
from sean.training.state import TrainingState

Terms = dict[str, float]


def training_step(
    state: TrainingState,
    batches: Sequence[TrainingBatch],
    config: TrainConfig,
    fabric: Fabric,
    perceptual: PerceptualLoss | None,
) -> Terms:
    """Reconstruct pictures from their own styles and update all networks and the average, in place.

    Args:
        state: state of the training; its step is increased by one.
        batches: batches of this process; their gradients are summed.
        config: settings of the training.
        fabric: the Fabric with which the networks were set up.
        perceptual: the perceptual term, or None if its network is not available.

    Returns:
        The weighted loss terms by name, averaged over batches and processes. An update with a term that is not finite
        is skipped: its terms are left out, and the state counts it.

    Raises:
        InputError: a term is not finite and `config.non_finite` is "stop" (the message names step and term, and the
            weights are those before the update); or all terms are off.
    """
    _set_rates(state, config)
    generator = _Update(state, state.generator_optimizer, (state.model, state.discriminator), config, fabric)
    fakes = []
    for index, batch in enumerate(batches):
        # gradients pass through the discriminator here, but its weights need none
        with (
            fabric.no_backward_sync(state.discriminator),
            fabric.no_backward_sync(state.model, enabled=index + 1 < len(batches)),
        ):
            fake, own_terms = state.model.training_pass(
                batch.image, batch.segmap, plan=batch.plan, edges=batch.edges, rng=batch.noise
            )
            outputs = _discriminate(state, fake, batch, config, with_real=config.losses.feature_matching > 0)
            terms = generator_losses(config.losses, fake, batch.image, *outputs, perceptual, own_terms)
            if not terms:
                raise InputError(
                    "every term of the generator's loss is off; give one of the loss weights a value above 0"
                )
            generator.add(terms, len(batches))
        fakes.append(fake.detach())
    values = generator.finish()
    if values is not None and config.losses.uses_discriminator:
        values |= _update_discriminator(state, batches, fakes, config, fabric) or {}
    if values is not None:
        update_average(state.average, state.model, config.ema_decay, state.step)
    state.step += 1
    return values or {}


def _update_discriminator(
    state: TrainingState, batches: Sequence[TrainingBatch], fakes: list[Tensor], config: TrainConfig, fabric: Fabric
) -> Terms | None:
    _let_learn(state.discriminator_optimizer, True)
    update = _Update(state, state.discriminator_optimizer, (state.discriminator,), config, fabric)
    for index, (batch, fake) in enumerate(zip(batches, fakes, strict=True)):
        with fabric.no_backward_sync(state.discriminator, enabled=index + 1 < len(batches)):
            outputs = _discriminate(state, fake, batch, config, with_real=True)
            update.add(discriminator_losses(config.losses, *outputs), len(batches))
    values = update.finish()
    _let_learn(state.discriminator_optimizer, False)
    return values


def _let_learn(optimizer: torch.optim.Optimizer, learns: bool) -> None:
    """Switch the gradients of an optimizer's parameters on or off; frozen parts of the network stay frozen."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.requires_grad_(learns)


def _set_rates(state: TrainingState, config: TrainConfig) -> None:
    for optimizer, rate in (
        (state.generator_optimizer, config.generator_rate),
        (state.discriminator_optimizer, config.discriminator_rate),
    ):
        for group in optimizer.param_groups:
            group["lr"] = rate * config.rate_factor(state.step)


def _discriminate(
    state: TrainingState, fake: Tensor, batch: TrainingBatch, config: TrainConfig, *, with_real: bool
) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """The discriminator's outputs for generated and real pictures, passed as one batch; empty if no term needs them.

    A generated picture and its photo are augmented alike; the two updates of a step use different random numbers.
    """
    if not config.losses.uses_discriminator:
        return [], []
    condition = discriminator_condition(batch.segmap, batch.edges, config.model.num_regions)
    copies = 2 if with_real else 1
    conditions, pictures = torch.cat([condition] * copies), torch.cat([fake, batch.image][:copies])
    if config.discriminator_augment:
        draws = draw_augmentation(len(fake), batch.noise, fake.device)
        conditions, pictures = augment(conditions, pictures, torch.cat([draws] * copies))
    outputs = state.discriminator(conditions, pictures)
    return split_fake_real(outputs) if with_real else (outputs, [])


@dataclass
class _Update:
    """An optimizer's update: gradients over several batches, applied if all of their terms are finite."""

    state: TrainingState
    optimizer: torch.optim.Optimizer
    networks: tuple[nn.Module, ...]
    config: TrainConfig
    fabric: Fabric

    def __post_init__(self) -> None:
        self.names: list[str] = []
        self.total: Tensor | None = None
        # a pass with a loss that is not finite also spoils running statistics and singular vectors
        self.buffers: list[tuple[Tensor, Tensor]] = []
        if self.config.non_finite == "skip":
            self.buffers = [(buffer, buffer.clone()) for network in self.networks for buffer in network.buffers()]
        self.optimizer.zero_grad(set_to_none=True)

    def add(self, terms: dict[str, Tensor], num_batches: int) -> None:
        """Add one batch's terms and their gradients."""
        stacked = torch.stack(list(terms.values()))
        self.fabric.backward(stacked.sum() / num_batches)
        self.names = list(terms)
        values = stacked.detach() / num_batches
        self.total = values if self.total is None else self.total + values

    def finish(self) -> Terms | None:
        """Apply the gradients; returns the terms, or None if the update was skipped."""
        assert self.total is not None, "an update needs a batch"
        means = mean_over_processes(self.total, self.fabric).tolist()
        values = dict(zip(self.names, means, strict=True))
        for name, value in values.items():
            if not math.isfinite(value):
                self._skip(name, value)
                return None
        self.optimizer.step()
        return values

    @torch.no_grad()
    def _skip(self, name: str, value: float) -> None:
        if self.config.non_finite == "stop":
            raise InputError(
                f"step {self.state.step}: the loss term '{name}' is {value}; {NON_FINITE_ADVICE}. Single steps of that "
                'kind are skipped with non_finite = "skip"',
                setting="config.non_finite",
            )
        for buffer, before in self.buffers:
            buffer.copy_(before)
        self.optimizer.zero_grad(set_to_none=True)
        self.state.skipped += 1
