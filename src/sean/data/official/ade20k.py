"""ADE20K scene parsing: `ADEChallengeData2016/{images,annotations}/{training,validation}/*.{jpg,png}`.

In an annotation 0 is "other" and ignored, 1..150 are the labels. `annotations_instance/` is a second download: red
is a class there, green numbers its objects; both together make one instance.
"""

from pathlib import Path

import numpy as np

from sean.data.official.layout import (
    Item,
    Listing,
    OfficialDataset,
    by_stem,
    download_root,
    match,
    names_in,
    open_png,
)
from sean.errors import InputError
from sean.labels import ADE20K

_SPLITS = ("training", "validation")
_INSTANCES = "annotations_instance"


def find(source: Path) -> Listing:
    """List an `ADEChallengeData2016` folder, or the folder around it."""
    needed = [f"{kind}/{split}" for kind in ("images", "annotations") for split in _SPLITS]
    root = download_root(source, needed, folders=["ADEChallengeData2016"], name=ADE20K.name)
    has_instances = (root / _INSTANCES).is_dir()
    items: list[Item] = []
    problems: list[tuple[str, str]] = []
    for split in _SPLITS:
        images = _files(root, f"images/{split}", ".jpg")
        segmaps = _files(root, f"annotations/{split}", ".png")
        instances = _files(root, f"{_INSTANCES}/{split}", ".png") if has_instances else {}
        stems, unpaired = match(images, segmaps, "label map", f"annotations/{split}")
        problems += unpaired
        if has_instances:
            problems += match(images, instances, "instance map", f"{_INSTANCES}/{split}")[1]
        items += [
            Item(
                stem=stem,
                validation=split == "validation",
                image=images[stem],
                segmap=(segmaps[stem],),
                instances=instances.get(stem),
            )
            for stem in stems
        ]
    return Listing(root=root, items=tuple(items), problems=tuple(problems))


def read_instances(path: Path) -> np.ndarray:
    """Class and number of the object combined, 256 * red + green: int64 [h, w].

    Raises:
        InputError: unreadable, or no RGB picture.
    """
    image = open_png(path)
    if image.mode != "RGB":
        raise InputError(
            f"expected an RGB instance map, but {path} has mode {image.mode}; take it from the download again"
        )
    pixels = np.asarray(image).astype(np.int64)
    return np.asarray(pixels[:, :, 0] * 256 + pixels[:, :, 1])


def _files(root: Path, folder: str, suffix: str) -> dict[str, str]:
    names = names_in(root / folder, suffix) if (root / folder).is_dir() else []
    return {stem: f"{folder}/{name}" for stem, name in by_stem(names, suffix).items()}


DATASET = OfficialDataset(
    labels=ADE20K,
    find=find,
    file_ids={0: ADE20K.num_regions, **{index + 1: index for index in range(ADE20K.num_regions)}},
    read_instances=read_instances,
)
