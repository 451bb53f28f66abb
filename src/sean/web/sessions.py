"""The sessions of all users: found by an unguessable id only, forgotten when unused, bounded in number and memory."""

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sean.editing.editor import Editor
from sean.web.connection import Connection
from sean.web.documents import Document, Documents
from sean.web.limits import Limits
from sean.web.memory import Measured
from sean.web.schemas import State

_MOST_PAGES = 32  # whose last messages are remembered


class UnknownSession(Exception):
    """There is no session of that id, or not any more; or not what it was asked for."""

    def __init__(self, detail: str = "there is no such session, or it has expired; begin a new one") -> None:
        super().__init__(detail)


def new_id() -> str:
    """256 random bits as text for a URL."""
    return secrets.token_urlsafe(32)


@dataclass(eq=False, kw_only=True)
class Session(Measured):
    """One user's work. Its editors are touched in turns of the queue only, everything else in the event loop only.

    Attributes:
        id: known to its user alone.
        documents: the picture that is edited, and those opened before.
        state: what the user sees of the editor, as of the last turn.
        answered: number of the last message that was done for each page, so that one sent again is not done twice.
        connections: its open WebSockets.
        last_used: when it was last asked for anything, in seconds of the store's clock.
        num_bytes: estimated memory.
        measured_at: when that was, in seconds of `time.monotonic`.
        expired: forgotten; whoever still holds it should let go.
    """

    id: str
    documents: Documents
    state: State
    answered: dict[str, int] = field(default_factory=dict)
    connections: set[Connection] = field(default_factory=set)
    last_used: float = 0.0
    num_bytes: int = 0
    measured_at: float = -math.inf
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

    def held(self) -> Any:
        return self.documents


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
