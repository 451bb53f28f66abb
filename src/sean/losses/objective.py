"""The training objective: named terms with their weights, applied once and only here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch.nn.functional as F
from torch import Tensor

from sean.losses.gan import (
    Outputs,
    discriminator_hinge,
    discriminator_least_squares,
    feature_matching,
    generator_hinge,
    generator_least_squares,
)
from sean.losses.perceptual import PerceptualLoss
from sean.losses.weights import GANLoss, LossWeights

_GAN_LOSSES: dict[GANLoss, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "hinge": (generator_hinge, discriminator_hinge),
    "least-squares": (generator_least_squares, discriminator_least_squares),
}


def generator_losses(
    weights: LossWeights,
    fake: Tensor,
    real: Tensor,
    fake_outputs: Outputs,
    real_outputs: Outputs,
    perceptual: PerceptualLoss | None,
    own: Mapping[str, Tensor] = MappingProxyType({}),
) -> dict[str, Tensor]:
    """The weighted terms of the generator's loss by name; their sum is what is minimized.

    Args:
        weights: of the terms.
        fake, real: pictures [b, 3, h, w] in [-1, 1].
        fake_outputs, real_outputs: the discriminator's layer outputs for them.
        perceptual: the perceptual term, or None where its network is not available.
        own: the model's own terms, named as their weights are (see `StyledModel.training_pass`).
    """
    losses: dict[str, Tensor] = {}
    if weights.adversarial > 0:
        losses["adversarial"] = weights.adversarial * _GAN_LOSSES[weights.gan][0](fake_outputs)
    if weights.feature_matching > 0:
        losses["feature_matching"] = weights.feature_matching * feature_matching(fake_outputs, real_outputs)
    if weights.perceptual > 0 and perceptual is not None:
        losses["perceptual"] = weights.perceptual * perceptual(fake, real)
    if weights.l1 > 0:
        losses["l1"] = weights.l1 * F.l1_loss(fake, real)
    for name, value in own.items():
        if getattr(weights, name) > 0:
            losses[name] = getattr(weights, name) * value
    return losses


def discriminator_losses(weights: LossWeights, fake_outputs: Outputs, real_outputs: Outputs) -> dict[str, Tensor]:
    """The discriminator's two terms by name."""
    loss = _GAN_LOSSES[weights.gan][1]
    return {
        "discriminator_fake": loss(fake_outputs, is_real=False),
        "discriminator_real": loss(real_outputs, is_real=True),
    }
