"""Contact sheets: sizes computed by hand, colours at their pixels, text that stays inside its tile."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sean import contact_sheet as figures
from sean.contact_sheet import Tile, bar_blocks, fit_text, ink_width, sheet

M, GAP, SECTION = 28, 14, 24  # margin, gap between tiles, gap between rows
BLUE, ORANGE = (0, 114, 178), (240, 168, 48)


def flat(height: int, width: int, value: int = 100) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_two_plain_rows_have_the_size_computed_by_hand() -> None:
    rows = [[Tile(flat(50, 80))] * 3, [Tile(flat(40, 60))]]
    picture = sheet(rows, scale=2)
    assert picture.dtype == np.uint8
    # three cells of 160 with two gaps; rows of 100 and of 80
    assert picture.shape == (2 * M + 100 + SECTION + 80, 2 * M + 3 * 160 + 2 * GAP, 3)


def test_a_bar_and_a_caption_add_their_heights() -> None:
    plain = sheet([[Tile(flat(200, 600))]], scale=1)
    captioned = sheet([[Tile(flat(200, 600), "hair")]], scale=1)
    barred = sheet([[Tile(flat(200, 600), bar="AB")]], scale=1)
    assert captioned.shape[0] == plain.shape[0] + 5 + 20  # gap, one line of 1.3 * 15 rounded
    legend_line = 20 + 5
    assert barred.shape[0] == plain.shape[0] + 16 + 4 + SECTION + legend_line
    narrow = sheet([[Tile(flat(200, 300), bar="AB")]], scale=1)
    assert narrow.shape[0] == barred.shape[0] + legend_line  # its explanation flows to a second line


def test_titles_add_their_heights() -> None:
    plain = sheet([[Tile(flat(200, 400))]], scale=1)
    titled = sheet([[Tile(flat(200, 400))]], scale=1, title="Faces")
    headed = sheet([[Tile(flat(200, 400))]], scale=1, row_titles=["Edits"])
    assert titled.shape[0] == plain.shape[0] + 34 + SECTION  # 1.3 * 26 rounded
    assert headed.shape[0] == plain.shape[0] + 1 + GAP + 23 + GAP  # hairline, gap, 1.3 * 18 rounded, gap


def test_pictures_land_unchanged_at_their_places(rng: np.random.Generator) -> None:
    first, second = rng.integers(0, 256, (2, 40, 30, 3), dtype=np.uint8)
    picture = sheet([[Tile(first), Tile(second)]], scale=1)
    np.testing.assert_array_equal(picture[M : M + 40, M : M + 30], first)
    np.testing.assert_array_equal(picture[M : M + 40, M + 30 + GAP : M + 60 + GAP], second)


def test_a_narrow_tile_is_centred_in_its_cell() -> None:
    picture = sheet([[Tile(flat(20, 60, 0))], [Tile(flat(20, 20, 0))]], scale=1)
    dark = np.flatnonzero((picture[M + 20 + SECTION] == 0).all(axis=-1))
    assert (dark[0], dark[-1]) == (M + 20, M + 39)


@pytest.mark.parametrize(("side", "factor"), [(64, 3), (128, 2), (192, 1), (256, 1), (65, 3)])
def test_small_tiles_are_enlarged_by_a_whole_factor(side: int, factor: int) -> None:
    picture = sheet([[Tile(flat(side, side // 2))]])
    assert picture.shape == (2 * M + factor * side, 2 * M + factor * (side // 2), 3)


def test_a_label_map_is_enlarged_without_new_colours(rng: np.random.Generator) -> None:
    segmap = rng.choice([0, 255], (8, 8, 3)).astype(np.uint8)
    sharp = sheet([[Tile(segmap, pixelated=True)]], scale=3)[M:-M, M:-M]
    smooth = sheet([[Tile(segmap)]], scale=3)[M:-M, M:-M]
    np.testing.assert_array_equal(sharp, segmap.repeat(3, axis=0).repeat(3, axis=1))
    assert len(np.unique(smooth)) > 2


def test_bar_blocks_by_hand() -> None:
    assert bar_blocks(10, 40, 3) == [(10, 22), (24, 36), (38, 50)]
    assert bar_blocks(0, 6, 6) == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6)]  # no room for gaps


@given(left=st.integers(0, 50), width=st.integers(1, 600), count=st.integers(1, 12))
def test_bar_blocks_are_even_and_span_the_picture(left: int, width: int, count: int) -> None:
    blocks = bar_blocks(left, width, count)
    widths = [end - start for start, end in blocks]
    assert len(blocks) == count
    assert (blocks[0][0], blocks[-1][1]) == (left, left + width)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(blocks))
    assert max(widths) - min(widths) <= 1


def test_the_crossover_bar_shows_each_block_in_its_colour() -> None:
    # 118 wide: six blocks of 18 and five gaps of 2. The letters stay clear of the first and the last line.
    picture = sheet([[Tile(flat(60, 118), bar="ABBAAB"), Tile(flat(60, 118), bar=list("BBBBBB"))]], scale=1)
    top, bottom = picture[M], picture[M + 15]
    for tile_left, letters in ((M, "ABBAAB"), (M + 118 + GAP, "BBBBBB")):
        for index, letter in enumerate(letters):
            expected = BLUE if letter == "A" else ORANGE
            start = tile_left + 20 * index
            for row in (top, bottom):
                assert (row[start : start + 18] == expected).all()
                assert index == 5 or (row[start + 18 : start + 20] == figures.PAGE).all()
    assert (picture[M + 16 : M + 20, M : M + 118] == figures.PAGE).all()
    assert (picture[M + 20, M : M + 118] == 100).all()


def test_the_legend_shows_both_colours_only_where_there_is_a_bar() -> None:
    with_bar = sheet([[Tile(flat(60, 300), bar="AAAAAA")]], scale=1)
    without = sheet([[Tile(flat(60, 300))]], scale=1)
    assert (with_bar[M + 80 :] == ORANGE).all(axis=-1).any()  # the bar itself is all blue
    assert not (without == BLUE).all(axis=-1).any()


def test_a_bar_may_have_more_blocks_than_pixels() -> None:
    assert sheet([[Tile(flat(10, 4), bar="ABABAB")]], scale=1).shape[1] == 2 * M + figures.MIN_TEXT_WIDTH


@given(
    text=st.text(st.sampled_from("abcWMij gé–界\n"), max_size=80),
    width=st.integers(1, 200),
    size=st.integers(8, 30),
    max_lines=st.integers(1, 4),
)
def test_fitted_text_never_exceeds_its_box(text: str, width: int, size: int, max_lines: int) -> None:
    fitted = fit_text(text, width, size, max_lines)
    assert len(fitted.lines) <= max_lines
    assert all(ink_width(line, fitted.size) <= width for line in fitted.lines)
    assert min(size, figures.MIN_TEXT_SIZE) <= fitted.size <= size


def test_text_wraps_before_it_shrinks_and_shrinks_before_it_is_cut() -> None:
    words = "hair of photo B"
    whole = ink_width(words, 15)
    assert fit_text(words, whole, 15, 2).lines == (words,)
    wrapped = fit_text(words, whole - 1, 15, 2)
    assert (wrapped.lines, wrapped.size) == (("hair of photo", "B"), 15)
    shrunk = fit_text(words, whole - 1, 15, 1)
    assert shrunk.lines == (words,)
    assert shrunk.size < 15
    cut = fit_text(words, 40, 15, 1)
    assert cut.size == figures.MIN_TEXT_SIZE
    assert cut.lines[0].endswith("…")


def test_characters_that_the_font_lacks_are_replaced() -> None:
    assert fit_text("Bänke – 2×3 界", 500, 15, 1).lines == ("Banke - 2x3 ?",)


@given(caption=st.text(st.sampled_from("abcWMj| \n"), min_size=1, max_size=120))
def test_captions_leave_no_ink_outside_their_tile(caption: str) -> None:
    picture = sheet([[Tile(flat(30, 60), caption), Tile(flat(30, 60), caption)]], scale=1)
    inked = (picture != figures.PAGE).any(axis=-1)
    columns = np.zeros(picture.shape[1], dtype=bool)
    columns[M : M + 60] = columns[M + 60 + GAP : M + 120 + GAP] = True
    assert not inked[:, ~columns].any()
    assert not inked[:M].any()
    assert not inked[-M:].any()


def test_a_caption_is_drawn_below_its_own_tile() -> None:
    picture = sheet([[Tile(flat(30, 60), "hair"), Tile(flat(30, 60))]], scale=1)
    below = (picture[M + 30 :] != figures.PAGE).any(axis=(0, 2))
    assert below[M : M + 60].any()
    assert not below[M + 60 :].any()


@pytest.mark.parametrize("rows", [[], [[]], [[Tile(flat(4, 4))], []]])
def test_an_empty_sheet_is_refused(rows: list[list[Tile]]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        sheet(rows)


def test_other_wrong_calls_are_refused() -> None:
    tile = Tile(flat(4, 4))
    with pytest.raises(ValueError, match=r"one row title per row \(1\), got 2"):
        sheet([[tile]], row_titles=["a", "b"])
    with pytest.raises(ValueError, match="scale of 1 or more, got 0"):
        sheet([[tile]], scale=0)
    with pytest.raises(ValueError, match=r"uint8 image \[h, w, 3\], got float64 \[4, 4, 3\]"):
        Tile(np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match="letters A and B"):
        Tile(flat(4, 4), bar="ABC")
