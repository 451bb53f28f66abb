"""Adversarial losses and feature matching on a multi-scale discriminator.

The hinge loss is SEAN's and SPADE's (SEAN paper, supplementary), the least-squares one pix2pixHD's (Mao et al. 2017).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

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
