"""Full ADE20K (Zhou et al., IJCV 2019): index maps `*_seg.png` beside the pictures, in `{training,validation}/`.

The index of the class is red // 10 * 256 + green, 0 is unlabelled, blue numbers the objects. The names come from the
"name_ndx" of the JSON files beside (2021), or from `index_ade20k.mat` (2016). Pickled indices are not opened, as a
pickle may run any program.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from sean.data.formats.mask_files import open_mask, packed, renumbered
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
    with_stems,
)
from sean.errors import InputError

_ENDING = "_seg.png"


def detect(root: Path) -> bool:
    """Whether a folder has a file ADE_*_seg.png."""
    return next(_maps(root), None) is not None


def find(root: Path, options: Options) -> Tree:
    """List a download, with the classes that occur in its list of names.

    Raises:
        InputError: there are no index maps, or no names.
    """
    items: list[Item] = []
    problems: list[tuple[str, str]] = []
    maps = list(_maps(root))
    pictures = Pictures.below(root, options.images)
    for path in maps:
        try:
            image = pictures.find(f"{path.name.removesuffix(_ENDING)}.jpg", near=path.parent)
        except InputError as error:
            problems.append((UNPAIRED, f"{path} has no picture: {error}"))
            continue
        validation = "validation" in path.relative_to(root).parts
        items.append(Item(stem="", image=str(image), annotation=str(path), validation=validation))
    if not maps:
        raise not_a_tree(root, "full ADE20K", "images/ with ADE_*_seg.png beside the pictures")
    return Tree(
        format="ade20k-full",
        root=root,
        classes=_classes(root, maps) or options.classes or _no_names(root),
        unlabelled=(0,),
        items=with_stems(items, pictures.root),
        read=_read,
        has_instances=True,
        has_split=any(item.validation for item in items),
        problems=tuple(problems),
    )


def _maps(root: Path) -> Iterator[Path]:
    return (path for path in files_below(root, (_ENDING,)) if path.name.startswith("ADE_"))


def _classes(root: Path, maps: Iterable[Path]) -> tuple[SourceClass, ...]:
    names: dict[int, str] = {}
    for path in maps:
        description = quiet_json(path.with_name(path.name.removesuffix(_ENDING) + ".json"))
        for entry in description.get("annotation", {}).get("object", []):
            names.setdefault(int(entry["name_ndx"]), str(entry["name"]))
    index = next(iter(files_below(root, ("index_ade20k.mat",))), None)
    if not names and index is not None:
        names = dict(enumerate(_names_of_matlab(index), start=1))
    names.pop(0, None)
    counts: dict[str, int] = {}
    classes = []
    for number, name in sorted(names.items()):
        counts[name] = counts.get(name, 0) + 1  # a few names belong to several classes
        classes.append(SourceClass(id=number, name=name if counts[name] == 1 else f"{name} ({counts[name]})"))
    return tuple(classes)


def _names_of_matlab(path: Path) -> list[str]:
    try:
        index = loadmat(str(path), squeeze_me=True, struct_as_record=False)["index"]
        return [str(name) for name in index.objectnames]
    except Exception as error:  # scipy raises many kinds of errors for damaged files
        raise InputError(
            f"{path} is no index of ADE20K ({type(error).__name__}: {error}); download it again"
        ) from error


def _no_names(root: Path) -> tuple[SourceClass, ...]:
    raise InputError(
        f"expected the names of the classes in {root}, in the JSON files beside the pictures or in index_ade20k.mat; "
        "add them, or give a mapping file with 'id name' lines"
    )


def _read(item: Item, size: tuple[int, int]) -> Annotation:
    image = open_mask(item.annotation)
    if image.mode != "RGB":
        raise InputError(f"expected an RGB index map, but {item.annotation} has mode {image.mode}; download it again")
    pixels = np.asarray(image)
    ids = pixels[:, :, 0].astype(np.int64) // 10 * 256 + pixels[:, :, 1]
    objects = pixels.copy()
    objects[ids == 0] = 0
    return Annotation(ids=ids, instances=renumbered(packed(objects)))
