"""Making plans: of a whole batch of segmaps, and of a segmap in which only a window has changed."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from sean.plan.numbering import extend
from sean.plan.patch_plan import NUM_TAPS, SCALES, Numbering, PatchPlan, SegmapPlan
from sean.segmap import resize_segmap

Window = tuple[slice, slice]

# Dense where the distinct 3x3 patches exceed this share of the pixels, by count of operations: every patch costs a
# pixel's share of the convolution, and the sums over patches come on top. Below this many pixels there is nothing to
# gain from a convolution.
_DENSE_SHARE = 0.5
_NEVER_DENSE_PIXELS = 1024

# The corners of a 3x3 of 3x3 patches cover the 5x5 patch, so they alone tell 5x5 patches apart.
_CORNERS = (0, 2, 6, 8)


def plan_segmap(
    segmap: Int[Tensor, "b h w"], variants: Int[Tensor, "b h w"] | None = None, scales: Sequence[int] = SCALES
) -> SegmapPlan:
    """The plan of a batch of segmaps, on their device. The counting itself runs on the CPU.

    Args:
        segmap: label ids from 0; h and w are multiples of the largest scale.
        variants: which style-code matrix every pixel takes its code from; by default the number of its sample.
        scales: the fractions of the size to plan for.
    """
    return Planner(segmap, variants, scales).plan.to(segmap.device)


class Planner:
    """A segmap's plan that follows changes of the segmap, renumbering only what has changed.

    Patches keep their numbers from plan to plan, so that rows made for one plan are the first rows of the next. When
    more than half of the numbers are out of use the numbering starts afresh.

    Args:
        segmap: label ids from 0, [b, h, w].
        variants: see `plan_segmap`.
        scales: see `plan_segmap`.

    Attributes:
        plan: of the last segmap, on the CPU.
    """

    plan: SegmapPlan

    def __init__(
        self,
        segmap: Int[Tensor, "b h w"],
        variants: Int[Tensor, "b h w"] | None = None,
        scales: Sequence[int] = SCALES,
    ) -> None:
        self._scales = tuple(scales)
        self._segmap, self._variants = _arrays(segmap, variants)
        self._levels = [_Level(*self._at(scale)) for scale in self._scales]
        self._publish([level.plan() for level in self._levels])

    def count_changes(self, segmap: Int[Tensor, "b h w"], variants: Int[Tensor, "b h w"] | None = None) -> int | None:
        """How many pixels of a segmap (and its variants) differ from the last one; None where its size differs."""
        if tuple(segmap.shape) != self._segmap.shape:
            return None
        return int(self._changes(*_arrays(segmap, variants)).sum())

    def update(self, segmap: Int[Tensor, "b h w"], variants: Int[Tensor, "b h w"] | None = None) -> SegmapPlan:
        """The plan of a changed segmap of the same size.

        Raises:
            ValueError: the size is another one.
        """
        if tuple(segmap.shape) != self._segmap.shape:
            raise ValueError(f"expected a segmap of the planner's size {self._segmap.shape}, got {tuple(segmap.shape)}")
        arrays = _arrays(segmap, variants)
        changed = self._changes(*arrays)
        if not changed.any():
            return self.plan
        self._segmap, self._variants = arrays
        rows = np.flatnonzero(changed.any(axis=(0, 2)))
        columns = np.flatnonzero(changed.any(axis=(0, 1)))
        box = (int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
        plans = list(self.plan.levels)
        for index, scale in enumerate(self._scales):
            # of a window [start, stop) the level sees the pixels i with start <= i * scale < stop
            start_y, stop_y, start_x, stop_x = (-(-edge // scale) for edge in box)
            if start_y < stop_y and start_x < stop_x:
                self._renumber(index, (slice(start_y, stop_y), slice(start_x, stop_x)))
                plans[index] = self._levels[index].plan()
        return self._publish(plans)

    def _renumber(self, index: int, window: Window) -> None:
        level, maps = self._levels[index], self._at(self._scales[index])
        if not level.is_dense:
            level.renumber(*maps, window)
        if level.is_dense or level.is_mostly_unused():
            self._levels[index] = _Level(*maps)

    def _changes(self, segmap: np.ndarray, variants: np.ndarray) -> np.ndarray:
        return (segmap != self._segmap) | (variants != self._variants)

    def _publish(self, plans: Sequence[PatchPlan]) -> SegmapPlan:
        # a copy: who paints on it must not change what the next update is compared with
        self.plan = SegmapPlan(
            segmap=torch.from_numpy(self._segmap.copy()),
            levels=tuple(plans),
            num_variants=int(self._variants.max()) + 1,
        )
        return self.plan

    def _at(self, scale: int) -> tuple[np.ndarray, np.ndarray]:
        height, width = self._segmap.shape[1:]
        size = (height // scale, width // scale)
        return resize_segmap(self._segmap, size), resize_segmap(self._variants, size)


def _arrays(segmap: Tensor, variants: Tensor | None) -> tuple[np.ndarray, np.ndarray]:
    """Copies of a segmap and of its variants, by default the number of the sample."""
    labels = segmap.cpu().numpy().astype(np.int64)
    if variants is not None:
        return labels, variants.cpu().numpy().astype(np.int64)
    return labels, np.broadcast_to(np.arange(labels.shape[0])[:, None, None], labels.shape)


class _Level:
    """The numbers of one resolution: tables that only grow, and maps with a frame of zeros for the outside."""

    def __init__(self, segmap: np.ndarray, variants: np.ndarray) -> None:
        b, h, w = segmap.shape
        framed = (b, h + 2, w + 2)
        self.shape = (b, h, w)
        self.numbering = Numbering()
        self.label_patches = np.zeros((0, NUM_TAPS), np.int32)
        self.mask_patches: np.ndarray | None = np.zeros((0, NUM_TAPS), np.int32)
        self.regions = np.zeros((0, 2), np.int32)
        self.region_patches = np.zeros((0, NUM_TAPS), np.int32)
        self.rows = np.zeros((0, 2), np.int32)
        self.label_map = np.zeros(framed, np.int32)
        self.label_patch_map = np.zeros(framed, np.int32)
        self.region_map = np.zeros(framed, np.int32)
        self.region_patch_map = np.zeros(self.shape, np.int32)
        self.pixels: np.ndarray = np.zeros(self.shape, np.int32)
        self.renumber(segmap, variants, (slice(0, h), slice(0, w)))

    def renumber(self, segmap: np.ndarray, variants: np.ndarray, window: Window) -> None:
        """Take in a segmap [b, h, w] that differs from the last one inside `window` only.

        A level that becomes dense by this is to be made anew.
        """
        inside = self._grown(window, 0)
        labels = segmap[inside]
        self.regions, regions = extend(self.regions, [variants[inside].ravel(), labels.ravel()])
        _unframed(self.label_map)[inside] = labels + 1
        _unframed(self.region_map)[inside] = regions.reshape(labels.shape) + 1

        near = self._grown(window, 1)
        shape = self.label_map[near].shape
        self.label_patches, numbers = extend(self.label_patches, _taps(self.label_map, near))
        _unframed(self.label_patch_map)[near] = numbers.reshape(shape) + 1
        self.region_patches, numbers = extend(self.region_patches, _taps(self.region_map, near))
        self.region_patch_map[near] = numbers.reshape(shape)

        num_pixels = self.pixels.size
        assert self.mask_patches is not None, "a dense level has no numbers to go on from"
        if num_pixels > _NEVER_DENSE_PIXELS and len(self.label_patches) > _DENSE_SHARE * num_pixels:
            self.mask_patches = None
            return
        far = self._grown(window, 2)
        key = _CORNERS if min(self.shape[1:]) > 1 else None
        self.mask_patches, masks = extend(self.mask_patches, _taps(self.label_patch_map, far), key)
        self.rows, numbers = extend(self.rows, [masks, self.region_patch_map[far].ravel()])
        self.pixels[far] = numbers.reshape(self.pixels[far].shape)

    @property
    def is_dense(self) -> bool:
        """See `PatchPlan.is_dense`."""
        return self.mask_patches is None

    def is_mostly_unused(self) -> bool:
        """Whether more than half of a substantial number of rows belong to no pixel any more."""
        num_rows = len(self.rows)
        if num_rows <= _NEVER_DENSE_PIXELS:
            return False
        return 2 * int(np.count_nonzero(np.bincount(self.pixels.ravel()))) < num_rows

    def plan(self) -> PatchPlan:
        """The numbers as they are now; later changes do not touch it."""
        label_patches, rows, pixels = self.label_patches, self.rows, self.pixels.copy()
        if self.is_dense:
            everywhere = self._grown((slice(0, self.shape[1]), slice(0, self.shape[2])), 0)
            label_patches = np.stack(_taps(self.label_map, everywhere), axis=1)
            raster = np.arange(self.pixels.size, dtype=np.int32)
            rows = np.stack([raster, self.region_patch_map.ravel()], axis=1)
            pixels = raster.reshape(self.shape)
        return PatchPlan(
            label_patches=torch.from_numpy(label_patches),
            mask_patches=None if self.mask_patches is None else torch.from_numpy(self.mask_patches),
            regions=torch.from_numpy(self.regions),
            region_patches=torch.from_numpy(self.region_patches),
            mask_rows=torch.from_numpy(rows[:, 0].copy()),
            region_rows=torch.from_numpy(rows[:, 1].copy()),
            one_pair_each=bool((rows[:, 0] == np.arange(len(rows))).all()),
            pixels=torch.from_numpy(pixels),
            numbering=self.numbering,
        )

    def _grown(self, window: Window, margin: int) -> tuple[slice, slice, slice]:
        """A window with a margin around it, as far as the picture goes; for maps without a frame."""
        rows, columns = window
        return (
            slice(None),
            slice(max(rows.start - margin, 0), min(rows.stop + margin, self.shape[1])),
            slice(max(columns.start - margin, 0), min(columns.stop + margin, self.shape[2])),
        )


def _unframed(framed: np.ndarray) -> np.ndarray:
    return framed[:, 1:-1, 1:-1]


def _taps(framed: np.ndarray, window: tuple[slice, slice, slice]) -> list[np.ndarray]:
    """The nine neighbours of every pixel of a window, [p] each, from a map with a frame."""
    _, rows, columns = window
    return [
        framed[:, rows.start + dy : rows.stop + dy, columns.start + dx : columns.stop + dx].ravel()
        for dy in range(3)
        for dx in range(3)
    ]
