"""Augmentation of a training pair: resize, crop and mirror for picture and label map, other colours for regions.

A mirror exchanges left and right labels: the subject's left eye stays the left eye. Regions change their colours in
input and target alike: a style encoder that sees natural colours only learns to guess a region's colour from its label,
and renders blue hair grey. With recoloured regions the colour has to come from the picture.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from sean.errors import InputError
from sean.images import resize_image
from sean.labels import LabelSet
from sean.segmap import resize_segmap

_GAIN_SPREAD = 0.3
_OFFSET_SPREAD = 0.3 * 127.5  # 0.3 on [-1, 1]


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """One drawn geometry: resize to `resized` (h, w), cut `size` at (`top`, `left`), perhaps mirror.

    Negative `top` and `left` are a margin around a smaller picture: it is filled by reflection.
    """

    resized: tuple[int, int]
    size: tuple[int, int]
    top: int
    left: int
    mirror: bool

    def image(self, image: np.ndarray) -> np.ndarray:
        """uint8 [h, w, 3] -> uint8 [*size, 3]; antialiased."""
        return self._cut(resize_image(image, self.resized))

    def segmap(self, segmap: np.ndarray, labels: LabelSet) -> np.ndarray:
        """int64 [h, w] -> int64 [*size]; nearest, left and right labels exchanged in a mirror."""
        cut = self._cut(resize_segmap(segmap, self.resized))
        if self.mirror and labels.flip_pairs:
            return np.array(labels.flip_table, dtype=np.int64)[cut]
        return cut

    def instances(self, instances: np.ndarray) -> np.ndarray:
        """int64 [h, w] -> int64 [*size]; nearest, the numbers stay."""
        return self._cut(resize_segmap(instances, self.resized))

    def _cut(self, array: np.ndarray) -> np.ndarray:
        height, width = self.size
        cut = array[max(self.top, 0) : self.top + height, max(self.left, 0) : self.left + width]
        if cut.shape[:2] != self.size:
            before = (max(-self.top, 0), max(-self.left, 0))
            margins = [(b, whole - b - part) for b, whole, part in zip(before, self.size, cut.shape[:2], strict=True)]
            cut = np.pad(cut, [*margins, *[(0, 0)] * (array.ndim - 2)], mode="reflect")
        return np.ascontiguousarray(cut[:, ::-1] if self.mirror else cut)


def _offset(chance: float, room: int) -> int:
    """The place of the cut. A margin is divided more evenly, so that no reflection reaches the middle of a face."""
    return int(chance * (room + 1)) if room >= 0 else -round((0.3 + 0.4 * chance) * -room)


@dataclass(frozen=True, kw_only=True)
class PairedTransform:
    """The geometry that brings pairs of any size to one size.

    Attributes:
        size: (h, w) of the result, in pixels.
        resize: with `crop`: the resized picture just covers `resize` times the size; 1.0 keeps the whole shorter side,
            1.12 (286 for a crop of 256) leaves room for the crop to move.
        shrink: with `crop`: pictures are scaled at random, from `shrink` to `resize` times the size; the margin of a
            smaller one is filled by its reflection. 1.0 scales all pictures alike.
        crop: keep the aspect and cut; otherwise stretch straight to the size.
        random: cut at a random place; otherwise in the middle.
        flip: mirror every second picture, at random.

    Raises:
        InputError: a size below 1, a `resize` below 1, a `shrink` outside 0.5..1, or either without `crop`.
    """

    size: tuple[int, int]
    resize: float = 1.0
    shrink: float = 1.0
    crop: bool = True
    random: bool = True
    flip: bool = True

    def __post_init__(self) -> None:
        if min(self.size) < 1:
            raise InputError(f"expected a size (h, w) of at least 1 pixel, got {self.size}")
        if not 1.0 <= self.resize <= 16.0:
            raise InputError(f"expected a resize factor in 1..16 (1 = as large as the crop), got {self.resize}")
        if not self.crop and self.resize != 1.0:
            raise InputError(f"a resize factor ({self.resize}) needs crop; switch crop on or leave it 1")
        if not 0.5 < self.shrink <= 1.0 or (self.shrink != 1.0 and not self.crop):
            raise InputError(f"expected shrink in (0.5, 1], and 1 without crop, got {self.shrink}")

    def evaluation(self) -> "PairedTransform":
        """The same without random choices: the largest centred cut, never mirrored."""
        return replace(self, resize=1.0, shrink=1.0, random=False, flip=False)

    def draw(self, shape: tuple[int, int], rng: np.random.Generator) -> Geometry:
        """Draw a geometry for a pair of `shape` (h, w). Always takes the same number of values from `rng`."""
        resized, resize = self.size, self.resize
        if self.shrink != 1.0:
            resize = self.shrink + rng.random() * (self.resize - self.shrink)
        if self.crop:
            targets = [round(extent * resize) for extent in self.size]
            scale = max(target / extent for target, extent in zip(targets, shape, strict=True))
            height, width = (max(target, round(extent * scale)) for target, extent in zip(targets, shape, strict=True))
            resized = (height, width)
        down, across, coin = rng.random(3)
        room = (resized[0] - self.size[0], resized[1] - self.size[1])
        if self.random:
            top, left = _offset(down, room[0]), _offset(across, room[1])
        else:
            top, left = room[0] // 2, room[1] // 2
        mirror = bool(self.flip and coin < 0.5)
        return Geometry(resized=resized, size=self.size, top=top, left=left, mirror=mirror)

    def __call__(
        self, image: np.ndarray, segmap: np.ndarray, labels: LabelSet, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Transform uint8 [h, w, 3] and int64 [h, w] into uint8 [*size, 3] and int64 [*size]."""
        height, width = segmap.shape
        geometry = self.draw((height, width), rng)
        return geometry.image(image), geometry.segmap(segmap, labels)


