"""What a session's WebSockets see: the picture of the newest state or preview, and its map.

Renders wait in the queue, one at most per session and always the newest; while no client has taken the last frame,
none is rendered at all.
"""

import asyncio
import logging
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from sean.editing.edits import Edit
from sean.errors import InputError
from sean.web.connection import MODEL, RESULT, Connection, binary
from sean.web.memory import MemoryWatch
from sean.web.rendering import Busy, FairQueue
from sean.web.sessions import Session, SessionStore
from sean.web.snapshots import Frame, frame

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class View:
    """A request for a picture.

    Attributes:
        connection: whose wish it was; None where it came over HTTP.
        seq: number of the client's message.
        preview: an edit that is shown without being done; only `connection` sees it.
    """

    connection: Connection | None = None
    seq: int = 0
    preview: Edit | None = None


class Views:
    """Renders what sessions show, and hands it to their connections.

    Args:
        queue: where renders wait.
        store: of the sessions.
        watch: of their memory.
    """

    def __init__(self, queue: FairQueue, store: SessionStore, watch: MemoryWatch) -> None:
        self._queue = queue
        self._store = store
        self._watch = watch
        self._due: dict[Session, View] = {}  # held back until a client takes the last frame
        self._tasks: set[asyncio.Task[None]] = set()

    def show(self, session: Session, view: View) -> None:
        """Render for a view, unless a newer one comes before its turn."""
        if session.expired or not session.connections:
            return
        if all(connection.waits("frame") for connection in session.connections):
            self._due[session] = view
            return
        self._due.pop(session, None)
        try:
            rendering = self._queue.newest(session.id, partial(self._render, session, view.preview))
        except Busy:  # the server stops
            return
        task = asyncio.create_task(self._deliver(session, view, rendering))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def taken(self, session: Session) -> None:
        """A client has taken its last frame."""
        view = self._due.pop(session, None)
        if view is not None:
            self.show(session, view)

    def forget(self, session: Session) -> None:
        """Let go of a session."""
        self._due.pop(session, None)

    def _render(self, session: Session, preview: Edit | None) -> Frame:
        views = {connection.view for connection in session.connections}
        photo, model = RESULT in views, MODEL in views
        result = frame(session.document, session.state.version, preview, photo=photo, model=model)
        self._watch.measure(session)
        return result

    async def _deliver(self, session: Session, view: View, rendering: "Future[Frame]") -> None:
        try:
            result = await asyncio.wrap_future(rendering)
        except asyncio.CancelledError:  # a newer one took its place
            return
        except Exception as error:
            if not isinstance(error, InputError):
                _logger.exception("a render failed")
            if view.connection is not None:
                detail = str(error) if isinstance(error, InputError) else "the picture could not be rendered"
                view.connection.put_error(detail, view.seq)
            return
        if session.expired:
            return
        self._store.make_room(session)
        for connection in session.connections:
            if connection is view.connection or view.preview is None:
                self._put(connection, result, view)

    @staticmethod
    def _put(connection: Connection, result: Frame, view: View) -> None:
        seq = view.seq if connection is view.connection else connection.last_seq
        header: dict[str, Any] = {"seq": seq, "version": result.version, "document": result.document}
        if connection.view == RESULT and result.patch is not None:
            connection.put("frame", binary("frame", result.patch.data, of="photo", area=result.patch.area, **header))
        elif result.picture:
            connection.put("frame", binary("frame", result.picture, of="model", **header))
        if connection.map_sent != result.map:
            connection.map_sent = result.map
            connection.put("map", binary("map", result.map, **header))
