"""Label sets: the names, colours and left/right pairs of the regions of a segmentation map.

A `LabelSet` maps names of regions to ids. Four sets are shipped (`SHIPPED`), any other comes from a `classes.txt`
beside the data. This module needs no torch.
"""

import colorsys
import difflib
import operator
import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, SupportsIndex

from sean.errors import InputError
from sean.files import parse_json, read_text
from sean.label_tables import ADE20K_TABLE, CELEBAMASK_HQ_TABLE, CITYSCAPES_TABLE, CMP_FACADES_TABLE

Color = tuple[int, int, int]

# Labels of CelebAMask-HQ that editing and colour augmentation treat as one.
FACE_GROUPS: dict[str, tuple[str, ...]] = {
    "face": ("skin", "nose", "neck", "l_ear", "r_ear"),
    "lips": ("u_lip", "l_lip"),
    "eyes": ("l_eye", "r_eye"),
    "brows": ("l_brow", "r_brow"),
    "ears": ("l_ear", "r_ear"),
}

_SIDES = (("l_", "r_"), ("left_", "right_"), ("left ", "right "), ("left-", "right-"))


@dataclass(frozen=True)
class LabelSet:
    """The labels of a data set. Region ids are 0 .. num_regions - 1; the id num_regions means "no region".

    Attributes:
        name: of the set, e.g. "celebamask-hq".
        names: name of each region, in the order of the ids; all different.
        palette: the set's own colour (r, g, b in 0..255) of each region, needed to read colour-coded maps.
            A colour may occur twice, as in Cityscapes; it is read as the lower id.
        ignore_id: id that marks "no region" in the files (255 in ADE20K); None if every pixel has a label.
        flip_pairs: pairs of ids that a mirror image exchanges, e.g. left and right eye.

    Raises:
        InputError: no names, a name twice, or a palette, ignore_id or pair that does not fit the names.
    """

    name: str
    names: tuple[str, ...]
    palette: tuple[Color, ...] | None = None
    ignore_id: int | None = None
    flip_pairs: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        if not self.names:
            raise InputError(f"label set {self.name!r} has no labels; give it at least one name")
        seen: set[str] = set()
        for name in self.names:
            if not name or name in seen:
                raise InputError(f"label set {self.name!r}: label name {name!r} is empty or occurs twice")
            seen.add(name)
        if self.palette is not None:
            _check_palette(self.name, self.palette, len(self.names))
        if self.ignore_id is not None and not self.num_regions <= self.ignore_id <= 65535:
            raise InputError(
                f"label set {self.name!r}: ignore id {self.ignore_id} must lie outside the region ids "
                f"0..{self.num_regions - 1} (and be at most 65535)"
            )
        paired = [region for pair in self.flip_pairs for region in pair]
        if len(set(paired)) != len(paired) or not all(0 <= region < self.num_regions for region in paired):
            raise InputError(
                f"label set {self.name!r}: flip pairs {self.flip_pairs} must name each region "
                f"0..{self.num_regions - 1} at most once"
            )

    @property
    def num_regions(self) -> int:
        """Number of regions, k."""
        return len(self.names)

    @cached_property
    def colors(self) -> tuple[Color, ...]:
        """One colour per region: the palette, or generated distinct colours if the set has none."""
        return self.palette if self.palette is not None else _distinct_colors(self.num_regions)

    @cached_property
    def flip_table(self) -> tuple[int, ...]:
        """For each id 0..k, its id in the mirrored picture; k ("no region") stays k."""
        table = list(range(self.num_regions + 1))
        for left, right in self.flip_pairs:
            table[left], table[right] = right, left
        return tuple(table)

    @cached_property
    def groups(self) -> dict[str, tuple[int, ...]]:
        """Names of groups of labels that belong together, and the ids of each group's labels.

        "face", "lips", "eyes", "brows" and "ears" in sets with the labels of faces; in any set the left and right label
        of a pair under their common name, unless a label has that name.
        """
        groups = {
            group: tuple(self.names.index(name) for name in members)
            for group, members in FACE_GROUPS.items()
            if set(members) <= set(self.names)
        }
        grouped = {region for members in groups.values() for region in members}
        for left, right in self.flip_pairs:
            name = _without_side(self.names[left])
            if name is not None and name not in self.names and not {left, right} <= grouped:
                groups[name] = (left, right)
        return groups

    @cached_property
    def materials(self) -> tuple[tuple[int, ...], ...]:
        """All ids, each once, grouped by material (such as the skin of face, nose, neck and ears)."""
        taken: set[int] = set()
        found = []
        for members in sorted(self.groups.values(), key=len, reverse=True):
            if taken.isdisjoint(members):
                taken.update(members)
                found.append(members)
        return tuple(sorted([*found, *((region,) for region in range(self.num_regions) if region not in taken)]))

    def id_of(self, region: str | SupportsIndex) -> int:
        """The id of a region given by name (case does not matter), by id, or by an id written as text.

        Raises:
            InputError: no such region; the message lists the close names, or all.
        """
        if not isinstance(region, str):
            region_id = operator.index(region)
            if not 0 <= region_id < self.num_regions:
                raise InputError(
                    f"region id {region_id} is not in the {self.num_regions} labels of {self.name!r}; "
                    f"give an id in 0..{self.num_regions - 1} or a name"
                )
            return region_id
        if region in self.names:
            return self.names.index(region)
        folded = [name.casefold() for name in self.names]
        wanted = region.strip().casefold()
        if folded.count(wanted) == 1:
            return folded.index(wanted)
        if wanted.isdecimal():
            return self.id_of(int(wanted))
        close = [self.names[folded.index(name)] for name in difflib.get_close_matches(wanted, folded)]
        if close:
            raise InputError(f"unknown region {region!r} in labels {self.name!r}; close: {', '.join(close)}")
        raise InputError(f"unknown region {region!r}; {self.name!r} has: {', '.join(self.names)}")

    def ids_of(self, region: str | SupportsIndex) -> tuple[int, ...]:
        """The ids of a region (see `id_of`), or of all labels of a group, as "face" or "lips" (see `groups`).

        Raises:
            InputError: neither a region nor a group.
        """
        if isinstance(region, str) and region not in self.names and region.strip().casefold() in self.groups:
            return self.groups[region.strip().casefold()]
        return (self.id_of(region),)

    def to_dict(self) -> dict[str, Any]:
        """The set as plain JSON values; `from_dict` reads it back."""
        return {
            "name": self.name,
            "names": list(self.names),
            "palette": None if self.palette is None else [list(color) for color in self.palette],
            "ignore_id": self.ignore_id,
            "flip_pairs": [list(pair) for pair in self.flip_pairs],
        }

    @classmethod
    def from_dict(cls, values: Any) -> "LabelSet":
        """Read what `to_dict` wrote, or any other JSON value.

        Raises:
            InputError: a key is missing or a value is of the wrong kind.
        """
        try:
            palette = values.get("palette")
            ignore_id = values.get("ignore_id")
            return cls(
                name=str(values["name"]),
                names=tuple(str(name) for name in values["names"]),
                palette=None if palette is None else tuple((int(r), int(g), int(b)) for r, g, b in palette),
                ignore_id=None if ignore_id is None else int(ignore_id),
                flip_pairs=tuple((int(left), int(right)) for left, right in values.get("flip_pairs", ())),
            )
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(
                f"expected a label set with name, names, palette, ignore_id and flip_pairs: {error!r}"
            ) from error

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "LabelSet":
        """Read a `classes.txt`, or the labels of a model's `config.json`.

        Raises:
            InputError: no such file, or it holds no labels.
        """
        if Path(path).suffix.lower() != ".json":
            return cls.from_classes_txt(path)
        try:
            values = parse_json(read_text(Path(path)))
            return cls.from_dict(values.get("labels", values))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except (AttributeError, OSError, ValueError) as error:
            raise InputError(f"{path} is not readable as the labels of a model ({type(error).__name__})") from error

    @classmethod
    def from_classes_txt(cls, path: str | os.PathLike[str]) -> "LabelSet":
        """Read a `classes.txt`: one label a line, "id name" or "id name r g b".

        The ids must be 0 .. k-1, each once, in any order; a name may hold spaces; either every label has a
        colour or none has. A line "ignore N" says that the id N marks unlabelled pixels. Empty lines are
        skipped. Names l_x and r_x (or left_x and right_x) become flip pairs. The set is named after the
        folder.

        Raises:
            InputError: naming the file and the line.
        """
        path = Path(path)
        try:
            lines = read_text(path).splitlines()
        except FileNotFoundError as error:
            raise InputError(f"expected a label list {path} (one 'id name' a line), found no file") from error
        except OSError as error:
            raise InputError(f"cannot read {path} as a text file of 'id name' lines: {error}") from error
        return _parse_classes(path, lines)

    def to_classes_txt(self) -> str:
        """The text of a `classes.txt` that `from_classes_txt` reads back (but for the set's own name)."""
        palette = [""] * self.num_regions
        if self.palette is not None:
            palette = [f" {red} {green} {blue}" for red, green, blue in self.palette]
        lines = [f"{index} {name}{palette[index]}\n" for index, name in enumerate(self.names)]
        if self.ignore_id is not None:
            lines.append(f"ignore {self.ignore_id}\n")
        return "".join(lines)


