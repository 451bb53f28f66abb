"""A session: a beginning, the edits since then, undo and redo; how it begins and is rendered is left to the editor."""

from collections.abc import Iterable, Iterator
from functools import partial

from sean.editing.edits import Edit
from sean.editing.history import History
from sean.editing.sources import Sources
from sean.editing.state import Base, EditorState, Region, applied
from sean.editing.tools import Tools
from sean.errors import InputError


class Session(Tools):
    """Edits and their history.

    Args:
        sources: the styles that edits can name.
        num_blocks: how many styles the model takes (`StyledModel.style_inputs`).
    """

    def __init__(self, sources: Sources, num_blocks: int) -> None:
        self._sources = sources
        self._num_blocks = num_blocks
        self._base: Base | None = None
        self._history: History | None = None

    def apply(self, edit: Edit) -> EditorState:
        """Do an edit; what was undone before it cannot be redone any more.

        Returns:
            The new state.

        Raises:
            InputError: it cannot be done here (see `sean.editing.state.applied`); nothing has changed then.
        """
        return self._begun_history.push(edit)

    def after(self, edit: Edit) -> EditorState:
        """The state that an edit would give, which is not done: for a preview."""
        return applied(self.state, edit, self._begun)

    def replay(self, edits: Iterable[Edit]) -> None:
        """Do edits one after the other.

        Raises:
            InputError: one cannot be done; the message gives its number, from 1. Those before it are done then.
        """
        for number, edit in enumerate(edits, start=1):
            try:
                self.apply(edit)
            except InputError as error:
                raise InputError(f"edit {number}: {error}") from None

    def undo(self) -> bool:
        """Take the last edit back; False where there is none."""
        return self._history is not None and self._history.undo()

    def redo(self) -> bool:
        """Do the edit again that was taken back last; False where there is none."""
        return self._history is not None and self._history.redo()

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return self._history is not None and self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to do again."""
        return self._history is not None and self._history.can_redo

    @property
    def edits(self) -> Iterator[Edit]:
        """The edits done so far; `num_edits` of them."""
        return iter(()) if self._history is None else self._history.done()

    @property
    def num_edits(self) -> int:
        """How many edits are done."""
        return 0 if self._history is None else self._history.position

    @property
    def begun(self) -> bool:
        """Whether there is a picture or a map to edit."""
        return self._history is not None

    @property
    def state(self) -> EditorState:
        """The map, the instances and the styles set so far."""
        return self._begun_history.state

    @property
    def regions(self) -> list[Region]:
        """The regions of the map and their styles."""
        return self._begun.regions(self.state)

    @property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """The sources for `set_style` ("region:NAME" besides), and the regions that each has a style for."""
        return self._sources.names()

    def _begin(self, state: EditorState) -> None:
        if self._history is not None:
            self._history.close()
        self._base = Base(state=state, sources=self._sources, num_blocks=self._num_blocks)
        self._history = History(state, partial(applied, base=self._base))

    @property
    def _begun_history(self) -> History:
        if self._history is None:
            raise InputError("expected a picture or a map to edit; begin with set_image or set_segmap")
        return self._history

    @property
    def _begun(self) -> Base:
        if self._base is None:
            raise InputError("expected a picture or a map to edit; begin with set_image or set_segmap")
        return self._base
