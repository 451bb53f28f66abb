"""The pixels that brushes, polygons and fills cover: pure functions from coordinates and maps to masks.

Coordinates are fractions of width and height (see `sean.editing.edits`). A pixel belongs to a shape if its centre does.
A convex shape meets a row of pixels in one interval, and the winding number of a polygon changes along a row only at
the polygon's edges. Both are therefore drawn row by row with differences at the ends of intervals, for all segments at
once, in a time that does not depend on the length of a stroke.
"""

import math
from collections.abc import Sequence

import numpy as np

SEAM_MARGIN = 0.02
"""Fraction of the height by which the colours of a region in photos extend into the next; it hides most seams."""
# A brush at least this wide, in pixels, covers every pixel that its middle passes through, wherever in the pixel.
_MIN_RADIUS = math.sqrt(0.5)
# Middles of pixels at exactly the edge are covered, whatever the rounding.
_EDGE = 1e-9
_SHORTEST = 1e-9
_CHUNK = 512

Size = tuple[int, int]
Points = Sequence[tuple[float, float]]


def brush_mask(points: Points, radius: float, size: Size) -> np.ndarray:
    """The pixels whose centre lies within the radius of a polyline.

    Args:
        points: vertices of the line, at least one; each (x, y) in fractions.
        radius: a fraction of the height; increased if needed to cover the pixels that the line passes through.
        size: (h, w) in pixels.

    Returns:
        bool [h, w].
    """
    height, width = size
    corners = _pixels(points, size)
    reach = max(radius * height, _MIN_RADIUS)
    starts, ends = (corners, corners) if len(corners) == 1 else (corners[:-1], corners[1:])
    steps = np.zeros((height, width + 1), dtype=np.int64)
    for first in range(0, len(starts), _CHUNK):
        low, high = _stadium_rows(starts[first : first + _CHUNK], ends[first : first + _CHUNK], reach, height)
        begin = np.ceil(np.clip(low, -1, width) - _EDGE).clip(0, width).astype(np.int64)
        end = np.floor(np.clip(high, -1, width) + _EDGE).astype(np.int64) + 1
        covered = begin < end.clip(0, width)
        rows = np.broadcast_to(np.arange(height), low.shape)[covered]
        np.add.at(steps, (rows, begin[covered]), 1)
        np.add.at(steps, (rows, end.clip(0, width)[covered]), -1)
    return steps.cumsum(axis=1)[:, :width] > 0


def polygon_mask(points: Points, size: Size) -> np.ndarray:
    """The pixels whose centre lies in a closed polygon, by the non-zero winding rule.

    Args:
        points: vertices of the polygon; each (x, y) in fractions.
        size: (h, w) in pixels.

    Returns:
        bool [h, w].
    """
    height, width = size
    corners = _pixels(points, size)
    steps = np.zeros((height, width + 1), dtype=np.int64)
    rows = np.arange(height)
    followers = np.roll(corners, -1, axis=0)
    for first in range(0, len(corners), _CHUNK):
        (x0, y0), (x1, y1) = (c[first : first + _CHUNK].T[:, :, None] for c in (corners, followers))
        # half open, so that a vertex between two edges is crossed once
        crossed = (np.minimum(y0, y1) <= rows) & (rows < np.maximum(y0, y1))
        edge, row = np.nonzero(crossed)
        share = (row - y0[edge, 0]) / (y1 - y0)[edge, 0]
        x = x0[edge, 0] + share * (x1 - x0)[edge, 0]
        begin = np.ceil(np.clip(x, -1, width) - _EDGE).clip(0, width).astype(np.int64)
        np.add.at(steps, (row, begin), np.where(y1 > y0, 1, -1)[edge, 0])
    return steps.cumsum(axis=1)[:, :width] != 0