def label_set(name: str) -> LabelSet:
    """The shipped label set of that name.

    Raises:
        InputError: no shipped set has that name; the message lists the sets.
    """
    if name not in SHIPPED:
        raise InputError(f"unknown label set {name!r}; shipped are: {', '.join(SHIPPED)}")
    return SHIPPED[name]


def shipped_version(labels: LabelSet) -> LabelSet:
    """The shipped set of exactly these names, with the palette and ignore id of `labels`; else `labels`."""
    for shipped in SHIPPED.values():
        if shipped.names == labels.names:
            return replace(
                shipped,
                palette=labels.palette or shipped.palette,
                ignore_id=shipped.ignore_id if labels.ignore_id is None else labels.ignore_id,
            )
    return labels


def _parse_classes(path: Path, lines: list[str]) -> LabelSet:
    names: dict[int, str] = {}
    colors: dict[int, Color] = {}
    ignore_id: int | None = None
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        where = f"{path} line {number}"
        if words[0] == "ignore" and len(words) == 2 and words[1].isdecimal() and ignore_id is None:
            ignore_id = int(words[1])
            continue
        if len(words) < 2 or not words[0].isdecimal():
            raise InputError(f"{where}: expected 'id name' or 'id name r g b', got {line.strip()!r}")
        region = int(words[0])
        name, color = _split_color(words[1:])
        if region in names:
            raise InputError(f"{where}: id {region} occurs twice ({names[region]!r} and {name!r})")
        if name in names.values():
            raise InputError(f"{where}: name {name!r} occurs twice; give every id its own name")
        if color is not None:
            if max(color) > 255:
                raise InputError(f"{where}: expected a colour 'r g b' in 0..255, got {color}")
            colors[region] = color
        names[region] = name
    num_regions = len(names)
    if not names:
        raise InputError(f"{path} holds no labels; expected one 'id name' a line")
    missing = [region for region in range(num_regions) if region not in names]
    if missing:
        raise InputError(f"{path}: ids must be 0..{num_regions - 1}, each once; id {missing[0]} is missing")
    if colors and len(colors) != num_regions:
        bare = next(region for region in range(num_regions) if region not in colors)
        raise InputError(f"{path}: label {bare} {names[bare]!r} has no colour, others have; give all or none")
    ordered = tuple(names[region] for region in range(num_regions))
    return LabelSet(
        name=path.resolve().parent.name,
        names=ordered,
        palette=tuple(colors[region] for region in range(num_regions)) if colors else None,
        ignore_id=ignore_id,
        flip_pairs=flip_pairs_of(ordered),
    )


