"""Synthetic scenes: label maps and pictures made by code, with a known truth of every style exchange.

Tests, the quick start and the edit benchmark run on them without any download. A scene is a function of (seed, index),
independent of order and process.

A `RegionStyle` is the look of a region, independent of its shape: two colours and a pattern that fills the whole
picture, of which the region shows its part. A pixel's colour depends on its region's style and its own place only, so
any exchange
of styles between two scenes has a known true picture: `paint(segmap_a, exchange(styles_a, styles_b, regions))`.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from sean.data.faces.drawing import can_draw_faces
from sean.data.synthetic.layouts import FACES, LAYOUTS, check_size, draw_layout
from sean.errors import InputError
from sean.files import write_text_atomic
from sean.images import image_to_tensor, write_image
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.segmap import write_segmap

PATTERNS = ("flat", "gradient", "stripes", "checks", "noise")

Color = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class RegionStyle:
    """How one region is painted.

    Attributes:
        base: main colour, (r, g, b) in 0..255.
        second: the colour that the pattern mixes in.
        pattern: "flat" (base only), "gradient" (from base to second across the picture), "stripes", "checks"
            or "noise" (smooth clouds).
        frequency: waves per shorter side of the picture.
        angle: direction of the pattern, radians.
        phase: shift of the pattern, 0..1 waves.
        contrast: largest share of the second colour, 0..1.
        seed: of the clouds of "noise".

    Raises:
        InputError: an unknown pattern, a colour outside 0..255 or a contrast outside 0..1.
    """

    base: Color
    second: Color = (128, 128, 128)
    pattern: str = "flat"
    frequency: float = 6.0
    angle: float = 0.0
    phase: float = 0.0
    contrast: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.pattern not in PATTERNS:
            raise InputError(f"unknown pattern {self.pattern!r}; choose from {', '.join(PATTERNS)}")
        for color in (self.base, self.second):
            if len(color) != 3 or not all(0 <= channel <= 255 for channel in color):
                raise InputError(f"a colour must be (r, g, b) in 0..255, got {color!r}")
        if not 0.0 <= self.contrast <= 1.0:
            raise InputError(f"contrast must be between 0 and 1, got {self.contrast!r}")


def random_style(rng: np.random.Generator) -> RegionStyle:
    """Draw a style: any two colours, any pattern, waves wide enough to be seen at 64 pixels."""
    base, second = ((int(r), int(g), int(b)) for r, g, b in rng.integers(0, 256, (2, 3)))
    return RegionStyle(
        base=base,
        second=second,
        pattern=PATTERNS[int(rng.integers(len(PATTERNS)))],
        frequency=float(rng.uniform(2.0, 9.0)),
        angle=float(rng.uniform(0.0, np.pi)),
        phase=float(rng.random()),
        contrast=float(rng.uniform(0.3, 1.0)),
        seed=int(rng.integers(2**31)),
    )


def exchange(
    styles_a: Sequence[RegionStyle], styles_b: Sequence[RegionStyle], regions: Iterable[int]
) -> tuple[RegionStyle, ...]:
    """Return the styles of a, with those of b for the given region ids.

    Raises:
        InputError: different numbers of styles, or an id outside them.
    """
    if len(styles_a) != len(styles_b):
        raise InputError(f"both scenes need as many styles, got {len(styles_a)} and {len(styles_b)}")
    chosen = set(regions)
    unknown = sorted(chosen - set(range(len(styles_a))))
    if unknown:
        raise InputError(f"region {unknown[0]} is outside the {len(styles_a)} styles 0..{len(styles_a) - 1}")
    return tuple(b if i in chosen else a for i, (a, b) in enumerate(zip(styles_a, styles_b, strict=True)))


def paint(segmap: np.ndarray, styles: Sequence[RegionStyle]) -> np.ndarray:
    """Paint every region of a label map in its style.

    Args:
        segmap: integers [h, w] in 0..k, where k ("no region") stays black.
        styles: k styles, one per label.

    Returns:
        uint8 [h, w, 3].

    Raises:
        InputError: not an integer map of two dimensions, or an id outside 0..k.
    """
    num_regions = len(styles)
    if segmap.ndim != 2 or segmap.size == 0 or not np.issubdtype(segmap.dtype, np.integer):
        raise InputError(f"expected an integer label map [h, w], got {segmap.dtype} {list(segmap.shape)}")
    if segmap.min() < 0 or segmap.max() > num_regions:
        raise InputError(
            f"label ids must be 0..{num_regions - 1} (or {num_regions} for none), one per style, "
            f"got {segmap.min()}..{segmap.max()}"
        )
    height, width = segmap.shape
    flat = segmap.ravel()
    order = np.argsort(flat, kind="stable")  # region by region
    ends = np.cumsum(np.bincount(flat, minlength=num_regions))
    shorter = min(height, width)
    y = ((order // width + 0.5) / shorter).astype(np.float32)
    x = ((order % width + 0.5) / shorter).astype(np.float32)
    image = np.zeros((height * width, 3), dtype=np.uint8)
    for style, start, end in zip(styles, np.append(0, ends), ends[:num_regions], strict=False):
        if end > start:
            image[order[start:end]] = _colors(style, y[start:end], x[start:end])
    return image.reshape(height, width, 3)


def _colors(style: RegionStyle, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The colours uint8 [n, 3] of a style at places [n] (units of the shorter side)."""
    base, second = np.asarray(style.base, np.float32), np.asarray(style.second, np.float32)
    amount = style.contrast * _amount(style, y, x)
    return np.asarray(np.rint(base + amount[:, None] * (second - base)).astype(np.uint8))


