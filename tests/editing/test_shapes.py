"""Brush, polygon and fill against slow, obvious references."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sean.editing.shapes import brush_mask, connected_area, faded, pixel_at, polygon_mask

Point = tuple[float, float]

sizes = st.tuples(st.integers(1, 24), st.integers(1, 24))
coordinates = st.one_of(st.floats(-1, 2), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
points = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=6)


def distance(pixel: Point, a: Point, b: Point) -> float:
    """From a place to a segment, all (x, y) in pixels."""
    (px, py), (ax, ay), (bx, by) = pixel, a, b
    squared = (bx - ax) ** 2 + (by - ay) ** 2
    t = 0.0 if squared == 0 else max(0.0, min(1.0, ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / squared))
    return math.hypot(ax + t * (bx - ax) - px, ay + t * (by - ay) - py)


@given(points, st.floats(0.001, 1), sizes)
def test_a_brush_covers_the_pixels_near_its_line(stroke: list[Point], radius: float, size: tuple[int, int]) -> None:
    height, width = size
    mask = brush_mask(stroke, radius, size)
    reach = max(radius * height, math.sqrt(0.5))
    line = [(x * width, y * height) for x, y in stroke]
    for row in range(height):
        for column in range(width):
            near = min(distance((column + 0.5, row + 0.5), a, b) for a, b in zip(line, line[1:] or line, strict=False))
            if abs(near - reach) > 1e-7:  # at the edge itself rounding decides
                assert mask[row, column] == (near < reach), (row, column, near, reach)


def test_a_brush_by_hand() -> None:
    assert brush_mask([(0.5, 0.5)], 0.2, (5, 5)).astype(int).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0],
    ]
    assert brush_mask([(0.3, 0.5), (0.7, 0.5)], 0.01, (5, 5)).astype(int).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]
    # the radius is one of the height, in both directions
    wide = brush_mask([(0.5, 0.5)], 0.5, (4, 40))
    assert wide.any(axis=0).sum() == 4 and wide.any(axis=1).all()


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=4), sizes)
def test_the_thinnest_and_fastest_stroke_has_no_gap(stroke: list[Point], size: tuple[int, int]) -> None:
    """Every pixel that the line goes through is covered, and what is covered hangs together."""
    mask = brush_mask(stroke, 1e-6, size)
    for (ax, ay), (bx, by) in itertools.pairwise(stroke):
        for t in np.linspace(0, 1, 50).tolist():
            assert mask[pixel_at((ax + t * (bx - ax), ay + t * (by - ay)), size)]
    first = pixel_at(stroke[0], size)
    assert np.array_equal(connected_area(mask.astype(np.int64), first), mask)


def test_a_stroke_of_many_points_is_that_of_its_parts(rng: np.random.Generator) -> None:
    """More segments than are drawn at once."""
    stroke = [(x, y) for x, y in rng.random((600, 2)).tolist()]
    whole = brush_mask(stroke, 0.002, (48, 32))
    parts = [brush_mask(stroke[i : i + 2], 0.002, (48, 32)) for i in range(len(stroke) - 1)]
    assert np.array_equal(whole, np.any(parts, axis=0))
    corners = [(0.5 + 0.4 * math.sin(i * 2.4), 0.5 + 0.4 * math.cos(i * 2.4)) for i in range(600)]
    assert np.array_equal(polygon_mask(corners, (32, 32)), polygon_mask(corners[300:] + corners[:300], (32, 32)))


def winding(pixel: Point, corners: list[Point]) -> int:
    """How often a polygon goes round a place: its edges that cross the ray to the left, by direction."""
    px, py = pixel
    number = 0
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (ay <= py) != (by <= py) and ax + (py - ay) / (by - ay) * (bx - ax) < px:
            number += 1 if by > ay else -1
    return number


@given(points, sizes)
def test_a_polygon_covers_what_it_goes_round(corners: list[Point], size: tuple[int, int]) -> None:
    height, width = size
    placed = [(x * width, y * height) for x, y in corners]
    mask = polygon_mask(corners, size)
    for row in range(height):
        for column in range(width):
            middle = (column + 0.5, row + 0.5)
            edges = zip(placed, placed[1:] + placed[:1], strict=True)
            if min(distance(middle, a, b) for a, b in edges) > 1e-7:
                assert mask[row, column] == (winding(middle, placed) != 0), (row, column)


def test_polygons_by_hand() -> None:
    square = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)]
    expected = np.zeros((5, 5), dtype=bool)
    expected[1:4, 1:4] = True
    for corners in (square, square[::-1], square + square):  # either way round, once or twice
        assert np.array_equal(polygon_mask(corners, (5, 5)), expected)
    # what leaves the picture is cut off
    assert polygon_mask([(-1.0, -1.0), (2.0, -1.0), (2.0, 2.0), (-1.0, 2.0)], (3, 4)).all()


def reached(regions: np.ndarray, pixel: tuple[int, int]) -> np.ndarray:
    """From pixel to pixel, one after the other."""
    mask = np.zeros(regions.shape, dtype=bool)
    waiting = [pixel]
    while waiting:
        row, column = waiting.pop()
        inside = 0 <= row < regions.shape[0] and 0 <= column < regions.shape[1]
        if inside and not mask[row, column] and regions[row, column] == regions[pixel]:
            mask[row, column] = True
            waiting += [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
    return mask


@given(sizes, st.integers(1, 4), st.integers(0, 10**6))
def test_a_connected_area_is_what_is_reached_pixel_by_pixel(size: tuple[int, int], labels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    regions = rng.integers(0, labels, size)
    pixel = (int(rng.integers(size[0])), int(rng.integers(size[1])))
    assert np.array_equal(connected_area(regions, pixel), reached(regions, pixel))


def spiral(side: int) -> np.ndarray:
    """A path one pixel wide from the corner to the middle, and its walls."""
    path = np.zeros((side, side), dtype=np.int64)
    row, column, step_row, step_column = 0, 0, 0, 1
    path[0, 0] = 1
    for _ in range(side * side):
        for _ in range(2):
            ahead = (row + 2 * step_row, column + 2 * step_column)
            in_front = (row + step_row, column + step_column)
            free = all(0 <= place < side for place in in_front) and not path[in_front]
            if free and not (all(0 <= place < side for place in ahead) and path[ahead]):
                break
            step_row, step_column = step_column, -step_row
        else:
            break
        row, column = in_front
        path[row, column] = 1
    return path


@pytest.mark.parametrize("side", [9, 32, 41])
def test_areas_that_wind(side: int) -> None:
    for regions in (spiral(side), spiral(side).T, np.indices((side, side)).sum(axis=0) % 2):
        for pixel in ((0, 0), (side // 2, side // 2), (side - 1, 0)):
            assert np.array_equal(connected_area(regions, pixel), reached(regions, pixel))
    assert spiral(side).sum() > side * side / 3
    assert np.array_equal(connected_area(spiral(side), (0, 0)), spiral(side) == 1)


def test_corners_do_not_connect() -> None:
    assert connected_area(np.eye(3, dtype=np.int64), (1, 1)).sum() == 1


@given(st.integers(0, 10**6), st.floats(0.1, 6))
def test_a_faded_mask_falls_with_the_distance(seed: int, reach: float) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((9, 7)) < 0.1
    assume(mask.any())
    weights = faded(mask, reach)
    for row in range(9):
        for column in range(7):
            near = min(math.hypot(row - y, column - x) for y, x in np.argwhere(mask))
            t = 1.0 if near == 0 else max(0.0, 1 - near / reach) if reach > 1 else 0.0
            assert weights[row, column] == pytest.approx(t * t * (3 - 2 * t), abs=1e-6)


def test_nothing_fades_to_nothing() -> None:
    assert not faded(np.zeros((4, 4), dtype=bool), 3.0).any()


def test_pixels_of_points() -> None:
    assert pixel_at((0.0, 0.0), (4, 8)) == (0, 0)
    assert pixel_at((1.0, 1.0), (4, 8)) == (3, 7)
    assert pixel_at((0.5, 0.5), (4, 8)) == (2, 4)
    assert pixel_at((0.4999, 0.2), (4, 8)) == (0, 3)
