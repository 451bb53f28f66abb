"""FID: against the closed form for Gaussians, against scipy's matrix square root, against torchmetrics."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from sean.errors import InputError
from sean.evaluation.distances import (
    FeatureStatistics,
    FeatureSums,
    frechet_distance,
    frechet_inception_distance,
    statistics_of,
)
from sean.evaluation.settings import EvaluationSettings


def statistics(features: Tensor, extractor: str = "test") -> FeatureStatistics:
    """Of features [n, d], streamed in batches of 7."""
    sums = FeatureSums(len(features), EvaluationSettings())
    total = None
    for start in range(0, len(features), 7):
        part = features[start : start + 7]
        found = sums(part, range(start, start + len(part)))
        total = found if total is None else {name: total[name] + found[name] for name in total}
    assert total is not None
    return statistics_of(total, extractor, len(features))


def random_covariance(rng: np.random.Generator, dim: int) -> np.ndarray:
    root = rng.normal(size=(dim, dim))
    return root @ root.T


def test_gaussians_with_diagonal_covariances_by_hand() -> None:
    """Then FID is the squared distance of the means plus that of the standard deviations."""
    mean1, mean2 = torch.tensor([0.0, 1.0], dtype=torch.float64), torch.tensor([3.0, -1.0], dtype=torch.float64)
    covariance1 = torch.diag(torch.tensor([4.0, 9.0], dtype=torch.float64))
    covariance2 = torch.diag(torch.tensor([1.0, 16.0], dtype=torch.float64))
    # 9 + 4, and (2 - 1)^2 + (3 - 4)^2
    assert frechet_distance(mean1, covariance1, mean2, covariance2) == pytest.approx(15.0, abs=1e-10)


def test_gaussians_against_scipy(rng: np.random.Generator) -> None:
    mean1, mean2 = rng.normal(size=(2, 6))
    covariance1, covariance2 = random_covariance(rng, 6), random_covariance(rng, 6)
    root = scipy.linalg.sqrtm(covariance1 @ covariance2).real
    expected = ((mean1 - mean2) ** 2).sum() + np.trace(covariance1 + covariance2 - 2 * root)
    found = frechet_distance(*map(torch.from_numpy, (mean1, covariance1, mean2, covariance2)))
    assert found == pytest.approx(expected, abs=1e-8)


def test_large_samples_of_gaussians_reach_the_closed_form(rng: np.random.Generator) -> None:
    fake = torch.from_numpy(rng.normal((0.0, 0.0, 1.0), (1.0, 2.0, 0.5), (50_000, 3)))
    real = torch.from_numpy(rng.normal((0.5, 0.0, 0.0), (1.0, 1.0, 1.5), (50_000, 3)))
    sums = [
        statistics_of(FeatureSums(len(each), EvaluationSettings())(each, range(len(each))), "test", len(each))
        for each in (fake, real)
    ]
    # means 0.25 + 1, deviations 0 + 1 + 1
    assert frechet_inception_distance(*sums) == pytest.approx(3.25, rel=0.05)


class FirstPixels(nn.Module):
    """The first six numbers of a picture as its features, for torchmetrics."""

    num_features = 6

    def forward(self, image: Tensor) -> Tensor:
        return image.flatten(1)[:, :6]


def test_torchmetrics_agrees(rng: np.random.Generator) -> None:
    fake, real = torch.from_numpy(rng.random((40, 3, 4, 4))), torch.from_numpy(rng.random((60, 3, 4, 4)) ** 2)
    metric = FrechetInceptionDistance(feature=FirstPixels(), normalize=True, input_img_size=(3, 4, 4))
    metric.set_dtype(torch.float64)
    for pictures, is_real in ((fake, False), (real, True)):
        metric.update(pictures, real=is_real)
    ours = frechet_inception_distance(*(statistics(pictures.flatten(1)[:, :6]) for pictures in (fake, real)))
    assert ours == pytest.approx(metric.compute().item(), rel=1e-6)


def test_streamed_moments_are_numpys(rng: np.random.Generator) -> None:
    features = rng.normal(3.0, 2.0, (23, 5))
    found = statistics(torch.from_numpy(features))
    np.testing.assert_allclose(found.mean, features.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(features, rowvar=False), atol=1e-12)
    assert found.dim == 5


def test_a_set_is_no_distance_from_itself(rng: np.random.Generator) -> None:
    """Also where its covariance is singular, as with fewer pictures than dimensions."""
    for count in (4, 100):
        found = statistics(torch.from_numpy(rng.normal(size=(count, 16))))
        assert frechet_inception_distance(found, found) == pytest.approx(0.0, abs=1e-6)
    one = statistics(torch.ones(1, 16))
    assert frechet_inception_distance(one, one) == 0.0


def test_extractors_are_never_mixed() -> None:
    features = torch.rand(9, 4)
    with pytest.raises(InputError, match=r"one extractor, got those of a .* and of b"):
        frechet_inception_distance(statistics(features, "a"), statistics(features, "b"))
