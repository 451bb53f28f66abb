"""Shapes to label maps and back: polygons painted with pycocotools, regions traced along the edges of their pixels.

A point (x, y) is measured in pixels from the upper left corner of the picture: the pixel in row r, column c covers
c..c+1 and r..r+1.
"""

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from sean.data.formats.tree import Annotation
from sean.data.paired import Pair
from sean.errors import InputError

Number = int | float
Ring = Sequence[Sequence[Number]]
_Corner = tuple[int, int]


class Canvas:
    """A label map and an instance map on which shapes are painted, later ones over earlier ones.

    Args:
        size: height and width.
        background: the id of pixels that no shape covers.
        source: the annotation file, for messages.
    """

    def __init__(self, size: tuple[int, int], background: int, source: str) -> None:
        self.size = size
        self._source = source
        self._ids = np.full(size, background, dtype=np.int64)
        self._instances = np.zeros(size, dtype=np.int64)
        self._left_out: list[str] = []

    def polygon(self, rings: Sequence[Ring], label: int, instance: int, holes: Sequence[Ring] = ()) -> None:
        """Paint the union of some polygons without the union of their holes.

        Raises:
            InputError: a point is no number, or lies far outside of the picture.
        """
        area = self.filled(rings)
        if holes:
            area &= ~self.filled(holes)
        self.mask(area, label, instance)

    def mask(self, area: np.ndarray, label: int, instance: int, corner: tuple[int, int] = (0, 0)) -> None:
        """Paint where an array [h, w] is true; it lies with its upper left pixel at corner = (row, column).

        Raises:
            InputError: it reaches beyond the picture.
        """
        row, column = corner
        place = (slice(row, row + area.shape[0]), slice(column, column + area.shape[1]))
        if min(corner) < 0 or self._ids[place].shape != area.shape:
            raise InputError(
                f"expected masks inside of the picture of {self.size[0]} x {self.size[1]}, got one of "
                f"{area.shape[0]} x {area.shape[1]} at row {row}, column {column} in {self._source}"
            )
        self._ids[place][area] = label
        self._instances[place][area] = instance

    def leave_out(self, what: str) -> None:
        """Note a shape without an area."""
        self._left_out.append(what)

    def annotation(self) -> Annotation:
        """The painted labels."""
        return Annotation(ids=self._ids, instances=self._instances, left_out=tuple(self._left_out))

    def filled(self, rings: Sequence[Ring]) -> np.ndarray:
        """The union of some polygons, bool [h, w]; polygons of less than three points are left out.

        Raises:
            InputError: a point is no number, or lies far outside of the picture.
        """
        code = self.encoded(rings)
        return np.zeros(self.size, dtype=bool) if code is None else decoded(code)

    def encoded(self, rings: Sequence[Ring]) -> dict[str, Any] | None:
        """The union of some polygons as pycocotools' run-length code, see `filled`; None if it is empty."""
        from pycocotools import mask

        height, width = self.size
        points = [np.array(ring, dtype=np.float64).reshape(-1, 2) for ring in rings]
        if not all(np.isfinite(ring).all() for ring in points):
            raise InputError(f"{self._source} has a point that is no number; correct the shape")
        reach = np.array([width, height])
        if any((np.abs(ring - reach / 2) > 1.5 * reach).any() for ring in points):
            raise InputError(
                f"{self._source} has a point far outside of its picture of {height} x {width}; were the labels made "
                "for a picture of another size?"
            )
        flat = [ring.ravel().tolist() for ring in points if len(ring) > 2]
        if len(flat) < len(points):
            self.leave_out("a polygon of less than three points")
        code: dict[str, Any] | None = mask.merge(mask.frPyObjects(flat, height, width)) if flat else None
        return code


def decoded(code: dict[str, Any]) -> np.ndarray:
    """The area of a run-length code of pycocotools, bool [h, w]."""
    from pycocotools import mask

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pycocotools follows NumPy 1
        area: np.ndarray = mask.decode(code).astype(bool)
    return area