def _amount(style: RegionStyle, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The share of the second colour of a pattern at places [n]: float32 in 0..1."""
    cosine, sine = np.float32(np.cos(style.angle)), np.float32(np.sin(style.angle))
    across, along = x * cosine + y * sine, y * cosine - x * sine
    wave = np.float32(2 * np.pi * style.frequency)
    shift = np.float32(2 * np.pi * style.phase)
    if style.pattern == "flat":
        return np.zeros_like(x)
    if style.pattern == "gradient":
        slopes = (float(cosine), float(sine))
        low, high = sum(min(slope, 0.0) for slope in slopes), sum(max(slope, 0.0) for slope in slopes)
        return np.asarray(np.clip((across - low) / (high - low), 0.0, 1.0))
    if style.pattern == "stripes":
        return _soft_steps(np.sin(wave * across + shift))
    if style.pattern == "checks":
        return _soft_steps(np.sin(wave * across + shift) * np.sin(wave * along + shift))
    return _clouds(style, y, x)


def _soft_steps(wave: np.ndarray) -> np.ndarray:
    # Borders a pixel or two wide: hard ones would alias on small pictures.
    return np.asarray(0.5 + 0.5 * np.tanh(3.0 * wave))


def _clouds(style: RegionStyle, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(style.seed)
    count = 6
    angles, shifts = rng.uniform(0.0, 2 * np.pi, (2, count)).astype(np.float32)
    waves = (2 * np.pi * style.frequency * rng.uniform(0.4, 1.2, count)).astype(np.float32)
    total = np.zeros_like(x)
    for angle, shift, wave in zip(angles, shifts, waves, strict=True):
        total += np.sin(wave * (x * np.cos(angle) + y * np.sin(angle)) + shift)
    return np.asarray(0.5 + 0.5 * np.tanh(0.7 * total))


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
        seed: of the scenes; at least 0.
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
        if layouts is None:
            layouts = [name for name in LAYOUTS if can_draw_faces(labels) or name != FACES]
        unknown = [name for name in layouts if name not in LAYOUTS]
        if not layouts:
            raise InputError(f"expected at least one layout of {', '.join(LAYOUTS)}, got none")
        if unknown:
            raise InputError(f"unknown layout {unknown[0]!r}; choose from {', '.join(LAYOUTS)}")
        if FACES in layouts and not can_draw_faces(labels):
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
    """Paint scene a with the styles of scene b in the given regions: the true result of the exchange.

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
    """Write all scenes as a paired folder: images/*.png, labels/*.png and, last, classes.txt.

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
