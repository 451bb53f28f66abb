"""Paired folders: pictures with label maps; their files, strict opening, and their split.

Layout: `images/` with pictures (JPEG, PNG, WebP, BMP, TIFF ...), `labels/` with maps of the same stems (PNG, BMP,
TIFF), `classes.txt`, and perhaps `instances/`; a prepared data set has a `manifest.json` too, which holds its official
split.
A stem is compared in Unicode's composed form (NFC), as some systems write names in another one.
"""

import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sean.data.manifest import Manifest, read_manifest
from sean.data.paired import Pair, PairSource, read_pair
from sean.errors import InputError
from sean.labels import LabelSet, shipped_version

LABEL_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".webp", ".avif", ".heic", ".heif", *LABEL_SUFFIXES)
_LOSSY_SUFFIXES = tuple(suffix for suffix in IMAGE_SUFFIXES if suffix not in LABEL_SUFFIXES)
LAST_TENTH = 0.1


@dataclass(frozen=True, kw_only=True)
class FolderScan:
    """The files of a paired folder; `problems` lists files that do not fit, by kind of problem."""

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
    unpaired = [
        f"images/{images[stem].name} has no labels/{stem}.png{_lossy_note(root / 'labels', stem)}"
        for stem in images.keys() - segmaps
    ]
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
    """The label set of `classes.txt`, or the shipped set with these names."""
    return shipped_version(LabelSet.from_classes_txt(Path(root) / "classes.txt"))


