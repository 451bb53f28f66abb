"""Hinge loss, least squares and feature matching, by hand."""

import pytest
import torch
from torch import Tensor

from sean.losses.objective import (
    discriminator_hinge,
    discriminator_least_squares,
    feature_matching,
    generator_hinge,
    generator_least_squares,
    split_fake_real,
)


def numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, 1, 1, -1)


# two scales of two layers: a feature layer, which the hinge losses do not see, and the scores
SCORES = [[numbers(100), numbers(2, -3)], [numbers(-100), numbers(0.5, 0.5, -1)]]


def test_generator_hinge_by_hand() -> None:
    assert generator_hinge(SCORES).item() == pytest.approx((0.5 + 0) / 2)
    assert generator_hinge(SCORES[:1]).item() == pytest.approx(0.5)


def test_discriminator_hinge_by_hand() -> None:
    # real: max(0, 1 - s) is (0, 4) and (0.5, 0.5, 2); fake: max(0, 1 + s) is (3, 0) and (1.5, 1.5, 0)
    assert discriminator_hinge(SCORES, is_real=True).item() == pytest.approx((2 + 1) / 2)
    assert discriminator_hinge(SCORES, is_real=False).item() == pytest.approx((1.5 + 1) / 2)


def test_scores_beyond_the_margin_pull_no_more() -> None:
    scores = numbers(3, -3).requires_grad_()

    def gradient(loss: Tensor) -> list[float]:
        return torch.autograd.grad(loss, scores)[0].flatten().tolist()

    assert gradient(discriminator_hinge([[scores]], is_real=True)) == [0, -0.5]
    assert gradient(discriminator_hinge([[scores]], is_real=False)) == [0.5, 0]
    assert gradient(generator_hinge([[scores]])) == [-0.5, -0.5]


def test_least_squares_by_hand() -> None:
    # (s - 1)^2 is (1, 16) and (0.25, 0.25, 4); s^2 is (4, 9) and (0.25, 0.25, 1); a critic's term is half of it
    assert generator_least_squares(SCORES).item() == pytest.approx((8.5 + 1.5) / 2)
    assert discriminator_least_squares(SCORES, is_real=True).item() == pytest.approx((8.5 + 1.5) / 2 / 2)
    assert discriminator_least_squares(SCORES, is_real=False).item() == pytest.approx((6.5 + 0.5) / 2 / 2)


def test_gradient_of_least_squares_by_hand() -> None:
    """Proportional to the distance, also beyond the target."""
    scores = numbers(3, -3).requires_grad_()

    def gradient(loss: Tensor) -> list[float]:
        return torch.autograd.grad(loss, scores)[0].flatten().tolist()

    assert gradient(generator_least_squares([[scores]])) == [2, -4]
    assert gradient(discriminator_least_squares([[scores]], is_real=True)) == [1, -2]
    assert gradient(discriminator_least_squares([[scores]], is_real=False)) == [1.5, -1.5]


def test_feature_matching_by_hand() -> None:
    fake = [[numbers(1, 2), numbers(0), numbers(50)], [numbers(3), numbers(4, 4), numbers(60)]]
    real = [[numbers(2, 5), numbers(-3), numbers(0)], [numbers(3), numbers(6, 5), numbers(0)]]
    # scale 0: 2 + 3; scale 1: 0 + 1.5; the scores, last, do not count
    assert feature_matching(fake, real).item() == pytest.approx((5 + 1.5) / 2)
    assert feature_matching(fake, fake).item() == 0


def test_feature_matching_sends_no_gradient_to_the_real_features() -> None:
    fake, real = numbers(1, 2).requires_grad_(), numbers(0, 4).requires_grad_()
    feature_matching([[fake, numbers(0)]], [[real, numbers(0)]]).backward()
    assert fake.grad.flatten().tolist() == [0.5, -0.5]
    assert real.grad is None


def test_feature_matching_of_unlike_networks() -> None:
    with pytest.raises(ValueError, match="zip"):
        feature_matching([[numbers(1), numbers(1)]], [[numbers(1), numbers(1), numbers(1)]])


def test_split_of_a_batch_of_fake_and_real() -> None:
    batch = torch.arange(4.0).view(4, 1, 1, 1)
    fake, real = split_fake_real([[batch, 10 * batch], [batch + 5]])
    assert [[layer.flatten().tolist() for layer in scale] for scale in fake] == [[[0, 1], [0, 10]], [[5, 6]]]
    assert [[layer.flatten().tolist() for layer in scale] for scale in real] == [[[2, 3], [20, 30]], [[7, 8]]]
