"""Edits as values: the actions of a user, validated, convertible to JSON, with coordinates independent of the size.

x is a fraction of the width from the left, y a fraction of the height from the top, and a radius a fraction of the
height, so a script of edits can be replayed on models of any size. Labels are names or ids. Whether labels and styles
exist is checked when the edit is applied (`sean.editing.state.applied`).

The models below accept both untrusted JSON and Python values, and normalize them: whole numbers to int, fractions to
float, lists to tuples.
"""

import json
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    model_validator,
)

from sean.errors import InputError
from sean.files import parse_json, read_text
from sean.models.configs import NUM_STYLED_BLOCKS

MAX_POINTS = 10_000
MAX_LABEL = 65_535
MAX_INSTANCE = 65_535
SOURCE_FORMS = "own, mean, bank:N, bank:NAME, region:NAME, photo:NAME or a colour as #a0522d"
_MAX_REGIONS = 1_000
_MAX_NAME = 200
_SHOWN = 60
_SOURCE = r"^(own|mean|(bank|region|photo):[\s\S]+|#([0-9a-fA-F]{3}|[0-9a-fA-F]{6}))$"
_INSIDE, _AROUND = "[x, y] with fractions in [0, 1]", "[x, y] with fractions in [-1, 2]"


def is_source(value: object) -> bool:
    """Whether a value has the form of a style source, see `SetStyle`."""
    return isinstance(value, str) and len(value) <= _MAX_NAME and re.fullmatch(_SOURCE, value) is not None


def _different(blocks: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(blocks)) < len(blocks):
        raise ValueError("they are not different")
    return tuple(sorted(blocks))


Label = Annotated[str, Field(min_length=1, max_length=_MAX_NAME)] | Annotated[int, Field(ge=0, le=MAX_LABEL)]
_LabelField = Annotated[Label, Field(description="a label's name or id")]
_Radius = Annotated[float, Field(gt=0, le=1, description="a fraction of the height in (0, 1]")]
_Inside = Annotated[float, Field(ge=0, le=1)]
_Around = Annotated[float, Field(ge=-1, le=2)]
_Point = Annotated[tuple[_Inside, _Inside], Strict(False), Field(description=_INSIDE)]
_Place = Annotated[tuple[_Around, _Around], Strict(False)]
_Points = Annotated[
    tuple[_Place, ...],
    Strict(False),
    Field(min_length=1, max_length=MAX_POINTS, description=f"a list of 1 to {MAX_POINTS} points [x, y]"),
]
_Corners = Annotated[
    tuple[_Place, ...],
    Strict(False),
    Field(min_length=3, max_length=MAX_POINTS, description=f"at least three corners, {MAX_POINTS} at most"),
]
_Block = Annotated[int, Field(ge=0, lt=NUM_STYLED_BLOCKS)]
_Blocks = Annotated[tuple[_Block, ...], Strict(False), Field(min_length=1), AfterValidator(_different)]
_Regions = Annotated[tuple[Label, ...], Strict(False), Field(min_length=1, max_length=_MAX_REGIONS)]
_Kept = Annotated[_Regions | None, Field(description="a list of names or ids, or null for all")]

Kind = TypeVar("Kind", bound="Edit")


