"""Region-wise colour augmentation: which pixels change, labels that change together, what the draws depend on."""

import numpy as np
import pytest

from sean.data.transforms import Recolor
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ, LabelSet

ALWAYS = Recolor(probability=1.0)
PLAIN = LabelSet(name="plain", names=("left", "right"))


def halves() -> tuple[np.ndarray, np.ndarray]:
    """A grey picture, the left half with label 0 and the right one with label 1."""
    segmap = np.zeros((8, 12), dtype=np.int64)
    segmap[:, 6:] = 1
    return np.full((8, 12, 3), 100, dtype=np.uint8), segmap


def test_new_colours_are_the_drawn_gains_and_offsets() -> None:
    image, segmap = halves()
    changed = ALWAYS(image, segmap, PLAIN, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    rng.random(2)
    gains, offsets = np.exp(rng.normal(0, 0.3, (2, 3))), rng.normal(0, 0.3, (2, 3))
    expected = ((100 / 127.5 - 1) * gains + offsets + 1).clip(0, 2) * 127.5
    assert np.abs(changed[:, :5] - expected[0]).max() <= 0.51
    assert np.abs(changed[:, 7:] - expected[1]).max() <= 0.51


def test_a_border_is_one_pixel_wide() -> None:
    image, segmap = halves()
    changed = ALWAYS(image, segmap, PLAIN, np.random.default_rng(0))
    assert (changed[:, :5] == changed[0, 0]).all() and (changed[:, 7:] == changed[0, -1]).all()


def test_nothing_changes_at_probability_zero_or_without_a_region() -> None:
    image, segmap = halves()
    assert np.array_equal(Recolor(probability=0.0)(image, segmap, PLAIN, np.random.default_rng(0)), image)
    nowhere = np.full_like(segmap, PLAIN.num_regions)
    assert np.array_equal(ALWAYS(image, nowhere, PLAIN, np.random.default_rng(0)), image)


def test_face_and_neck_change_alike_and_hair_by_itself() -> None:
    skin, neck, hair = (CELEBAMASK_HQ.id_of(name) for name in ("skin", "neck", "hair"))
    segmap = np.repeat([[skin, neck, hair]], 4, axis=0).repeat(8, axis=1)
    image = np.full((*segmap.shape, 3), 90, dtype=np.uint8)
    changed = ALWAYS(image, segmap, CELEBAMASK_HQ, np.random.default_rng(1))
    assert np.array_equal(changed[0, 2], changed[0, 12]) and not np.array_equal(changed[0, 2], changed[0, 22])


def test_a_regions_colour_does_not_depend_on_the_other_regions() -> None:
    image, segmap = halves()
    both = ALWAYS(image, segmap, PLAIN, np.random.default_rng(5))
    right = ALWAYS(image, np.ones_like(segmap), PLAIN, np.random.default_rng(5))
    assert np.array_equal(both[0, -1], right[0, -1])


def test_about_as_many_regions_change_as_asked_for() -> None:
    image, segmap = halves()
    rng = np.random.default_rng(0)
    changed = [Recolor(probability=0.3)(image, segmap, PLAIN, rng)[0, 0] for _ in range(300)]
    share = np.mean([(color != 100).any() for color in changed])
    assert 0.2 < share < 0.4  # four standard deviations


def test_a_probability_out_of_range() -> None:
    with pytest.raises(InputError, match=r"expected a probability in \[0, 1\], got 1.5"):
        Recolor(probability=1.5)
