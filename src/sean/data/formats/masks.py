"""Folders of pictures with masks, also nested, paired by a pattern of the masks' names.

A pattern is a path with {stem} for the name of the picture: "{stem}_mask.png" beside the pictures or in any folder,
"masks/{stem}.png" in a folder masks/ or below it; the suffix ".*" matches any. Of several pictures with the name, the
one in the folder most similar to the mask's is taken. The classes come from classes.txt or labelmap.txt in the tree, or
from a mapping file.
"""

import re
from collections import defaultdict
from functools import partial
from pathlib import Path

from sean.data.folder import IMAGE_SUFFIXES
from sean.data.formats.mapping import read_mapping
from sean.data.formats.mask_files import read_ids, read_numbers, renumbered
from sean.data.formats.tree import (
    UNPAIRED,
    Annotation,
    Item,
    Options,
    Pictures,
    SourceClass,
    Tree,
    files_below,
    not_a_tree,
    with_stems,
)
from sean.data.formats.voc import LABELMAP, read_labelmap
from sean.errors import InputError
from sean.files import read_text

_STEM = "{stem}"
_FOLDERS = ("labels", "masks", "mask", "annotations", "annotation", "segmentations", "gt")
_ENDINGS = ("_mask", "_masks", "_label", "_labels", "_seg", "_segmentation", "_gt", "_labelIds", "-mask", "-label")
USUAL_PATTERNS = (
    *(f"{folder}/{_STEM}{ending}.*" for folder in _FOLDERS for ending in ("", *_ENDINGS)),
    *(f"{_STEM}{ending}.*" for ending in _ENDINGS),
    f"{_STEM}.png",
)
_CLASSES = "classes.txt"


def detect(root: Path) -> bool:
    """Whether pictures and masks can be paired by one of the usual patterns."""
    return _usual_pairs(root, Pictures.below(root)) is not None


def find(root: Path, options: Options) -> Tree:
    """List a folder.

    Raises:
        InputError: no mask follows the pattern (or a usual one), or the classes are unknown.
    """
    pictures = Pictures.below(root, options.images)
    if options.pattern is not None and _STEM not in options.pattern:
        raise InputError(f"expected a pattern with {_STEM}, e.g. '{_STEM}_mask.png', got {options.pattern!r}")
    pairs = _usual_pairs(root, pictures) if options.pattern is None else _pairs(root, pictures, options.pattern)
    if pairs is None:
        expected = f"masks named like {options.pattern or 'NAME_mask.png or labels/NAME.png'}, and pictures NAME.jpg"
        raise not_a_tree(root, "folder of masks", expected)
    classes, unlabelled = _classes(root, options)
    matched, problems = pairs
    items = []
    for mask, image in matched:
        instances = _instances_of(mask)
        items.append(Item(stem="", image=str(image), annotation=str(mask), instances=instances))
    has_instances = any(item.instances is not None for item in items)
    problems += [
        (UNPAIRED, f"{item.annotation} has no instance map")
        for item in items
        if has_instances and item.instances is None
    ]
    return Tree(
        format="masks",
        root=root,
        classes=classes,
        unlabelled=unlabelled,
        items=with_stems(items, pictures.root),
        read=partial(_read, classes, unlabelled),
        has_instances=has_instances,
        same_size=False,
        problems=tuple(problems),
    )


def _read(
    classes: tuple[SourceClass, ...], unlabelled: tuple[int, ...], item: Item, size: tuple[int, int]
) -> Annotation:
    instances = None if item.instances is None else renumbered(read_numbers(item.instances))
    return Annotation(ids=read_ids(item.annotation, classes, unlabelled), instances=instances)


_Pairs = tuple[list[tuple[Path, Path]], list[tuple[str, str]]]


def _usual_pairs(root: Path, pictures: Pictures) -> _Pairs | None:
    for pattern in USUAL_PATTERNS:
        pairs = _pairs(root, pictures, pattern)
        if pairs is not None and pairs[0]:
            return pairs
    return None


