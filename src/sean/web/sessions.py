"""The sessions of all users, found by an unguessable id only, forgotten when unused, bounded in number and memory.

A session holds documents: the picture that is edited, and the pictures before it, for undo.
"""

import math
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image

from sean.editing.editor import Editor
from sean.editing.edits import Edit
from sean.web.limits import Limits
from sean.web.schemas import State
from sean.web.websocket import Connection

_MOST_PAGES = 32  # number of pages whose last messages are remembered


class UnknownSession(Exception):
    """The session is unknown or has expired, or it lacks the requested item."""

    def __init__(self, detail: str = "there is no such session, or it has expired; begin a new one") -> None:
        super().__init__(detail)


def count_bytes(parts: Iterable[Any]) -> int:
    """The memory of arrays, tensors, pictures and bytes; parts that share memory count once.

    A view of an array or tensor counts with all the memory that it keeps alive.
    """
    sizes: dict[int, int] = {}
    for part in parts:
        if isinstance(part, torch.Tensor):
            storage = part.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
        elif isinstance(part, np.ndarray):
            while isinstance(part.base, np.ndarray):
                part = part.base
            sizes[part.ctypes.data] = part.nbytes
        elif isinstance(part, Image.Image):
            sizes[id(part)] = part.width * part.height * len(part.getbands())
        else:
            sizes[id(part)] = len(part)
    return sum(sizes.values())


def new_id() -> str:
    """256 random bits as text for a URL."""
    return secrets.token_urlsafe(32)


@dataclass(eq=False, kw_only=True)
class Document:
    """A picture and its edits.

    Attributes:
        editor: editor of the picture.
        original: the part of the photo that the model sees, or the first render of a drawn map; PNG.
        whole: the whole photo as the page shows it, PNG or JPEG; for a drawn picture, `original`.
        name: name of the photo's file; empty for a drawn picture.
        thumbnails: PNG files of the style photos, by name.
        step: name that the page gave to the request that opened the document; empty if it gave none.
        style_steps: names that the page gave to the uploads of the style photos, by source.
        number: number of the document in its session.
        left_at: number of applied edits when another picture was opened; later edits were undone before that.
    """

    editor: Editor
    original: bytes
    whole: bytes
    name: str = ""
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    step: str = ""
    style_steps: dict[str, str] = field(default_factory=dict)
    number: int = 0
    left_at: float = math.inf

    def memory(self) -> Iterator[Any]:
        """The arrays, tensors, pictures and bytes that it holds."""
        yield from (self.original, self.whole, *self.thumbnails.values())
        yield from self.editor.memory()


@dataclass(eq=False)
class Documents:
    """A history of pictures: undo and redo also cover the opening of a picture, between the edits of two pictures.

    Attributes:
        current: the edited picture.
        most: number of earlier pictures to keep.
    """

    current: Document
    most: int
    _earlier: list[Document] = field(default_factory=list)
    _later: list[Document] = field(default_factory=list)
    _count: int = 0

    def __iter__(self) -> Iterator[Document]:
        """All kept documents."""
        return iter((self.current, *self._earlier, *self._later))

    def open(self, document: Document, step: str = "", *, styles_stay: bool = True) -> None:
        """Open another picture; undone edits can no longer be redone.

        Args:
            document: a new document.
            step: name that the page gave to the request; the state repeats it.
            styles_stay: whether its editor has the style photos of the current editor (see `Editor.branch`).
        """
        self._count += 1
        document.number, document.step = self._count, step
        if styles_stay:
            document.thumbnails |= self.current.thumbnails
            document.style_steps |= self.current.style_steps
        self.current.left_at = self.current.editor.num_edits
        self.current.editor.forget_rendered()
        self._earlier = [*self._earlier, self.current][-self.most :]
        self._later.clear()
        self.current = document

    def find(self, number: int | None) -> Document | None:
        """The kept document with a number, if any; a number of None means the current document."""
        if number is None:
            return self.current
        return next((each for each in self if each.number == number), None)

    def apply(self, edit: Edit, document: Document) -> None:
        """Apply an edit to its document, which may be an earlier one than the current document."""
        document.editor.apply(edit)
        if document is self.current:
            self._later.clear()
            document.left_at = math.inf
        else:
            document.left_at = document.editor.num_edits

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit or an opening to undo."""
        return self.current.editor.can_undo or bool(self._earlier)

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit or an opening to redo."""
        return self._can_redo_edit or bool(self._later)

    @property
    def _can_redo_edit(self) -> bool:
        editor = self.current.editor
        return editor.can_redo and editor.num_edits < self.current.left_at

    def undo(self) -> bool:
        """Undo the last edit or opening; False if there is none."""
        if self.current.editor.undo():
            return True
        if not self._earlier:
            return False
        self.current.editor.forget_rendered()
        self._later.append(self.current)
        self.current = self._earlier.pop()
        return True

    def redo(self) -> bool:
        """Redo the edit or opening that was undone last; False if there is none."""
        if self._can_redo_edit:
            return self.current.editor.redo()
        if not self._later:
            return False
        self.current.editor.forget_rendered()
        self._earlier.append(self.current)
        self.current = self._later.pop()
        return True


