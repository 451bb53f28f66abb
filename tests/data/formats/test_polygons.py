"""Outlines are exact, shapes are painted within a pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from sean.data.formats.polygons import Canvas, box_ring, ellipse_ring, outlines
from sean.errors import InputError

pytest.importorskip("pycocotools")


@given(arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_an_outline_painted_again_is_the_area_without_its_holes(area: np.ndarray) -> None:
    rings, has_holes = outlines(area)
    canvas = Canvas((area.shape[0], area.shape[1]), 0, "f")
    canvas.polygon([ring.tolist() for ring in rings], 1, 1)
    parts, count = ndimage.label(area)
    whole = np.zeros_like(area)
    for number in range(1, count + 1):  # what touches the outside at a corner is no hole
        whole |= ndimage.binary_fill_holes(parts == number, np.ones((3, 3)))
    assert np.array_equal(canvas.annotation().ids == 1, whole)
    assert len(rings) == count and has_holes >= (whole != area).any()


def test_the_outline_of_an_l() -> None:
    area = np.array([[1, 0], [1, 1]], dtype=bool)
    (ring,), has_holes = outlines(area)
    assert not has_holes
    assert {tuple(point) for point in ring.tolist()} == {(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (0, 2)}


def test_shapes_are_within_a_pixel_of_their_edges() -> None:
    ring = [[3.3, 2.6], [28.4, 9.1], [17.2, 25.7]]
    canvas = Canvas((30, 32), 0, "f")
    canvas.polygon([ring], 1, 1)
    painted = canvas.annotation().ids == 1
    rows, columns = np.mgrid[:30, :32] + 0.5
    distances = []
    for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
        length = np.hypot(x1 - x0, y1 - y0)
        distances.append(((x1 - x0) * (rows - y0) - (y1 - y0) * (columns - x0)) / length)
    inside = np.min(distances, axis=0)
    assert painted[inside > 1].all() and not painted[inside < -1].any() and painted.sum() > 200


def test_an_ellipse_and_a_box() -> None:
    canvas = Canvas((20, 30), 0, "f")
    canvas.polygon([ellipse_ring(10, 10, 8, 5)], 1, 1)
    assert abs(int((canvas.annotation().ids == 1).sum()) - np.pi * 40) < 6
    canvas.polygon([box_ring(2, 3, 7, 5)], 2, 2)
    assert np.array_equal(np.argwhere(canvas.annotation().ids == 2)[[0, -1]], [[3, 2], [4, 6]])


def test_a_hole_stays_what_it_was() -> None:
    canvas = Canvas((10, 10), 7, "f")
    canvas.polygon([box_ring(1, 1, 9, 9)], 1, 1, [box_ring(3, 3, 5, 5)])
    assert (canvas.annotation().ids[3:5, 3:5] == 7).all() and (canvas.annotation().ids == 1).sum() == 60


def test_a_mask_beyond_the_picture_is_refused() -> None:
    with pytest.raises(InputError, match=r"one of 4 x 4 at row 8, column 0 in f"):
        Canvas((10, 10), 0, "f").mask(np.ones((4, 4), dtype=bool), 1, 1, (8, 0))


def test_polygons_without_area_are_counted() -> None:
    canvas = Canvas((10, 10), 0, "f")
    canvas.polygon([[[1, 1], [5, 5]]], 1, 1)
    assert canvas.annotation().left_out == ("a polygon of less than three points",)
