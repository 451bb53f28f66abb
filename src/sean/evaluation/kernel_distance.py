"""KID: how far two sets of pictures are apart, by a kernel over their features (Binkowski et al. 2018)."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sean.errors import InputError
from sean.evaluation.frechet import FeatureStatistics, check_same_extractor


@dataclass(frozen=True, kw_only=True)
class KernelDistance:
    """A KID and how it came about.

    Attributes:
        mean, spread: mean and standard deviation over the subsets; a single subset has no spread.
        num_subsets: subsets compared.
        subset_size: pictures of either set in each.
    """

    mean: float
    spread: float | None
    num_subsets: int
    subset_size: int


def kernel_inception_distance(
    fake: FeatureStatistics, real: FeatureStatistics, *, num_subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> KernelDistance:
    """KID between the kept features of two sets (named so whatever the extractor).

    The mean of `squared_mmd` over random subsets; where neither set has more than `subset_size` kept features, one
    comparison of all of them, which no subsets could better.

    Raises:
        InputError: the features are of different networks, or a set has fewer than two pictures.
    """
    check_same_extractor(fake, real)
    sizes = len(fake.kept), len(real.kept)
    if min(sizes) < 2:
        raise InputError(f"expected at least 2 pictures in either set for KID, got {sizes[0]} and {sizes[1]}")
    if max(sizes) <= subset_size:
        return KernelDistance(
            mean=squared_mmd(fake.kept, real.kept), spread=None, num_subsets=1, subset_size=min(sizes)
        )
    rng = np.random.default_rng(seed)
    size = min(*sizes, subset_size)
    values = torch.tensor(
        [
            squared_mmd(*(each.kept[rng.choice(len(each.kept), size, replace=False)] for each in (fake, real)))
            for _ in range(num_subsets)
        ],
        dtype=torch.float64,
    )
    return KernelDistance(
        mean=values.mean().item(),
        spread=values.std(correction=0).item(),
        num_subsets=num_subsets,
        subset_size=size,
    )


def squared_mmd(fake: Float[Tensor, "m d"], real: Float[Tensor, "n d"]) -> float:
    """Unbiased squared maximum mean discrepancy (Gretton et al. 2012) with the kernel (x . y / d + 1)^3.

    Unbiased: the expectation over two draws from one distribution is 0, so single values can be negative.
    """
    m, n = len(fake), len(real)
    among_fake, among_real, across = _kernel(fake, fake), _kernel(real, real), _kernel(fake, real)
    same = (among_fake.sum() - among_fake.trace()) / (m * (m - 1))
    same = same + (among_real.sum() - among_real.trace()) / (n * (n - 1))
    return (same - 2 * across.mean()).item()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.mT / x.shape[1] + 1) ** 3
