"""Moved pairs: pictures and maps move alike, left and right labels change places."""

import numpy as np
import pytest

from sean.augmentation.geometry import moved
from sean.data.paired import Pair
from sean.labels import LabelSet

LABELS = LabelSet(name="x", names=("back", "l_eye", "r_eye"), flip_pairs=((1, 2),))


@pytest.fixture
def pair() -> Pair:
    """A picture that shows its label map."""
    segmap = np.kron(np.array([[0, 1, 2], [3, 0, 1], [2, 0, 0]]), np.ones((20, 25), dtype=np.int64))
    image = np.repeat((segmap * 60)[..., None], 3, 2).astype(np.uint8)
    return Pair(image=image, segmap=segmap, instances=segmap * 10)


def test_a_mirror_exchanges_sides(pair: Pair) -> None:
    mirrored = moved(pair, LABELS, mirror=True, warp=0.0, warp_seed=None)
    assert np.array_equal(mirrored.image, pair.image[:, ::-1])
    assert np.array_equal(mirrored.segmap, np.array([0, 2, 1, 3])[pair.segmap[:, ::-1]])
    assert mirrored.instances is not None and np.array_equal(mirrored.instances, pair.instances[:, ::-1])  # type: ignore[index]


def test_a_warp_moves_picture_and_maps_alike(pair: Pair) -> None:
    warped = moved(pair, LABELS, mirror=False, warp=0.1, warp_seed=4)
    assert warped.instances is not None and np.array_equal(warped.instances, warped.segmap * 10)
    changed = (warped.segmap != pair.segmap).mean()
    assert 0.01 < changed < 0.4
    difference = np.abs(warped.image[..., 0].astype(int) - warped.segmap * 60)
    assert (difference <= 31).all() or (difference > 31).mean() < 0.05  # but for pixels that lie between two regions
    assert np.array_equal(moved(pair, LABELS, mirror=False, warp=0.1, warp_seed=4).image, warped.image)
    assert not np.array_equal(moved(pair, LABELS, mirror=False, warp=0.1, warp_seed=5).segmap, warped.segmap)


def test_a_warp_shifts_by_its_largest_amount_at_most(pair: Pair) -> None:
    column = np.repeat(np.arange(75)[None], 60, 0)
    grid = Pair(image=pair.image, segmap=column, instances=np.repeat(np.arange(60)[:, None], 75, 1))
    warped = moved(grid, LABELS, mirror=False, warp=0.05, warp_seed=1)
    assert 1 <= np.abs(warped.segmap - column).max() <= round(0.05 * 75) + 1
    assert warped.instances is not None
    assert 1 <= np.abs(warped.instances - np.arange(60)[:, None]).max() <= round(0.05 * 60) + 1


def test_nothing_moves_where_nothing_is_asked_for(pair: Pair) -> None:
    still = moved(pair, LABELS, mirror=False, warp=0.1, warp_seed=None)
    assert still is pair
