"""A folder of pictures with label maps, and the data set made of it.

Layout: `images/*.{jpg,jpeg,png}`, `labels/*.png` with the same stems, `classes.txt`, and perhaps
`instances/*.png`. A sample depends on the folder, the transform and (seed, epoch, index) alone, so that
neither the number of workers nor a resume changes it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from sean.data.transforms import PairedTransform
from sean.errors import InputError
from sean.images import image_to_tensor, read_image
from sean.labels import LabelSet, shipped_version
from sean.segmap import read_instances, read_segmap

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
LABEL_SUFFIXES = (".png",)

Sample = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class FolderScan:
    """What lies in a paired folder; `problems` says in words which files do not fit, by kind of problem."""

    root: Path
    images: Mapping[str, Path]
    segmaps: Mapping[str, Path]
    instances: Mapping[str, Path] | None
    problems: Mapping[str, tuple[str, ...]]

    @property
    def stems(self) -> tuple[str, ...]:
        """The stems that have both a picture and a label map, sorted."""
        return tuple(sorted(self.images.keys() & self.segmaps.keys()))


def scan_folder(root: str | os.PathLike[str]) -> FolderScan:
    """List the files of a paired folder without opening any.

    Raises:
        InputError: the folder, or its images or labels folder, is missing.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"expected a data folder at {root}, found none; check the path")
    for name in ("images", "labels"):
        if not (root / name).is_dir():
            raise InputError(
                f"expected the folder {root / name}, found none; a data folder holds images/, labels/ and classes.txt"
            )
    images, duplicates = _files_by_stem(root / "images", IMAGE_SUFFIXES)
    segmaps, label_duplicates = _files_by_stem(root / "labels", LABEL_SUFFIXES)
    instances: dict[str, Path] | None = None
    instance_duplicates: tuple[str, ...] = ()
    unpaired = [f"images/{images[stem].name} has no labels/{stem}.png" for stem in images.keys() - segmaps]
    unpaired += [f"labels/{segmaps[stem].name} has no picture in images/" for stem in segmaps.keys() - images]
    if (root / "instances").is_dir():
        instances, instance_duplicates = _files_by_stem(root / "instances", LABEL_SUFFIXES)
        paired = images.keys() & segmaps.keys()
        unpaired += [f"labels/{stem}.png has no instances/{stem}.png" for stem in paired - instances.keys()]
        unpaired += [f"instances/{stem}.png has no pair" for stem in instances.keys() - paired]
    problems = {
        "files with the same stem": (*duplicates, *label_duplicates, *instance_duplicates),
        "files without a partner": tuple(sorted(unpaired)),
    }
    return FolderScan(
        root=root,
        images=images,
        segmaps=segmaps,
        instances=instances,
        problems={kind: found for kind, found in problems.items() if found},
    )


def read_labels(root: str | os.PathLike[str]) -> LabelSet:
    """The label set of `classes.txt`; where its names are those of a shipped set, that set."""
    return shipped_version(LabelSet.from_classes_txt(Path(root) / "classes.txt"))


