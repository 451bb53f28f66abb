"""Making plans: of a whole batch of segmaps, and of a segmap in which only a window has changed."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from sean.plan.level import Level, Maps, Window
from sean.plan.patch_plan import SCALES, PatchPlan, SegmapPlan

Edges = Bool[Tensor, "b h w"] | Int[Tensor, "b h w"]


def plan_segmap(
    segmap: Int[Tensor, "b h w"],
    variants: Int[Tensor, "b h w"] | None = None,
    scales: Sequence[int] = SCALES,
    *,
    edges: Edges | None = None,
) -> SegmapPlan:
    """The plan of a batch of segmaps, on their device. The counting itself runs on the CPU.

    Args:
        segmap: label ids from 0; h and w are multiples of the largest scale.
        variants: which style-code matrix every pixel takes its code from; by default the number of its sample.
        scales: the fractions of the size to plan for.
        edges: 1 (or True) where a pixel lies at the edge of an instance (see `sean.segmap.instance_edges`), for models
            with instance edges; None makes a plan for models without.
    """
    return Planner(segmap, variants, scales, edges=edges).plan.to(segmap.device)


class Planner:
    """A segmap's plan that follows changes of the segmap, renumbering only what has changed.

    Patches keep their numbers from plan to plan, so that rows made for one plan are the first rows of the next. When
    more than half of the numbers are out of use the numbering starts afresh.

    Args:
        segmap: label ids from 0, [b, h, w].
        variants: see `plan_segmap`.
        scales: see `plan_segmap`.
        edges: see `plan_segmap`; whether there are any stays so.

    Attributes:
        plan: of the last segmap, on the CPU.
    """

    plan: SegmapPlan

    def __init__(
        self,
        segmap: Int[Tensor, "b h w"],
        variants: Int[Tensor, "b h w"] | None = None,
        scales: Sequence[int] = SCALES,
        *,
        edges: Edges | None = None,
    ) -> None:
        self._scales = tuple(scales)
        self._maps = _maps(segmap, variants, edges)
        self._levels = [Level(self._maps.resized(scale)) for scale in self._scales]
        self._publish([level.plan() for level in self._levels])

    def count_changes(
        self, segmap: Int[Tensor, "b h w"], variants: Int[Tensor, "b h w"] | None = None, *, edges: Edges | None = None
    ) -> int | None:
        """How many pixels of a segmap (and its variants and edges) differ from the last one.

        None where its size differs, or only one of both has edges.
        """
        maps = _maps(segmap, variants, edges)
        return int(maps.changes(self._maps).sum()) if maps.is_comparable(self._maps) else None

    def update(
        self, segmap: Int[Tensor, "b h w"], variants: Int[Tensor, "b h w"] | None = None, *, edges: Edges | None = None
    ) -> SegmapPlan:
        """The plan of a changed segmap of the same size.

        Raises:
            ValueError: the size is another one, or only one of both has edges.
        """
        maps = _maps(segmap, variants, edges)
        self._check(maps)
        changed = maps.changes(self._maps)
        if not changed.any():
            return self.plan
        self._maps = maps
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

    def _check(self, maps: Maps) -> None:
        if maps.is_comparable(self._maps):
            return
        expected, got = self._maps.labels.shape, maps.labels.shape
        if expected != got:
            raise ValueError(f"expected a segmap of the planner's size {expected}, got {got}; make a planner for it")
        wanted, given = ("no edges", "some") if self._maps.edges is None else ("edges", "none")
        raise ValueError(f"expected {wanted} like those of the planner's segmaps, got {given}; make a planner for it")

    def _renumber(self, index: int, window: Window) -> None:
        level, maps = self._levels[index], self._maps.resized(self._scales[index])
        if not level.is_dense:
            level.renumber(maps, window)
        if level.is_dense or level.is_mostly_unused():
            self._levels[index] = Level(maps)

    def _publish(self, plans: Sequence[PatchPlan]) -> SegmapPlan:
        # copies: who paints on them must not change what the next update is compared with
        edges = self._maps.edges
        self.plan = SegmapPlan(
            segmap=torch.from_numpy(self._maps.labels.copy()),
            levels=tuple(plans),
            num_variants=int(self._maps.variants.max()) + 1,
            edges=None if edges is None else torch.from_numpy(edges.copy()),
        )
        return self.plan


def _maps(segmap: Tensor, variants: Tensor | None, edges: Tensor | None) -> Maps:
    """Copies of a segmap, of its variants, by default the number of the sample, and of its edges."""
    labels = segmap.cpu().numpy().astype(np.int64)
    samples = np.broadcast_to(np.arange(labels.shape[0])[:, None, None], labels.shape)
    return Maps(
        labels,
        samples if variants is None else variants.cpu().numpy().astype(np.int64),
        None if edges is None else edges.cpu().numpy() != 0,
    )