@dataclass(frozen=True, kw_only=True)
class Recolor:
    """Random recolouring of regions. Labels of one material, such as skin and nose, change together.

    Attributes:
        probability: in [0, 1], for every group of labels (or label outside all groups) of a picture.

    Raises:
        InputError: a probability out of range.
    """

    probability: float

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise InputError(f"expected a probability in [0, 1], got {self.probability}")

    def __call__(self, image: np.ndarray, segmap: np.ndarray, labels: LabelSet, rng: np.random.Generator) -> np.ndarray:
        """Draw new colours: gain exp(N(0, 0.3)) and offset N(0, 0.3), on [-1, 1], of each channel of a region.

        Args:
            image: uint8 [h, w, 3].
            segmap: int64 [h, w], ids 0..k; pixels of no region stay.
            labels: of the map.
            rng: the draws depend on `labels` alone, not on which regions the map has.

        Returns:
            uint8 [h, w, 3]; new colours fade in over one pixel at a region's border.
        """
        groups = labels.materials
        coins = rng.random(len(groups))
        gains = np.exp(rng.normal(0.0, _GAIN_SPREAD, (len(groups), 3)))
        offsets = rng.normal(0.0, _OFFSET_SPREAD, (len(groups), 3))
        recolored: np.ndarray | None = None
        for group, coin, gain, offset in zip(groups, coins, gains, offsets, strict=True):
            if coin >= self.probability:
                continue
            inside = np.isin(segmap, group)
            if not inside.any():
                continue
            if recolored is None:
                recolored = image.astype(np.float32)
            weight = ndimage.uniform_filter(inside.astype(np.float32), 3, mode="nearest")[..., None]
            # the gain works about the middle grey of [-1, 1]
            other = (recolored - 127.5) * gain.astype(np.float32) + (127.5 + offset).astype(np.float32)
            recolored += weight * (other - recolored)
        return image if recolored is None else np.rint(recolored.clip(0, 255)).astype(np.uint8)
