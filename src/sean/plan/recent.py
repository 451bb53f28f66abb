"""The plans of the last few segmaps, found by content."""

from jaxtyping import Int
from torch import Tensor

from sean.plan.patch_plan import SegmapPlan
from sean.plan.planner import Edges, Planner

# A segmap that differs from a known one in fewer pixels than this share is taken for an edit of it.
_EDIT_SHARE = 0.25


class RecentPlans:
    """Makes plans, and makes them anew only as far as no similar segmap was planned lately.

    Args:
        capacity: how many segmaps are remembered.
    """

    def __init__(self, capacity: int = 4) -> None:
        self._capacity = capacity
        self._planners: list[Planner] = []

    def plan(
        self, segmap: Int[Tensor, "b h w"], variants: Int[Tensor, "b h w"] | None = None, *, edges: Edges | None = None
    ) -> SegmapPlan:
        """The plan of a segmap; see `plan_segmap` for the arguments. It lies on the CPU."""
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
