"""Geometric augmentation of pairs: mirroring (left and right labels exchanged) and smooth warps of picture and maps."""

import numpy as np
from scipy import ndimage

from sean.data.paired import Pair
from sean.labels import LabelSet

_CELLS = 4
"""Cells per side of the grid that a warp is drawn on; a finer grid would bend straight edges."""


def moved(pair: Pair, labels: LabelSet, *, mirror: bool, warp: float, warp_seed: int | None) -> Pair:
    """A pair after a warp and a mirror.

    Args:
        pair: picture and maps.
        labels: of the segmap.
        mirror: whether to exchange left and right, of the picture and of the labels.
        warp: largest shift, as a part of the height or width.
        warp_seed: seed of the warp; None leaves it out.

    Returns:
        A pair of the same size; the picture is sampled bilinearly, maps by nearest pixels.
    """
    if warp_seed is not None and warp > 0:
        rows, columns = _shifted(pair.segmap.shape, warp, np.random.default_rng(warp_seed))
        channels = [
            ndimage.map_coordinates(
                pair.image[..., channel].astype(np.float32), [rows, columns], order=1, mode="mirror"
            )
            for channel in range(3)
        ]
        pair = Pair(
            image=np.stack(channels, -1).round().clip(0, 255).astype(np.uint8),
            segmap=_nearest(pair.segmap, rows, columns),
            instances=None if pair.instances is None else _nearest(pair.instances, rows, columns),
        )
    if not mirror:
        return pair
    table = np.array(labels.flip_table, dtype=np.int64)
    return Pair(
        image=np.ascontiguousarray(pair.image[:, ::-1]),
        segmap=table[pair.segmap[:, ::-1]],
        instances=None if pair.instances is None else np.ascontiguousarray(pair.instances[:, ::-1]),
    )


def _shifted(shape: tuple[int, ...], warp: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The source of every pixel: float64 rows and columns [h, w], at most `warp` of the size away."""
    height, width = shape
    # grid points on the border do not move, so that no pixel comes from outside the picture
    shifts = np.zeros((2, _CELLS + 1, _CELLS + 1))
    shifts[:, 1:-1, 1:-1] = rng.uniform(-1, 1, (2, _CELLS - 1, _CELLS - 1))
    at = np.meshgrid(np.linspace(0, _CELLS, height), np.linspace(0, _CELLS, width), indexing="ij")
    down, across = (ndimage.map_coordinates(shift, at, order=3, mode="nearest") for shift in shifts)
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    limit = np.clip(down, -1, 1) * warp * height, np.clip(across, -1, 1) * warp * width
    return (rows + limit[0]).clip(0, height - 1), (columns + limit[1]).clip(0, width - 1)


def _nearest(numbers: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    picked: np.ndarray = numbers[np.rint(rows).astype(np.int64), np.rint(columns).astype(np.int64)]
    return picked
