import numpy as np
import pytest

from sean.compositing.colour import RegionColour
from sean.compositing.transfer import colour_transfer

BLOND = RegionColour(mean=(70.0, 5.0, 30.0), contrast=12.0)
BLACK = RegionColour(mean=(12.0, 1.0, 1.0), contrast=6.0)


def lab(lightness: np.ndarray, a: float = 5.0, b: float = 30.0) -> np.ndarray:
    return np.stack([lightness, np.full_like(lightness, a), np.full_like(lightness, b)], axis=1).astype(np.float32)


@pytest.mark.parametrize(("own", "target"), [(BLOND, BLACK), (BLACK, BLOND)])
def test_the_mean_arrives_and_lightness_keeps_its_order(own: RegionColour, target: RegionColour) -> None:
    transfer = colour_transfer(own, target)
    np.testing.assert_allclose(transfer(np.array([own.mean], np.float32))[0], target.mean, atol=1e-3)
    curve = transfer.lightness(np.linspace(0, 100, 200, dtype=np.float32))
    assert (np.diff(curve) >= 0).all()
    assert curve.min() >= 0
    assert curve.max() <= 100


def test_strength_0_is_the_identity_and_strength_is_continuous() -> None:
    pixels = lab(np.linspace(5, 95, 50))
    np.testing.assert_allclose(colour_transfer(BLOND, BLACK, 0.0)(pixels), pixels, atol=1e-3)
    steps = [colour_transfer(BLOND, BLACK, float(strength))(pixels) for strength in np.linspace(0, 1, 101)]
    assert np.abs(np.diff(steps, axis=0)).max() < 2


def test_contrast_follows_brightness() -> None:
    near = np.array([65.0, 75.0])
    dark = colour_transfer(BLOND, RegionColour(mean=BLACK.mean)).lightness(near)
    assert 10 * 12 / 70 < dark[1] - dark[0] < 4  # in proportion it would be 1.7 of 10
    near = np.array([7.0, 17.0])
    light = colour_transfer(BLACK, RegionColour(mean=BLOND.mean)).lightness(near)
    assert 10 < light[1] - light[0] < 10 * 70 / 12  # neither flat nor strands made of noise


def test_grey_hair_keeps_no_tint() -> None:
    pixels = np.array([[90, 2, 12], [50, 8, 45]], dtype=np.float32)  # a pale highlight and a strong strand
    silver = colour_transfer(BLOND, RegionColour(mean=(72.0, 0.0, 0.0)))(pixels)
    assert np.abs(silver[:, 1:]).max() < 6


def test_highlights_of_light_colours_pale_to_white() -> None:
    blond = colour_transfer(RegionColour(mean=(40.0, 5.0, 15.0)), RegionColour(mean=(76.0, 4.0, 30.0)))
    lab = np.array([[40, 5, 15], [70, 5, 15], [99, 0, 0]], dtype=np.float32)
    chroma = np.hypot(*blond(lab)[:, 1:].T)
    assert chroma[0] > 28 > chroma[2]
    assert chroma[2] < 0.5 * chroma[0]


SUIT = RegionColour(mean=(34.0, 28.0, 24.0), contrast=20.0, spread=37.0, chroma=38.0)
ORANGE, BLACK_CLOTH = (52.0, 55.0, 48.0), (14.0, 1.0, 0.0)


@pytest.mark.parametrize("target", [(34.0, 20.0, -55.0), (40.0, -40.0, 25.0)])
def test_every_colour_of_a_region_of_several_takes_the_new_hue(target: tuple[float, float, float]) -> None:
    orange, black = colour_transfer(SUIT, RegionColour(mean=target))(np.array([ORANGE, BLACK_CLOTH], np.float32))
    wanted = np.arctan2(target[2], target[1])
    assert abs(np.angle(np.exp(1j * (np.arctan2(orange[2], orange[1]) - wanted)))) < 0.05
    assert np.hypot(*orange[1:]) > 0.8 * np.hypot(*target[1:])
    assert np.hypot(*black[1:]) < 0.4 * np.hypot(*target[1:])  # black stays black
    assert black[0] < 0.5 * orange[0]


def test_the_way_to_one_hue_is_continuous() -> None:
    pixels = np.array([ORANGE, BLACK_CLOTH], np.float32)
    blue = RegionColour(mean=(34.0, 20.0, -55.0))
    np.testing.assert_allclose(colour_transfer(SUIT, blue, 0.0)(pixels), pixels, atol=1e-3)
    steps = [colour_transfer(SUIT, blue, float(strength))(pixels) for strength in np.linspace(0, 1, 201)]
    assert np.abs(np.diff(steps, axis=0)).max() < 4


def test_a_region_of_one_colour_is_shifted_as_ever() -> None:
    pixels = lab(np.linspace(5, 95, 20))
    one = RegionColour(mean=BLOND.mean, contrast=12.0, spread=13.9, chroma=31.0)
    np.testing.assert_array_equal(colour_transfer(one, BLACK)(pixels), colour_transfer(BLOND, BLACK)(pixels))
