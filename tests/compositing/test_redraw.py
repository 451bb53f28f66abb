import numpy as np
import pytest

from sean.compositing.colour import RegionColour, parse_colour
from sean.compositing.frame import Frame
from sean.compositing.redraw import redrawn

from ..pictures import region_colour

SIDE = 192
FRAME = Frame.whole(SIDE, SIDE)


@pytest.fixture
def own_map() -> np.ndarray:
    """Ground 0 with a square of label 1 in the upper half."""
    ids = np.zeros((64, 64), dtype=np.int64)
    ids[8:32, 16:48] = 1
    return ids


@pytest.fixture
def longer(own_map: np.ndarray) -> np.ndarray:
    ids = own_map.copy()
    ids[32:56, 16:48] = 1
    return ids


@pytest.fixture
def photo(own_map: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Brown on grey, each with its own grain."""
    inside = own_map.repeat(3, 0).repeat(3, 1) == 1
    levels = np.full((SIDE, SIDE, 3), 190.0) + rng.normal(0, 2, (SIDE, SIDE, 1))
    levels[inside] = (np.array([110, 75, 45]) + rng.normal(0, 14, (SIDE, SIDE, 1)))[inside]
    return np.clip(levels, 0, 255).astype(np.uint8)


@pytest.fixture
def picture(longer: np.ndarray) -> np.ndarray:
    """A flat picture in colours that are not the photo's."""
    levels = np.full((64, 64, 3), (200, 205, 215), dtype=np.uint8)
    levels[longer == 1] = (150, 60, 90)
    return levels


def test_a_grown_region_has_the_photos_colour_and_grain(
    photo: np.ndarray, own_map: np.ndarray, longer: np.ndarray, picture: np.ndarray
) -> None:
    result = redrawn(photo, FRAME, own_map, longer, picture)
    new, old = result[110:160, 60:132], photo[36:84, 60:132]
    found, wanted = (region_colour(part, np.ones(part.shape[:2])) for part in (new, old))
    assert found is not None and wanted is not None
    np.testing.assert_allclose(found.mean, wanted.mean, atol=4)
    assert found.contrast is not None and wanted.contrast is not None
    assert 0.5 < found.contrast / wanted.contrast < 1.6
    # away from what changed, the photo to the bit: above the seam, and beside
    np.testing.assert_array_equal(result[:70], photo[:70])
    np.testing.assert_array_equal(result[:, :36], photo[:, :36])
    np.testing.assert_array_equal(result[185:], photo[185:])
    # no line where the new part begins
    rows = result[:, 60:132].mean(axis=(1, 2))
    assert np.abs(np.diff(rows[60:150])).max() < 12


def test_what_is_taken_away_is_filled_with_what_is_around(
    photo: np.ndarray, own_map: np.ndarray, picture: np.ndarray
) -> None:
    result = redrawn(photo, FRAME, own_map, np.zeros_like(own_map), picture)
    filled = region_colour(result[30:90, 54:138], np.ones((60, 84)))
    around = region_colour(photo[110:], np.ones((SIDE - 110, SIDE)))
    assert filled is not None and around is not None
    np.testing.assert_allclose(filled.mean, around.mean, atol=3)


def test_a_label_that_the_photo_lacks_takes_the_models_colour_or_the_one_wanted(
    photo: np.ndarray, own_map: np.ndarray, picture: np.ndarray
) -> None:
    ids = own_map.copy()
    ids[40:44, 10:54] = 7
    picture[40:44, 10:54] = (20, 40, 160)
    wanted = parse_colour("#d0d040")
    for colours, expected in ((None, parse_colour("#1428a0")), ({7: (wanted, 1.0)}, wanted)):
        result = redrawn(photo, FRAME, own_map, ids, picture, colours=colours)
        shown = region_colour(result[123:129, 45:150], np.ones((6, 105)))
        assert shown is not None
        np.testing.assert_allclose(shown.mean, expected.mean, atol=12)


def test_a_small_region_has_the_models_detail(photo: np.ndarray, own_map: np.ndarray, picture: np.ndarray) -> None:
    ids = own_map.copy()
    ids[42:46, 22:40] = 7
    picture[42:46, 22:40] = (120, 30, 30)
    picture[42:46, 22:40:4], picture[42:46, 23:40:4] = (240, 235, 225), (240, 235, 225)  # teeth, two pixels wide
    result = redrawn(photo, FRAME, own_map, ids, picture)[129:135].mean(axis=(0, 2))
    teeth, gaps = (result[[3 * (column + offset) for column in range(22, 38, 4)]] for offset in (1, 3))
    assert teeth.min() - gaps.max() > 60


def test_a_small_region_takes_the_photos_colour_only_where_it_stays(
    photo: np.ndarray, own_map: np.ndarray, picture: np.ndarray
) -> None:
    own_map[42:46, 8:24] = 7
    photo[126:138, 24:72] = (170, 60, 60)
    picture[40:48, 4:60] = (90, 110, 60)
    grown, moved = (slice(41, 47), slice(8, 24)), (slice(42, 46), slice(20, 36))  # a quarter of the second stays
    for (rows, columns), expected in ((grown, "#aa3c3c"), (moved, "#5a6e3c")):
        ids = np.where(own_map == 7, 0, own_map)
        ids[rows, columns] = 7
        result = redrawn(photo, FRAME, own_map, ids, picture)
        top, left = 3 * rows.start, 3 * columns.start
        shown = region_colour(result[top + 3 : top + 9, left + 24 : left + 42], np.ones((6, 18)))
        assert shown is not None
        np.testing.assert_allclose(shown.mean, parse_colour(expected).mean, atol=8)


def test_the_edges_of_a_small_region_are_softer(photo: np.ndarray, own_map: np.ndarray, picture: np.ndarray) -> None:
    steps = []
    for width in (10, 56):  # the wider one is no small region
        ids, shown = own_map.copy(), picture.copy()
        ids[42:48, 4 : 4 + width] = 7
        shown[42:48, 4 : 4 + width] = (20, 40, 160)
        rows = redrawn(photo, FRAME, own_map, ids, shown)[110:135, 18:36, 0].astype(float).mean(axis=1)
        steps.append(np.abs(np.diff(rows)).max() / np.ptp(rows))
    assert steps[0] < 0.8 * steps[1]


def test_single_shadows_do_not_raise_the_grain(own_map: np.ndarray, longer: np.ndarray, picture: np.ndarray) -> None:
    photo = np.full((SIDE, SIDE, 3), 190, dtype=np.uint8)
    photo[24:96, 48:144] = (150, 110, 90)
    photo[40:45, 60:132], photo[60:90, 90:94] = (60, 40, 30), (60, 40, 30)
    new = redrawn(photo, FRAME, own_map, longer, picture)[115:160, 60:132]
    assert new.std(axis=(0, 1)).max() < 4


def test_strands_hang_down(photo: np.ndarray, own_map: np.ndarray, longer: np.ndarray, picture: np.ndarray) -> None:
    def roughness(strands: tuple[int, ...]) -> float:
        part = redrawn(photo, FRAME, own_map, longer, picture, strands=strands)[115:150, 60:132].mean(axis=2)
        return float(np.abs(np.diff(part, axis=0)).mean() / np.abs(np.diff(part, axis=1)).mean())

    assert roughness((1,)) < 0.5 < roughness(())


def test_the_same_map_is_the_photo(photo: np.ndarray, own_map: np.ndarray, picture: np.ndarray) -> None:
    unused = {0: (RegionColour(mean=(0.0, 0.0, 0.0)), 1.0)}
    np.testing.assert_array_equal(redrawn(photo, FRAME, own_map, own_map, picture, colours=unused), photo)
