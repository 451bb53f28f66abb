"""Contact sheets: labelled rows of pictures on one light page, drawn with Pillow alone.

Training samples, the demo and the experiments all show their pictures this way. A sheet is built from strips
of one width (title, row title, row of tiles, legend), one below the other. A tile may carry the bar of the
paper's Fig. 7: one block per ResBlk, coloured by the style that the ResBlk uses.
"""

import functools
import itertools
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PAGE = (250, 250, 248)
INK = (28, 28, 30)
SOFT_INK = (92, 92, 98)
RULE = (222, 222, 218)
# Blue and orange of the Okabe-Ito palette: told apart with any colour vision, and in grey.
STYLE_COLORS: dict[str, tuple[int, int, int]] = {"A": (0, 114, 178), "B": (240, 168, 48)}
STYLE_LETTER_INKS: dict[str, tuple[int, int, int]] = {"A": (255, 255, 255), "B": (40, 28, 0)}

MARGIN = 28
GAP = 14
SECTION_GAP = 24
CAPTION_GAP = 5
BAR_HEIGHT = 16
BAR_GAP = 4
BLOCK_GAP = 2
TITLE_SIZE = 26
ROW_TITLE_SIZE = 18
CAPTION_SIZE = 15
MIN_TEXT_SIZE = 10
MAX_CAPTION_LINES = 3
MIN_TEXT_WIDTH = 300
MIN_TILE = 192

# The font inside Pillow knows ASCII and little more: these look-alikes replace characters that it would draw as a box.
_LOOKALIKES = str.maketrans(
    {"–": "-", "—": "-", "×": "x", "→": "->", "−": "-", "\u00a0": " ", "ß": "ss", "≥": ">=", "≤": "<="}
)
_DRAWABLE = frozenset(map(chr, range(32, 127))) | frozenset("«»°±´·‘’“”…‹›™")


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet.

    image: uint8 [h, w, 3].
    caption: written below the picture, shrunk and wrapped to its width.
    bar: "A" or "B" per ResBlk, coarse to fine ("AAABBB" will do); None for no bar.
    pixelated: enlarge by repeating pixels (label maps) instead of bicubic interpolation (photos).
    """

    image: np.ndarray
    caption: str = ""
    bar: Sequence[str] | None = None
    pixelated: bool = False

    def __post_init__(self) -> None:
        image = self.image
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ValueError(f"expected a uint8 image [h, w, 3], got {image.dtype} {list(image.shape)}")
        if self.bar is not None and (len(self.bar) == 0 or not set(self.bar) <= set(STYLE_COLORS)):
            raise ValueError(f"expected a bar of the letters A and B, one per ResBlk, got {self.bar!r}")


@dataclass(frozen=True)
class FittedText:
    """Text broken into lines that fit a width, with the font size that made them fit."""

    lines: tuple[str, ...]
    size: int

    @property
    def height(self) -> int:
        """Pixels from the top of the first line to the bottom of the last."""
        return len(self.lines) * line_height(self.size)


def sheet(
    rows: Sequence[Sequence[Tile]],
    *,
    row_titles: Sequence[str] | None = None,
    title: str = "",
    scale: int | None = None,
    style_names: tuple[str, str] = ("style A", "style B"),
) -> np.ndarray:
    """A contact sheet of the rows, with captions, titles, and a legend where a tile has a bar.

    Args:
        rows: the tiles of each row; all rows share one grid, whose cell is as wide as the widest tile.
        row_titles: one heading per row ("" for none).
        title: heading of the sheet.
        scale: whole factor that enlarges all tiles; None brings small ones to about MIN_TILE pixels.
        style_names: names of the styles A and B in the legend.

    Returns:
        uint8 [H, W, 3].

    Raises:
        ValueError: no rows, an empty row, another number of row titles than rows, or a scale below 1.
    """
    if not rows or not all(rows):
        raise ValueError("expected at least one row and one tile in every row, got an empty sheet or row")
    if row_titles is not None and len(row_titles) != len(rows):
        raise ValueError(f"expected one row title per row ({len(rows)}), got {len(row_titles)}")
    tiles = [tile for row in rows for tile in row]
    factor = _automatic_scale(tiles) if scale is None else scale
    if factor < 1:
        raise ValueError(f"expected a scale of 1 or more, got {factor}")
    cell = factor * max(tile.image.shape[1] for tile in tiles)
    columns = max(len(row) for row in rows)
    has_bars = any(tile.bar is not None for tile in tiles)
    has_text = has_bars or bool(title) or any(row_titles or ())
    width = max(columns * cell + (columns - 1) * GAP, MIN_TEXT_WIDTH if has_text else 0)

    strips: list[tuple[int, Image.Image]] = []  # (gap above, strip)
    if title:
        strips.append((0, _text_strip(title, width, TITLE_SIZE, INK)))
    for index, row in enumerate(rows):
        heading = row_titles[index] if row_titles is not None else ""
        if heading:
            strips.append((SECTION_GAP, _heading_strip(heading, width)))
        strips.append((GAP if heading else SECTION_GAP, _row_strip(row, width, cell, factor)))
    if has_bars:
        strips.append((SECTION_GAP, _legend_strip(width, style_names)))
    return _stack(strips, width)


def bar_blocks(left: int, width: int, count: int) -> list[tuple[int, int]]:
    """The columns [first, end) of each block of a bar that starts at `left`, gaps of BLOCK_GAP between them.

    A bar too narrow for gaps has none; the blocks always end at left + width.
    """
    gap = BLOCK_GAP if width >= count * (BLOCK_GAP + 2) else 0
    edges = [left + (index * (width + gap)) // count for index in range(count + 1)]
    return [(start, end - gap) for start, end in itertools.pairwise(edges)]


def fit_text(text: str, width: int, size: int, max_lines: int) -> FittedText:
    """Wrap `text` to `width` pixels; to fit, shrink it down to MIN_TEXT_SIZE, then end it in an ellipsis."""
    text = _drawable(text)
    sizes = range(size, min(size, MIN_TEXT_SIZE) - 1, -1)
    for candidate in sizes:
        lines = _wrap(text, width, candidate)
        if len(lines) <= max_lines and all(ink_width(line, candidate) <= width for line in lines):
            return FittedText(tuple(lines), candidate)
    smallest = sizes[-1]
    lines = [piece for line in _wrap(text, width, smallest) for piece in _break_word(line, width, smallest)]
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], _ellipsis(lines[max_lines - 1], width, smallest)]
    return FittedText(tuple(lines), smallest)


def line_height(size: int) -> int:
    """Pixels from one line to the next at a font size; the font's highest and lowest strokes fit in."""
    return round(1.3 * size)


