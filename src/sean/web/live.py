"""The WebSocket of a session: edits, previews and wishes come in; states, pictures, maps and progress go out.

Messages are read one after the other, and the next one when the one before is done: a client that sends faster than
the server works is slowed down by its own connection. What it gets back waits in a `Connection`.
"""

import asyncio
import contextlib
import json
import logging
from dataclasses import dataclass, replace
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect
from starlette.responses import JSONResponse

from sean.editing.editor import Editor
from sean.editing.edits import Edit, edit_from_json
from sean.errors import InputError
from sean.web.connection import Connection
from sean.web.limits import Limits
from sean.web.rendering import Busy
from sean.web.sessions import Session
from sean.web.studio import Studio
from sean.web.views import View

POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
_MOST_SEQ = 2**53
_CLOSE_SECONDS = 1.0
_WISHES = ("edit", "preview", "undo", "redo", "render")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A client's message: its number, what it wants, and for "edit" and "preview" the edit."""

    seq: int
    action: str
    edit: Edit | None = None


class MalformedMessage(InputError):
    """A message that no client of ours sends.

    Args:
        detail: what is wrong with it, one line.
        seq: its number, as far as it had one; else 0.
    """

    def __init__(self, detail: str, seq: int = 0) -> None:
        super().__init__(detail)
        self.seq = seq


def parse(message: str) -> Wish:
    """Read a client's message: {"seq": n} and one of "edit", "preview" (with the edit), "undo", "redo", "render".

    Raises:
        MalformedMessage: it is something else; one line.
    """
    try:
        values = json.loads(message)
    except (ValueError, RecursionError):
        raise MalformedMessage("expected a message as JSON, got something else") from None
    if not isinstance(values, dict):
        raise MalformedMessage('expected a message as {"seq": number, ...}')
    seq = values.pop("seq", None)
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq <= _MOST_SEQ:
        raise MalformedMessage("expected seq as a whole number from 0")
    if len(values) != 1 or (action := next(iter(values))) not in _WISHES:
        raise MalformedMessage(f"expected one of {', '.join(_WISHES)} beside seq", seq)
    wish = values[action]
    if action in ("edit", "preview"):
        try:
            return Wish(seq=seq, action=action, edit=edit_from_json(wish))
        except InputError as error:
            raise MalformedMessage(str(error), seq) from None
    if wish is not True:
        raise MalformedMessage(f'expected "{action}": true', seq)
    return Wish(seq=seq, action=action)


async def serve(websocket: WebSocket, session: Session, studio: Studio) -> None:
    """Serve a WebSocket of a session until either side ends it; too many of one session are refused with 429."""
    if len(session.connections) >= studio.limits.connections:
        refusal = {"detail": "this session is open in too many places; close one of them"}
        await websocket.send_denial_response(JSONResponse(refusal, 429))
        return
    connection = Connection()
    session.connections.add(connection)
    try:
        await websocket.accept()
        await _serve(websocket, session, connection, studio)
    finally:
        session.connections.discard(connection)


async def _serve(websocket: WebSocket, session: Session, connection: Connection, studio: Studio) -> None:
    async def send(message: str | bytes) -> None:
        await (websocket.send_text(message) if isinstance(message, str) else websocket.send_bytes(message))

    reader = _Reader(session, connection, studio)
    sending = asyncio.create_task(
        connection.pump(send, studio.limits.send_seconds, lambda: studio.views.taken(session))
    )
    reading = asyncio.create_task(reader.read(websocket))
    try:
        await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (reading, sending):
            task.cancel()
        await asyncio.wait({reading, sending})
    problems = [task.exception() for task in (reading, sending) if not task.cancelled()]
    if any(isinstance(problem, WebSocketDisconnect) for problem in problems):
        return
    code = connection.close_code or 1000
    for problem in filter(None, problems):
        _logger.error("a WebSocket failed", exc_info=problem)
        code = INTERNAL_ERROR
    # it went away meanwhile, or takes nothing, not even that
    with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await websocket.close(code)


class _Reader:
    """Reads the messages of one connection and does what they ask."""

    def __init__(self, session: Session, connection: Connection, studio: Studio) -> None:
        self._session = session
        self._connection = connection
        self._studio = studio
        self._pace = _Pace(studio.limits)
        self._num_bad = 0

    async def read(self, websocket: WebSocket) -> None:
        """Read until the client leaves, or has sent too much nonsense."""
        while self._num_bad < self._studio.limits.bad_messages:
            await self._pace.keep()
            event: dict[str, Any] = dict(await websocket.receive())
            if event["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(event.get("code") or 1005)
            self._studio.store.touch(self._session)
            await self._handle(event.get("text"))
        self._connection.close(POLICY_VIOLATION)

    async def _handle(self, message: str | None) -> None:
        limit = self._studio.limits.message_bytes
        try:
            if message is None:
                raise MalformedMessage("expected a text message, got a binary one")
            if len(message) > limit:  # where the web server has not looked
                raise MalformedMessage(f"expected a message of at most {limit} bytes")
            wish = parse(message)
        except MalformedMessage as error:
            self._num_bad += 1
            self._connection.put_error(str(error), error.seq)
            return
        self._connection.last_seq = max(wish.seq, self._connection.last_seq)
        try:
            await self._do(wish)
        except (InputError, Busy) as error:
            self._connection.put_error(str(error), wish.seq)
        except Exception:
            _logger.exception("a message failed")
            self._connection.put_error("something went wrong on the server; try another edit", wish.seq)

    async def _do(self, wish: Wish) -> None:
        view, edit = View(self._connection, wish.seq), wish.edit
        if wish.action == "undo":
            await self._studio.change(self._session, Editor.undo, view=view)
        elif wish.action == "redo":
            await self._studio.change(self._session, Editor.redo, view=view)
        elif wish.action == "edit" and edit is not None:
            await self._studio.change(self._session, lambda editor: editor.apply(edit), view=view)
        else:  # a render, or a preview
            self._studio.views.show(self._session, replace(view, preview=edit))


class _Pace:
    """Lets messages pass at a rate, after a burst of a second's worth."""

    def __init__(self, limits: Limits) -> None:
        self._rate = limits.messages_per_second
        self._left = self._rate
        self._seen = asyncio.get_running_loop().time()

    async def keep(self) -> None:
        """Wait until the next message may be read."""
        now = asyncio.get_running_loop().time()
        self._left = min(self._rate, self._left + (now - self._seen) * self._rate)
        self._seen = now
        if self._left < 1:
            await asyncio.sleep((1 - self._left) / self._rate)
        self._left -= 1
