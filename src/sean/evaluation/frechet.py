"""FID: how far two sets of pictures are apart, by mean and covariance of their features (Heusel et al. 2017)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sean.errors import InputError


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureStatistics:
    """What FID and KID need to know of a set of pictures; its size does not grow with the set.

    Attributes:
        extractor: name of the network that the features are of.
        count: pictures.
        total: [d], sum of the features, float64.
        outer: [d, d], sum of their outer products, float64.
        kept: [m, d], the features of a seeded choice of the pictures, float64, for KID.
    """

    extractor: str
    count: int
    total: Float[Tensor, " d"]
    outer: Float[Tensor, "d d"]
    kept: Float[Tensor, "m d"]

    @property
    def dim(self) -> int:
        """Width d of the features."""
        return len(self.total)

    @property
    def mean(self) -> Float[Tensor, " d"]:
        """Mean of the features."""
        return self.total / self.count

    @property
    def covariance(self) -> Float[Tensor, "d d"]:
        """Their covariance, divided by count - 1; zero for a single picture."""
        mean = self.mean
        return (self.outer - self.count * torch.outer(mean, mean)) / max(1, self.count - 1)


def frechet_inception_distance(fake: FeatureStatistics, real: FeatureStatistics) -> float:
    """FID between two sets of pictures (named so whatever the extractor).

    Raises:
        InputError: the features are of different networks.
    """
    check_same_extractor(fake, real)
    return frechet_distance(fake.mean, fake.covariance, real.mean, real.covariance)


def frechet_distance(
    mean1: Float[Tensor, " d"],
    covariance1: Float[Tensor, "d d"],
    mean2: Float[Tensor, " d"],
    covariance2: Float[Tensor, "d d"],
) -> float:
    """Distance of two Gaussians: |mean1 - mean2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), at least 0 (Dowson, Landau 1982).

    The trace of (S1 S2)^(1/2) is the sum of the singular values of S1^(1/2) S2^(1/2), which stays exact to rounding
    where the covariances are singular, as with fewer pictures than dimensions.
    """
    traces = (covariance1.trace() + covariance2.trace()).item()
    shared = torch.linalg.svdvals(_square_root(covariance1) @ _square_root(covariance2)).sum().item()
    return max(0.0, (mean1 - mean2).square().sum().item() + traces - 2 * shared)


def check_same_extractor(fake: FeatureStatistics, real: FeatureStatistics) -> None:
    """Raise InputError unless the features are of one network."""
    if fake.extractor != real.extractor or fake.dim != real.dim:
        raise InputError(
            f"expected features of one extractor, got those of {fake.extractor} ({fake.dim} numbers) and of "
            f"{real.extractor} ({real.dim}); compute both anew with the same one"
        )


def _square_root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.mT
