"""The values that edits are made of: what each may be, and what to say where it is something else.

A check takes anything (JSON from a stranger, or what Python code gave), and returns the value in its one form: whole
numbers as int, fractions as float, lists as tuples.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from sean.models.configs import NUM_STYLED_BLOCKS

Point = tuple[float, float]
Label = str | int

MAX_POINTS = 10_000
MAX_LABEL = 65_535
MAX_INSTANCE = 65_535
# Colours of a region reach a little into the next in a photo, so that this margin hides most seams.
SEAM_MARGIN = 0.02
SOURCE_FORMS = "own, mean, bank:N, bank:NAME, region:NAME, photo:NAME or a colour as #a0522d"
_SOURCE = re.compile(r"own|mean|(bank|region|photo):.+|#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", re.DOTALL)
_MAX_REGIONS = 1_000
_MAX_NAME = 200
_SHOWN = 60


class Unfit(Exception):
    """What was expected and what came."""

    def __init__(self, expected: str, got: object) -> None:
        super().__init__(f"{expected}, got {shown(got)}")


def _number(value: object, lowest: float, highest: float, expected: str) -> float:
    # compared first: a whole number of JSON may be too long for a float
    if (
        isinstance(value, float | int | np.floating | np.integer)
        and not isinstance(value, bool)
        and lowest <= value <= highest
    ):
        return float(value)
    raise Unfit(expected, value)


def _whole(value: object, lowest: int, highest: int) -> int | None:
    """The value as an int; None where it is no whole number in that range."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and lowest <= value <= highest:
        return int(value)
    return None


def _radius(value: object) -> float:
    expected = "a fraction of the height in (0, 1]"
    radius = _number(value, 0.0, 1.0, expected)
    if radius == 0:
        raise Unfit(expected, value)
    return radius


def _pair(value: object, lowest: float, highest: float) -> Point:
    expected = f"[x, y] with fractions in [{lowest:g}, {highest:g}]"
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise Unfit(expected, value)
    x, y = (_number(number, lowest, highest, expected) for number in value)
    return x, y


def _points(value: object) -> tuple[Point, ...]:
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_POINTS:
        count = f"{len(value)} of them" if isinstance(value, list | tuple) else value
        raise Unfit(f"a list of 1 to {MAX_POINTS} points [x, y]", count)
    return tuple(_pair(point, -1.0, 2.0) for point in value)


def _label(value: object) -> Label:
    if isinstance(value, str) and 0 < len(value) <= _MAX_NAME:
        return value
    label = _whole(value, 0, MAX_LABEL)
    if label is None:
        raise Unfit("a label's name or id", value)
    return label


def _regions(value: object) -> tuple[Label, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= _MAX_REGIONS:
        raise Unfit("a list of names or ids, or null for all", value)
    return tuple(_label(region) for region in value)


def is_source(value: object) -> bool:
    """Whether a value has the form of a source of styles, see `sean.editing.edits.SetStyle`."""
    return isinstance(value, str) and len(value) <= _MAX_NAME and _SOURCE.fullmatch(value) is not None


def _source(value: object) -> str:
    if isinstance(value, str) and is_source(value):
        return value
    raise Unfit(SOURCE_FORMS, value)


def _blocks(value: object) -> tuple[int, ...] | None:
    if value is None:
        return None
    last = NUM_STYLED_BLOCKS - 1
    if isinstance(value, list | tuple) and 1 <= len(value) <= NUM_STYLED_BLOCKS:
        blocks = {number for block in value if (number := _whole(block, 0, last)) is not None}
        if len(blocks) == len(value):
            return tuple(sorted(blocks))
    raise Unfit(f"a list of different numbers in 0..{last}, or null for all", value)


def _instance(value: object) -> int | None:
    number = _whole(value, 1, MAX_INSTANCE)
    if number is None and value is not None:
        raise Unfit("a number of an instance from 1, or null for the whole class", value)
    return number


CHECKS: dict[str, Callable[[object], Any]] = {
    "points": _points,
    "point": lambda value: _pair(value, 0.0, 1.0),
    "radius": _radius,
    "label": _label,
    "old": _label,
    "new": _label,
    "source": _source,
    "regions": _regions,
    "strength": lambda value: _number(value, 0.0, 1.0, "a number in [0, 1]"),
    "keep": _regions,
    "blocks": _blocks,
    "instance": _instance,
}


def shown(value: object) -> str:
    """A value for a message: as JSON, in one line and short, whatever it is."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list | tuple | dict) and len(value) > _SHOWN:
        return f"{len(value)} values"
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):  # no JSON at all, or too deep
        text = type(value).__name__
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:_MAX_NAME]
