"""The numbering of one resolution of a plan, and its update after a window has changed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sean.plan.patch_plan import NUM_TAPS, Numbering, PatchPlan
from sean.segmap import resize_segmap

Window = tuple[slice, slice]

# A level is dense if the distinct 3x3 patches exceed this share of the pixels. The share follows from the operation
# counts: a patch costs as much as a pixel of the convolution, and the sums over patches come on top. Levels below this
# many pixels gain nothing from a convolution.
_DENSE_SHARE = 0.5
_NEVER_DENSE_PIXELS = 1024

# The corners of a 3x3 block of 3x3 patches cover the 5x5 patch, so they suffice to distinguish 5x5 patches.
_CORNERS = (0, 2, 6, 8)
_LARGEST_CODE = 2**63


@dataclass(frozen=True, eq=False)
class Maps:
    """The maps that a plan describes, as arrays [b, h, w].

    Attributes:
        labels: label ids.
        variants: number of the style-code matrix of every pixel.
        edges: bool, whether a pixel lies at the edge of an instance; None for plans without edges.
    """

    labels: np.ndarray
    variants: np.ndarray
    edges: np.ndarray | None

    def resized(self, scale: int) -> "Maps":
        """The maps at 1 / scale of their size, by nearest interpolation."""
        height, width = self.labels.shape[1:]
        size = (height // scale, width // scale)
        edges = None if self.edges is None else resize_segmap(self.edges, size)
        return Maps(resize_segmap(self.labels, size), resize_segmap(self.variants, size), edges)

    def is_comparable(self, other: "Maps") -> bool:
        """Whether both have the same size and agree in having edges."""
        return self.labels.shape == other.labels.shape and (self.edges is None) == (other.edges is None)

    def changes(self, other: "Maps") -> np.ndarray:
        """The pixels in which two comparable maps differ, bool [b, h, w]."""
        changed: np.ndarray = (self.labels != other.labels) | (self.variants != other.variants)
        if self.edges is not None and other.edges is not None:
            changed |= self.edges != other.edges
        return changed


class Level:
    """The numbering of one resolution: tables that only grow, and maps with a border of zeros for the outside.

    Args:
        maps: maps at this resolution.
    """

    def __init__(self, maps: Maps) -> None:
        b, h, w = maps.labels.shape
        framed = (b, h + 2, w + 2)
        self.shape = (b, h, w)
        self.numbering = Numbering()
        self.label_patches = np.zeros((0, NUM_TAPS), np.int32)
        self.mask_patches: np.ndarray | None = np.zeros((0, NUM_TAPS), np.int32)
        self.regions = np.zeros((0, 2), np.int32)
        self.region_patches = np.zeros((0, NUM_TAPS), np.int32)
        self.rows = np.zeros((0, 2), np.int32)
        self.has_edges = maps.edges is not None
        self.symbol_map = np.zeros(framed, np.int32)
        self.label_patch_map = np.zeros(framed, np.int32)
        self.region_map = np.zeros(framed, np.int32)
        self.region_patch_map = np.zeros(self.shape, np.int32)
        self.pixels: np.ndarray = np.zeros(self.shape, np.int32)
        self.renumber(maps, (slice(0, h), slice(0, w)))

    def renumber(self, maps: Maps, window: Window) -> None:
        """Update the numbers for maps [b, h, w] that differ from the last ones inside `window` only.

        A level that becomes dense must be made anew by the caller.
        """
        inside = self._grown(window, 0)
        labels = maps.labels[inside]
        self.regions, regions = extend(self.regions, [maps.variants[inside].ravel(), labels.ravel()])
        symbols = labels if maps.edges is None else 2 * labels + maps.edges[inside]
        _unframed(self.symbol_map)[inside] = symbols + 1
        _unframed(self.region_map)[inside] = regions.reshape(labels.shape) + 1

        near = self._grown(window, 1)
        shape = self.symbol_map[near].shape
        self.label_patches, numbers = extend(self.label_patches, _taps(self.symbol_map, near))
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
        """Whether the rows are many and more than half of them no longer belong to a pixel."""
        num_rows = len(self.rows)
        if num_rows <= _NEVER_DENSE_PIXELS:
            return False
        return 2 * int(np.count_nonzero(np.bincount(self.pixels.ravel()))) < num_rows

    def plan(self) -> PatchPlan:
        """The plan of the present numbers; later changes do not affect it."""
        label_patches, rows, pixels = self.label_patches, self.rows, self.pixels.copy()
        if self.is_dense:
            everywhere = self._grown((slice(0, self.shape[1]), slice(0, self.shape[2])), 0)
            label_patches = np.stack(_taps(self.symbol_map, everywhere), axis=1)
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
            has_edges=self.has_edges,
        )

    def _grown(self, window: Window, margin: int) -> tuple[slice, slice, slice]:
        """A window with a margin, clipped to the picture; for maps without a border."""
        rows, columns = window
        return (
            slice(None),
            slice(max(rows.start - margin, 0), min(rows.stop + margin, self.shape[1])),
            slice(max(columns.start - margin, 0), min(columns.stop + margin, self.shape[2])),
        )


def _unframed(framed: np.ndarray) -> np.ndarray:
    return framed[:, 1:-1, 1:-1]


def _taps(framed: np.ndarray, window: tuple[slice, slice, slice]) -> list[np.ndarray]:
    """The nine neighbours of every pixel of a window, [p] each, from a map with a border."""
    _, rows, columns = window
    return [
        framed[:, rows.start + dy : rows.stop + dy, columns.start + dx : columns.stop + dx].ravel()
        for dy in range(3)
        for dx in range(3)
    ]


def extend(
    known: np.ndarray, columns: Sequence[np.ndarray], key: Sequence[int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Look up rows among the known rows, and append the new ones.

    Args:
        known: distinct rows [m, q], integers from 0. Exact as long as the number of rows times the largest integer
            stays below 2^63.
        columns: the q columns of the found rows, each [p], integers from 0.
        key: the columns by which rows are distinguished; None means all.

    Returns:
        All distinct rows [m', q], the first m of which are `known`, and the number of every row of `columns` [p].
    """
    key = range(len(columns)) if key is None else key
    codes = _codes([np.concatenate([known[:, index], columns[index]]) for index in key])
    # neighbours are mostly equal, so sorting only the first row of each run is several times cheaper
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    _, first, ids = np.unique(codes[starts], return_index=True, return_inverse=True)
    # in order of appearance, so that the known rows keep their numbers
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    lengths = np.diff(starts, append=len(codes))
    numbers = np.repeat(rank[ids], lengths)[len(known) :]
    new = starts[first[order[len(known) :]]] - len(known)
    rows = np.stack([column[new] for column in columns], axis=1)
    return np.concatenate([known, rows.astype(known.dtype)]), numbers


def _codes(columns: Sequence[np.ndarray]) -> np.ndarray:
    """One int64 per row, equal exactly where the rows are equal."""
    codes = columns[0].astype(np.int64)
    size = int(codes.max(initial=0)) + 1
    for column in columns[1:]:
        base = int(column.max(initial=0)) + 1
        if size * base >= _LARGEST_CODE:
            codes = np.unique(codes, return_inverse=True)[1]
            size = int(codes.max(initial=0)) + 1
        codes = codes * base + column
        size *= base
    return codes
