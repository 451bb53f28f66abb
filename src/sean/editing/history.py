"""Unlimited undo and redo in bounded memory.

Edits are small, states are large. Every edit is kept as a line of JSON in a file that moves from memory to disk as it
grows. The last few states are kept in memory, and one state in 64 is kept compressed in a second such file. Any other
state is recomputed from the snapshot before it; the result is the same, as applying an edit is a pure function.
"""

import json
import tempfile
import weakref
import zlib
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sean.editing.edits import Edit, edit_from_json
from sean.editing.state import EditorState, new_state

_IN_MEMORY = 1 << 20
_SNAPSHOT_EVERY = 64
_NUM_KEPT = 32


class History:
    """The states of a session, one after each edit, and the present position among them.

    Args:
        beginning: the state before the first edit.
        apply: pure function from a state and an edit to the next state.
    """

    def __init__(self, beginning: EditorState, apply: Callable[[EditorState, Edit], EditorState]) -> None:
        self._beginning = beginning
        self._apply = apply
        self._edits, self._snapshots = _Lines(), _Lines()
        self._recent: OrderedDict[int, EditorState] = OrderedDict()
        self._position = 0
        self.state = beginning

    @property
    def position(self) -> int:
        """Number of applied edits."""
        return self._position

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to undo."""
        return self._position > 0

    @property
    def can_redo(self) -> bool:
        """Whether an edit was undone since the last new one."""
        return self._position < len(self._edits)

    def push(self, edit: Edit) -> EditorState:
        """Apply an edit and drop undone edits. If applying fails, nothing has changed."""
        state = self._apply(self.state, edit)
        self._edits.cut(self._position)
        self._snapshots.cut(self._position // _SNAPSHOT_EVERY)
        for position in [position for position in self._recent if position > self._position]:
            del self._recent[position]
        self._edits.append(json.dumps(edit.to_json()).encode())
        self._move(self._position + 1, state)
        return state

    def undo(self) -> bool:
        """Undo the last edit; False if there is no edit."""
        if not self.can_undo:
            return False
        self._move(self._position - 1, self._state_at(self._position - 1))
        return True

    def redo(self) -> bool:
        """Redo the edit that was undone last; False if there is no such edit."""
        if not self.can_redo:
            return False
        self._move(self._position + 1, self._state_at(self._position + 1))
        return True

    def done(self) -> Iterator[Edit]:
        """The applied edits, in order."""
        return map(self._edit, range(self._position))

    def undone(self) -> Iterator[Edit]:
        """The edits that can be redone, in order."""
        return map(self._edit, range(self._position, len(self._edits)))

    def memory(self) -> Iterator[np.ndarray]:
        """The arrays of the states that are kept uncompressed."""
        for state in (self._beginning, self.state, *self._recent.values()):
            yield from (state.segmap, state.instances)

    def close(self) -> None:
        """Close the files; the history must not be used afterwards."""
        self._edits.close()
        self._snapshots.close()

    def _edit(self, index: int) -> Edit:
        return edit_from_json(json.loads(self._edits.read(index)))

    def _move(self, position: int, state: EditorState) -> None:
        self._position, self.state = position, state
        self._keep(position, state)
        # all earlier snapshots exist, as positions are passed one by one
        if position == (len(self._snapshots) + 1) * _SNAPSHOT_EVERY:
            self._snapshots.append(_packed(state))

    def _keep(self, position: int, state: EditorState) -> None:
        self._recent[position] = state
        self._recent.move_to_end(position)
        if len(self._recent) > _NUM_KEPT:
            self._recent.popitem(last=False)

    def _state_at(self, position: int) -> EditorState:
        if position in self._recent:
            return self._recent[position]
        index = min(position // _SNAPSHOT_EVERY, len(self._snapshots))
        at = index * _SNAPSHOT_EVERY
        state = self._beginning if not index else _unpacked(self._snapshots.read(index - 1))
        for number in range(at, position):
            state = self._apply(state, self._edit(number))
            self._keep(number + 1, state)  # the next undo is likely to need it
        return state


class _Lines:
    """A growing list of byte strings in a file, which stays in memory while it is small."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 (closed below)
        self._ends = array("q")
        # explicitly, as the file may be on disk, and must not be left to the garbage collector
        self.close = weakref.finalize(self, self._file.close)

    def __len__(self) -> int:
        return len(self._ends)

    def append(self, data: bytes) -> None:
        begin = self._ends[-1] if self._ends else 0
        self._file.seek(begin)
        self._file.write(data)
        self._ends.append(begin + len(data))

    def read(self, index: int) -> bytes:
        begin = self._ends[index - 1] if index else 0
        self._file.seek(begin)
        return self._file.read(self._ends[index] - begin)

    def cut(self, length: int) -> None:
        """Drop all entries after the first `length`."""
        del self._ends[length:]


def _packed(state: EditorState) -> bytes:
    styles = [[*key, blocks] for key, blocks in state.styles.items()]
    head = json.dumps({"size": state.segmap.shape, "styles": styles}).encode()
    return zlib.compress(head + b"\n" + state.segmap.tobytes() + state.instances.tobytes(), 1)


def _unpacked(data: bytes) -> EditorState:
    head, _, maps = zlib.decompress(data).partition(b"\n")
    values: dict[str, Any] = json.loads(head)
    segmap, instances = np.frombuffer(maps, dtype=np.uint16).reshape(2, *values["size"])
    styles = {
        (label, instance): tuple(None if block is None else (block[0], block[1]) for block in blocks)
        for label, instance, blocks in values["styles"]
    }
    return new_state(segmap, instances, styles)
