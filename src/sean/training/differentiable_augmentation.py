"""Differentiable augmentation of a discriminator's input (Zhao et al. 2020): colour, translation, cutout.

A discriminator overfits on a small data set. It is therefore given augmented pictures only; generated pictures and
photos are augmented alike, and the generator's gradient passes through the augmentation.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

# brightness, saturation, contrast, two coordinates of the translation, two of the cutout
_NUM_DRAWS = 7
_LARGEST_SHIFT = 1 / 8
_CUTOUT = 1 / 2


def draw_augmentation(
    count: int, rng: Sequence[torch.Generator] | None, device: torch.device | str
) -> Float[Tensor, "b 7"]:
    """Random numbers in [0, 1) for `count` samples, each from its own generator; None takes the global generator."""
    if rng is None:
        return torch.rand(count, _NUM_DRAWS, device=device)
    return torch.stack([torch.rand(_NUM_DRAWS, generator=generator, device=device) for generator in rng])


def augment(
    condition: Float[Tensor, "b cin h w"], image: Float[Tensor, "b 3 h w"], draws: Float[Tensor, "b 7"]
) -> tuple[Float[Tensor, "b cin h w"], Float[Tensor, "b 3 h w"]]:
    """Change the colours of pictures, and move and cut pictures and conditions.

    Args:
        condition: the condition concatenated to the picture; it is moved and cut with the picture.
        image: RGB in [-1, 1]; the result may leave that range.
        draws: random numbers of `draw_augmentation`; equal numbers augment two samples alike.
    """
    brightness, saturation, contrast = (draws[:, index].view(-1, 1, 1, 1).to(image.dtype) for index in range(3))
    image = image + (brightness - 0.5)
    grey = image.mean(dim=1, keepdim=True)
    image = grey + (image - grey) * (2 * saturation)
    middle = image.mean(dim=(1, 2, 3), keepdim=True)
    image = middle + (image - middle) * (0.5 + contrast)
    together = torch.cat([condition.to(image.dtype), image], dim=1)
    together = _cut(_moved(together, draws[:, 3:5]), draws[:, 5:7])
    return together[:, : condition.shape[1]], together[:, condition.shape[1] :]


def _moved(x: Tensor, draws: Tensor) -> Tensor:
    """Each sample moved by up to an eighth of its size and padded with 0."""
    height, width = x.shape[-2:]
    reach = [round(size * _LARGEST_SHIFT) for size in (height, width)]
    padded = F.pad(x, (reach[1], reach[1], reach[0], reach[0]))
    places = [(draws[:, axis] * (2 * most + 1)).long().tolist() for axis, most in enumerate(reach)]
    return torch.stack(
        [sample[:, top : top + height, left : left + width] for sample, top, left in zip(padded, *places, strict=True)]
    )


def _cut(x: Tensor, draws: Tensor) -> Tensor:
    """Each sample with a rectangle of half its height and width, centred anywhere in the picture, set to 0."""
    inside = []
    for axis, size in enumerate(x.shape[-2:]):
        middle = (draws[:, axis] * size).floor()
        start = middle - round(size * _CUTOUT) // 2
        places = torch.arange(size, device=x.device)
        inside.append((places >= start[:, None]) & (places < start[:, None] + round(size * _CUTOUT)))
    hole = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return x.masked_fill(hole, 0.0)
