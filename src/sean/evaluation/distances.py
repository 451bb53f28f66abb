"""FID and KID: distances of two sets of pictures in the features of a network.

FID compares mean and covariance of the features (Heusel et al. 2017), KID uses a kernel on them (Binkowski et al.
2018). The statistics of a set are accumulated in a stream, and can be cached in a file to compare several models.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sean.errors import InputError
from sean.evaluation.extractors import FeatureExtractor
from sean.evaluation.settings import EvaluationRun, EvaluationSettings, Sums
from sean.evaluation.streaming import accumulate, dataset_digest, digest_of
from sean.models.weights import read_safetensors, write_safetensors


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureStatistics:
    """The statistics of a set of pictures for FID and KID; their size does not depend on the size of the set.

    Attributes:
        extractor: name of the network of the features.
        count: number of pictures.
        total: [d], sum of the features, float64.
        outer: [d, d], sum of their outer products, float64.
        kept: [m, d], features of a random subset of the pictures, float64, for KID.
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
        """Covariance of the features, with the divisor count - 1; zero for a single picture."""
        mean = self.mean
        return (self.outer - self.count * torch.outer(mean, mean)) / max(1, self.count - 1)


def frechet_inception_distance(fake: FeatureStatistics, real: FeatureStatistics) -> float:
    """FID between two sets of pictures, for any extractor.

    Raises:
        InputError: the features belong to different networks.
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

    The trace of (S1 S2)^(1/2) is the sum of the singular values of S1^(1/2) S2^(1/2), which is accurate also for
    singular covariances, for instance with fewer pictures than dimensions.
    """
    traces = (covariance1.trace() + covariance2.trace()).item()
    shared = torch.linalg.svdvals(_square_root(covariance1) @ _square_root(covariance2)).sum().item()
    return max(0.0, (mean1 - mean2).square().sum().item() + traces - 2 * shared)


def check_same_extractor(fake: FeatureStatistics, real: FeatureStatistics) -> None:
    """Raise InputError unless the features belong to the same network."""
    if fake.extractor != real.extractor or fake.dim != real.dim:
        raise InputError(
            f"expected features of one extractor, got those of {fake.extractor} ({fake.dim} numbers) and of "
            f"{real.extractor} ({real.dim}); compute both anew with the same one"
        )


def _square_root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.mT


@dataclass(frozen=True, kw_only=True)
class KernelDistance:
    """A KID and its parameters.

    Attributes:
        mean, spread: mean and standard deviation over the subsets; a single subset has no spread.
        num_subsets: number of subsets.
        subset_size: pictures of either set in a subset.
    """

    mean: float
    spread: float | None
    num_subsets: int
    subset_size: int


def kernel_inception_distance(
    fake: FeatureStatistics, real: FeatureStatistics, *, num_subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> KernelDistance:
    """KID between the kept features of two sets, for any extractor.

    The mean of `squared_mmd` over random subsets. If neither set has more than `subset_size` kept features, all of them
    are compared once, which is the best estimate.

    Raises:
        InputError: the features belong to different networks, or a set has fewer than two pictures.
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

    The expectation for two samples of the same distribution is 0, so single values can be negative.
    """
    m, n = len(fake), len(real)
    among_fake, among_real, across = _kernel(fake, fake), _kernel(real, real), _kernel(fake, real)
    same = (among_fake.sum() - among_fake.trace()) / (m * (m - 1))
    same = same + (among_real.sum() - among_real.trace()) / (n * (n - 1))
    return (same - 2 * across.mean()).item()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.mT / x.shape[1] + 1) ** 3


class FeatureSums:
    """Sums over batches: features, their outer products, and kept features, each in its row.

    Args:
        length: number of pictures in the set.
        settings: seed and number of the kept features.
    """

    def __init__(self, length: int, settings: EvaluationSettings) -> None:
        rng = np.random.default_rng(settings.seed)
        kept = np.sort(rng.choice(length, min(length, settings.kept_features), replace=False))
        self._rows = {int(index): row for row, index in enumerate(kept)}

    def __call__(self, features: Float[Tensor, "b d"], indices: range) -> Sums:
        """The contribution of the features of samples with given indices."""
        numbers = features.detach().cpu().double()
        kept = numbers.new_zeros(len(self._rows), numbers.shape[1])
        for index, row in zip(indices, numbers, strict=True):
            if index in self._rows:
                kept[self._rows[index]] = row
        return {"features.total": numbers.sum(dim=0), "features.outer": numbers.mT @ numbers, "features.kept": kept}


def statistics_of(sums: Sums, extractor: str, count: int) -> FeatureStatistics:
    """The statistics from the sums over a whole set."""
    names = ("total", "outer", "kept")
    return FeatureStatistics(extractor=extractor, count=count, **{name: sums[f"features.{name}"] for name in names})


def feature_statistics(
    dataset: Any,
    extractor: FeatureExtractor,
    *,
    settings: EvaluationSettings | None = None,
    run: EvaluationRun | None = None,
    cache: Path | None = None,
) -> FeatureStatistics:
    """Statistics of the pictures of a data set, such as the real training pictures with which models are compared.

    Args:
        dataset: data set with a deterministic transform (`PairedTransform.evaluation`).
        extractor: the network.
        settings, run: see `EvaluationSettings` and `EvaluationRun`.
        cache: a .safetensors file; read if it belongs to the same data, extractor and settings, else written.

    Raises:
        InputError: see `accumulate`; or the cache is damaged.
    """
    settings, run = settings or EvaluationSettings(), run or EvaluationRun()
    identity = {"extractor": extractor.name, "seed": settings.seed, "kept": settings.kept_features}
    if cache is not None and cache.exists():
        found, fingerprint = load_statistics(cache)
        if fingerprint == digest_of({**identity, "data": dataset_digest(dataset)}):
            return found
    feature_sums = FeatureSums(len(dataset), settings)
    sums = accumulate(
        dataset,
        lambda batch, indices: feature_sums(extractor(batch[0]), indices),
        stage="training",
        description="features of training pictures",
        identity=identity,
        settings=settings,
        run=run,
    )
    statistics = statistics_of(sums, extractor.name, len(dataset))
    if cache is not None and run.rank == 0:
        save_statistics(cache, statistics, digest_of({**identity, "data": dataset_digest(dataset)}))
    return statistics


def save_statistics(path: Path, statistics: FeatureStatistics, fingerprint: str = "") -> None:
    """Write statistics as safetensors, atomically, with a fingerprint of data, extractor and settings."""
    texts = {
        name: torch.tensor(list(text.encode()), dtype=torch.uint8)
        for name, text in (("extractor", statistics.extractor), ("fingerprint", fingerprint))
    }
    numbers = {"count": torch.tensor(statistics.count), "total": statistics.total, "outer": statistics.outer}
    write_safetensors(path, {**texts, **numbers, "kept": statistics.kept})


def load_statistics(path: Path) -> tuple[FeatureStatistics, str]:
    """Read statistics and fingerprint written by `save_statistics`.

    Raises:
        InputError: the file is missing, damaged or something else.
    """
    tensors = read_safetensors(path)
    try:
        extractor, fingerprint = (bytes(tensors[name].tolist()).decode() for name in ("extractor", "fingerprint"))
        numbers = {name: tensors[name] for name in ("total", "outer", "kept")}
        return FeatureStatistics(extractor=extractor, count=int(tensors["count"]), **numbers), fingerprint
    except KeyError as error:
        raise InputError(f"{path} holds no feature statistics ({error} is missing); delete it") from error
