import numpy as np
import pytest

from sean.compositing.colour import lab_to_srgb, parse_colour, srgb_to_lab
from sean.compositing.frame import Frame
from sean.compositing.guide import PhotoGuide
from sean.compositing.recolour import ModelPictures, RegionChange, recoloured
from sean.compositing.transfer import colour_transfer

from ..pictures import region_colour

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


def test_a_background_of_several_things_takes_one_hue(mask: np.ndarray) -> None:
    """A small red flag before a grey wall, in blue: blue as the wall, not violet; a near hue leaves it red."""
    photo = np.full((SIDE, SIDE, 3), 170, dtype=np.uint8)
    flag = np.zeros((SIDE, SIDE), bool)
    flag[30:60, 118:145] = True
    photo[flag] = (175, 40, 50)
    guide = PhotoGuide(photo, Frame.whole(SIDE, SIDE), mask.shape)
    own = guide.colour(~mask)
    assert own is not None and own.spread < 16
    inner = (slice(38, 52), slice(124, 138))

    def hues(colour: str) -> list[float]:
        change = RegionChange(mask=~mask, target=parse_colour(colour), several=True)
        result = recoloured(guide, [change])
        found = [region_colour(result[inner], np.ones((14, 14))), parse_colour(colour)]
        return [float(np.degrees(np.arctan2(each.mean[2], each.mean[1]))) for each in found if each is not None]

    blue, wall = hues("#3050c0")
    assert abs(blue - wall) < 8
    red, _ = hues("#b8ab9c")
    assert 0 < red < 45


def fringe(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Dark hair above skin, between them a thin fringe: photo, shares of the hair, its colours, skin."""
    rows, columns = np.indices((SIDE, SIDE))
    thin = 0.45 + 0.4 * np.sin(columns * 0.9 + 3 * np.sin(rows * 0.07))
    shares = np.clip(np.where(rows < 70, 1, np.where(rows < 80, thin, 0)), 0, 1)[..., None]
    hair = np.array([45.0, 34, 28]) * (1 + 0.25 * np.sin(columns[..., None] * 1.7))
    skin = np.array([214.0, 166, 140]) + rng.normal(0, 3, (SIDE, SIDE, 1))
    photo = shares * hair + (1 - shares) * skin
    return photo.round().astype(np.uint8), shares, hair.round().astype(np.uint8), skin


def test_skin_seen_through_hair_stays_skin(rng: np.random.Generator) -> None:
    """Blond from dark hair: half the error against the truth, which is the blond hair over the same skin."""
    photo, shares, hair, skin = fringe(rng)
    mask = np.zeros((32, 32), bool)
    mask[:16] = True  # of 5 pixels
    target = parse_colour("#d8b878")
    guide = PhotoGuide(photo, Frame.whole(SIDE, SIDE), mask.shape)
    own = guide.colour(mask)
    assert own is not None
    blond = lab_to_srgb(colour_transfer(own, target)(srgb_to_lab(hair).reshape(-1, 3))).reshape(hair.shape)
    truth = shares * blond + (1 - shares) * skin
    below = (slice(70, 86), slice(8, -8))
    plain, unveiled = (
        recoloured(guide, [RegionChange(mask=mask, target=target, strands=strands)]) for strands in (False, True)
    )
    errors = [float(np.sqrt(np.square(result - truth)[below].mean())) for result in (plain, unveiled)]
    assert errors[1] < 0.55 * errors[0]
    deep = slice(0, 50)  # hair without skin nearby
    np.testing.assert_array_equal(unveiled[deep], plain[deep])


def test_a_veil_is_continuous_in_strength(rng: np.random.Generator) -> None:
    photo = fringe(rng)[0]
    mask = np.zeros((32, 32), bool)
    mask[:16] = True
    guide = PhotoGuide(photo, Frame.whole(SIDE, SIDE), mask.shape)
    steps = [
        recoloured(guide, [RegionChange(mask=mask, target=parse_colour("#d8b878"), strength=strength, strands=True)])
        for strength in np.linspace(0, 1, 41)
    ]
    np.testing.assert_array_equal(steps[0], photo)
    assert max(np.abs(np.diff(np.array(steps, np.int16), axis=0)).max(axis=(1, 2, 3))) <= 24
