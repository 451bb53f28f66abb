"""A photo prepared for composites: colours of insides, where only the mean of a region is known."""

import numpy as np

from sean.compositing.colour import RegionColour, srgb_to_lab
from sean.compositing.frame import Frame
from sean.compositing.guide import PhotoGuide

SIZE = (96, 96)


def disc(radius: float) -> np.ndarray:
    rows, columns = np.indices(SIZE)
    inside: np.ndarray = np.hypot(rows - 48, columns - 48) < radius
    return inside


def photo_of(inside: tuple[int, int, int], outside: tuple[int, int, int]) -> np.ndarray:
    """A disc before a wall."""
    return np.where(disc(24)[..., None], inside, outside).astype(np.uint8)


def lab_of(levels: np.ndarray | tuple[int, int, int]) -> tuple[float, float, float]:
    lightness, a, b = srgb_to_lab(np.asarray(levels).round().astype(np.uint8)[None])[0].tolist()
    return lightness, a, b


def test_the_photos_own_mean_gives_its_own_colour() -> None:
    mask = disc(26)  # the map is too large: the wall is in the mean
    photo = photo_of((60, 40, 30), (220, 210, 200))
    guide = PhotoGuide(photo, Frame.whole(*SIZE), SIZE)
    own = guide.colour(mask)
    assert own is not None
    np.testing.assert_allclose(own.mean, lab_of((60, 40, 30)), atol=1.5)
    mean = lab_of(photo[mask].mean(axis=0))
    assert mean[0] > own.mean[0] + 5, "the wall shows in the mean"
    found = guide.inside_colour(mask, RegionColour(mean=own.mean))
    assert found.mean[0] < own.mean[0], "what the mean mixes in is taken away"
    limited = max(mean[0] / 1.4, own.mean[0])
    np.testing.assert_allclose(
        guide.inside_colour(mask, RegionColour(mean=mean)).mean, (limited, *own.mean[1:]), atol=0.2
    )


def test_an_exact_map_changes_nothing() -> None:
    mask = disc(24)
    guide = PhotoGuide(photo_of((90, 60, 50), (200, 190, 180)), Frame.whole(*SIZE), SIZE)
    target = (40.0, 10.0, -20.0)
    np.testing.assert_allclose(guide.inside_colour(mask, RegionColour(mean=target)).mean, target, atol=1.5)
    nowhere = guide.inside_colour(np.zeros(SIZE, bool), RegionColour(mean=target))
    assert nowhere.mean == target
