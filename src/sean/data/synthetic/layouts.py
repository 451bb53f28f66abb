"""Label maps of varied layout, made by code: faces, cells, blobs, bands, facades and nested ellipses.

Every layout except the faces divides the picture among a few random labels. All random numbers come from the given
generator.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from sean.data.faces.drawing import draw_face, random_face
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ


def draw_layout(name: str, size: tuple[int, int], num_regions: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a label map.

    Args:
        name: one of `LAYOUTS`.
        size: (h, w) in pixels, each at least 1.
        num_regions: number of labels k; "faces" has its own 19 and takes no other.
        rng: the source of all random numbers.

    Returns:
        int64 [h, w] of ids 0 .. k-1.

    Raises:
        InputError: an unknown layout, a bad size, or faces with another number of labels.
    """
    check_size(size)
    if name not in LAYOUTS:
        raise InputError(f"unknown layout {name!r}; choose from {', '.join(LAYOUTS)}")
    if num_regions < 1:
        raise InputError(f"a layout needs at least 1 label, got {num_regions}")
    if name == FACES:
        if num_regions != CELEBAMASK_HQ.num_regions:
            raise InputError(
                f"layout 'faces' has the {CELEBAMASK_HQ.num_regions} labels of CelebAMask-HQ, "
                f"got {num_regions} labels; leave it out"
            )
        return draw_face(random_face(rng), size)
    num_parts = min(num_regions, int(rng.integers(3, 10)))
    labels = rng.permutation(num_regions)[:num_parts]
    y, x = _coordinates(size)
    parts = _PARTITIONS[name](y, x, num_parts, rng)
    return np.asarray(labels[parts], dtype=np.int64)


def check_size(size: tuple[int, int]) -> None:
    """Raise InputError unless `size` is (h, w) of two positive integers."""
    if len(size) != 2 or any(isinstance(side, float) or side < 1 for side in size):
        raise InputError(f"a size must be (h, w), two positive integers, got {size!r}")


def _coordinates(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """y [h, 1] and x [1, w] from the middle of the picture, in units of its shorter side."""
    height, width = size
    shorter = min(height, width)
    y = (np.arange(height) + 0.5 - height / 2) / shorter
    x = (np.arange(width) + 0.5 - width / 2) / shorter
    return y[:, None], x[None, :]


def _voronoi(y: np.ndarray, x: np.ndarray, num_parts: int, rng: np.random.Generator) -> np.ndarray:
    num_cells = int(rng.integers(num_parts, 3 * num_parts + 1))
    reach = np.array([y.max() + 0.5 / y.size, x.max() + 0.5 / x.size])
    centers = rng.uniform(-1.0, 1.0, (num_cells, 2)) * reach
    distances = (y[..., None] - centers[:, 0]) ** 2 + (x[..., None] - centers[:, 1]) ** 2
    return np.asarray(distances.argmin(axis=-1) % num_parts)


def _blobs(y: np.ndarray, x: np.ndarray, num_parts: int, rng: np.random.Generator) -> np.ndarray:
    heights = rng.normal(size=(num_parts, 5, 5)).astype(np.float32)
    size = (x.size, y.size)
    fields = [np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)) for grid in heights]
    return np.asarray(np.argmax(fields, axis=0))


def _bands(y: np.ndarray, x: np.ndarray, num_parts: int, rng: np.random.Generator) -> np.ndarray:
    angle, phase = rng.uniform(0.0, 2 * np.pi, 2)
    across, along = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    bent = across + rng.uniform(0.0, 0.08) * np.sin(2 * np.pi * rng.uniform(0.5, 2.0) * along + phase)
    num_bands = int(rng.integers(num_parts, 2 * num_parts + 1))
    edges = np.sort(rng.uniform(float(bent.min()), float(bent.max()), num_bands - 1))
    return np.asarray(np.digitize(bent, edges) % num_parts)


def _facade(y: np.ndarray, x: np.ndarray, num_parts: int, rng: np.random.Generator) -> np.ndarray:
    """A wall, a grid of windows in frames, a sky above and a ground floor below; parts repeat if too few."""
    pitch_y, pitch_x = rng.uniform(0.14, 0.3, 2)
    row, column = np.floor(y / pitch_y), np.floor(x / pitch_x)
    off_y, off_x = np.abs(y / pitch_y - row - 0.5), np.abs(x / pitch_x - column - 0.5)
    window_y, window_x = rng.uniform(0.2, 0.4, 2)
    frame = float(rng.uniform(0.04, 0.09))
    parts = np.zeros(np.broadcast_shapes(y.shape, x.shape), dtype=np.int64)
    parts[(off_y < window_y + frame) & (off_x < window_x + frame)] = 1
    parts[(off_y < window_y) & (off_x < window_x)] = 2
    kinds = np.broadcast_to(column.astype(np.int64) % 2 == int(rng.integers(2)), parts.shape)
    parts[(parts == 2) & kinds] = 3
    top, bottom = rng.uniform(-0.5, -0.25), rng.uniform(0.25, 0.5)
    parts[np.broadcast_to(y < top, parts.shape)] = 4
    parts[np.broadcast_to(y > bottom, parts.shape)] = 5
    door = (y > bottom + 0.03) & (np.abs(x - rng.uniform(-0.3, 0.3)) < rng.uniform(0.05, 0.12))
    parts[door] = 6
    return np.asarray(parts % num_parts)


def _ellipses(y: np.ndarray, x: np.ndarray, num_parts: int, rng: np.random.Generator) -> np.ndarray:
    center_y, center_x = rng.uniform(-0.15, 0.15, 2)
    angle, aspect = rng.uniform(0.0, np.pi), rng.uniform(0.6, 1.0)
    dy, dx = y - center_y, x - center_x
    along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
    around = np.arctan2(across, along)
    radius = np.hypot(along, across / aspect)
    radius = radius * (1.0 + rng.uniform(0.0, 0.12) * np.cos(int(rng.integers(2, 7)) * around + rng.uniform(0, 6)))
    steps = rng.uniform(0.5, 1.5, num_parts).cumsum()
    return np.asarray(np.digitize(radius, steps[:-1] / steps[-1] * 0.62))


FACES = "faces"
_Partition = Callable[[np.ndarray, np.ndarray, int, np.random.Generator], np.ndarray]
_PARTITIONS: dict[str, _Partition] = {
    "voronoi": _voronoi,
    "blobs": _blobs,
    "bands": _bands,
    "facades": _facade,
    "ellipses": _ellipses,
}
LAYOUTS: tuple[str, ...] = (FACES, *_PARTITIONS)
