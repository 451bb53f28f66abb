"""Mappings of an annotation tool's classes to regions of a data folder: renumber, merge, rename or leave out.

A mapping file has one of two forms. A JSON object {"class name or id": "region name", or null for unlabelled}; classes
without an entry keep their names, unless the key "*" maps them. Or a text file like classes.txt, "id name" or "id name
r g b" a line with any ids, the same name on several lines where classes are merged, and a line "ignore 255 0 -1" of the
ids (or "ignore *") that mark unlabelled pixels.
"""

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from sean.data.formats.tree import BACKGROUND, SourceClass, Tree, read_json
from sean.errors import InputError
from sean.files import read_text
from sean.labels import Color, LabelSet, flip_pairs_of

_REST = "*"


@dataclass(frozen=True, kw_only=True)
class ClassMapping:
    """The content of a mapping file.

    Attributes:
        source: the file, for messages.
        targets: name of the region by class, which is given by name or by id as text; None: unlabelled.
        keep_rest: whether the classes without an entry keep their names; else they are an error.
        colors: colours by the id of the class as text, where the file has them.
    """

    source: str
    targets: Mapping[str, str | None]
    keep_rest: bool = True
    colors: Mapping[str, Color] = field(default_factory=dict)

    def classes(self) -> tuple[SourceClass, ...]:
        """The classes that the file lists by id, in the order of the ids, for formats without a list of their own."""
        ids = sorted(int(key) for key, target in self.targets.items() if target is not None and _is_id(key))
        return tuple(
            SourceClass(id=number, name=str(self.targets[str(number)]), color=self.colors.get(str(number)))
            for number in ids
        )


@dataclass(frozen=True, kw_only=True)
class Relabelling:
    """The mapping of a source's ids.

    Attributes:
        labels: the regions of the data folder.
        ids: the id 0..k of every id of the source (k: no region).
        ignore_added: whether `labels` has an ignore id only because pixels may turn out to be unlabelled.
    """

    labels: LabelSet
    ids: Mapping[int, int]
    ignore_added: bool = False

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that differ where regions or ids do."""
        text = json.dumps([self.labels.to_classes_txt(), sorted(self.ids.items())])
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def apply(self, ids: np.ndarray, source: str) -> np.ndarray:
        """Ids of the source [h, w] as ids 0..k, int64.

        Raises:
            InputError: the map holds ids that the source does not have.
        """
        found, places = np.unique(ids, return_inverse=True)
        strange = [int(number) for number in found if int(number) not in self.ids]
        if strange:
            raise InputError(_strange_ids(strange, self.ids, source))
        table = np.array([self.ids[int(number)] for number in found], dtype=np.int64)
        return table[places].reshape(ids.shape)


def read_mapping(path: Path) -> ClassMapping:
    """Read a mapping file; see the module.

    Raises:
        InputError: it cannot be read, or has another form.
    """
    return _from_json(path) if path.suffix.lower() == ".json" else _from_text(path)


def relabelling(tree: Tree, mapping: ClassMapping | None = None, labels: LabelSet | None = None) -> Relabelling:
    """The mapping of the classes of a tree.

    Args:
        tree: the tree; its regions keep the order of its classes.
        mapping: classes to rename, merge or leave out; None keeps all.
        labels: the regions to make, if they must be those of a trained model; None makes as many as needed.

    Raises:
        InputError: the mapping has unknown classes, lacks some, or leaves no region; or a class is no region of
            `labels`.
    """
    targets = _targets(tree, mapping)
    if labels is not None and targets.get(BACKGROUND) not in (*labels.names, None):
        targets[BACKGROUND] = None  # pixels without a shape, if the regions have no background
    names = list(dict.fromkeys(target for target in targets.values() if target is not None))
    if labels is None:
        labels = _label_set(tree, targets, names)
    else:
        _check_known(names, labels, tree)
    unlabelled = labels.num_regions
    ignore_added = labels.ignore_id is None and None in targets.values()
    if ignore_added:
        labels = replace(labels, ignore_id=255 if unlabelled <= 255 else 65535)
    order = {name: labels.id_of(name) for name in names}
    ids = {number: unlabelled if target is None else order[target] for number, target in targets.items()}
    return Relabelling(labels=labels, ids=ids, ignore_added=ignore_added)


def _targets(tree: Tree, mapping: ClassMapping | None) -> dict[int, str | None]:
    """The region's name of every id of the tree; None for unlabelled."""
    targets: dict[int, str | None] = {each.id: each.name for each in tree.classes}
    targets |= {number: None for number in tree.unlabelled if number not in targets}
    if mapping is None:
        return targets
    names = {each.id: each.name for each in tree.classes}
    folded = {key.casefold(): key for key in mapping.targets}
    used: set[str] = set()
    left: list[str] = []
    for number in targets:
        name = names.get(number)
        keys = [str(number)] if name is None else [name, str(number), folded.get(name.casefold(), name)]
        key = next((key for key in keys if key in mapping.targets), None)
        if key is not None:
            used.add(key)
            targets[number] = mapping.targets[key]
        elif name is not None and _REST in mapping.targets:
            targets[number] = mapping.targets[_REST]
        elif name is not None and not mapping.keep_rest:
            left.append(name)
    # ids that only the mapping knows, e.g. 255, may be declared unlabelled
    extra = {key for key, target in mapping.targets.items() if target is None and _is_id(key)} - used
    strange = [key for key in mapping.targets if key not in used | extra | {_REST}]
    if strange:
        close = difflib.get_close_matches(strange[0], list(names.values()), n=3)
        hint = f"close: {', '.join(close)}" if close else f"it has {_listed(list(names.values()))}"
        raise InputError(f"{mapping.source} maps {_listed(strange)}, which {tree.root} has not; {hint}")
    if left:
        raise InputError(
            f"{mapping.source} has no line for {_listed(left)} of {tree.root}; add them, or the line 'ignore *'"
        )
    return targets | {int(key): None for key in extra}


