"""The training objective: adversarial losses, feature matching, and all named terms with their weights.

A new term is a weight in `LossWeights` and a line of `generator_losses`. The hinge loss is SEAN's and SPADE's (SEAN
paper, supplementary), the least-squares one pix2pixHD's (Mao et al. 2017).
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sean.losses.perceptual import PerceptualLoss
from sean.losses.weights import GANLoss, LossWeights

Outputs = Sequence[Sequence[Tensor]]
"""Layer outputs per scale, the last of each scale being its score map; see `sean.models.discriminator`."""


def split_fake_real(outputs: Outputs) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """Cut discriminator outputs of one batch [fake; real] into those of the fake and of the real pictures."""
    fake = [[layer.chunk(2)[0] for layer in scale] for scale in outputs]
    real = [[layer.chunk(2)[1] for layer in scale] for scale in outputs]
    return fake, real


def generator_hinge(fake: Outputs) -> Float[Tensor, ""]:
    """-E[D(fake)], mean over the scales."""
    return torch.stack([-scale[-1].mean() for scale in fake]).mean()


def discriminator_hinge(scores: Outputs, *, is_real: bool) -> Float[Tensor, ""]:
    """E[max(0, 1 - D(real))] or E[max(0, 1 + D(fake))], mean over the scales."""
    sign = -1.0 if is_real else 1.0
    return torch.stack([F.relu(1 + sign * scale[-1]).mean() for scale in scores]).mean()


def generator_least_squares(fake: Outputs) -> Float[Tensor, ""]:
    """E[(D(fake) - 1)^2], mean over the scales."""
    return torch.stack([(scale[-1] - 1).square().mean() for scale in fake]).mean()


def discriminator_least_squares(scores: Outputs, *, is_real: bool) -> Float[Tensor, ""]:
    """E[(D(real) - 1)^2] / 2 or E[D(fake)^2] / 2, mean over the scales."""
    return torch.stack([(scale[-1] - float(is_real)).square().mean() for scale in scores]).mean() / 2


def feature_matching(fake: Outputs, real: Outputs) -> Float[Tensor, ""]:
    """Sum over the layers but the last of the L1 distance between fake and real features, mean over the scales."""
    scales = [
        torch.stack([F.l1_loss(f, r.detach()) for f, r in zip(fs[:-1], rs[:-1], strict=True)]).sum()
        for fs, rs in zip(fake, real, strict=True)
    ]
    return torch.stack(scales).mean()


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
