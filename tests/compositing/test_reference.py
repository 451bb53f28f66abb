import numpy as np
import pytest

from sean.compositing.colour import parse_colour
from sean.compositing.frame import Frame
from sean.compositing.guide import PhotoGuide
from sean.compositing.recolour import RegionChange, recoloured

from .reference import recoloured_reference


@pytest.mark.parametrize("stripe", [(120, 85, 55), (20, 40, 90)])  # the second makes it a region of several colours
@pytest.mark.parametrize("matrix", [(48.0, 0.0, 0.0, 0.0, 40.0, 0.0), (40.0, -12.0, 10.0, 12.0, 40.0, -4.0)])
def test_the_fast_path_is_the_reference(
    matrix: tuple[float, float, float, float, float, float], stripe: tuple[int, int, int], rng: np.random.Generator
) -> None:
    levels = np.full((40, 48, 3), 175.0)
    levels[8:32, 10:30] = (120, 85, 55)
    levels[8:32, 10:20] = stripe
    photo = np.clip(levels + rng.normal(0, 14, (40, 48, 3)), 0, 255).astype(np.uint8)
    guide = PhotoGuide(photo, Frame(matrix=matrix), (16, 16))
    mask = np.zeros((16, 16), bool)
    mask[4:12, 4:10] = True
    changes = [
        RegionChange(mask=mask, target=parse_colour("#1c2a66"), strength=0.8),
        RegionChange(mask=~mask, target=parse_colour("#e0d0b0")),
    ]
    fast, slow = recoloured(guide, changes), recoloured_reference(guide, changes)
    difference = np.abs(fast.astype(int) - slow)
    assert (slow != photo).any(axis=2).mean() > 0.5
    assert difference.max() <= 2 and difference.mean() < 0.2
