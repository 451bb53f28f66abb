"""Geometry of pairs: sizes, the same cut for picture and map, mirrors that exchange left and right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sean.data.transforms import PairedTransform
from sean.errors import InputError
from sean.labels import LabelSet

TOY = LabelSet(name="toy", names=("back", "l_eye", "r_eye"), flip_pairs=((1, 2),), ignore_id=255)
PLAIN = LabelSet(name="plain", names=tuple(str(index) for index in range(64)))

sizes = st.integers(1, 40)


def pair(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture whose first channels are the row and the column, and a map of pixel numbers."""
    rows, columns = np.mgrid[0:height, 0:width]
    image = np.stack([rows, columns, rows * 0], axis=2).astype(np.uint8)
    return image, (rows * width + columns).astype(np.int64)


@given(sizes, sizes, sizes, sizes, st.floats(1.0, 2.0), st.booleans(), st.integers(0, 9))
def test_the_result_has_the_size_and_only_old_ids(
    height: int, width: int, out_height: int, out_width: int, resize: float, crop: bool, seed: int
) -> None:
    image, segmap = pair(height, width)
    transform = PairedTransform(size=(out_height, out_width), resize=resize if crop else 1.0, crop=crop)
    cut, ids = transform(image, segmap, PLAIN, np.random.default_rng(seed))
    assert cut.shape == (out_height, out_width, 3) and cut.dtype == np.uint8
    assert ids.shape == (out_height, out_width) and ids.dtype == np.int64
    assert set(ids.ravel().tolist()) <= set(segmap.ravel().tolist())


@given(st.integers(8, 20), st.integers(8, 20), st.booleans(), st.integers(0, 99))
def test_picture_and_map_move_together(height: int, width: int, flip: bool, seed: int) -> None:
    # The short side is already as long as asked: nothing is resized and every pixel can be followed.
    extent = min(height, width)
    image, segmap = pair(height, width)
    transform = PairedTransform(size=(extent, extent), flip=flip)
    cut, ids = transform(image, segmap, PLAIN, np.random.default_rng(seed))
    assert np.array_equal(ids, cut[:, :, 0].astype(int) * width + cut[:, :, 1])


def test_a_mirror_exchanges_left_and_right() -> None:
    image, _ = pair(1, 4)
    segmap = np.array([[0, 1, 2, 3]])
    transform = PairedTransform(size=(1, 4))
    results = [transform(image, segmap, TOY, np.random.default_rng(seed)) for seed in range(20)]
    seen = {(tuple(cut[0, :, 1].tolist()), tuple(ids[0].tolist())) for cut, ids in results}
    assert seen == {((0, 1, 2, 3), (0, 1, 2, 3)), ((3, 2, 1, 0), (3, 1, 2, 0))}
    never = PairedTransform(size=(1, 4), flip=False)
    assert all(never(image, segmap, TOY, np.random.default_rng(seed))[1][0, 1] == 1 for seed in range(20))


def test_instances_are_mirrored_but_keep_their_numbers() -> None:
    transform = PairedTransform(size=(1, 2))
    geometries = [transform.draw((1, 2), np.random.default_rng(seed)) for seed in range(20)]
    seen = {tuple(geometry.instances(np.array([[1, 2]]))[0].tolist()) for geometry in geometries}
    assert seen == {(1, 2), (2, 1)}


def test_the_short_side_fits_and_the_cut_wanders() -> None:
    transform = PairedTransform(size=(10, 10), flip=False)
    places = [transform.draw((20, 80), np.random.default_rng(seed)) for seed in range(300)]
    assert {place.resized for place in places} == {(10, 40)}
    assert {place.top for place in places} == {0}
    assert {place.left for place in places} == set(range(31))
    larger = PairedTransform(size=(10, 10), resize=1.2).draw((20, 80), np.random.default_rng(0))
    assert larger.resized == (12, 48)


def test_evaluation_is_the_largest_centred_cut_whatever_the_chance() -> None:
    transform = PairedTransform(size=(10, 20), resize=1.5).evaluation()
    for seed in range(5):
        place = transform.draw((30, 80), np.random.default_rng(seed))
        # 30 x 80 must cover 10 x 20: scale 1/3 gives 10 x 27, of which 7 columns go
        assert (place.resized, place.top, place.left, place.mirror) == ((10, 27), 0, 3, False)


def test_without_crop_the_picture_is_stretched() -> None:
    image, segmap = pair(2, 8)
    transform = PairedTransform(size=(4, 4), crop=False, flip=False)
    _, ids = transform(image, segmap, PLAIN, np.random.default_rng(0))
    assert ids.tolist() == [[0, 2, 4, 6], [0, 2, 4, 6], [8, 10, 12, 14], [8, 10, 12, 14]]


def test_the_same_generator_gives_the_same_geometry() -> None:
    transform = PairedTransform(size=(8, 8), resize=1.5)
    draws = [transform.draw((30, 50), np.random.default_rng(seed)) for seed in (4, 4, 5)]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": (0, 8)}, "at least 1 pixel"),
        ({"size": (8, 8), "resize": 0.9}, "resize factor in 1..16"),
        ({"size": (8, 8), "resize": float("nan")}, "resize factor in 1..16"),
        ({"size": (8, 8), "resize": 1.1, "crop": False}, "needs crop"),
    ],
)
def test_wrong_settings_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PairedTransform(**values)  # type: ignore[arg-type]


@given(st.integers(16, 40), st.integers(16, 40), st.integers(0, 99))
def test_a_smaller_picture_gets_a_margin_of_its_reflection(height: int, width: int, seed: int) -> None:
    """One number of a pixel stands in picture and map alike; every row and column of the picture is there."""
    image, segmap = pair(height, width)
    transform = PairedTransform(size=(20, 20), shrink=0.6, flip=False)
    geometry = transform.draw((height, width), np.random.default_rng(seed))
    assert 12 <= min(geometry.resized) <= 20
    ids, rows = geometry.segmap(segmap, PLAIN), geometry.segmap(segmap // width, PLAIN)
    assert ids.shape == (20, 20) and geometry.image(image).shape == (20, 20, 3)
    assert np.array_equal(ids // width, rows)
    margin = -geometry.top
    if margin > 0:  # reflected about the first row
        assert np.array_equal(ids[0], ids[2 * margin])


def test_scales_fill_the_range_and_the_size_stays() -> None:
    transform = PairedTransform(size=(64, 64), shrink=0.6, resize=1.2)
    rng = np.random.default_rng(0)
    scales = [transform.draw((64, 64), rng).resized[0] / 64 for _ in range(300)]
    assert 0.59 < min(scales) < 0.65 and 1.15 < max(scales) <= 1.21
    assert transform.evaluation().draw((64, 64), rng).resized == (64, 64)


@pytest.mark.parametrize("shrink", [0.5, 1.1])
def test_a_shrink_out_of_range(shrink: float) -> None:
    with pytest.raises(InputError, match=rf"expected shrink in \(0.5, 1\], and 1 without crop, got {shrink}"):
        PairedTransform(size=(8, 8), shrink=shrink)
