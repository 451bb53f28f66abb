"""One training step: the generator's update, then the discriminator's, on the same rendered pictures."""

import math

import torch
from lightning_fabric import Fabric
from torch import Tensor

from sean.errors import InputError
from sean.losses.gan import split_fake_real
from sean.losses.objective import discriminator_losses, generator_losses
from sean.losses.perceptual import PerceptualLoss
from sean.plan.patch_plan import SegmapPlan
from sean.segmap import onehot
from sean.training.config import TrainConfig
from sean.training.ema import update_average
from sean.training.state import TrainingState


def training_step(
    state: TrainingState,
    image: Tensor,
    segmap: Tensor,
    config: TrainConfig,
    fabric: Fabric,
    perceptual: PerceptualLoss | None,
    plan: SegmapPlan | None = None,
) -> dict[str, float]:
    """Reconstruct `image` [b, 3, h, w] from its own styles and update all networks and the average, in place.

    `plan`, where it has been made beforehand, is that of the segmaps [b, h, w].

    Returns:
        Every weighted loss term by name.

    Raises:
        InputError: a term is not finite; names step and term. The weights are left as they were before that term.
            Or all terms are off.
    """
    for optimizer, rate in (
        (state.generator_optimizer, config.generator_rate),
        (state.discriminator_optimizer, config.discriminator_rate),
    ):
        for group in optimizer.param_groups:
            group["lr"] = rate * config.rate_factor(state.step)

    fake = state.model(image, segmap, plan=plan, noise=True)
    outputs = _discriminate(state, fake, image, segmap, config)
    terms = generator_losses(config.losses, fake, image, *outputs, perceptual)
    if not terms:
        raise InputError("every term of the generator's loss is off; give one of the loss weights a value above 0")
    values = _finite(terms, state.step)
    # the discriminator is only looked through here, so its weights need no gradient
    state.generator_optimizer.zero_grad(set_to_none=True)
    fabric.backward(torch.stack(list(terms.values())).sum())
    state.generator_optimizer.step()

    if config.losses.uses_discriminator:
        state.discriminator.requires_grad_(True)
        terms = discriminator_losses(*_discriminate(state, fake.detach(), image, segmap, config))
        values |= _finite(terms, state.step)
        state.discriminator_optimizer.zero_grad(set_to_none=True)
        fabric.backward(torch.stack(list(terms.values())).sum())
        state.discriminator_optimizer.step()
        state.discriminator.requires_grad_(False)

    update_average(state.average, state.model, config.ema_decay, state.step)
    state.step += 1
    return values


def _discriminate(
    state: TrainingState, fake: Tensor, real: Tensor, segmap: Tensor, config: TrainConfig
) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """The discriminator's outputs for fake and real pictures, passed as one batch; empty where no term needs them."""
    if not config.losses.uses_discriminator:
        return [], []
    condition = onehot(segmap, config.model.num_regions)
    return split_fake_real(state.discriminator(torch.cat([condition, condition]), torch.cat([fake, real])))


def _finite(terms: dict[str, Tensor], step: int) -> dict[str, float]:
    values = {name: term.item() for name, term in terms.items()}
    for name, value in values.items():
        if not math.isfinite(value):
            raise InputError(
                f"step {step}: the loss term '{name}' is {value}; resume from the last checkpoint with a lower rate, "
                "or in 32-true precision"
            )
    return values