def _label_set(tree: Tree, targets: Mapping[int, str | None], names: Sequence[str]) -> LabelSet:
    if not names:
        raise InputError(f"no class of {tree.root} is left as a region; map at least one to a name")
    colors: dict[str, Color | None] = {}
    for each in tree.classes:
        target = targets[each.id]
        if target is not None:
            colors.setdefault(target, each.color)
    palette = tuple(color for name in names if (color := colors.get(name)) is not None)
    return LabelSet(
        name=tree.format,
        names=tuple(names),
        palette=palette if len(set(palette)) == len(names) else None,
        flip_pairs=flip_pairs_of(tuple(names)),
    )


def _check_known(names: Sequence[str], labels: LabelSet, tree: Tree) -> None:
    known = {name.casefold() for name in labels.names}
    strange = [name for name in names if name.casefold() not in known]
    if strange:
        raise InputError(
            f"{_listed(strange)} of {tree.root} {'is no label' if len(strange) == 1 else 'are no labels'} of "
            f"{labels.name!r}, which has {_listed(labels.names)}; map them to one of these or to null in a mapping file"
        )


def _from_json(path: Path) -> ClassMapping:
    raw = read_json(path)
    if not raw or not all(value is None or (isinstance(value, str) and value.strip()) for value in raw.values()):
        raise InputError(
            f'{path} is no mapping of classes; expected {{"class name or id": "region name" or null for unlabelled}}'
        )
    return ClassMapping(source=str(path), targets={str(key): value for key, value in raw.items()})


def _from_text(path: Path) -> ClassMapping:
    try:
        lines = read_text(path).splitlines()
    except FileNotFoundError as error:
        raise InputError(f"expected a mapping file at {path}, found none; check the path") from error
    except OSError as error:
        raise InputError(f"cannot read {path} as a text file of 'id name' lines: {error}") from error
    targets: dict[str, str | None] = {}
    colors: dict[str, Color] = {}
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"{path} line {number}"
        if words[0] == "ignore" and len(words) > 1 and all(_is_id(word) or word == _REST for word in words[1:]):
            entries: dict[str, str | None] = dict.fromkeys(words[1:])
        elif len(words) > 1 and _is_id(words[0]):
            name, color = _name_and_color(words[1:], where)
            entries = {words[0]: name}
            if color is not None:
                colors[words[0]] = color
        else:
            raise InputError(f"{where}: expected 'id name', 'id name r g b' or 'ignore id', got {line.strip()!r}")
        twice = targets.keys() & entries
        if twice:
            raise InputError(f"{where}: id {min(twice)} occurs twice; give every id one line")
        targets |= entries
    if not any(target is not None for target in targets.values()):
        raise InputError(f"{path} holds no labels; expected one 'id name' a line")
    return ClassMapping(source=str(path), targets=targets, keep_rest=False, colors=colors)


def _name_and_color(words: Sequence[str], where: str) -> tuple[str, Color | None]:
    if len(words) < 4 or not all(word.isdecimal() for word in words[-3:]):
        return " ".join(words), None
    red, green, blue = (int(word) for word in words[-3:])
    if max(red, green, blue) > 255:
        raise InputError(f"{where}: expected a colour 'r g b' in 0..255, got {(red, green, blue)}")
    return " ".join(words[:-3]), (red, green, blue)


def _is_id(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _listed(names: Sequence[str], shown: int = 5) -> str:
    return ", ".join(map(repr, names[:shown])) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def _strange_ids(strange: Sequence[int], known: Mapping[int, int], source: str) -> str:
    listed = ", ".join(map(str, strange[:5])) + (", ..." if len(strange) > 5 else "")
    legal = [number for number in sorted(known) if number >= 0]
    shown = ", ".join(map(str, legal[:8])) + (f", ... {legal[-1]}" if len(legal) > 8 else "")
    return (
        f"expected the ids {shown}, got {listed} in {source}; in the list of classes or in a mapping file, add "
        f"'ignore {strange[0]}' where that marks unlabelled pixels, or '{strange[0]} NAME' for a class"
    )
