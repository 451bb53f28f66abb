"""Edits as values: what a user did, with coordinates that fit any size, checked, and as JSON.

x is a fraction of the width, from the left, y a fraction of the height, from the top, a radius a fraction of the
height; so a script of edits can be replayed on models of any size. Labels are names or ids; whether a label set has
them, and whether there is such a style, shows only when the edit is applied (`sean.editing.state.applied`).
"""

import json
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from sean.editing.edit_values import CHECKS, Label, Point, Unfit, one_line, shown
from sean.errors import InputError
from sean.files import read_text


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What all edits have in common; see the classes below.

    Raises:
        InputError: a value of the wrong kind or out of its range, in one line that names the edit and the value.
    """

    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _checked(self.kind, field.name, getattr(self, field.name)))

    def to_json(self) -> dict[str, Any]:
        """The edit as plain values for JSON; `edit_from_json` reads it back, equal."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if values.get("keep", ()) is None:  # seldom said, and then worth a word
            del values["keep"]
        return {"kind": self.kind, **values}


@dataclass(frozen=True, kw_only=True)
class Paint(Edit):
    """Paint a label with a round brush.

    Attributes:
        points: the middle of the brush from place to place; it goes straight between them. A stroke may leave the
            picture: coordinates in [-1, 2].
        radius: in (0, 1]; the brush is never thinner than what its middle passes over.
        label: what is painted.
        keep: labels, or groups of labels (see `LabelSet.groups`), that stay as they are under the brush.
    """

    points: tuple[Point, ...]
    radius: float
    label: Label
    keep: tuple[Label, ...] | None = None
    kind: ClassVar[str] = "paint"


@dataclass(frozen=True, kw_only=True)
class Erase(Edit):
    """Bring back, with a round brush, the map that the session began with.

    Attributes:
        points: see `Paint`.
        radius: see `Paint`.
    """

    points: tuple[Point, ...]
    radius: float
    kind: ClassVar[str] = "erase"


@dataclass(frozen=True, kw_only=True)
class Fill(Edit):
    """Give a label to the connected area (4 neighbours) of one region.

    Attributes:
        point: in the area; coordinates in [0, 1].
        label: what the area becomes.
    """

    point: Point
    label: Label
    kind: ClassVar[str] = "fill"


@dataclass(frozen=True, kw_only=True)
class Polygon(Edit):
    """Give a label to a polygon. Where its outline crosses itself, everything that it goes round is inside.

    Attributes:
        points: the corners, at least three; coordinates in [-1, 2].
        label: what it becomes.
        keep: see `Paint`.
    """

    points: tuple[Point, ...]
    label: Label
    keep: tuple[Label, ...] | None = None
    kind: ClassVar[str] = "polygon"

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.points) < 3:
            raise InputError(f"{self.kind}: expected points as at least three corners, got {len(self.points)}")


@dataclass(frozen=True, kw_only=True)
class ReplaceLabel(Edit):
    """Turn everything that has one label into another.

    Attributes:
        old: the label that goes.
        new: the label that comes.
    """

    old: Label
    new: Label
    kind: ClassVar[str] = "replace_label"


@dataclass(frozen=True, kw_only=True)
class ResetSegmap(Edit):
    """Bring back the whole map that the session began with; styles stay."""

    kind: ClassVar[str] = "reset_segmap"


@dataclass(frozen=True, kw_only=True)
class SplitRegion(Edit):
    """Make the connected area (4 neighbours) around a point an instance of its own, which can take its own style.

    Attributes:
        point: in the area; coordinates in [0, 1].
    """

    point: Point
    kind: ClassVar[str] = "split_region"


