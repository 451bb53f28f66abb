"""Small segmaps of all kinds, each with its number of labels."""

from collections.abc import Callable

import torch
from torch import Tensor

from sean.data.synthetic.scenes import SyntheticScenes


def faces() -> tuple[Tensor, int]:
    return SyntheticScenes(size=(64, 64), length=1, layouts=["faces"])[0]["segmap"][None], 19


def facade() -> tuple[Tensor, int]:
    """Rows of windows with sills, a door, a cornice, a roof."""
    segmap = torch.zeros(1, 64, 64, dtype=torch.long)
    segmap[:, 8:] = 1
    segmap[:, 8:11] = 4
    for top in (16, 32, 48):
        for left in (4, 20, 36, 52):
            segmap[:, top : top + 9, left : left + 7] = 2
            segmap[:, top + 9 : top + 11, left - 1 : left + 8] = 3
    segmap[:, 46:, 28:35] = 5
    return segmap, 6


def street() -> tuple[Tensor, int]:
    """Bands of sky, buildings, pavement and road, thin poles, cars, and pixels of no region."""
    segmap = torch.tensor([0] * 20 + [1] * 24 + [2] * 4 + [3] * 16).view(1, 64, 1).repeat(1, 1, 64)
    segmap[:, 10:48, 7:64:17] = 4
    segmap[:, 44:54, 20:40] = 5
    segmap[:, 60:, 10:50] = 6
    segmap[:, 20:26, 50:] = 6
    return segmap, 6


def stripes() -> tuple[Tensor, int]:
    """Upright ones one pixel wide, and in a second picture lying ones."""
    upright = (torch.arange(64) % 3).expand(64, 64)
    return torch.stack([upright, upright.T]), 3


def blobs(k: int, batch: int, height: int, width: int, block: int = 8) -> Tensor:
    """Squares of the labels and of no region."""
    cells = torch.randint(k + 1, (batch, height // block, width // block))
    return cells.repeat_interleave(block, 1).repeat_interleave(block, 2)


CASES: dict[str, Callable[[], tuple[Tensor, int]]] = {
    "face": faces,
    "facade": facade,
    "street": street,
    "noise": lambda: (torch.randint(20, (1, 64, 64)), 19),
    "one label": lambda: (torch.full((1, 64, 64), 2), 3),
    "no region": lambda: (torch.full((1, 64, 64), 3), 3),
    "stripes": stripes,
    "wide": lambda: (blobs(5, 1, 64, 96), 5),
    "150 labels": lambda: (blobs(150, 1, 64, 64, block=4), 150),
    "batch": lambda: (blobs(4, 4, 64, 64, block=4), 4),
}
