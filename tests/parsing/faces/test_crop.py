"""Crops: what they show, over borders too, and what pasting them back changes and leaves alone."""

import math
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from sean.errors import InputError
from sean.images import resize_image
from sean.parsing.faces import Crop, cut, paste


def photo_of(rng: np.random.Generator, height: int = 40, width: int = 60) -> np.ndarray:
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def crop_of(photo: np.ndarray, top: float, left: float, size: float) -> Crop:
    return Crop(top=float(top), left=float(left), size=float(size), photo_size=(photo.shape[0], photo.shape[1]))


def test_cut_shows_the_square(rng: np.random.Generator) -> None:
    photo = photo_of(rng)
    assert np.array_equal(cut(photo, crop_of(photo, 5, 11, 16), 16), photo[5:21, 11:27])


def test_cut_repeats_the_border(rng: np.random.Generator) -> None:
    photo = photo_of(rng)
    shown = cut(photo, crop_of(photo, -4, 50, 20), 20)
    assert np.array_equal(shown[4:, :10], photo[:16, 50:])
    assert np.array_equal(shown[:4, :10], np.repeat(photo[:1, 50:], 4, axis=0))
    assert np.array_equal(shown[4:, 10:], np.repeat(photo[:16, 59:], 10, axis=1))


def test_cut_of_the_whole_is_a_resized_picture(rng: np.random.Generator) -> None:
    photo = photo_of(rng, 40, 40)
    assert np.array_equal(cut(photo, Crop.whole((40, 40)), 24), resize_image(photo, (24, 24)))


def test_cut_between_pixels() -> None:
    ramp = np.repeat(np.arange(0, 120, 2, dtype=np.uint8)[None, :, None], 40, axis=0).repeat(3, axis=2)
    # a pixel of the result is two of the photo wide; the middle of the first is at 10.5 + 1, where the ramp is 2 * 11
    shown = cut(ramp, crop_of(ramp, 10, 10.5, 16), 8)
    assert shown[0, :, 0].tolist() == [22 + 4 * column for column in range(8)]
    assert (shown == shown[:1]).all()


def test_the_smallest_square_around_a_photo() -> None:
    whole = Crop.whole((40, 60))
    assert (whole.top, whole.left, whole.size) == (-10, 0, 60)


def test_overlap() -> None:
    photo = np.zeros((20, 20, 3), np.uint8)
    a, b = crop_of(photo, 0, 0, 4), crop_of(photo, 1, 2, 4)
    assert a.overlap(b) == pytest.approx(6 / 26)
    assert a.overlap(a) == 1
    assert a.overlap(crop_of(photo, 10, 0, 4)) == 0


def test_paste_changes_only_the_crop(rng: np.random.Generator) -> None:
    photo, picture = photo_of(rng), photo_of(rng, 16, 16)
    before = photo.copy()
    pasted = paste(photo, crop_of(photo, 5, 11, 16), picture, feather=0.0)
    assert np.array_equal(photo, before)
    assert np.array_equal(pasted[5:21, 11:27], picture)
    pasted[5:21, 11:27] = photo[5:21, 11:27]
    assert np.array_equal(pasted, photo)


def test_pixels_that_a_crop_covers_partly_stay(rng: np.random.Generator) -> None:
    photo = np.zeros((40, 60, 3), np.uint8)
    pasted = paste(photo, crop_of(photo, 4.5, 11.25, 16), np.full((8, 8, 3), 255, np.uint8), feather=0.0)
    assert (pasted[5:20, 12:27] == 255).all()
    assert int(pasted.astype(int).sum()) == 15 * 15 * 3 * 255


def test_the_edge_is_feathered() -> None:
    photo = np.zeros((40, 60, 3), np.uint8)
    pasted = paste(photo, crop_of(photo, 10, 20, 20), np.full((4, 4, 3), 200, np.uint8), feather=0.25)
    # 5 pixels of feather; the middles of the first lie at 0.1, 0.3, ... of it
    ramp = [200 * (3 * t**2 - 2 * t**3) for t in (0.1, 0.3, 0.5, 0.7, 0.9)]
    assert pasted[20, 20:26, 0] == pytest.approx([*ramp, 200], abs=0.5)
    assert pasted[20, 34:40, 1] == pytest.approx([200, *ramp[::-1]], abs=0.5)
    assert pasted[10:16, 30, 2] == pytest.approx([*ramp, 200], abs=0.5)
    assert pasted[10, 20, 0] == round(ramp[0] * ramp[0] / 200)


def test_no_feather_at_the_borders_of_the_photo() -> None:
    photo = np.zeros((40, 60, 3), np.uint8)
    white = np.full((4, 4, 3), 255, np.uint8)
    assert (paste(photo, Crop.whole((40, 60)), white) == 255).all()
    corner = paste(photo, crop_of(photo, -3, 45, 20), white, feather=0.2)
    assert (corner[:10, 52:] == 255).all()
    assert (corner[16, 52:] < 255).all() and (corner[:10, 45] < 255).all()


def test_a_picture_of_another_size_lies_where_its_crop_does() -> None:
    photo = np.zeros((64, 64, 3), np.uint8)
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:, 4:] = 240
    pasted = paste(photo, crop_of(photo, 16, 8, 32), picture, feather=0.0)
    assert (pasted[20:40, 8:20] < 20).all() and (pasted[20:40, 28:40] > 220).all()
    assert pasted[30, 23, 0] + pasted[30, 24, 0] == pytest.approx(240, abs=2)