@dataclass(frozen=True, kw_only=True)
class SetStyle(Edit):
    """Take the style of regions from elsewhere.

    Attributes:
        source: "own" (the picture's own), "mean" (of the model's bank), "bank:N" or "bank:NAME", "region:NAME" (the own
            style of another region), "photo:NAME" (of a style photo of the session), or a colour as "#a0522d" (of the
            bank, the style whose colour is nearest).
        regions: whose styles change, labels or groups of labels (see `LabelSet.groups`); labels of a group that the
            source has no style for stay as they are. None means all that the source has.
        strength: in [0, 1], from the own style at 0 to the source at 1, linearly (interpolation, Fig. 5).
        blocks: which SEAN ResBlks, 0 (coarse) to 5 (fine), take it, the others stay (style crossover, Fig. 7); None
            means all.
        instance: of the one region named, only this instance, a number from `SplitRegion`; None means the region as a
            class, that is all its instances that have no style of their own.
    """

    source: str
    regions: tuple[Label, ...] | None = None
    strength: float = 1.0
    blocks: tuple[int, ...] | None = None
    instance: int | None = None
    kind: ClassVar[str] = "set_style"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.instance is not None and (self.regions is None or len(self.regions) != 1):
            raise InputError(f"{self.kind}: expected regions as the one region that instance {self.instance} is of")
        if self.source.startswith("region:") and self.regions is None:
            raise InputError(f"{self.kind}: expected regions as those that {shown(self.source)} goes to, got null")


Kind = TypeVar("Kind", bound=Edit)

KINDS: dict[str, type[Edit]] = {
    edit.kind: edit for edit in (Paint, Erase, Fill, Polygon, ReplaceLabel, ResetSegmap, SplitRegion, SetStyle)
}


def new_edit(cls: type[Kind], **values: object) -> Kind:
    """An edit of values in any form that means them: lists for tuples, whole numbers for fractions, NumPy's numbers.

    Raises:
        InputError: see `Edit`.
    """
    checked: dict[str, Any] = {name: _checked(cls.kind, name, value) for name, value in values.items()}
    return cls(**checked)


def edit_from_json(values: object) -> Edit:
    """Read what `Edit.to_json` gives, from anywhere.

    Args:
        values: what a JSON reader made of it. Keys with a default may be left out.

    Raises:
        InputError: anything else; one line.
    """
    if not isinstance(values, dict) or not isinstance(values.get("kind"), str):
        raise InputError(f'expected an edit as {{"kind": ..., ...}}, got {shown(values)}')
    cls = KINDS.get(values["kind"])
    if cls is None:
        raise InputError(f"unknown kind of edit {shown(values['kind'])}; expected one of {', '.join(KINDS)}")
    required = {field.name: field.default is MISSING for field in fields(cls)}
    unknown = [key for key in values if key != "kind" and key not in required]
    if unknown:
        raise InputError(f"{cls.kind}: unknown key {shown(unknown[0])}; it has {', '.join(required) or 'none'}")
    missing = [name for name, needed in required.items() if needed and name not in values]
    if missing:
        raise InputError(f"{cls.kind}: expected a value for {', '.join(missing)}")
    return new_edit(cls, **{name: value for name, value in values.items() if name != "kind"})


def edits_from_json(text: str, source: str = "the script") -> list[Edit]:
    """Read a script: a JSON list of edits.

    Args:
        text: the JSON.
        source: file (or other name) for the message.

    Raises:
        InputError: naming the source and, by its number from 1, the edit.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source} is not readable JSON ({type(error).__name__}: {one_line(error)})") from error
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
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"cannot read the script of edits {path}: {reason}; expected a JSON list") from error
    return edits_from_json(text, str(path))


def edits_to_json(edits: Iterable[Edit]) -> str:
    """A script of edits, one a line, that `edits_from_json` reads back."""
    return "[\n" + ",\n".join(json.dumps(edit.to_json()) for edit in edits) + "\n]\n"


def _checked(kind: str, name: str, value: object) -> Any:
    try:
        return CHECKS[name](value)
    except Unfit as error:
        raise InputError(f"{kind}: expected {name} as {error}") from None