@dataclass(eq=False, kw_only=True)
class Session:
    """A user's session. Its editors are used in turns of the queue only, everything else in the event loop only.

    Attributes:
        id: secret id, known to the user only.
        documents: the edited picture and the pictures before it.
        state: the state for the user after the last turn.
        answered: number of the last message handled for each page, so that a message sent again is not handled twice.
        connections: the open WebSockets.
        last_used: time of the last request, in seconds of the store's clock.
        num_bytes: memory of its documents at the last `measure`.
        expired: whether the session has been dropped.
    """

    id: str
    documents: Documents
    state: State
    answered: dict[str, int] = field(default_factory=dict)
    connections: set[Connection] = field(default_factory=set)
    last_used: float = 0.0
    num_bytes: int = 0
    expired: bool = False

    def note_answered(self, page: str, seq: int) -> None:
        """Record that a message of a page has been handled or refused."""
        before = self.answered.pop(page, 0)
        self.answered[page] = max(before, seq)
        while len(self.answered) > _MOST_PAGES:
            del self.answered[next(iter(self.answered))]

    @property
    def editor(self) -> Editor:
        """The editor of the current document."""
        return self.documents.current.editor

    @property
    def document(self) -> Document:
        """The current document."""
        return self.documents.current

    def measure(self) -> None:
        """Count the memory of the documents again; only in a turn of the queue."""
        self.num_bytes = count_bytes(part for document in self.documents for part in document.memory())


class SessionStore:
    """See the module.

    Args:
        limits: limits on number, memory and idle time.
        on_expiry: called with each dropped session.
        clock: clock in seconds, replaceable in tests.
    """

    def __init__(
        self, limits: Limits, on_expiry: Callable[[Session], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._on_expiry = on_expiry
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def num_bytes(self) -> int:
        """Memory of all sessions."""
        return sum(session.num_bytes for session in self._sessions.values())

    def add(self, session: Session) -> None:
        """Add a new session; others may be dropped to make room."""
        session.last_used = self._clock()
        self._sessions[session.id] = session
        self.make_room(session)

    def get(self, session_id: str) -> Session:
        """The session with an id; it counts as used now.

        Raises:
            UnknownSession: the session does not exist.
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise UnknownSession
        self.touch(session)
        return session

    def touch(self, session: Session) -> None:
        """Record that the session is used now."""
        session.last_used = self._clock()

    def remove(self, session: Session) -> None:
        """Drop a session."""
        if self._sessions.pop(session.id, None) is not None:
            session.expired = True
            self._on_expiry(session)

    def make_room(self, keep: Session) -> None:
        """Drop sessions until count and memory are within the limits.

        Sessions without connections are dropped first, those unused for longest before others; `keep` stays.
        """
        num_bytes = self.num_bytes
        by_use = sorted(self.all(), key=lambda session: (bool(session.connections), session.last_used))
        for session in by_use:
            if len(self) <= self._limits.sessions and num_bytes <= self._limits.memory_bytes:
                return
            if session is not keep:
                num_bytes -= session.num_bytes
                self.remove(session)

    def all(self) -> list[Session]:
        """All sessions."""
        return list(self._sessions.values())

    def sweep(self) -> None:
        """Drop the sessions unused for too long."""
        oldest = self._clock() - self._limits.idle_seconds
        for session in [session for session in self.all() if session.last_used < oldest]:
            self.remove(session)

    def clear(self) -> None:
        """Drop all sessions."""
        for session in self.all():
            self.remove(session)
