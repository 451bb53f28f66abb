"""The plans of the most recent segmaps, looked up by content."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int
from torch import Tensor

from sean.plan.patch_plan import SegmapPlan
from sean.plan.planner import Edges, Planner

# A segmap that differs from a known one in less than this share of the pixels counts as an edit of it.
_EDIT_SHARE = 0.25


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