@dataclass(frozen=True, kw_only=True)
class PairedFolder:
    """A paired folder in which every file has its partner.

    Attributes:
        root: the folder.
        labels: its label set, see `read_labels`.
        stems: file names without suffix, sorted.
        images, segmaps, instances: the files by stem; instances is None where the folder has none.
    """

    root: Path
    labels: LabelSet
    stems: tuple[str, ...]
    images: Mapping[str, Path]
    segmaps: Mapping[str, Path]
    instances: Mapping[str, Path] | None

    @classmethod
    def open(cls, root: str | os.PathLike[str]) -> "PairedFolder":
        """Open a folder strictly.

        Raises:
            InputError: a folder or classes.txt is missing or malformed, there are no pairs, or files
                without a partner or with the same stem; names the first few and their number.
        """
        scan = scan_folder(root)
        labels = read_labels(root)
        for kind, found in scan.problems.items():
            first = "; ".join(found[:3]) + ("; ..." if len(found) > 3 else "")
            raise InputError(f"{scan.root} has {len(found)} {kind} ({first}); add or remove them")
        if not scan.stems:
            raise InputError(f"{scan.root} holds no pairs; expected images/NAME.jpg with labels/NAME.png")
        return cls(
            root=scan.root,
            labels=labels,
            stems=scan.stems,
            images=scan.images,
            segmaps=scan.segmaps,
            instances=scan.instances,
        )

    def split(self, validation: float | str, *, training: str = "") -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Split the stems into (training, validation).

        Args:
            validation: a fraction below 1 (0.1: the last tenth by sorted name; 0.0: none), or the prefix
                of the validation files, e.g. "val_".
            training: train only on stems with this prefix, e.g. "train_" where there is a test set too.

        Raises:
            InputError: one of the two parts would be empty.
        """
        if isinstance(validation, str):
            held_out = {stem for stem in self.stems if validation and stem.startswith(validation)}
            if not held_out:
                raise InputError(
                    f"no file of {self.root} starts with the validation prefix {validation!r}; "
                    f"names begin like {self.stems[0]!r}"
                )
        else:
            if not 0.0 <= validation < 1.0:
                raise InputError(f"expected a validation fraction in 0..1 or a name prefix, got {validation}")
            count = max(1, round(len(self.stems) * validation)) if validation > 0.0 else 0
            held_out = set(self.stems[len(self.stems) - count :])
        kept = tuple(stem for stem in self.stems if stem not in held_out and stem.startswith(training))
        if not kept:
            raise InputError(
                f"the validation split {validation!r} of {self.root} ({len(self.stems)} pairs) leaves "
                "nothing to train on; hold out fewer"
            )
        return kept, tuple(stem for stem in self.stems if stem in held_out)


class PairedDataset(Dataset[Sample]):
    """Transformed pairs of a folder as tensors.

    A sample is a dict: image float32 [3, h, w] in [-1, 1]; segmap int64 [h, w] with ids 0..k; name, the
    stem; and, where the folder has them, instances int64 [h, w].

    Args:
        folder: the folder.
        stems: which pairs of it, in order.
        transform: the geometry.
        seed: all chance follows from (seed, epoch, index).
    """

    def __init__(self, folder: PairedFolder, stems: Sequence[str], transform: PairedTransform, seed: int = 0) -> None:
        unknown = [stem for stem in stems if stem not in folder.images]
        if unknown:
            raise InputError(f"{folder.root} has no pair named {unknown[0]!r}")
        self.folder = folder
        self.stems = tuple(stems)
        self.transform = transform
        self.seed = seed

    @property
    def labels(self) -> LabelSet:
        """The label set of the maps."""
        return self.folder.labels

    def __len__(self) -> int:
        return len(self.stems)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        """The sample of key = (epoch, index), or of an index in epoch 0.

        Raises:
            InputError: a file cannot be read, has illegal ids, or differs in size from its partner.
        """
        epoch, index = key if isinstance(key, tuple) else (0, key)
        stem = self.stems[index]
        image = read_image(self.folder.images[stem])
        segmap = read_segmap(self.folder.segmaps[stem], self.labels)
        check_sizes(image, segmap, self.folder.images[stem], self.folder.segmaps[stem])
        rng = np.random.default_rng((self.seed, epoch, index))
        height, width = segmap.shape
        geometry = self.transform.draw((height, width), rng)
        sample: Sample = {
            "image": image_to_tensor(geometry.image(image)),
            "segmap": torch.from_numpy(geometry.segmap(segmap, self.labels)),
            "name": stem,
        }
        if self.folder.instances is not None:
            instances = read_instances(self.folder.instances[stem])
            check_sizes(image, instances, self.folder.images[stem], self.folder.instances[stem])
            sample["instances"] = torch.from_numpy(geometry.instances(instances))
        return sample


def check_sizes(image: np.ndarray, segmap: np.ndarray, image_path: Path, segmap_path: Path) -> None:
    """Raise InputError, naming files and sizes, unless image [h, w, 3] and segmap [h, w] have one size."""
    if image.shape[:2] != segmap.shape:
        raise InputError(
            f"expected one size (h x w), got {image.shape[0]} x {image.shape[1]} in {image_path} and "
            f"{segmap.shape[0]} x {segmap.shape[1]} in {segmap_path}; resize one of them"
        )


def _files_by_stem(folder: Path, suffixes: tuple[str, ...]) -> tuple[dict[str, Path], tuple[str, ...]]:
    """The files of these suffixes by stem, sorted, and a line for every stem that occurs twice."""
    files: dict[str, Path] = {}
    duplicates = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in suffixes or path.name.startswith(".") or not path.is_file():
            continue
        if path.stem in files:
            duplicates.append(f"{folder.name}/{files[path.stem].name} and {folder.name}/{path.name}")
        else:
            files[path.stem] = path
    return files, tuple(duplicates)