@dataclass(frozen=True, kw_only=True)
class PairedFolder:
    """A paired folder in which every file has its partner.

    Attributes:
        root: the folder.
        labels: its label set, see `read_labels`.
        stems: file names without suffix, sorted.
        images, segmaps, instances: the files by stem; instances is None if the folder has none.
        manifest: the manifest of `sean data prepare`; None in a folder made by hand.
    """

    root: Path
    labels: LabelSet
    stems: tuple[str, ...]
    images: Mapping[str, Path]
    segmaps: Mapping[str, Path]
    instances: Mapping[str, Path] | None
    manifest: Manifest | None = None

    @classmethod
    def open(cls, root: str | os.PathLike[str]) -> "PairedFolder":
        """Open a folder strictly.

        Raises:
            InputError: a folder or classes.txt is missing or malformed, the folder is not prepared to the
                end, there are no pairs, or files without a partner or with the same stem; names the first
                few and their number.
        """
        manifest = read_manifest(root)  # first, as missing files are expected in an unfinished folder
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
            manifest=manifest,
        )

    def without_last(self, fraction: float) -> "PairedFolder":
        """The folder without this fraction of its pairs, the last by sorted name, which are kept for a test.

        Raises:
            InputError: nothing would be left.
        """
        count = round(len(self.stems) * fraction)
        if not 0 <= count < len(self.stems):
            raise InputError(f"keeping {fraction} of the {len(self.stems)} pairs of {self.root} for a test leaves none")
        return replace(self, stems=self.stems[: len(self.stems) - count])

    def pairs(self, stems: Sequence[str]) -> PairSource:
        """The pairs of these stems, in this order.

        Raises:
            InputError: the folder has no such pair.
        """
        stems = tuple(map(composed, stems))
        unknown = [stem for stem in stems if stem not in self.images]
        if unknown:
            raise InputError(f"{self.root} has no pair named {unknown[0]!r}")
        return FolderPairs(folder=self, stems=stems)

    def split(
        self, validation: float | str | None = None, *, training: str = "", allow_no_training: bool = False
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Split the stems into (training, validation).

        Args:
            validation: a fraction below 1 (0.1: the last tenth by sorted name; 0.0: none), or the prefix
                of the validation files, e.g. "val_". None takes the split of the manifest, and where there is no
                manifest the last tenth (of a single pair, none).
            training: train only on stems with this prefix, e.g. "train_" where there is a test set too.
            allow_no_training: the first part may be empty; the fraction 1.0 holds out all pairs.

        Raises:
            InputError: the training part is empty without allow_no_training, no stem starts with the validation
                prefix, or the folder lacks a pair of its manifest.
        """
        training = composed(training)
        if validation is None and self.manifest is not None:
            return self._official_split(self.manifest, training)
        if validation is None:
            validation = LAST_TENTH if len(self.stems) > 1 else 0.0
        if isinstance(validation, str):
            validation = composed(validation)
            held_out = {stem for stem in self.stems if validation and stem.startswith(validation)}
            if not held_out:
                raise InputError(
                    f"no file of {self.root} starts with the validation prefix {validation!r}; "
                    f"names begin like {self.stems[0]!r}"
                )
        else:
            if not (0.0 <= validation < 1.0 or (allow_no_training and validation == 1.0)):
                raise InputError(f"expected a validation fraction in 0..1 or a name prefix, got {validation}")
            count = max(1, round(len(self.stems) * validation)) if validation > 0.0 else 0
            held_out = set(self.stems[len(self.stems) - count :])
        kept = tuple(stem for stem in self.stems if stem not in held_out and stem.startswith(training))
        if not kept and (training or not allow_no_training):
            raise InputError(
                f"the validation split {validation!r} of {self.root} ({len(self.stems)} pairs) leaves "
                "nothing to train on; hold out fewer"
            )
        return kept, tuple(stem for stem in self.stems if stem in held_out)

    def _official_split(self, manifest: Manifest, training: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        present = set(self.stems)
        for stem in (*manifest.training, *manifest.validation):
            if stem not in present:
                raise InputError(
                    f"expected the pair {stem!r} of manifest.json in {self.root}, found none; prepare the folder again"
                )
        kept = tuple(stem for stem in manifest.training if stem.startswith(training))
        if not kept:
            raise InputError(
                f"no training pair of {self.root}/manifest.json ({len(manifest.training)} pairs) starts with "
                f"{training!r}; give another prefix"
            )
        return kept, manifest.validation


@dataclass(frozen=True, kw_only=True)
class FolderPairs:
    """Some pairs of a folder as a `PairSource`; made by `PairedFolder.pairs`."""

    folder: PairedFolder
    stems: tuple[str, ...]

    @property
    def labels(self) -> LabelSet:
        """The label set of the maps."""
        return self.folder.labels

    @property
    def has_instances(self) -> bool:
        """Whether the folder has instance maps."""
        return self.folder.instances is not None

    @property
    def groups(self) -> None:
        """None: reading any file costs the same."""
        return None

    def __len__(self) -> int:
        return len(self.stems)

    def name(self, index: int) -> str:
        """The stem of a pair."""
        return self.stems[index]

    def fetch(self, group: int) -> None:
        """Do nothing, as the files are local."""

    def read(self, index: int) -> Pair:
        """Read the files of a pair.

        Raises:
            InputError: a file cannot be read, has illegal ids, or differs in size from its partner.
        """
        stem, folder = self.stems[index], self.folder
        instances = None if folder.instances is None else folder.instances[stem]
        return read_pair(folder.images[stem], folder.segmaps[stem], instances, self.labels)


def _files_by_stem(folder: Path, suffixes: tuple[str, ...]) -> tuple[dict[str, Path], tuple[str, ...]]:
    """The files of these suffixes by stem, sorted, and a line for every stem that occurs twice."""
    files: dict[str, Path] = {}
    duplicates = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in suffixes or path.name.startswith(".") or not path.is_file():
            continue
        stem = composed(path.stem)
        if stem in files:
            duplicates.append(f"{folder.name}/{files[stem].name} and {folder.name}/{path.name}")
        else:
            files[stem] = path
    return files, tuple(duplicates)


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC): macOS may write "u" and a diaeresis where others write one letter."""
    return unicodedata.normalize("NFC", name)


def _lossy_note(folder: Path, stem: str) -> str:
    """A remark if a label map exists in a lossy format, which blurs ids."""
    names = [stem + suffix for suffix in _LOSSY_SUFFIXES if (folder / (stem + suffix)).is_file()]
    return f" ({names[0]} there cannot be one: its format may blur the ids)" if names else ""