def ink_width(line: str, size: int) -> int:
    """Pixels from the first inked column of a line to the last."""
    left, _, right, _ = _font(size).getbbox(line)
    return math.ceil(right) - math.floor(left)


def _row_strip(row: Sequence[Tile], width: int, cell: int, factor: int) -> Image.Image:
    """Bars, pictures and captions of one row, all pictures starting at the same height."""
    captions = [fit_text(tile.caption, cell, CAPTION_SIZE, MAX_CAPTION_LINES) for tile in row]
    picture_top = BAR_HEIGHT + BAR_GAP if any(tile.bar is not None for tile in row) else 0
    caption_top = picture_top + factor * max(tile.image.shape[0] for tile in row) + CAPTION_GAP
    caption_height = max(caption.height for caption in captions)
    strip, draw = _canvas(width, caption_top + caption_height if caption_height else caption_top - CAPTION_GAP)
    for column, (tile, caption) in enumerate(zip(row, captions, strict=True)):
        left = column * (cell + GAP)
        picture = _enlarge(tile, factor)
        picture_left = left + (cell - picture.width) // 2
        strip.paste(picture, (picture_left, picture_top))
        if tile.bar is not None:
            _draw_bar(draw, tile.bar, picture_left, picture.width)
        _draw_lines(draw, caption, left, caption_top, SOFT_INK, center_in=cell)
    return strip


def _draw_bar(draw: ImageDraw.ImageDraw, bar: Sequence[str], left: int, width: int) -> None:
    """The coloured blocks at the top of a strip, each with its letter where there is room."""
    size = BAR_HEIGHT - 4
    for letter, (start, end) in zip(bar, bar_blocks(left, width, len(bar)), strict=True):
        if end <= start:  # more blocks than pixels
            continue
        draw.rectangle((start, 0, end - 1, BAR_HEIGHT - 1), fill=STYLE_COLORS[letter])
        if end - start >= size + 4:
            middle = ((start + end) / 2, BAR_HEIGHT / 2)
            draw.text(middle, letter, font=_font(size), fill=STYLE_LETTER_INKS[letter], anchor="mm")


def _text_strip(text: str, width: int, size: int, ink: tuple[int, int, int]) -> Image.Image:
    fitted = fit_text(text, width, size, max_lines=2)
    strip, draw = _canvas(width, fitted.height)
    _draw_lines(draw, fitted, 0, 0, ink)
    return strip


def _heading_strip(text: str, width: int) -> Image.Image:
    """A row title under a hairline."""
    heading = _text_strip(text, width, ROW_TITLE_SIZE, INK)
    strip, draw = _canvas(width, heading.height + 1 + GAP)
    draw.rectangle((0, 0, width - 1, 0), fill=RULE)
    strip.paste(heading, (0, 1 + GAP))
    return strip


