"""Left and right in label maps of faces: corrected where they contradict the geometry of the face.

In the labels of CelebAMask-HQ, left is the subject's left, which lies on the right of the picture. About one face in
fifteen has the sides mixed up. The geometry of the face shows the right sides: seen along the direction from the eyes
to the mouth, the subject's left lies on the left. This holds for turned heads, too, but not for mirror images.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sean.data.folder import PairedFolder
from sean.data.manifest import file_checksum, write_manifest
from sean.errors import InputError
from sean.files import link_or_copy, read_text, write_text_atomic
from sean.labels import LabelSet
from sean.segmap import read_segmap, write_segmap

_PAIRS = (("l_eye", "r_eye"), ("l_brow", "r_brow"), ("l_ear", "r_ear"))
_UPPER = ("l_eye", "r_eye", "l_brow", "r_brow")
_LOWER = ("mouth", "u_lip", "l_lip")
_NEEDED = frozenset((*_UPPER, *_LOWER, "l_ear", "r_ear", "nose"))
_FEWEST_PIXELS = 5
"""Smaller regions are noise and are ignored."""
_CLEAR = 0.15
"""Distance from the middle, in units of eyes to mouth, from which a region without a partner is clearly on one side."""


def mend_sides(segmap: np.ndarray, labels: LabelSet) -> tuple[np.ndarray, tuple[str, ...]]:
    """Exchange left and right of eyes, brows and ears where they contradict the geometry; each of the three separately.

    A face without eyes and brows, or without mouth and lips, stays as it is. A single eye, brow or ear near the middle
    follows the others.

    Args:
        segmap: int64 [h, w], ids 0..k.
        labels: with the names of CelebAMask-HQ.

    Returns:
        The corrected map, and the exchanged names as "l_eye, r_eye"; an unchanged map and no names if all sides are
        right.

    Raises:
        InputError: the labels are not those of faces.
    """
    check_face_labels(labels)
    centres = {name: _centre(segmap == labels.id_of(name)) for name in _NEEDED}
    upper, lower = ([centre for name in names if (centre := centres[name]) is not None] for names in (_UPPER, _LOWER))
    if not upper or not lower:
        return segmap, ()
    top = np.mean(upper, axis=0)
    down = np.mean(lower, axis=0) - top
    nose = centres["nose"]
    middle = top if nose is None else nose
    verdicts: dict[tuple[str, str], bool | None] = {}
    for left, right in _PAIRS:
        left_centre, right_centre = centres[left], centres[right]
        if left_centre is not None and right_centre is not None:
            across, least = left_centre - right_centre, 0.0
        elif left_centre is not None:
            across, least = left_centre - middle, _CLEAR
        elif right_centre is not None:
            across, least = middle - right_centre, _CLEAR
        else:
            continue
        # in distances from eyes to mouth, positive where the subject's left is at the right of a viewer
        side = (across[1] * down[0] - across[0] * down[1]) / max(float(down @ down), 1.0)
        verdicts[left, right] = None if abs(side) < least else bool(side < 0)
    known = {verdict for verdict in verdicts.values() if verdict is not None}
    others = known == {True}  # the decision that a region near the middle follows
    exchanged = [pair for pair, verdict in verdicts.items() if (others if verdict is None else verdict)]
    table = np.arange(labels.num_regions + 1)
    for left, right in exchanged:
        table[[labels.id_of(left), labels.id_of(right)]] = labels.id_of(right), labels.id_of(left)
    return (table[segmap] if exchanged else segmap), tuple(f"{left}, {right}" for left, right in exchanged)


@dataclass(frozen=True, kw_only=True)
class MendedSides:
    """The result of `mend_folder`.

    Attributes:
        num_pairs: all pairs.
        exchanged: the exchanged labels, by the names of the pairs.
    """

    num_pairs: int
    exchanged: Mapping[str, tuple[str, ...]]


def mend_folder(
    source: PairedFolder, destination: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None
) -> MendedSides:
    """Write a copy of a paired folder with left and right corrected in the label maps; the source does not change.

    Files that need no change are linked, or copied where the file system has no links. After an interrupt the same
    call writes the rest.

    Args:
        source: with the labels of faces.
        destination: a new folder, or one that this call began.
        progress: called with (done, total) after every pair.

    Raises:
        InputError: the labels are not those of faces, a map cannot be read, or the destination is a finished folder or
            cannot be written.
    """
    check_face_labels(source.labels)
    target = Path(destination)
    if (target / "classes.txt").exists():
        raise InputError(f"{target} is a data folder already; choose a new folder for the mended maps")
    exchanged: dict[str, tuple[str, ...]] = {}
    for done, stem in enumerate(source.stems, start=1):
        files = [source.images[stem], *([] if source.instances is None else [source.instances[stem]])]
        mended, found = mend_sides(read_segmap(source.segmaps[stem], source.labels), source.labels)
        if found:
            exchanged[stem] = found
            write_segmap(target / "labels" / f"{stem}.png", mended, source.labels)
        else:
            files.append(source.segmaps[stem])
        for file in files:
            link_or_copy(file, target / file.parent.name / file.name)
        if progress is not None:
            progress(done, len(source.stems))
    if source.manifest is not None:
        changed = {f"labels/{stem}.png" for stem in exchanged}
        checksums = {
            name: file_checksum(target / name) if name in changed else digest
            for name, digest in source.manifest.checksums.items()
        }
        write_manifest(target, replace(source.manifest, checksums=checksums))
    write_text_atomic(target / "classes.txt", read_text(source.root / "classes.txt"))
    return MendedSides(num_pairs=len(source.stems), exchanged=exchanged)


def check_face_labels(labels: LabelSet) -> None:
    """Raise InputError if labels lack the names of a face's parts."""
    missing = sorted(_NEEDED - set(labels.names))
    if missing:
        raise InputError(
            f"expected the labels of faces, as CelebAMask-HQ has them, but {labels.name!r} lacks {', '.join(missing)}"
        )


def _centre(region: np.ndarray) -> np.ndarray | None:
    """Mean place (y, x) of a region, float64 [2]; None if it has hardly any pixels."""
    places = np.argwhere(region)
    return None if len(places) < _FEWEST_PIXELS else places.mean(axis=0)
