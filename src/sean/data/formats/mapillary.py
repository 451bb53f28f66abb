"""Mapillary Vistas (Neuhold et al., ICCV 2017): `config*.json` and `{training,validation}/{images,labels,instances}/`.

Version 2.0 keeps the label maps in `{part}/v2.0/`, and those of version 1.2 beside them. A label map is a palette PNG
of ids, an instance map a 16-bit PNG of 256 times the id plus the number of the object. "void--unlabeled" is unlabelled.
"""

from functools import partial
from pathlib import Path

from sean.data.formats.mask_files import integers, open_mask, renumbered
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
    quiet_json,
    read_json,
    subfolder,
    with_stems,
)
from sean.errors import InputError

_CONFIGS = (("config_v2.0.json", "v2.0"), ("config_v1.2.json", "v1.2"), ("config.json", ""))
_UNLABELLED = "void--unlabeled"


def detect(root: Path) -> bool:
    """Whether the folder holds one of its config files."""
    return any(_labels_in(quiet_json(root / name)) for name, _ in _CONFIGS)


def find(root: Path, options: Options) -> Tree:
    """List a download, in its newest version.

    Raises:
        InputError: there is no config file, or no folder of label maps.
    """
    config, version = next(
        ((root / name, version) for name, version in _CONFIGS if (root / name).is_file()), (None, "")
    )
    expected = "config_v2.0.json (or v1.2) and training/ with images/ and labels/"
    if config is None:
        raise not_a_tree(root, "Mapillary Vistas", expected)
    classes, unlabelled = _classes(config)
    items: list[Item] = []
    problems: list[tuple[str, str]] = []
    has_instances = True
    for part in ("training", "validation"):
        masks = subfolder(root / part, f"{version}/labels", "labels") if (root / part).is_dir() else None
        if masks is None:
            continue
        objects = masks.parent / "instances"
        has_instances &= objects.is_dir()
        pictures = Pictures.below(root, options.images or subfolder(root / part, "images") or root / part)
        for path in files_below(masks, (".png",)):
            numbers = objects / path.name
            try:
                image = pictures.find(f"{path.stem}.jpg")
                if objects.is_dir() and not numbers.is_file():
                    raise InputError(f"there is no instance map {numbers}")
            except InputError as error:
                problems.append((UNPAIRED, f"{path}: {error}"))
                continue
            instances = str(numbers) if objects.is_dir() else None
            held_out = part == "validation"
            item = Item(stem="", image=str(image), annotation=str(path), instances=instances, validation=held_out)
            items.append(item)
    if not items and not problems:
        raise not_a_tree(root, "Mapillary Vistas", expected)
    return Tree(
        format="mapillary",
        root=root,
        classes=classes,
        unlabelled=unlabelled,
        items=with_stems(items, root),
        read=partial(_read, has_instances),
        has_instances=has_instances,
        has_split=any(item.validation for item in items),
        problems=tuple(problems),
    )


def _labels_in(content: object) -> bool:
    labels = content.get("labels") if isinstance(content, dict) else None
    return isinstance(labels, list) and bool(labels) and isinstance(labels[0], dict) and "readable" in labels[0]


def _classes(path: Path) -> tuple[tuple[SourceClass, ...], tuple[int, ...]]:
    classes, unlabelled = [], []
    try:
        for index, label in enumerate(read_json(path)["labels"]):
            red, green, blue = (int(channel) for channel in label["color"])
            if label["name"] == _UNLABELLED:
                unlabelled.append(index)
            else:
                classes.append(SourceClass(id=index, name=str(label["name"]), color=(red, green, blue)))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} has no list of labels with name and color ({error!r}); download it again") from error
    return tuple(classes), tuple(unlabelled)


def _read(has_instances: bool, item: Item, size: tuple[int, int]) -> Annotation:
    ids = integers(open_mask(item.annotation), item.annotation)
    if not has_instances or item.instances is None:
        return Annotation(ids=ids)
    numbers = integers(open_mask(item.instances), item.instances)
    if numbers.shape != ids.shape:
        raise InputError(f"expected {item.instances} to have the size of {item.annotation}; download it again")
    # the number 0 is the first object of a class, so only class and number together identify an object
    return Annotation(ids=ids, instances=renumbered(numbers, ()))
