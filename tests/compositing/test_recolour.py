import numpy as np
import pytest

from sean.compositing.colour import parse_colour, region_colour
from sean.compositing.frame import Frame
from sean.compositing.guide import PhotoGuide
from sean.compositing.recolour import ModelPictures, RegionChange, recoloured

SIDE = 160


@pytest.fixture
def photo(rng: np.random.Generator) -> np.ndarray:
    """A textured brown disc on a textured grey ground."""
    levels = np.full((SIDE, SIDE, 3), 170.0)
    levels[disc()] = (120, 80, 50)
    return np.clip(levels + rng.normal(0, 8, (SIDE, SIDE, 1)), 0, 255).astype(np.uint8)


def disc(radius: float = 40) -> np.ndarray:
    rows, columns = np.indices((SIDE, SIDE)) + 0.5
    return np.hypot(rows - 80, columns - 70) < radius


@pytest.fixture
def mask() -> np.ndarray:
    return disc()[2::5, 2::5]  # a map of 32 x 32


def test_a_region_takes_the_colour_and_keeps_its_detail(photo: np.ndarray, mask: np.ndarray) -> None:
    guide = PhotoGuide(photo, Frame.whole(SIDE, SIDE), mask.shape)
    target = parse_colour("#5e2416")
    result = recoloured(guide, [RegionChange(mask=mask, target=target)])
    found = region_colour(result, disc(36))
    assert found is not None
    np.testing.assert_allclose(found.mean, target.mean, atol=2)
    inside = disc(36)
    assert np.corrcoef(result[inside].mean(axis=1), photo[inside].mean(axis=1))[0, 1] > 0.95
    np.testing.assert_array_equal(result[~disc(60)], photo[~disc(60)])
    # the photo's edge, not that of a map with 32 pixels, is where the colour ends
    ring = disc(39) & ~disc(37)
    assert (np.abs(result[ring].astype(int) - photo[ring]).max(axis=1) > 15).mean() > 0.9
    ring = disc(44) & ~disc(42)
    assert (np.abs(result[ring].astype(int) - photo[ring]).max(axis=1) > 15).mean() < 0.1


def test_nothing_asked_is_the_photo_to_the_bit(photo: np.ndarray, mask: np.ndarray) -> None:
    guide = PhotoGuide(photo, Frame.whole(SIDE, SIDE), mask.shape)
    own = np.full((32, 32, 3), 90, dtype=np.uint8)
    pictures = ModelPictures(own=own, edited=own, frame=guide.frame)
    none = RegionChange(mask=mask, target=parse_colour("#000"), strength=0.0)
    for changes in ([], [none], [RegionChange(mask=mask)], [RegionChange(mask=mask & False, target=none.target)]):
        np.testing.assert_array_equal(recoloured(guide, changes, pictures), photo)


def test_without_a_target_the_photo_follows_the_model(photo: np.ndarray, mask: np.ndarray) -> None:
    guide = PhotoGuide(photo, Frame.whole(SIDE, SIDE), mask.shape)
    own = np.full((32, 32, 3), (110, 80, 60), dtype=np.uint8)
    edited = np.full((32, 32, 3), (60, 44, 33), dtype=np.uint8)
    result = recoloured(guide, [RegionChange(mask=mask)], ModelPictures(own=own, edited=edited, frame=guide.frame))
    before, after = (region_colour(image, disc(36)) for image in (photo, result))
    change = [region_colour(image, np.ones((32, 32))) for image in (own, edited)]
    assert before is not None and after is not None and change[0] is not None and change[1] is not None
    np.testing.assert_allclose(
        np.subtract(after.mean, before.mean), np.subtract(change[1].mean, change[0].mean), atol=2
    )


def test_parts_threads_and_the_cache_change_nothing(
    photo: np.ndarray, mask: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = [RegionChange(mask=mask, target=parse_colour("#15120f")), RegionChange(mask=~mask, target=None)]
    own, edited = np.full((32, 32, 3), 150, dtype=np.uint8), np.full((32, 32, 3), 90, dtype=np.uint8)
    pictures = ModelPictures(own=own, edited=edited, frame=Frame.whole(SIDE, SIDE))
    guide = PhotoGuide(photo, pictures.frame, mask.shape, workers=1)
    first = recoloured(guide, changes, pictures)
    np.testing.assert_array_equal(recoloured(guide, changes, pictures), first)  # from the cache
    monkeypatch.setattr("sean.compositing.guide._STRIP_PIXELS", 7 * SIDE)
    monkeypatch.setattr("sean.compositing.guide._CACHED_BYTES", 1000)
    parts = PhotoGuide(photo, pictures.frame, mask.shape, workers=3)
    for _ in range(2):
        result = recoloured(parts, changes, pictures).astype(int)
        assert np.abs(result - first).max() <= 1  # sampling from another corner rounds differently


def test_a_turned_frame_finds_its_region(photo: np.ndarray) -> None:
    # the disc's bounding square, turned by 45 degrees around its middle (70, 80)
    side = 120 / np.sqrt(2)
    frame = Frame(matrix=(side, -side, 70.0, side, side, 80.0 - side))
    rows, columns = (np.indices((64, 64)) + 0.5) / 64
    mask = np.hypot(rows - 0.5, columns - 0.5) < 40 / 120
    result = recoloured(PhotoGuide(photo, frame, mask.shape), [RegionChange(mask=mask, target=parse_colour("#2a4fa0"))])
    moved = (result != photo).any(axis=2)
    assert moved[disc(36)].mean() > 0.97
    assert not moved[~disc(60)].any()


def test_a_region_of_two_colours_has_no_third(mask: np.ndarray) -> None:
    """Orange and black cloth in blue: blue and nearly black, neither pink nor a blue that shines out of the black."""
    photo = np.full((SIDE, SIDE, 3), 170, dtype=np.uint8)
    stripes = disc() & (np.arange(SIDE) // 20 % 2 == 0)
    photo[disc()] = (205, 85, 40)
    photo[stripes] = (35, 33, 34)
    guide = PhotoGuide(photo, Frame.whole(SIDE, SIDE), mask.shape)
    result = recoloured(guide, [RegionChange(mask=mask, target=parse_colour("#2244aa"))]).astype(int)
    deep = disc(30)
    red, _, blue = result[deep & ~stripes].mean(axis=0)
    assert blue > red + 60
    np.testing.assert_array_less(np.ptp(result[deep & stripes], axis=1), 45)
    assert result[deep & stripes].mean() < 60