class Edit(BaseModel):
    """The base of all edits; see the classes below.

    Raises:
        InputError: a value has the wrong type or is out of range; one line that names the edit and the value.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    kind: str

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InputError(f"{type(self).model_fields['kind'].default}: {_said(type(self), error)}") from None

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, values: Any) -> Any:
        """Convert NumPy's numbers and arrays to Python's."""
        if not isinstance(values, dict):
            return values
        arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray | np.generic)}
        return values | {name: value.tolist() for name, value in arrays.items()}

    def to_json(self) -> dict[str, Any]:
        """The edit as plain values for JSON; `edit_from_json` gives an equal edit."""
        values = self.model_dump()
        if values.get("keep", ()) is None:  # rarely used
            del values["keep"]
        return values


class Paint(Edit):
    """Paint a label with a round brush.

    Attributes:
        points: positions of the brush's centre, connected by straight lines. A stroke may leave the picture:
            coordinates are in [-1, 2].
        radius: radius in (0, 1]; the brush covers at least the pixels that its centre passes over.
        label: label to paint.
        keep: labels, or groups of labels (see `LabelSet.groups`), that the brush does not change.
    """

    kind: Literal["paint"] = "paint"
    points: _Points
    radius: _Radius
    label: _LabelField
    keep: _Kept = None


class Erase(Edit):
    """Restore, with a round brush, the map at the start of the session.

    Attributes:
        points: see `Paint`.
        radius: see `Paint`.
    """

    kind: Literal["erase"] = "erase"
    points: _Points
    radius: _Radius


class Fill(Edit):
    """Give a label to the connected area (4 neighbours) of one region.

    Attributes:
        point: a point in the area; coordinates in [0, 1].
        label: the new label of the area.
    """

    kind: Literal["fill"] = "fill"
    point: _Point
    label: _LabelField


class Polygon(Edit):
    """Give a label to a polygon; self-intersecting outlines follow the non-zero winding rule.

    Attributes:
        points: at least three vertices; coordinates in [-1, 2].
        label: the new label of the polygon.
        keep: see `Paint`.
    """

    kind: Literal["polygon"] = "polygon"
    points: _Corners
    label: _LabelField
    keep: _Kept = None


class ReplaceLabel(Edit):
    """Replace a label by another everywhere.

    Attributes:
        old: the label to replace.
        new: the new label.
    """

    kind: Literal["replace_label"] = "replace_label"
    old: _LabelField
    new: _LabelField


class ResetSegmap(Edit):
    """Restore the whole map at the start of the session; styles are kept."""

    kind: Literal["reset_segmap"] = "reset_segmap"


class SplitRegion(Edit):
    """Make the connected area (4 neighbours) around a point a separate instance, which can have its own style.

    Attributes:
        point: a point in the area; coordinates in [0, 1].
    """

    kind: Literal["split_region"] = "split_region"
    point: _Point


class SetStyle(Edit):
    """Set the style of regions.

    Attributes:
        source: "own" (the picture's own), "mean" (of the model's bank), "bank:N" or "bank:NAME", "region:NAME" (the own
            style of another region), "photo:NAME" (a style photo of the session), or a colour such as "#a0522d" (the
            rest of the style is that of the bank's style with the nearest colour).
        regions: labels or groups of labels to change (see `LabelSet.groups`); labels of a group without a style in the
            source do not change. None means all regions of the source.
        strength: linear weight in [0, 1] between the own style at 0 and the source at 1 (interpolation, Fig. 5).
        blocks: the SEAN ResBlks to change, 0 (coarse) to 5 (fine); the others are kept (style crossover, Fig. 7). None
            means all.
        instance: number of the single instance to change, from `SplitRegion`; requires exactly one region. None means
            the region as a class: all its instances without a style of their own.
    """

    kind: Literal["set_style"] = "set_style"
    source: Annotated[str, Field(max_length=_MAX_NAME, pattern=_SOURCE, description=SOURCE_FORMS)]
    regions: Annotated[_Regions | None, Field(description="a list of names or ids, or null for all")] = None
    strength: Annotated[float, Field(ge=0, le=1, description="a number in [0, 1]")] = 1.0
    blocks: Annotated[
        _Blocks | None,
        Field(description=f"a list of different numbers in 0..{NUM_STYLED_BLOCKS - 1}, or null for all"),
    ] = None
    instance: Annotated[
        Annotated[int, Field(ge=1, le=MAX_INSTANCE)] | None,
        Field(description="a number of an instance from 1, or null for the whole class"),
    ] = None

    @model_validator(mode="after")
    def _regions_are_named(self) -> "SetStyle":
        if self.instance is not None and (self.regions is None or len(self.regions) != 1):
            raise ValueError(f"expected regions as the one region that instance {self.instance} is of")
        if self.source.startswith("region:") and self.regions is None:
            raise ValueError(f"expected regions as those that {shown(self.source)} goes to, got null")
        return self


KINDS: dict[str, type[Edit]] = {
    edit.model_fields["kind"].default: edit
    for edit in (Paint, Erase, Fill, Polygon, ReplaceLabel, ResetSegmap, SplitRegion, SetStyle)
}


def new_edit(cls: type[Kind], **values: object) -> Kind:
    """Make an edit from loosely typed values: lists for tuples, whole numbers for fractions, NumPy's numbers.

    Raises:
        InputError: see `Edit`.
    """
    return cls(**values)


def edit_from_json(values: object) -> Edit:
    """Read the output of `Edit.to_json` from an untrusted source.

    Args:
        values: the parsed JSON. Keys with a default may be missing.

    Raises:
        InputError: the values are not an edit; one line.
    """
    if not isinstance(values, dict) or not isinstance(values.get("kind"), str):
        raise InputError(f'expected an edit as {{"kind": ..., ...}}, got {shown(values)}')
    cls = KINDS.get(values["kind"])
    if cls is None:
        raise InputError(f"unknown kind of edit {shown(values['kind'])}; expected one of {', '.join(KINDS)}")
    return cls(**values)


def edits_from_json(text: str, source: str = "the script") -> list[Edit]:
    """Read a script: a JSON list of edits.

    Args:
        text: the JSON.
        source: file (or other name) for the message.

    Raises:
        InputError: naming the source and, by its number from 1, the edit.
    """
    try:
        values = parse_json(text)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:_MAX_NAME]
        raise InputError(f"{source} is not readable JSON ({type(error).__name__}: {reason})") from error
    if not isinstance(values, list):
        raise InputError(f"expected a list of edits in {source}, got {shown(values)}")
    edits = []
    for number, value in enumerate(values, start=1):
        try:
            edits.append(edit_from_json(value))
        except InputError as error:
            raise InputError(f"{source}, edit {number}: {error}") from None
    return edits


def read_edits(path: Path) -> list[Edit]:
    """Read a script of edits from a file.

    Raises:
        InputError: no such file, or see `edits_from_json`.
    """
    try:
        text = read_text(path)
    except OSError as error:
        raise InputError(f"cannot read the script of edits {path}: {error.strerror}; expected a JSON list") from error
    return edits_from_json(text, str(path))


def edit_schema() -> dict[str, Any]:
    """The JSON schema of an edit, for any of `KINDS`, told apart by its `kind`."""
    schemas = [edit.model_json_schema() for edit in KINDS.values()]
    return {"oneOf": [{**schema, "required": ["kind", *schema.get("required", ())]} for schema in schemas]}


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


def _said(cls: type[Edit], error: ValidationError) -> str:
    """What is wrong with the values of an edit, in one line: an unknown key, missing keys, or the first wrong value."""
    errors = error.errors(include_url=False)
    names = [name for name in cls.model_fields if name != "kind"]
    for one in errors:
        if one["type"] == "extra_forbidden":
            return f"unknown key {shown(one['loc'][0])}; it has {', '.join(names) or 'none'}"
    missing = [str(one["loc"][0]) for one in errors if one["type"] == "missing" and len(one["loc"]) == 1]
    if missing:
        return f"expected a value for {', '.join(missing)}"
    first = errors[0]
    if not first["loc"]:  # of the edit as a whole
        return str(first["ctx"]["error"])
    name, *inner = first["loc"]
    expected = cls.model_fields[str(name)].description
    if name == "points" and inner:
        expected = _AROUND
    return f"expected {name} as {expected}, got {shown(first['input'])}"