def connected_area(regions: np.ndarray, pixel: tuple[int, int]) -> np.ndarray:
    """The connected area (4 neighbours) of a pixel within its region.

    Args:
        regions: integers [h, w], one number per region.
        pixel: (row, column) of the first pixel.

    Returns:
        bool [h, w].
    """
    from scipy import ndimage  # takes long, and the command line reads this file's constants

    areas, _ = ndimage.label(regions == regions[pixel])
    found: np.ndarray = areas == areas[pixel]
    return found


def faded(mask: np.ndarray, reach: float) -> np.ndarray:
    """A mask with a soft edge: 1 inside, falling smoothly to 0 at a distance of `reach` pixels.

    Args:
        mask: bool [h, w].
        reach: width of the edge in pixels; there is no edge up to 1.

    Returns:
        float32 [h, w], 3 t^2 - 2 t^3 with t = 1 - distance / reach to the nearest pixel of the mask.
    """
    nearness = mask.astype(np.float32)
    if reach > 1 and mask.any():
        from scipy import ndimage

        distances = ndimage.distance_transform_edt(~mask)
        nearness = np.maximum(1 - distances / reach, 0).astype(np.float32)
    smooth: np.ndarray = nearness * nearness * (3 - 2 * nearness)
    return smooth


def pixel_at(point: tuple[float, float], size: Size) -> tuple[int, int]:
    """(row, column) of the pixel at a point, given in fractions of a picture of size (h, w)."""
    height, width = size
    return min(int(point[1] * height), height - 1), min(int(point[0] * width), width - 1)


def _pixels(points: Points, size: Size) -> np.ndarray:
    """Fractions as (x, y) [n, 2] in pixels, with whole numbers at pixel centres."""
    height, width = size
    return np.asarray(points, dtype=np.float64).reshape(-1, 2) * (width, height) - 0.5


def _stadium_rows(starts: np.ndarray, ends: np.ndarray, reach: float, height: int) -> tuple[np.ndarray, np.ndarray]:
    """The intervals of a picture's rows within `reach` of segments: first and last x, each [n, h]; inf, -inf if empty.

    The points within a distance of a segment form a convex set: two discs and the rectangle between them.
    """
    rows = np.arange(height)
    low, high = np.full((len(starts), height), np.inf), np.full((len(starts), height), -np.inf)

    def cover(first: np.ndarray, last: np.ndarray, where: np.ndarray) -> None:
        np.minimum(low, first, out=low, where=where)
        np.maximum(high, last, out=high, where=where)

    for x, y in ((ends[:, :1], ends[:, 1:]), (starts[:, :1], starts[:, 1:])):
        squares = reach**2 - (rows - y) ** 2
        half = np.sqrt(squares.clip(0))
        cover(x - half, x + half, squares >= -_EDGE)
    down = rows - y
    along = ends - starts
    lengths = np.hypot(along[:, 0], along[:, 1])[:, None]
    direction = along / np.maximum(lengths, _SHORTEST)
    dx, dy = direction[:, :1], direction[:, 1:]
    # in the rectangle: 0 <= dx (px - x) + dy down <= length, and -reach <= dx down - dy (px - x) <= reach
    first, last = _between(dx, dy * down, np.zeros_like(lengths), lengths)
    first_across, last_across = _between(-dy, dx * down, np.full_like(lengths, -reach), np.full_like(lengths, reach))
    first, last = np.maximum(first, first_across) + x, np.minimum(last, last_across) + x
    cover(first, last, (first <= last) & (lengths > _SHORTEST))
    return low, high


def _between(
    slope: np.ndarray, offset: np.ndarray, lowest: np.ndarray, highest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First and last u with lowest <= slope * u + offset <= highest; all u or none if the slope is 0."""
    flat = np.abs(slope) < _EDGE
    divisor = np.where(flat, 1.0, slope)
    one, other = (lowest - offset) / divisor, (highest - offset) / divisor
    inside = (lowest <= offset) & (offset <= highest)
    first = np.where(flat, np.where(inside, -np.inf, np.inf), np.minimum(one, other))
    last = np.where(flat, np.where(inside, np.inf, -np.inf), np.maximum(one, other))
    return first, last
