import numpy as np
import pytest
from skimage.color import rgb2lab

from sean.compositing.colour import lab_colour, lab_to_srgb, parse_colour, srgb_to_lab
from sean.errors import InputError

from ..pictures import region_colour


def test_lab_is_that_of_scikit_image_and_comes_back_to_the_level(rng: np.random.Generator) -> None:
    levels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    levels[0] = np.arange(50)[:, None]  # greys near black
    np.testing.assert_allclose(srgb_to_lab(levels), rgb2lab(levels), atol=0.02)
    np.testing.assert_array_equal(lab_to_srgb(srgb_to_lab(levels)), levels)


def test_a_written_colour() -> None:
    mean = parse_colour("#7a1f2b").mean
    np.testing.assert_allclose(mean, rgb2lab(np.array([[[0x7A, 0x1F, 0x2B]]], dtype=np.uint8))[0, 0], atol=0.02)
    assert parse_colour("#a30").mean == parse_colour("AA3300").mean
    with pytest.raises(InputError, match="six hexadecimal digits"):
        parse_colour("red")


def test_the_colour_of_a_region() -> None:
    image = np.zeros((2, 4, 3), dtype=np.uint8)
    image[:, 2:] = 255
    mask = np.zeros((2, 4), dtype=bool)
    mask[0, 1:3] = True
    colour = region_colour(image, mask)
    assert colour is not None
    assert colour.mean[0] == pytest.approx(50, abs=0.01)
    assert colour.contrast == pytest.approx(50, abs=0.01)
    assert lab_colour(srgb_to_lab(image[~(mask | True)]), np.zeros(0, np.float32)) is None
