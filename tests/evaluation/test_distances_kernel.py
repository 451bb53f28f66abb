"""KID: against a double loop and torchmetrics, and its subsets."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from sean.errors import InputError
from sean.evaluation.distances import FeatureStatistics, kernel_inception_distance, squared_mmd


def statistics(features: np.ndarray | Tensor, extractor: str = "test") -> FeatureStatistics:
    kept = torch.as_tensor(features)
    dim = kept.shape[1]
    return FeatureStatistics(
        extractor=extractor,
        count=len(kept),
        total=kept.sum(dim=0),
        outer=torch.zeros(dim, dim, dtype=torch.float64),
        kept=kept,
    )


def double_loop(x: np.ndarray, y: np.ndarray) -> float:
    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    def among(z: np.ndarray) -> float:
        pairs = [(i, j) for i in range(len(z)) for j in range(len(z)) if i != j]
        return sum(kernel(z[i], z[j]) for i, j in pairs) / len(pairs)

    return among(x) + among(y) - 2 * sum(kernel(a, b) for a in x for b in y) / (len(x) * len(y))


def test_by_hand() -> None:
    """One-dimensional features 0 and 0 against 1 and 1: 1 + 8 - 2."""
    assert squared_mmd(torch.zeros(2, 1), torch.ones(2, 1)) == pytest.approx(7.0)


def test_against_a_double_loop_and_torchmetrics(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(7, 5)), rng.normal(0.5, 1.0, size=(9, 5))
    assert squared_mmd(torch.from_numpy(x), torch.from_numpy(y)) == pytest.approx(double_loop(x, y), abs=1e-12)
    expected = poly_mmd(torch.from_numpy(x), torch.from_numpy(y[:7])).item()
    assert squared_mmd(torch.from_numpy(x), torch.from_numpy(y[:7])) == pytest.approx(expected, abs=1e-12)


def test_small_sets_are_compared_whole(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(7, 5)), rng.normal(size=(9, 5))
    found = kernel_inception_distance(statistics(x), statistics(y))
    assert found.mean == pytest.approx(double_loop(x, y), abs=1e-12)
    assert (found.spread, found.num_subsets, found.subset_size) == (None, 1, 7)


def test_subsets_follow_the_seed_and_hit_the_whole(rng: np.random.Generator) -> None:
    x, y = statistics(rng.normal(size=(60, 3))), statistics(rng.normal(1.0, 1.0, size=(50, 3)))

    def found(seed: int) -> tuple[float, float | None]:
        result = kernel_inception_distance(x, y, num_subsets=200, subset_size=20, seed=seed)
        assert (result.num_subsets, result.subset_size) == (200, 20)
        return result.mean, result.spread

    mean, spread = found(0)
    assert found(0) == (mean, spread) != found(1)
    assert spread is not None and spread > 0
    # unbiased: the mean over the subsets estimates that of the whole sets
    assert mean == pytest.approx(squared_mmd(x.kept, y.kept), abs=4 * spread / 200**0.5)


def test_refusals() -> None:
    with pytest.raises(InputError, match="at least 2 pictures in either set for KID, got 1 and 3"):
        kernel_inception_distance(statistics(torch.ones(1, 2)), statistics(torch.ones(3, 2)))
    with pytest.raises(InputError, match="one extractor"):
        kernel_inception_distance(statistics(torch.ones(3, 2), "a"), statistics(torch.ones(3, 2), "b"))
