"""Folders of pictures without label maps: the files, and a data set of them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from sean.data.transforms import PairedTransform
from sean.errors import InputError
from sean.images import image_to_tensor, read_image

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def find_pictures(folder: str | os.PathLike[str]) -> dict[str, Path]:
    """The picture files of a folder, or of the `images` in it, by their names without suffix, sorted.

    Raises:
        InputError: there is no such folder, it holds no pictures, or two of one name.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"expected a folder of pictures at {root}, found none; check the path")
    if (root / "images").is_dir():
        root = root / "images"
    found: dict[str, Path] = {}
    for path in sorted(root.iterdir()):
        if path.suffix.lower() not in PICTURE_SUFFIXES or path.name.startswith(".") or not path.is_file():
            continue
        if path.stem in found:
            raise InputError(f"{root} holds {found[path.stem].name} and {path.name}; rename one of them")
        found[path.stem] = path
    if not found:
        raise InputError(f"expected pictures ({', '.join(PICTURE_SUFFIXES)}) in {root}, found none")
    return found


class PictureDataset(Dataset[dict[str, Any]]):
    """Transformed pictures as tensors.

    A sample is a dict: image float32 [3, h, w] in [-1, 1], and name. All chance follows from (seed, epoch, index).

    Args:
        pictures: files by name, see `find_pictures`.
        transform: the geometry.
        seed: of its chance.
    """

    def __init__(self, pictures: Mapping[str, Path], transform: PairedTransform, seed: int = 0) -> None:
        self._names = tuple(pictures)
        self._pictures = dict(pictures)
        self._transform = transform
        self._seed = seed

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        """The sample of key = (epoch, index), or of an index in epoch 0; InputError if it cannot be read."""
        epoch, index = key if isinstance(key, tuple) else (0, key)
        name = self._names[index]
        image = read_image(self._pictures[name])
        height, width = image.shape[:2]
        geometry = self._transform.draw((height, width), np.random.default_rng((self._seed, epoch, index)))
        return {"image": image_to_tensor(geometry.image(image)), "name": name}
