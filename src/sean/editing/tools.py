"""The edits as methods: each builds the value of an edit and applies it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from sean.editing.edits import (
    Edit,
    Erase,
    Fill,
    Paint,
    Polygon,
    ReplaceLabel,
    ResetSegmap,
    SetStyle,
    SplitRegion,
    new_edit,
)
from sean.editing.state import EditorState

Points = Iterable[Sequence[float]]
Regions = str | int | Iterable[str | int]


class Tools(ABC):
    """What can be done to a picture. Points may be any pairs of numbers: the edits check them."""

    @abstractmethod
    def apply(self, edit: Edit) -> EditorState:
        """Do an edit; returns the new state."""

    def paint(self, points: Points, radius: float, label: str | int) -> None:
        """See `sean.editing.edits.Paint`."""
        self.apply(new_edit(Paint, points=list(points), radius=radius, label=label))

    def erase(self, points: Points, radius: float) -> None:
        """See `sean.editing.edits.Erase`."""
        self.apply(new_edit(Erase, points=list(points), radius=radius))

    def fill(self, point: Sequence[float], label: str | int) -> None:
        """See `sean.editing.edits.Fill`."""
        self.apply(new_edit(Fill, point=point, label=label))

    def polygon(self, points: Points, label: str | int) -> None:
        """See `sean.editing.edits.Polygon`."""
        self.apply(new_edit(Polygon, points=list(points), label=label))

    def replace_label(self, old: str | int, new: str | int) -> None:
        """See `sean.editing.edits.ReplaceLabel`."""
        self.apply(ReplaceLabel(old=old, new=new))

    def reset_segmap(self) -> None:
        """See `sean.editing.edits.ResetSegmap`."""
        self.apply(ResetSegmap())

    def split_region(self, point: Sequence[float]) -> int:
        """See `sean.editing.edits.SplitRegion`; returns the number of the new instance."""
        return int(self.apply(new_edit(SplitRegion, point=point)).instances.max())

    def set_style(
        self,
        source: str,
        regions: Regions | None = None,
        *,
        strength: float = 1.0,
        blocks: Iterable[int] | None = None,
        instance: int | None = None,
    ) -> None:
        """See `sean.editing.edits.SetStyle`; a single region needs no list."""
        if regions is not None:
            regions = (regions,) if isinstance(regions, str | int) else tuple(regions)
        chosen = None if blocks is None else tuple(blocks)
        self.apply(
            new_edit(SetStyle, source=source, regions=regions, strength=strength, blocks=chosen, instance=instance)
        )
