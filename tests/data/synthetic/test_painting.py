"""Scenes: what each pattern paints, the truth of style exchange, and the layouts."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sean.data.synthetic.layouts import LAYOUTS, draw_layout
from sean.data.synthetic.scenes import PATTERNS, RegionStyle, exchange, paint, random_style
from sean.errors import InputError

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def styles_of(seed: int, count: int) -> tuple[RegionStyle, ...]:
    rng = np.random.default_rng(seed)
    return tuple(random_style(rng) for _ in range(count))


def flat(colors: Sequence[tuple[int, int, int]]) -> tuple[RegionStyle, ...]:
    return tuple(RegionStyle(base=color) for color in colors)


def test_flat_regions_have_their_colours_and_no_region_is_black() -> None:
    segmap = np.array([[0, 1, 2], [2, 1, 0]])
    image = paint(segmap, flat([(1, 2, 3), (40, 50, 60)]))
    assert image.dtype == np.uint8
    assert image.tolist() == [
        [[1, 2, 3], [40, 50, 60], [0, 0, 0]],
        [[0, 0, 0], [40, 50, 60], [1, 2, 3]],
    ]


def test_a_gradient_runs_from_one_colour_to_the_other() -> None:
    style = RegionStyle(base=BLACK, second=(200, 100, 0), pattern="gradient")
    image = paint(np.zeros((4, 4), dtype=np.int64), [style])
    # pixel middles at 1/8, 3/8, 5/8, 7/8 of the picture
    assert image[2].tolist() == [[25, 12, 0], [75, 38, 0], [125, 62, 0], [175, 88, 0]]
    assert np.array_equal(image[0], image[3])
    downwards = paint(np.zeros((4, 4), dtype=np.int64), [replace(style, angle=np.pi / 2)])
    assert np.array_equal(downwards, image.transpose(1, 0, 2))


def test_stripes_follow_the_sine_of_the_place() -> None:
    style = RegionStyle(base=BLACK, second=WHITE, pattern="stripes", frequency=1.0)
    red = paint(np.zeros((4, 4), dtype=np.int64), [style])[0, :, 0]
    # 255 (1 + tanh(3 sin(2 pi x))) / 2 at x = 1/8, 3/8, 5/8, 7/8, where the sine is +-0.70711
    assert red.tolist() == [251, 251, 4, 4]
    shifted = paint(np.zeros((4, 4), dtype=np.int64), [replace(style, phase=0.5)])[0, :, 0]
    assert shifted.tolist() == [4, 4, 251, 251]


def test_checks_alternate_both_ways() -> None:
    style = RegionStyle(base=BLACK, second=WHITE, pattern="checks", frequency=1.0)
    red = paint(np.zeros((4, 4), dtype=np.int64), [style])[..., 0]
    bright = red > 127
    assert bright.tolist() == [[True, True, False, False]] * 2 + [[False, False, True, True]] * 2


def test_noise_is_smooth_and_follows_its_seed() -> None:
    style = RegionStyle(base=BLACK, second=WHITE, pattern="noise", frequency=2.0, seed=5)
    segmap = np.zeros((64, 64), dtype=np.int64)
    red = paint(segmap, [style])[..., 0].astype(int)
    assert np.ptp(red) > 128
    assert np.abs(np.diff(red, axis=0)).max() < 70
    assert np.array_equal(red, paint(segmap, [style])[..., 0])
    assert not np.array_equal(red, paint(segmap, [replace(style, seed=6)])[..., 0])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_contrast_scales_what_the_pattern_mixes_in(pattern: str) -> None:
    style = RegionStyle(base=BLACK, second=WHITE, pattern=pattern, angle=0.3, phase=0.1)
    segmap = np.zeros((32, 48), dtype=np.int64)
    full, half = (paint(segmap, [replace(style, contrast=c)]).astype(int) for c in (1.0, 0.5))
    assert np.abs(full - 2 * half).max() <= 1
    assert not paint(segmap, [replace(style, contrast=0.0)]).any()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pixel_depends_on_style_and_place_but_not_on_the_shape_of_its_region(pattern: str) -> None:
    style = replace(random_style(np.random.default_rng(3)), pattern=pattern)
    everywhere = paint(np.zeros((40, 64), dtype=np.int64), [style])
    cells = draw_layout("voronoi", (40, 64), 2, np.random.default_rng(0))
    some = paint(cells, [style, RegionStyle(base=BLACK)])
    assert np.abs(everywhere.astype(int) - some)[cells == 0].max() <= 1


@given(seed=st.integers(0, 1000), layout=st.sampled_from(LAYOUTS), regions=st.sets(st.integers(0, 18)))
def test_an_exchange_changes_the_chosen_regions_only(seed: int, layout: str, regions: set[int]) -> None:
    segmap = draw_layout(layout, (48, 64), 19, np.random.default_rng(seed))
    styles_a, styles_b = styles_of(seed, 19), styles_of(seed + 1, 19)
    inside = np.isin(segmap, list(regions))
    truth = paint(segmap, exchange(styles_a, styles_b, regions))
    assert np.array_equal(truth[~inside], paint(segmap, styles_a)[~inside])
    assert np.array_equal(truth[inside], paint(segmap, styles_b)[inside])


def test_an_exchange_changes_every_pixel_of_the_region() -> None:
    segmap = draw_layout("blobs", (32, 32), 5, np.random.default_rng(0))
    styles_a, styles_b = flat([(i, i, i) for i in range(5)]), flat([(100 + i, 9, 9) for i in range(5)])
    region = int(segmap[0, 0])
    changed = paint(segmap, exchange(styles_a, styles_b, [region])) != paint(segmap, styles_a)
    assert np.array_equal(changed.any(axis=-1), segmap == region)


def test_the_style_of_an_absent_label_changes_nothing() -> None:
    segmap = np.array([[0, 2], [2, 0]])
    styles = styles_of(0, 3)
    other = exchange(styles, styles_of(9, 3), [1])
    assert other[1] != styles[1]
    assert np.array_equal(paint(segmap, styles), paint(segmap, other))


def test_random_styles_follow_from_the_generator_and_use_every_pattern() -> None:
    assert styles_of(4, 30) == styles_of(4, 30)
    assert styles_of(4, 30) != styles_of(5, 30)
    assert {style.pattern for style in styles_of(4, 60)} == set(PATTERNS)


@pytest.mark.parametrize(
    ("segmap", "message"),
    [
        (np.array([[0, 3]]), r"label ids must be 0..1 \(or 2 for none\), one per style, got 0..3"),
        (np.array([[-1, 0]]), "got -1..0"),
        (np.array([[0.0, 1.0]]), r"expected an integer label map \[h, w\], got float64"),
        (np.zeros((2, 2, 1), dtype=np.int64), r"got int64 \[2, 2, 1\]"),
    ],
)
def test_a_map_that_cannot_be_painted_is_refused(segmap: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        paint(segmap, flat([BLACK, WHITE]))


def test_bad_styles_and_exchanges_are_refused() -> None:
    with pytest.raises(InputError, match="unknown pattern 'plaid'; choose from flat, gradient"):
        RegionStyle(base=BLACK, pattern="plaid")
    with pytest.raises(InputError, match=r"0\.\.255, got \(0, 0, 256\)"):
        RegionStyle(base=BLACK, second=(0, 0, 256))
    with pytest.raises(InputError, match=r"contrast must be between 0 and 1, got 2\.0"):
        RegionStyle(base=BLACK, contrast=2.0)
    with pytest.raises(InputError, match="region 2 is outside the 2 styles"):
        exchange(flat([BLACK, WHITE]), flat([BLACK, WHITE]), [0, 2])
    with pytest.raises(InputError, match="as many styles, got 2 and 1"):
        exchange(flat([BLACK, WHITE]), flat([BLACK]), [0])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_follow_from_the_generator(layout: str) -> None:
    first, again, other = (draw_layout(layout, (40, 56), 19, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == (40, 56)
    assert first.dtype == np.int64
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(np.unique(first)) >= 2


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "faces"])
@pytest.mark.parametrize("num_regions", [1, 2, 12, 150])
def test_layouts_take_any_number_of_labels_and_any_size(layout: str, num_regions: int) -> None:
    seen: set[int] = set()
    for seed, size in enumerate([(1, 1), (3, 40), (40, 3), (33, 33)] * 5):
        segmap = draw_layout(layout, size, num_regions, np.random.default_rng(seed))
        assert segmap.shape == size
        seen |= set(segmap.ravel().tolist())
    assert min(seen) >= 0
    assert max(seen) < num_regions
    assert len(seen) >= min(num_regions, 10)


def test_a_bad_layout_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="unknown layout 'mosaic'; choose from faces, voronoi"):
        draw_layout("mosaic", (8, 8), 19, rng)
    with pytest.raises(InputError, match="layout 'faces' has the 19 labels of CelebAMask-HQ, got 12"):
        draw_layout("faces", (8, 8), 12, rng)
    with pytest.raises(InputError, match="at least 1 label, got 0"):
        draw_layout("blobs", (8, 8), 0, rng)
    with pytest.raises(InputError, match=r"\(h, w\), two positive integers, got \(8, 0\)"):
        draw_layout("blobs", (8, 0), 3, rng)
