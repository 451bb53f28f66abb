"""The weights of the generator's loss terms. Light: no torch."""

from dataclasses import dataclass
from typing import Literal, get_args

from sean.errors import InputError

GANLoss = Literal["hinge", "least-squares"]
"""The adversarial losses: SEAN's and SPADE's, and pix2pixHD's."""


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Weights of the generator's terms; a term of weight 0 is not computed. The defaults are the paper's.

    Attributes:
        adversarial: the adversarial loss, see `gan`.
        feature_matching: L1 of discriminator features.
        perceptual: L1 of features, VGG19's in the paper.
        l1: L1 of the pictures; not in the paper, useful for short trainings and if VGG19 is not available.
        kl: KL divergence of a VAE's style vector, of models that have one (SPADE).
        gan: the adversarial loss: hinge, or least-squares (pix2pixHD's).
    """

    adversarial: float = 1.0
    feature_matching: float = 10.0
    perceptual: float = 10.0
    l1: float = 0.0
    kl: float = 0.05
    gan: GANLoss = "hinge"

    def __post_init__(self) -> None:
        if min(self.adversarial, self.feature_matching, self.perceptual, self.l1, self.kl) < 0:
            raise InputError(f"expected loss weights of at least 0, got {self}")
        if self.gan not in get_args(GANLoss):
            raise InputError(f"expected gan to be one of {', '.join(get_args(GANLoss))}, got {self.gan!r}")

    @property
    def uses_discriminator(self) -> bool:
        """Whether any term needs the discriminator."""
        return self.adversarial > 0 or self.feature_matching > 0
