"""Synthetic scenes as a training set: label maps and pictures made by code, with a known truth of every edit.

Tests, the quick start and the edit benchmark run on them without any download. A scene is a function of
(seed, index) only, in whatever order and process it is made.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from sean.data.scene_layouts import FACES, LAYOUTS, check_size, draw_layout
from sean.data.scenes import RegionStyle, exchange, paint, random_style
from sean.errors import InputError
from sean.files import write_text_atomic
from sean.images import image_to_tensor, write_image
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.segmap import write_segmap


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """A label map, the styles of all labels (absent ones too), and the picture that they make.

    Attributes:
        name: a name unique in its data set, fit for a file.
        labels: the label set, k regions.
        segmap: int64 [h, w] of ids 0 .. k-1.
        styles: k styles.
        image: uint8 [h, w, 3].
    """

    name: str
    labels: LabelSet
    segmap: np.ndarray
    styles: tuple[RegionStyle, ...]
    image: np.ndarray


class SyntheticScenes(Dataset[dict[str, Any]]):
    """`length` scenes of one size.

    A sample is a dict: image float32 [3, h, w] in [-1, 1], segmap int64 [h, w], name str.

    Args:
        size: (h, w) in pixels.
        length: number of scenes.
        seed: another seed, other scenes; at least 0.
        layouts: which of `LAYOUTS` to draw from; None takes all that the labels allow.
        labels: the label set; faces need CelebAMask-HQ's names.

    Raises:
        InputError: a bad size, length or seed, an unknown layout, or faces with other labels.
    """

    def __init__(
        self,
        *,
        size: tuple[int, int],
        length: int,
        seed: int = 0,
        layouts: Sequence[str] | None = None,
        labels: LabelSet = CELEBAMASK_HQ,
    ) -> None:
        check_size(size)
        if length < 1 or seed < 0:
            raise InputError(f"expected a length of at least 1 and a seed of at least 0, got {length} and {seed}")
        has_faces = labels.names == CELEBAMASK_HQ.names
        if layouts is None:
            layouts = [name for name in LAYOUTS if has_faces or name != FACES]
        unknown = [name for name in layouts if name not in LAYOUTS]
        if not layouts:
            raise InputError(f"expected at least one layout of {', '.join(LAYOUTS)}, got none")
        if unknown:
            raise InputError(f"unknown layout {unknown[0]!r}; choose from {', '.join(LAYOUTS)}")
        if FACES in layouts and not has_faces:
            raise InputError(
                f"layout 'faces' needs the labels {CELEBAMASK_HQ.name!r}, got {labels.name!r}; leave it out"
            )
        self.size = size
        self.length = length
        self.seed = seed
        self.layouts = tuple(layouts)
        self.labels = labels

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, key: tuple[int, int] | int) -> dict[str, Any]:
        """Return the sample of an index, or of (epoch, index): every epoch sees the same scenes."""
        scene = self.scene(key[1] if isinstance(key, tuple) else key)
        return {
            "image": image_to_tensor(scene.image),
            "segmap": torch.from_numpy(scene.segmap),
            "name": scene.name,
        }

    def scene(self, index: int) -> Scene:
        """Make scene `index`, 0 .. length-1.

        Raises:
            IndexError: outside that range.
        """
        if not 0 <= index < self.length:
            raise IndexError(f"scene {index} is outside 0..{self.length - 1}")
        rng = np.random.default_rng((self.seed, index))
        layout = self.layouts[int(rng.integers(len(self.layouts)))]
        segmap = draw_layout(layout, self.size, self.labels.num_regions, rng)
        styles = tuple(random_style(rng) for _ in range(self.labels.num_regions))
        return Scene(
            name=f"scene_{index:06d}",
            labels=self.labels,
            segmap=segmap,
            styles=styles,
            image=paint(segmap, styles),
        )


def true_exchange(scene_a: Scene, scene_b: Scene, regions: Iterable[str | int]) -> np.ndarray:
    """Paint scene a with the styles of scene b in the given regions: the picture an editor should make.

    Args:
        scene_a: gives the label map and the other styles.
        scene_b: gives the styles of `regions`, also of those that its own map does not show.
        regions: label names or ids.

    Returns:
        uint8 [h, w, 3], equal to scene a's picture outside the regions.

    Raises:
        InputError: an unknown region, or scenes of different label sets.
    """
    if scene_a.labels.names != scene_b.labels.names:
        raise InputError(f"the scenes have different labels: {scene_a.labels.name!r}, {scene_b.labels.name!r}")
    if isinstance(regions, str):
        regions = (regions,)
    ids = [scene_a.labels.id_of(region) for region in regions]
    return paint(scene_a.segmap, exchange(scene_a.styles, scene_b.styles, ids))


def write_paired(
    folder: str | os.PathLike[str],
    dataset: SyntheticScenes,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write all scenes in the paired layout: images/*.png, labels/*.png and, when all is there, classes.txt.

    Args:
        folder: a new folder, or one without pairs.
        dataset: the scenes.
        progress: called with (written, total) after every scene.

    Raises:
        InputError: the folder holds pairs already, or cannot be written.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise InputError(f"expected a folder to write scenes to, but {target} is a file")
    for part in (target / "images", target / "labels"):
        if part.exists() and any(part.iterdir()):
            raise InputError(f"{part} is not empty; give an empty folder for the synthetic scenes")
    for index in range(len(dataset)):
        scene = dataset.scene(index)
        write_image(target / "images" / f"{scene.name}.png", scene.image)
        write_segmap(target / "labels" / f"{scene.name}.png", scene.segmap, scene.labels)
        if progress is not None:
            progress(index + 1, len(dataset))
    write_text_atomic(target / "classes.txt", dataset.labels.to_classes_txt())