def _pairs(root: Path, pictures: Pictures, pattern: str) -> _Pairs | None:
    """Masks with their pictures, and a line for each mask without one; None if no file matches the pattern."""
    folder, _, name = pattern.rpartition("/")
    expression = "(?P<stem>[^/]+)".join(re.escape(part) for part in name.split(_STEM, 1))
    if name.endswith(".*"):
        suffixes = "|".join(re.escape(suffix) for suffix in IMAGE_SUFFIXES)
        expression = expression.removesuffix(re.escape(".*")) + f"(?i:{suffixes})"
    above = f"(?P<above>.*/)?{re.escape(folder)}/" if folder else ""
    matcher = re.compile(f"{above}(?P<below>.*/)?{expression}")
    masks: dict[Path, tuple[str, tuple[str, ...]]] = {}
    for path in files_below(root, IMAGE_SUFFIXES):
        found = matcher.fullmatch(path.relative_to(root).as_posix())
        if found is not None:
            context = f"{found['above'] or ''}{found['below'] or ''}" if folder else found["below"] or ""
            masks[path] = (found["stem"], tuple(part for part in context.split("/") if part))
    if pattern == f"{_STEM}.png":  # masks beside the pictures, which then have another suffix
        others = {(path.parent, path.stem) for path in pictures.paths if path.suffix.lower() != ".png"}
        masks = {path: key for path, key in masks.items() if (path.parent, path.stem) in others}
    if not masks:
        return None
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in pictures.paths:
        if path not in masks:
            by_stem[path.stem].append(path)
    matched: list[tuple[Path, Path]] = []
    problems: list[tuple[str, str]] = []
    for mask, (stem, context) in masks.items():
        scores = [_likeness(path.relative_to(pictures.root).parts[:-1], context) for path in by_stem[stem]]
        best = [path for path, score in zip(by_stem[stem], scores, strict=True) if score == max(scores)]
        if len(best) == 1:
            matched.append((mask, best[0]))
        else:
            reason = "has no picture" if not best else f"may belong to {best[0]} or {best[1]}"
            problems.append((UNPAIRED, f"{mask} {reason}"))
    with_mask = {image for _, image in matched}
    for path in pictures.paths:
        if path not in masks and path not in with_mask and "instances" not in path.parts:
            problems.append((UNPAIRED, f"{path} has no mask {pattern.replace(_STEM, path.stem)}"))
    return matched, problems


def _likeness(parts: tuple[str, ...], others: tuple[str, ...]) -> int:
    """Number of folders that two paths share, minus those in only one of them."""
    return 2 * len(set(parts) & set(others)) - len(set(parts) - set(others))


def _classes(root: Path, options: Options) -> tuple[tuple[SourceClass, ...], tuple[int, ...]]:
    path = root / _CLASSES
    if (root / LABELMAP).is_file() or _is_labelmap(path):
        classes = {each.id: each for each in read_labelmap(path if path.is_file() else root / LABELMAP)}
        unlabelled: tuple[int, ...] = ()
    elif path.is_file():
        listed = read_mapping(path)
        classes = {each.id: each for each in listed.classes()}
        unlabelled = tuple(int(key) for key, target in listed.targets.items() if target is None and key != "*")
    elif options.classes:
        classes, unlabelled = {}, ()
    else:
        raise InputError(
            f"expected the names of the ids in {path}, found no file; write 'id name' (or 'id name r g b') lines into "
            "it, and 'ignore 255' where 255 marks unlabelled pixels"
        )
    classes |= {each.id: each for each in options.classes}
    return tuple(classes[number] for number in sorted(classes)), unlabelled


def _is_labelmap(path: Path) -> bool:
    try:
        return path.is_file() and read_text(path).startswith("# label:")
    except (OSError, InputError):
        return False


def _instances_of(mask: Path) -> str | None:
    parts = list(mask.parts)
    if "labels" not in parts:
        return None
    parts[len(parts) - 1 - parts[::-1].index("labels")] = "instances"
    path = Path(*parts)
    return str(path) if path.is_file() else None