def _split_color(words: list[str]) -> tuple[str, Color | None]:
    """Split "name words r g b" into name and colour; three trailing numbers are always a colour."""
    if len(words) >= 4 and all(word.isdecimal() for word in words[-3:]):
        red, green, blue = (int(word) for word in words[-3:])
        return " ".join(words[:-3]), (red, green, blue)
    return " ".join(words), None


def _without_side(name: str) -> str | None:
    """The name of a label without its side, "l_eye" -> "eye"; None if it has no side."""
    return next((name.removeprefix(side) for sides in _SIDES for side in sides if name.startswith(side)), None)


def flip_pairs_of(names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """The ids of left and right labels, l_x and r_x or left_x and right_x, in pairs."""
    ids = {name: index for index, name in enumerate(names)}
    pairs = []
    for name, left in ids.items():
        for left_prefix, right_prefix in _SIDES:
            right = ids.get(right_prefix + name.removeprefix(left_prefix))
            if name.startswith(left_prefix) and right is not None:
                pairs.append((left, right))
    return tuple(pairs)


def _check_palette(name: str, palette: tuple[Color, ...], num_regions: int) -> None:
    if len(palette) != num_regions:
        raise InputError(f"label set {name!r}: expected {num_regions} colours, got {len(palette)}")
    for color in palette:
        if len(color) != 3 or not all(0 <= channel <= 255 for channel in color):
            raise InputError(f"label set {name!r}: expected colours (r, g, b) in 0..255, got {color}")


def _distinct_colors(count: int) -> tuple[Color, ...]:
    """`count` different colours, none near black: hues by the golden angle in rings of brightness."""
    colors: list[Color] = []
    index = 0
    while len(colors) < count:
        saturation, value = ((0.65, 0.95), (1.0, 0.75), (0.4, 0.8), (0.9, 0.5))[index // 8 % 4]
        red, green, blue = colorsys.hsv_to_rgb(index * 0.618034 % 1.0, saturation, value)
        color = (round(red * 255), round(green * 255), round(blue * 255))
        if color not in colors:
            colors.append(color)
        index += 1
    return tuple(colors)


def _shipped(name: str, table: str, ignore_id: int | None = None) -> LabelSet:
    rows = [row.rsplit(" ", 3) for row in table.split("\n") if row]
    names = tuple(row[0] for row in rows)
    palette = tuple((int(red), int(green), int(blue)) for _, red, green, blue in rows)
    return LabelSet(name=name, names=names, palette=palette, ignore_id=ignore_id, flip_pairs=flip_pairs_of(names))


CELEBAMASK_HQ = _shipped("celebamask-hq", CELEBAMASK_HQ_TABLE)
ADE20K = _shipped("ade20k", ADE20K_TABLE, ignore_id=255)
CITYSCAPES = _shipped("cityscapes", CITYSCAPES_TABLE)
CMP_FACADES = _shipped("cmp-facades", CMP_FACADES_TABLE)

SHIPPED: dict[str, LabelSet] = {labels.name: labels for labels in (CELEBAMASK_HQ, ADE20K, CITYSCAPES, CMP_FACADES)}