def _legend_strip(width: int, style_names: tuple[str, str]) -> Image.Image:
    """The legend of the bars' colours; items flow to the next line on a narrow page."""
    swatch, line = BAR_HEIGHT, line_height(CAPTION_SIZE) + CAPTION_GAP
    items = [(STYLE_COLORS["A"], style_names[0]), (STYLE_COLORS["B"], style_names[1])]
    placed: list[tuple[int, int, tuple[int, int, int] | None, FittedText]] = []
    left = top = 0
    for color, name in [*items, (None, "one block per ResBlk, from coarse (left) to fine")]:
        indent = swatch + GAP // 2 if color else 0
        text = fit_text(name, width - indent, CAPTION_SIZE, max_lines=1)
        item_width = indent + max((ink_width(part, text.size) for part in text.lines), default=0)
        if left and left + item_width > width:
            left, top = 0, top + line
        placed.append((left, top, color, text))
        left += item_width + SECTION_GAP
    strip, draw = _canvas(width, top + line)
    for left, top, color, text in placed:
        if color:
            draw.rectangle((left, top + 2, left + swatch - 1, top + 2 + swatch - 1), fill=color)
        _draw_lines(draw, text, left + (swatch + GAP // 2 if color else 0), top, SOFT_INK)
    return strip


def _stack(strips: Sequence[tuple[int, Image.Image]], width: int) -> np.ndarray:
    """The strips below one another, each after its gap (but the first), inside a margin."""
    gaps = [0, *(gap for gap, _ in strips[1:])]
    height = sum(gaps) + sum(strip.height for _, strip in strips)
    page, _ = _canvas(width + 2 * MARGIN, height + 2 * MARGIN)
    top = MARGIN
    for gap, (_, strip) in zip(gaps, strips, strict=True):
        page.paste(strip, (MARGIN, top + gap))
        top += gap + strip.height
    return np.array(page)


def _canvas(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width, height), PAGE)
    return image, ImageDraw.Draw(image)


def _automatic_scale(tiles: Sequence[Tile]) -> int:
    """The smallest whole factor that brings the longest side of the largest tile to MIN_TILE."""
    return math.ceil(MIN_TILE / max(side for tile in tiles for side in tile.image.shape[:2]))


def _enlarge(tile: Tile, factor: int) -> Image.Image:
    picture = Image.fromarray(tile.image)
    if factor == 1:
        return picture
    method = Image.Resampling.NEAREST if tile.pixelated else Image.Resampling.BICUBIC
    return picture.resize((picture.width * factor, picture.height * factor), method)


def _draw_lines(
    draw: ImageDraw.ImageDraw,
    text: FittedText,
    left: int,
    top: int,
    ink: tuple[int, int, int],
    center_in: int | None = None,
) -> None:
    """Draw fitted lines from (left, top), or centred in `center_in` columns from `left` on."""
    font = _font(text.size)
    for index, line in enumerate(text.lines):
        # The pen starts where the first *ink* lands on the wanted column.
        bearing = math.floor(font.getbbox(line)[0])
        indent = (center_in - ink_width(line, text.size)) // 2 if center_in is not None else 0
        draw.text((left + indent - bearing, top + index * line_height(text.size)), line, font=font, fill=ink)


def _wrap(text: str, width: int, size: int) -> list[str]:
    """Greedy line breaks at spaces; a word wider than `width` stays whole."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if line and ink_width(longer, size) > width:
                lines.append(line)
                longer = word
            line = longer
        if line:
            lines.append(line)
    return lines


def _break_word(word: str, width: int, size: int) -> list[str]:
    """Pieces of `word` that fit; a letter wider than the line is left out."""
    pieces = [""]
    for letter in word:
        if ink_width(pieces[-1] + letter, size) <= width:
            pieces[-1] += letter
        elif ink_width(letter, size) <= width:
            pieces.append(letter)
    return [piece for piece in pieces if piece]


def _ellipsis(line: str, width: int, size: int) -> str:
    """`line`, shortened until it fits together with "..."."""
    while line and ink_width(f"{line}…", size) > width:
        line = line[:-1]
    return f"{line}…" if ink_width(f"{line}…", size) <= width else ""


def _drawable(text: str) -> str:
    """`text` in characters that the bundled font has: accents dropped, look-alikes used, "?" for the rest."""
    plain = unicodedata.normalize("NFKD", text.translate(_LOOKALIKES))
    kept = (letter for letter in plain if not unicodedata.combining(letter))
    return "".join(letter if letter in _DRAWABLE or letter == "\n" else "?" for letter in kept)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The TrueType font inside Pillow: the same on every machine."""
    return ImageFont.load_default(size)
