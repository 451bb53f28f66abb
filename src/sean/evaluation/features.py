"""Feature statistics of a set of pictures, streamed, and kept in a file where several models are held against it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sean.errors import InputError
from sean.evaluation.digests import dataset_digest, digest_of
from sean.evaluation.extractors import FeatureExtractor
from sean.evaluation.frechet import FeatureStatistics
from sean.evaluation.settings import EvaluationRun, EvaluationSettings, Sums
from sean.evaluation.streaming import accumulate
from sean.models.weights import read_safetensors, write_safetensors


class FeatureSums:
    """Features of batches as sums: of themselves, of their outer products, and those that are kept, each at its row.

    Args:
        length: pictures of the set.
        settings: seed and number of the pictures whose features are kept.
    """

    def __init__(self, length: int, settings: EvaluationSettings) -> None:
        rng = np.random.default_rng(settings.seed)
        kept = np.sort(rng.choice(length, min(length, settings.kept_features), replace=False))
        self._rows = {int(index): row for row, index in enumerate(kept)}

    def __call__(self, features: Float[Tensor, "b d"], indices: range) -> Sums:
        """What the features of the samples with these indices add."""
        numbers = features.detach().cpu().double()
        kept = numbers.new_zeros(len(self._rows), numbers.shape[1])
        for index, row in zip(indices, numbers, strict=True):
            if index in self._rows:
                kept[self._rows[index]] = row
        return {"features.total": numbers.sum(dim=0), "features.outer": numbers.mT @ numbers, "features.kept": kept}


def statistics_of(sums: Sums, extractor: str, count: int) -> FeatureStatistics:
    """The statistics that the sums of a whole set are."""
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
    """Statistics of the pictures of a data set, e.g. of the real training pictures, which all models are held against.

    Args:
        dataset: with a transform without chance (`PairedTransform.evaluation`).
        extractor: the network.
        settings, run: see there.
        cache: a .safetensors file; read where it is of the same data, extractor and settings, else written.

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
    """Write statistics as safetensors, atomically, with a fingerprint of what they are of."""
    texts = {
        name: torch.tensor(list(text.encode()), dtype=torch.uint8)
        for name, text in (("extractor", statistics.extractor), ("fingerprint", fingerprint))
    }
    numbers = {"count": torch.tensor(statistics.count), "total": statistics.total, "outer": statistics.outer}
    write_safetensors(path, {**texts, **numbers, "kept": statistics.kept})


def load_statistics(path: Path) -> tuple[FeatureStatistics, str]:
    """Read what `save_statistics` wrote: statistics and fingerprint.

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
