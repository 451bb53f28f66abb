"""Photos in JavaScript against those of the package: transparency lies on white, and is in the download again."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from sean.images import SourcePhoto, as_photo
from sean.photo_output import in_own_colors

from .javascript import run

SIZE = (40, 60)


@pytest.fixture
def rgba(rng: np.random.Generator) -> np.ndarray:
    """Random colours of every opacity, many of them fully transparent or opaque."""
    values = rng.integers(0, 256, (*SIZE, 4), dtype=np.uint8)
    values[:, :10, 3] = 0
    values[:, 10:20, 3] = 255
    return values


def opened(rgba: np.ndarray, work: str = "return photo;", **given: Any) -> Any:
    """What a piece of JavaScript makes of the photo that the page has of a picture file."""
    code = f"""
        const {{ fromRgba, offWhite }} = await load("photo.js");
        const photo = fromRgba(given.rgba);
        {work}
    """
    return run(code, rgba=rgba, **given)


def pixels(picture: Any) -> np.ndarray:
    return np.asarray(picture["data"]).reshape(*SIZE, 3)


def photo_of(rgba: np.ndarray) -> SourcePhoto:
    return as_photo(Image.fromarray(rgba))


def test_transparency_lies_on_white(rgba: np.ndarray) -> None:
    ours, page = photo_of(rgba), opened(rgba)
    assert np.array_equal(pixels(page["image"]), ours.image)
    assert (pixels(page["image"])[:, :10] == 255).all()
    assert np.array_equal(pixels(page["own"]), rgba[:, :, :3])
    assert np.array_equal(np.asarray(page["alpha"]).reshape(SIZE), rgba[:, :, 3])


def test_an_opaque_photo_has_no_transparency(rgba: np.ndarray) -> None:
    rgba[:, :, 3] = 255
    page = opened(rgba)
    assert page["alpha"] is None
    assert np.array_equal(pixels(page["image"]), rgba[:, :, :3])


def test_an_edited_photo_gets_its_transparency_back(rgba: np.ndarray, rng: np.random.Generator) -> None:
    ours = photo_of(rgba)
    edited = ours.image.copy()
    edited[:20] = rng.integers(0, 256, (20, SIZE[1], 3), dtype=np.uint8)
    written = pixels(opened(rgba, "return offWhite(given.edited, photo);", edited=edited))
    assert np.array_equal(written, in_own_colors(edited, ours))
    assert np.array_equal(written[20:], rgba[20:, :, :3]), "pixels that have not changed keep their own colours"