def test_nothing_changes_where_the_mask_is_0(rng: np.random.Generator) -> None:
    photo, picture = photo_of(rng), photo_of(rng, 8, 8)
    mask = np.zeros((4, 4))
    mask[1:3, 1:3] = [[1, 0], [1, 0.5]]
    pasted = paste(photo, crop_of(photo, 4, 8, 32), picture, mask, feather=0.0)
    changed = (pasted != photo).any(axis=2)
    # cells of 8 x 8 pixels; those of the mask begin at row 12 and column 16
    allowed = np.zeros((40, 60), bool)
    allowed[12:28, 16:24] = allowed[20:28, 24:32] = True
    assert not (changed & ~allowed).any()
    assert changed[12:28, 18:22].mean() > 0.9


def test_a_mask_weighs() -> None:
    photo = np.zeros((40, 60, 3), np.uint8)
    white = np.full((4, 4, 3), 200, np.uint8)
    crop = crop_of(photo, 4, 8, 32)
    half = paste(photo, crop, white, np.full((4, 4), 0.5), feather=0.0)
    assert (half[4:36, 8:40] == 100).all()
    columns = np.tile([1.0, 1.0, 0.0, 0.0], (4, 1))
    side = paste(photo, crop, white, columns, feather=0.0)[20, 8:40, 0]
    # from the middle of the last cell of 1, at 12 of 32 pixels, it falls to 0 where the cells of 0 begin
    assert (side[:12] == 200).all() and (side[16:] == 0).all()
    # 8 pixels from middle to middle: the first beyond has 15 / 16, and 2 * 15 / 16 - 1 of that
    expected = [200 * (1 - d / 8) * (1 - 2 * d / 8) for d in (0.5, 1.5, 2.5, 3.5)]
    assert side[12:16] == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"top": math.nan}, "a crop of a size"),
        ({"size": 0.0}, "a crop of a size"),
        ({"size": 181.0}, r"0\.\.3 times"),
        ({"photo_size": (0, 60)}, "a crop of a size"),
        ({"top": 40.0}, "shows a part of the photo"),
        ({"left": -10.0}, "shows a part of the photo"),
    ],
)
def test_crops_that_cannot_be(values: dict[str, object], message: str) -> None:
    right: dict[str, object] = {"top": 0.0, "left": 0.0, "size": 10.0, "photo_size": (40, 60)}
    with pytest.raises(InputError, match=message):
        Crop(**{**right, **values})  # type: ignore[arg-type]


def test_a_crop_of_another_photo(rng: np.random.Generator) -> None:
    photo = photo_of(rng)
    for use in (lambda crop: cut(photo, crop, 8), lambda crop: paste(photo, crop, photo)):
        with pytest.raises(InputError, match=r"\[60, 40\], got \[40, 60\]"):
            use(Crop.whole((60, 40)))


def test_a_large_photo_is_not_copied_as_floats() -> None:
    photo = np.zeros((3000, 4000, 3), np.uint8)
    picture, mask = np.full((64, 64, 3), 255, np.uint8), np.ones((64, 64))
    tracemalloc.start()
    try:
        result = paste(photo, Crop.whole((3000, 4000)), picture, mask)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (result == 255).all()
    # the result, the picture at its size, and a band of floats; all of it as float32 is four times each
    assert peak < 3.5 * photo.nbytes


TURNED = Crop(top=20.0, left=30.0, size=60.0, photo_size=(120, 150), angle=30.0)


def test_a_turned_crop_shows_its_part_upright() -> None:
    """A dot on the line from the middle to the turned crop's upper edge is seen above the middle."""
    photo = np.zeros((120, 150, 3), np.uint8)
    x, y = 60 + 20 * np.sin(np.pi / 6), 50 - 20 * np.cos(np.pi / 6)
    photo[round(y) - 2 : round(y) + 2, round(x) - 2 : round(x) + 2] = 255
    rows, columns = np.nonzero(cut(photo, TURNED, 60)[:, :, 0] > 100)
    assert (rows.mean() + 0.5, columns.mean() + 0.5) == pytest.approx((10, 30), abs=1)


def test_a_turned_crop_goes_back_into_its_place(rng: np.random.Generator) -> None:
    smooth = Image.fromarray(rng.integers(0, 256, (12, 15, 3), dtype=np.uint8)).resize((150, 120))
    photo = np.asarray(smooth)
    again = paste(photo, TURNED, cut(photo, TURNED, 120))
    assert np.abs(again.astype(int) - photo).max() <= 6
    black = paste(photo, TURNED, np.zeros((40, 40, 3), np.uint8), feather=0.1)
    changed = (black != photo).any(axis=2)
    assert not black[48:53, 57:63].any()
    down, across = np.indices((120, 150)) + 0.5
    across, down = across - 60, down - 50
    sine, cosine = 0.5, np.sqrt(0.75)
    inside = np.maximum(np.abs(across * cosine + down * sine), np.abs(down * cosine - across * sine)) <= 30
    assert not changed[~inside].any()
    assert changed[inside].mean() > 0.8
    mask = np.zeros((8, 8))
    mask[:4] = 1
    upper = (paste(photo, TURNED, np.zeros((40, 40, 3), np.uint8), mask) != photo).any(axis=2)
    assert upper.any() and not upper[inside & (down * cosine - across * sine > 0)].any()


def test_a_part_of_a_turned_crop() -> None:
    up = TURNED.part((0.0, 0.5), 0.5, turn=-10.0)
    assert (up.angle, up.size) == (20.0, 30.0)
    middle = up.left + 15, up.top + 15
    assert middle == pytest.approx((60 + 30 * 0.5, 50 - 30 * np.sqrt(0.75)))
    with pytest.raises(InputError, match="angle"):
        Crop(top=0.0, left=0.0, size=10.0, photo_size=(20, 20), angle=float("nan"))
    with pytest.raises(InputError, match="a part of the photo"):
        Crop(top=3.0, left=3.0, size=0.5, photo_size=(20, 20), angle=1.0)
