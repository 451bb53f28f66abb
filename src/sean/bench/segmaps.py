"""Segmaps for the benchmark: drawn faces, pixel noise (the worst case), and many labels at once."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sean.data.faces.drawing import draw_face, random_face
from sean.data.folder import PairedFolder
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ
from sean.segmap import read_segmap, resize_segmap


def face_segmaps(size: tuple[int, int], count: int, seed: int = 0) -> list[Tensor]:
    """Parametric faces with CelebAMask-HQ's labels, [1, h, w] each."""
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(draw_face(random_face(rng), size)).unsqueeze(0) for _ in range(count)]


def folder_segmaps(folder: Path, size: tuple[int, int], count: int, num_regions: int) -> list[Tensor]:
    """Label maps of a paired folder, spread over it and resized, [1, h, w] each.

    Raises:
        InputError: the folder is not well formed, or has more labels than the model.
    """
    pairs = PairedFolder.open(folder)
    if pairs.labels.num_regions > num_regions:
        raise InputError(f"{folder} has {pairs.labels.num_regions} labels, the model to measure {num_regions}")
    chosen = np.linspace(0, len(pairs.stems) - 1, count).astype(int)
    maps = [read_segmap(pairs.segmaps[pairs.stems[index]], pairs.labels) for index in chosen]
    for segmap in maps:
        segmap[segmap == pairs.labels.num_regions] = num_regions  # "no region" of the data is that of the model
    return [torch.from_numpy(resize_segmap(segmap, size)).unsqueeze(0) for segmap in maps]


def noise_segmap(size: tuple[int, int], num_regions: int, seed: int = 0) -> Tensor:
    """Pixel noise, the worst case: an independent label for every pixel, [1, h, w]."""
    return torch.randint(num_regions, (1, *size), generator=torch.Generator().manual_seed(seed))


def cell_segmap(size: tuple[int, int], num_cells: int, seed: int = 0) -> Tensor:
    """`num_cells` Voronoi cells, one label each, [1, h, w]."""
    rng = np.random.default_rng(seed)
    height, width = size
    points = rng.uniform(size=(num_cells, 2)) * (height, width)
    rows, columns = np.mgrid[:height, :width]
    distances = (rows[..., None] - points[:, 0]) ** 2 + (columns[..., None] - points[:, 1]) ** 2
    return torch.from_numpy(distances.argmin(axis=-1)).unsqueeze(0)


def default_segmaps(folder: Path | None, size: tuple[int, int], count: int, num_regions: int) -> list[Tensor]:
    """The label maps of a folder, or drawn faces if no folder is given."""
    if folder is not None:
        return folder_segmaps(folder, size, count, num_regions)
    if num_regions < CELEBAMASK_HQ.num_regions:
        raise InputError(
            f"a model of {num_regions} labels cannot render faces; give label maps of its own", setting="data"
        )
    return face_segmaps(size, count)
