"""Augmentation before the discriminator: each change by hand, gradients, and draws by a sample's place."""

import pytest
import torch
from torch import Tensor

from sean.training.batch import noise_generators
from sean.training.differentiable_augmentation import augment, draw_augmentation

# brightness 0, saturation 1, contrast 1; not moved; the cutout's middle in the corner of 16 x 16 pixels
SAME = (0.5, 0.5, 0.5, 0.5, 0.5, 0.0, 0.0)


def augmented(image: Tensor, condition: Tensor | None = None, **places: float) -> tuple[Tensor, Tensor]:
    """One picture with the draws of `SAME` but those at the given places ("d0" to "d6")."""
    draws = torch.tensor([SAME])
    for name, value in places.items():
        draws[0, int(name[1:])] = value
    return augment(torch.ones_like(image[:, :1]) if condition is None else condition, image, draws)


@pytest.fixture
def image() -> Tensor:
    return torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_nothing_but_the_hole(image: Tensor) -> None:
    """A square of 8 x 8 about pixel (0, 0): 4 x 4 of it lie inside."""
    condition, out = augmented(image)
    inside = torch.zeros(16, 16, dtype=torch.bool)
    inside[:4, :4] = True
    assert (out[..., inside] == 0).all() and (condition[..., inside] == 0).all()
    torch.testing.assert_close(out[..., ~inside], image[..., ~inside])
    assert (condition[..., ~inside] == 1).all()


def test_colours_by_hand() -> None:
    image = torch.zeros(1, 3, 16, 16)
    image[:, 0], image[:, 1, 8:] = 0.6, 0.3
    seen = slice(8, None)
    torch.testing.assert_close(augmented(image, d0=0.75)[1][:, :, seen], image[:, :, seen] + 0.25)
    grey = image.mean(dim=1, keepdim=True).expand_as(image)
    torch.testing.assert_close(augmented(image, d1=0.0)[1][:, :, seen], grey[:, :, seen])
    torch.testing.assert_close(augmented(image, d1=0.75)[1][:, :, seen], (1.5 * image - 0.5 * grey)[:, :, seen])
    # the mean over all pixels and channels is 0.25
    torch.testing.assert_close(augmented(image, d2=0.0)[1][:, :, seen], (0.5 * image + 0.125)[:, :, seen])


def test_a_move_takes_the_condition_along(image: Tensor) -> None:
    """Of 16 pixels 2 at most: the lowest draw moves down and right, and 0 comes in."""
    planes = torch.arange(256.0).view(1, 1, 16, 16)
    condition, out = augmented(image, planes, d3=0.0, d4=0.99)
    inside = (slice(None), slice(None), slice(6, None))
    moved = torch.zeros_like(planes), torch.zeros_like(image)
    for target, source in zip(moved, (planes, image), strict=True):
        target[:, :, 2:, :-2] = source[:, :, :-2, 2:]
    torch.testing.assert_close(condition[inside], moved[0][inside])
    torch.testing.assert_close(out[inside], moved[1][inside])


def test_equal_draws_change_a_fake_and_its_photo_alike(image: Tensor) -> None:
    draws = torch.rand(1, 7)
    fake, planes = image.clone(), torch.rand(1, 2, 16, 16)
    conditions, out = augment(torch.cat([planes] * 2), torch.cat([fake, image]), torch.cat([draws] * 2))
    assert torch.equal(out[0], out[1]) and torch.equal(conditions[0], conditions[1])


def test_gradients_pass(image: Tensor) -> None:
    image.requires_grad_()
    _, out = augmented(image, d0=0.9, d1=0.8, d2=0.2)
    (gradient,) = torch.autograd.grad(out[0, 0, 12, 12], image)
    # contrast 0.7 of the picture; saturation 1.6; the two means add little
    assert gradient[0, 0, 12, 12].item() == pytest.approx(0.7 * (1.6 - 0.6 / 3) + 0.3 / 768, rel=1e-4)
    assert gradient[0, 1, 12, 12].item() == pytest.approx(0.7 * -0.6 / 3 + 0.3 / 768, rel=1e-4)


def test_draws_depend_on_a_samples_place_alone() -> None:
    together = draw_augmentation(4, noise_generators(3, 0, range(4)), "cpu")
    apart = [draw_augmentation(2, noise_generators(3, 0, places), "cpu") for places in ((0, 1), (2, 3))]
    assert torch.equal(together, torch.cat(apart))
    assert together.unique().numel() == 28
    assert draw_augmentation(2, None, "cpu").shape == (2, 7)
