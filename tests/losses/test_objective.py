"""The named terms of the objective and their weights."""

import pytest
import torch
from torch import Tensor, nn

from sean.errors import InputError
from sean.losses.objective import discriminator_losses, generator_losses
from sean.losses.perceptual import PerceptualLoss
from sean.losses.weights import LossWeights

FAKE, REAL = torch.full((1, 3, 2, 2), 0.5), torch.full((1, 3, 2, 2), 0.25)
FAKE_OUTPUTS = [[torch.full((1, 2, 2, 2), 1.0), torch.full((1, 1, 2, 2), 0.5)]]
REAL_OUTPUTS = [[torch.full((1, 2, 2, 2), 3.0), torch.full((1, 1, 2, 2), -2.0)]]


class FixedPerceptual(PerceptualLoss):
    """Always 7: the objective is tested, not VGG19."""

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        assert fake is FAKE
        assert real is REAL
        return torch.tensor(7.0)


def terms(weights: LossWeights, perceptual: PerceptualLoss | None = None) -> dict[str, float]:
    losses = generator_losses(weights, FAKE, REAL, FAKE_OUTPUTS, REAL_OUTPUTS, perceptual)
    return {name: loss.item() for name, loss in losses.items()}


def test_defaults_are_the_papers() -> None:
    assert LossWeights() == LossWeights(
        adversarial=1.0, feature_matching=10.0, perceptual=10.0, l1=0.0, kl=0.05, gan="hinge"
    )


def test_terms_by_hand() -> None:
    """Adversarial -0.5, feature matching |1 - 3|, perceptual 7, L1 0.25: each times its weight."""
    assert terms(LossWeights(), FixedPerceptual()) == {
        "adversarial": -0.5,
        "feature_matching": 20.0,
        "perceptual": 70.0,
    }
    weights = LossWeights(adversarial=2.0, feature_matching=3.0, perceptual=0.5, l1=4.0)
    assert terms(weights, FixedPerceptual()) == {
        "adversarial": -1.0,
        "feature_matching": 6.0,
        "perceptual": 3.5,
        "l1": 1.0,
    }


@pytest.mark.parametrize("name", ["adversarial", "feature_matching", "perceptual", "l1"])
def test_a_term_of_weight_zero_is_left_out(name: str) -> None:
    weights = {"adversarial": 1.0, "feature_matching": 1.0, "perceptual": 1.0, "l1": 1.0}
    assert terms(LossWeights(**{**weights, name: 0.0}), FixedPerceptual()).keys() == weights.keys() - {name}


def test_without_vgg19_the_perceptual_term_is_off() -> None:
    assert terms(LossWeights()).keys() == {"adversarial", "feature_matching"}


def test_terms_without_discriminator_need_no_outputs() -> None:
    weights = LossWeights(adversarial=0.0, feature_matching=0.0, perceptual=0.0, l1=2.0)
    losses = generator_losses(weights, FAKE, REAL, [], [], None)
    assert {name: loss.item() for name, loss in losses.items()} == {"l1": 0.5}


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (LossWeights(), True),
        (LossWeights(adversarial=0.0), True),
        (LossWeights(feature_matching=0.0), True),
        (LossWeights(adversarial=0.0, feature_matching=0.0, l1=1.0), False),
    ],
)
def test_which_weights_need_the_discriminator(weights: LossWeights, expected: bool) -> None:
    assert weights.uses_discriminator is expected


@pytest.mark.parametrize("name", ["adversarial", "feature_matching", "perceptual", "l1", "kl"])
def test_weights_below_zero(name: str) -> None:
    with pytest.raises(ValueError, match=f"at least 0, got .*{name}=-1"):
        LossWeights(**{name: -1.0})


@pytest.mark.parametrize(("gan", "fake", "real"), [("hinge", 1 + 0.5, 1 + 2), ("least-squares", 0.25 / 2, 9 / 2)])
def test_discriminator_terms_by_hand(gan: str, fake: float, real: float) -> None:
    """Fake scores 0.5, real ones -2."""
    losses = discriminator_losses(LossWeights(gan=gan), FAKE_OUTPUTS, REAL_OUTPUTS)
    assert {name: loss.item() for name, loss in losses.items()} == {
        "discriminator_fake": fake,
        "discriminator_real": real,
    }


def test_the_adversarial_term_of_least_squares_by_hand() -> None:
    """(0.5 - 1)^2, twice; the other terms are the same."""
    losses, hinge = (terms(LossWeights(adversarial=2.0, gan=gan, l1=1.0)) for gan in ("least-squares", "hinge"))
    assert losses == {**hinge, "adversarial": 0.5}


def test_an_unknown_adversarial_loss_is_one_line() -> None:
    weights = LossWeights()
    object.__setattr__(weights, "gan", "wasserstein")  # as a file may say; tests check types before
    with pytest.raises(InputError, match="gan to be one of hinge, least-squares, got 'wasserstein'") as error:
        weights.__post_init__()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("weight", "expected"), [(0.05, 0.2), (2.0, 8.0), (0.0, None)])
def test_a_models_own_term_has_the_weight_of_its_name(weight: float, expected: float | None) -> None:
    own = {"kl": torch.tensor(4.0)}
    losses = generator_losses(LossWeights(kl=weight), FAKE, REAL, FAKE_OUTPUTS, REAL_OUTPUTS, None, own)
    assert (losses["kl"].item() if "kl" in losses else None) == pytest.approx(expected)


def test_a_term_without_a_weight_is_a_mistake() -> None:
    with pytest.raises(AttributeError, match="surprise"):
        generator_losses(LossWeights(), FAKE, REAL, FAKE_OUTPUTS, REAL_OUTPUTS, None, {"surprise": torch.tensor(1.0)})


def test_gradient_by_hand() -> None:
    """No term calls backward by itself, and each weight is applied once."""
    fake = FAKE.clone().requires_grad_()
    outputs = [[fake * 2, fake.mean(dim=1, keepdim=True)]]
    real_outputs = [[REAL * 2, REAL.mean(dim=1, keepdim=True)]]
    losses = generator_losses(LossWeights(l1=3.0), fake, REAL, outputs, real_outputs, None)
    assert fake.grad is None
    sum(losses.values()).backward()
    # 12 numbers: -1/12 of the adversarial term, 10 * 2/12 of feature matching, 3/12 of L1
    torch.testing.assert_close(fake.grad, torch.full((1, 3, 2, 2), (-1 + 20 + 3) / 12))