def box_ring(left: Number, top: Number, right: Number, bottom: Number) -> Ring:
    """The four corners of a box."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def ellipse_ring(x: Number, y: Number, radius_x: Number, radius_y: Number) -> Ring:
    """An ellipse as a polygon, exact to a hundredth of a pixel."""
    count = max(16, int(np.ceil(np.pi * np.sqrt(max(abs(radius_x), abs(radius_y)) * 50))))
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    ring: list[list[float]] = np.stack([x + radius_x * np.cos(angles), y + radius_y * np.sin(angles)], 1).tolist()
    return ring


def rotated_ring(ring: Ring, angle: float) -> Ring:
    """A box or an ellipse, turned around its centre.

    Args:
        ring: as `box_ring` and `ellipse_ring` make it.
        angle: in radians, clockwise in the picture.
    """
    if not angle:
        return ring  # untouched, as rounding could move an edge that lies between two pixels
    points = np.array(ring, dtype=np.float64)
    center = points.mean(axis=0)
    cosine, sine = np.cos(angle), np.sin(angle)
    turned: list[list[float]] = (center + (points - center) @ np.array([[cosine, sine], [-sine, cosine]])).tolist()
    return turned


def objects_of(pair: Pair) -> Iterator[tuple[int, int, np.ndarray]]:
    """The objects of a pair, and its regions without objects: label, object (0: none) and area, bool [h, w]."""
    instances = np.zeros_like(pair.segmap) if pair.instances is None else pair.instances
    numbers, places = np.unique(np.stack([pair.segmap, instances], -1).reshape(-1, 2), axis=0, return_inverse=True)
    places = places.reshape(pair.segmap.shape)
    for index, (label, number) in enumerate(numbers.tolist()):
        yield label, number, places == index


def outlines(area: np.ndarray) -> tuple[list[np.ndarray], bool]:
    """The outlines of the connected parts of an area, bool [h, w], exactly along the edges of the pixels.

    Returns:
        One polygon int64 [n, 2] of (x, y) for each part, in reading order, and whether some part has a hole, which the
        polygons do not show.
    """
    parts, _ = ndimage.label(area)
    found = []
    has_holes = False
    for number, (rows, columns) in enumerate(ndimage.find_objects(parts), start=1):
        loops = _loops(parts[rows, columns] == number)
        # the outer one encloses the others
        loops.sort(key=lambda loop: -(np.ptp(loop[:, 0]) * np.ptp(loop[:, 1])))
        found.append(loops[0] + np.array([columns.start, rows.start]))
        has_holes |= len(loops) > 1
    return found, has_holes


def _loops(area: np.ndarray) -> list[np.ndarray]:
    """The closed lines between true and false pixels, corners only, with the area on the right of their direction."""
    padded = np.pad(area, 1)
    after: dict[_Corner, list[_Corner]] = defaultdict(list)
    # an edge by the pixel it bounds, the neighbour it separates it from, and its ends seen from the pixel's corner
    for (down, right), (x0, y0), (x1, y1) in (
        ((-1, 0), (0, 0), (1, 0)),
        ((0, 1), (1, 0), (1, 1)),
        ((1, 0), (1, 1), (0, 1)),
        ((0, -1), (0, 1), (0, 0)),
    ):
        outside = ~np.roll(padded, (-down, -right), axis=(0, 1))[1:-1, 1:-1]
        for y, x in np.argwhere(area & outside).tolist():
            after[x + x0, y + y0].append((x + x1, y + y1))
    loops = []
    while after:
        start = next(iter(after))
        first = after[start][0]
        points, here, there = [start], start, first
        while True:
            ends = after[there]
            # at a corner where two pixels touch, a right turn follows the same pixel
            turn = (there[0] - (there[1] - here[1]), there[1] + (there[0] - here[0]))
            following: _Corner = turn if turn in ends else ends[0]
            if (there, following) == (start, first):
                break
            points.append(there)
            _take(after, there, following)
            here, there = there, following
        _take(after, start, first)
        corners = np.array(points, dtype=np.int64)
        straight = ((np.roll(corners, -1, 0) - corners) == (corners - np.roll(corners, 1, 0))).all(1)
        loops.append(corners[~straight])
    return loops


def _take(after: dict[_Corner, list[_Corner]], start: _Corner, end: _Corner) -> None:
    after[start].remove(end)
    if not after[start]:
        del after[start]
