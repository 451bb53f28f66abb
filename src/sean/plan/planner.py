"""Plans of segmaps, updates of a plan after a window of the segmap has changed, and the plans of recent segmaps."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from sean.plan.level import Level, Maps, Window
from sean.plan.patch_plan import SCALES, PatchPlan, SegmapPlan

Edges = Bool[Tensor, "b h w"] | Int[Tensor, "b h w"]

# A segmap that differs from a known one in less than this share of the pixels counts as an edit of it.
_EDIT_SHARE = 0.25


def plan_segmap(
    segmap: Int[Tensor, "b h w"],
    variants: Int[Tensor, "b h w"] | None = None,
    scales: Sequence[int] = SCALES,
    *,
    edges: Edges | None = None,
) -> SegmapPlan:
    """The plan of a batch of segmaps, on their device. The numbering runs on the CPU.

    Args:
        segmap: label ids from 0; h and w are multiples of the largest scale.
        variants: number of the style-code matrix of every pixel; by default the number of its sample.
        scales: the fractions of the size to plan for.
        edges: 1 (or True) where a pixel lies at the edge of an instance (see `sean.segmap.instance_edges`), for models
            with instance edges; None makes a plan for models without.
    """
    return Planner(segmap, variants, scales, edges=edges).plan.to(segmap.device)


class Planner:
    """Keeps the plan of a segmap up to date, renumbering only the changed window.

    Patches keep their numbers from plan to plan, so the rows of one plan are the first rows of the next. The numbering
    starts anew when more than half of the numbers are out of use.

    Args:
        segmap: label ids from 0, [b, h, w].
        variants: see `plan_segmap`.
        scales: see `plan_segmap`.
        edges: see `plan_segmap`; all later segmaps have edges too, or none.

    Attributes:
        plan: the plan of the last segmap, on the CPU.
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
        """The number of pixels whose label, variant or edge differs from the last segmap.

        None if the size differs, or if only one of the two has edges.
        """
        maps = _maps(segmap, variants, edges)
        return int(maps.changes(self._maps).sum()) if maps.is_comparable(self._maps) else None

    def update(
        self, segmap: Int[Tensor, "b h w"], variants: Int[Tensor, "b h w"] | None = None, *, edges: Edges | None = None
    ) -> SegmapPlan:
        """The plan of a changed segmap of the same size.

        Raises:
            ValueError: the size differs, or only one of the two segmaps has edges.
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
            # the level contains the pixels i of a window [start, stop) with start <= i * scale < stop
            start_y, stop_y, start_x, stop_x = (-(-edge // scale) for edge in box)
            if start_y < stop_y and start_x < stop_x:
                self._renumber(index, (slice(start_y, stop_y), slice(start_x, stop_x)))
                plans[index] = self._levels[index].plan()
        return self._publish(plans)

    def memory(self) -> Iterator[np.ndarray | Tensor]:
        """The arrays and tensors that are kept for the next plan, those of the last plan included."""
        for holder in (self._maps, self.plan, *self.plan.levels, *self._levels):
            yield from (value for value in vars(holder).values() if isinstance(value, np.ndarray | Tensor))

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
        # copies, as a caller may change the plan's segmap, and the next update is compared with ours
        edges = self._maps.edges
        self.plan = SegmapPlan(
            segmap=torch.from_numpy(self._maps.labels.copy()),
            levels=tuple(plans),
            num_variants=int(self._maps.variants.max()) + 1,
            edges=None if edges is None else torch.from_numpy(edges.copy()),
        )
        return self.plan


def _maps(segmap: Tensor, variants: Tensor | None, edges: Tensor | None) -> Maps:
    """Copies of a segmap, of its variants (by default the number of the sample) and of its edges."""
    labels = segmap.cpu().numpy().astype(np.int64)
    samples = np.broadcast_to(np.arange(labels.shape[0])[:, None, None], labels.shape)
    return Maps(
        labels,
        samples if variants is None else variants.cpu().numpy().astype(np.int64),
        None if edges is None else edges.cpu().numpy() != 0,
    )


class RecentPlans:
    """Makes plans, starting from the plan of a similar recent segmap if there is one.

    Args:
        capacity: number of segmaps to remember.
    """

    def __init__(self, capacity: int = 4) -> None:
        self._capacity = capacity
        self._planners: list[Planner] = []

    def memory(self) -> Iterator[np.ndarray | Tensor]:
        """The arrays and tensors of the remembered plans."""
        for planner in self._planners:
            yield from planner.memory()

    def plan(
        self, segmap: Int[Tensor, "b h w"], variants: Int[Tensor, "b h w"] | None = None, *, edges: Edges | None = None
    ) -> SegmapPlan:
        """The plan of a segmap, on the CPU; see `plan_segmap` for the arguments."""
        best, fewest = None, _EDIT_SHARE * segmap.numel()
        for planner in self._planners:
            changes = planner.count_changes(segmap, variants, edges=edges)
            if changes is not None and changes < fewest:
                best, fewest = planner, changes
        if best is None:
            best = Planner(segmap, variants, edges=edges)
        else:
            self._planners.remove(best)
            best.update(segmap, variants, edges=edges)
        self._planners = [best, *self._planners][: self._capacity]
        return best.plan
