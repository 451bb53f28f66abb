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

_MOST_PAGES = 32  # whose last messages are remembered


class UnknownSession(Exception):
    """There is no session of that id, or not any more; or not what it was asked for."""

    def __init__(self, detail: str = "there is no such session, or it has expired; begin a new one") -> None:
        super().__init__(detail)


def count_bytes(parts: Iterable[Any]) -> int:
    """The memory of arrays, tensors, pictures and bytes; parts that share memory count once.

    An array or tensor counts with all the memory that it keeps alive, also that of an array whose view it is.
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
    """A picture and everything done to it.

    Attributes:
        editor: of this picture.
        original: what the model sees of the photo, or what it first made of a drawn map; PNG.
        whole: the whole photo as the page shows it, PNG or JPEG; of a drawn picture, `original`.
        name: of the photo's file; empty where there is none.
        thumbnails: PNG files of the style photos, by name.
        number: counts the documents of a session.
        left_at: edits done when another picture was opened; those beyond were taken back before that.
    """

    editor: Editor
    original: bytes
    whole: bytes
    name: str = ""
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    number: int = 0
    left_at: float = math.inf

    def memory(self) -> Iterator[Any]:
        """The arrays, tensors, pictures and bytes that it holds."""
        yield from (self.original, self.whole, *self.thumbnails.values())
        yield from self.editor.memory()


@dataclass(eq=False)
class Documents:
    """A history of pictures: opening one is a step that undo takes back, between the edits of the two pictures.

    Attributes:
        current: the picture that is edited.
        most: how many pictures before it are kept.
    """

    current: Document
    most: int
    _earlier: list[Document] = field(default_factory=list)
    _later: list[Document] = field(default_factory=list)
    _count: int = 0

    def __iter__(self) -> Iterator[Document]:
        """All documents that are kept."""
        return iter((self.current, *self._earlier, *self._later))

    def open(self, document: Document, *, styles_stay: bool = True) -> None:
        """Go on with another picture; what was undone before cannot be redone any more.

        Args:
            document: of an editor that is not in use here yet.
            styles_stay: whether its editor knows the style photos of the current one (see `Editor.branch`).
        """
        self._count += 1
        document.number = self._count
        if styles_stay:
            document.thumbnails |= self.current.thumbnails
        self.current.left_at = self.current.editor.num_edits
        self.current.editor.forget_rendered()
        self._earlier = [*self._earlier, self.current][-self.most :]
        self._later.clear()
        self.current = document

    def find(self, number: int | None) -> Document | None:
        """The document of that number, where it is still kept; None stands for the current one."""
        if number is None:
            return self.current
        return next((each for each in self if each.number == number), None)

    def apply(self, edit: Edit, document: Document) -> None:
        """Do an edit, in the current picture or, where it was meant for one that has been left since, in that one."""
        document.editor.apply(edit)
        if document is self.current:
            self._later.clear()
            document.left_at = math.inf
        else:
            document.left_at = document.editor.num_edits

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit or an opening to take back."""
        return self.current.editor.can_undo or bool(self._earlier)

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit or an opening to do again."""
        return self._can_redo_edit or bool(self._later)

    @property
    def _can_redo_edit(self) -> bool:
        editor = self.current.editor
        return editor.can_redo and editor.num_edits < self.current.left_at

    def undo(self) -> bool:
        """Take the last edit or opening back; False where there is none."""
        if self.current.editor.undo():
            return True
        if not self._earlier:
            return False
        self.current.editor.forget_rendered()
        self._later.append(self.current)
        self.current = self._earlier.pop()
        return True

    def redo(self) -> bool:
        """Do the edit or opening again that was taken back last; False where there is none."""
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
    """One user's work. Its editors are touched in turns of the queue only, everything else in the event loop only.

    Attributes:
        id: known to its user alone.
        documents: the picture that is edited, and those opened before.
        state: what the user sees of the editor, as of the last turn.
        answered: number of the last message that was done for each page, so that one sent again is not done twice.
        connections: its open WebSockets.
        last_used: when it was last asked for anything, in seconds of the store's clock.
        num_bytes: memory of its documents, as of the last `measure`.
        expired: forgotten; whoever still holds it should let go.
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
        """A message of a page has been done, or refused."""
        before = self.answered.pop(page, 0)
        self.answered[page] = max(before, seq)
        while len(self.answered) > _MOST_PAGES:
            del self.answered[next(iter(self.answered))]

    @property
    def editor(self) -> Editor:
        """Of the picture that is edited."""
        return self.documents.current.editor

    @property
    def document(self) -> Document:
        """The picture that is edited."""
        return self.documents.current

    def measure(self) -> None:
        """Count the memory of the documents again; only in a turn of the queue."""
        self.num_bytes = count_bytes(part for document in self.documents for part in document.memory())


class SessionStore:
    """See the module.

    Args:
        limits: how many, how large, how long.
        on_expiry: called with each session that is forgotten.
        clock: seconds, for tests.
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
        """Estimated memory of all sessions."""
        return sum(session.num_bytes for session in self._sessions.values())

    def add(self, session: Session) -> None:
        """Take a new session in; others may have to go for it."""
        session.last_used = self._clock()
        self._sessions[session.id] = session
        self.make_room(session)

    def get(self, session_id: str) -> Session:
        """The session of an id, which counts as used now.

        Raises:
            UnknownSession: there is none.
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise UnknownSession
        self.touch(session)
        return session

    def touch(self, session: Session) -> None:
        """The session is used now."""
        session.last_used = self._clock()

    def remove(self, session: Session) -> None:
        """Forget a session."""
        if self._sessions.pop(session.id, None) is not None:
            session.expired = True
            self._on_expiry(session)

    def make_room(self, keep: Session) -> None:
        """Forget sessions until count and memory are within the limits.

        Those that nobody is connected to go first, and of these the ones unused for longest; `keep` stays.
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
        """All sessions there are."""
        return list(self._sessions.values())

    def sweep(self) -> None:
        """Forget the sessions unused for too long."""
        oldest = self._clock() - self._limits.idle_seconds
        for session in [session for session in self.all() if session.last_used < oldest]:
            self.remove(session)

    def clear(self) -> None:
        """Forget all."""
        for session in self.all():
            self.remove(session)
