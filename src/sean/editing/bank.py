"""Style banks: their names, by which edits find their styles ("bank:auburn"), and the colours of what they show."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sean.compositing.colour import parse_colour, srgb_to_lab
from sean.editing.styles import StyleCodes
from sean.errors import InputError

HAIR_COLOURS = {
    "black": ("#1b1715", "#2b2522"),
    "brown": ("#3f2c20", "#5b4030", "#6f5038", "#86664f"),
    "auburn": ("#48251a", "#5a2618", "#7a3320"),
    "red": ("#a3441f", "#a85a30"),
    "blond": ("#a68a62", "#b49e88", "#b8935f", "#d8bd8c", "#e8dcc4"),
    "grey": ("#6e6a68", "#8d8a87", "#aaa7a2"),
    "white": ("#dcdad6", "#f2f1ef"),
    "blue": ("#2f4f9e", "#6d8fd0"),
    "pink": ("#cf7a9a", "#e8a9c0"),
    "purple": ("#5e3a86", "#8e68b0"),
    "green": ("#2f6b4a", "#6fae80"),
}
"""Names of hair colours, and sRGB colours that have the name."""

_NAMED = "hair"
# Codes of one picture differ by the rounding of weights to 16 bits; those of two pictures by much more.
_SAME = 0.02


def hair_colour(lab: Sequence[float]) -> str:
    """The name whose colours in `HAIR_COLOURS` are nearest to a colour in Lab."""
    known = [(name, parse_colour(colour).mean) for name, colours in HAIR_COLOURS.items() for colour in colours]
    return min(known, key=lambda each: float(np.square(np.subtract(each[1], lab)).sum()))[0]


def named_by_hair(styles: Sequence[StyleCodes]) -> list[StyleCodes]:
    """Styles named by the colour of their hair: "black", "brown", "brown-2" and so on.

    A style without hair of a known colour, and every style of labels without hair, has no name.
    """
    counts: dict[str, int] = {}
    named = []
    for style in styles:
        name = ""
        if _NAMED in style.labels.names and style.mean_colours is not None:
            levels = style.mean_colours[style.labels.id_of(_NAMED)]
            if not levels.isnan().any():
                name = hair_colour(srgb_to_lab(levels.round().numpy().astype(np.uint8)[None])[0].tolist())
                counts[name] = counts.get(name, 0) + 1
                name += f"-{counts[name]}" if counts[name] > 1 else ""
        named.append(replace(style, name=name))
    return named


def with_names(styles: Sequence[StyleCodes], names: Sequence[str]) -> list[StyleCodes]:
    """Styles with names.

    Raises:
        InputError: another number of names, or one that is empty, a number, twice there, or no word of a source.
    """
    if len(names) != len(styles):
        raise InputError(f"expected {len(styles)} names, one for each style of the bank, got {len(names)}")
    for name in names:
        if not re.fullmatch(r"[\w][\w .-]{0,99}", name) or name.isdecimal() or names.count(name) > 1:
            raise InputError(
                f"expected names of letters, digits, spaces, dots and hyphens, each once, no number, got {name!r}"
            )
    return [replace(style, name=name) for style, name in zip(styles, names, strict=True)]


def with_colours(bank: Sequence[StyleCodes], encoded: Sequence[StyleCodes]) -> list[StyleCodes]:
    """A bank with the mean colours of the pictures that its styles came from; the codes stay as they are.

    Args:
        bank: styles without colours.
        encoded: styles of pictures, those of the bank among them.

    Raises:
        InputError: a style of the bank comes from none of these pictures.
    """
    found = []
    for number, style in enumerate(bank):
        distances = [
            float((style.codes - other.codes).abs().max()) if style.present.equal(other.present) else np.inf
            for other in encoded
        ]
        nearest = int(np.argmin(distances))
        if distances[nearest] > _SAME:
            raise InputError(
                f"expected the pictures that the model's bank was made of; style {number} is that of none of the "
                f"{len(encoded)} looked at; give the same data and count, or make a new bank"
            )
        found.append(replace(style, mean_colours=encoded[nearest].mean_colours))
    return found
