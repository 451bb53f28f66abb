"""The WebSocket of a session: edits, previews and wishes come in; states, pictures, maps and progress go out.

Messages are read one after the other, and the next one when the one before is done: a client that sends faster than
the server works is slowed down by its own connection. What it gets back waits in a `Connection`.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect
from starlette.responses import JSONResponse

from sean.editing.edits import Edit, edit_from_json
from sean.errors import InputError
from sean.files import parse_json
from sean.web.connection import MODEL, RESULT, Connection, text
from sean.web.limits import Limits
from sean.web.rendering import Busy
from sean.web.sessions import Session
from sean.web.studio import Studio
from sean.web.views import View

POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
_MOST_SEQ = 2**53
_CLOSE_SECONDS = 1.0
_WISHES = ("edit", "preview", "undo", "redo", "render", "view")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A client's message: its number, what it wants, and for "edit" and "preview" the edit and the picture's number."""

    seq: int
    action: str
    edit: Edit | None = None
    document: int | None = None
    view: str = RESULT


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
    """Read a client's message: {"seq": n} and one of "edit", "preview" (with the edit), "undo", "redo", "render",
    "view" ("result" or "model").

    "document" beside "edit" or "preview" is the number of the picture that it was made for.

    Raises:
        MalformedMessage: it is something else; one line.
    """
    try:
        values = parse_json(message)
    except (ValueError, RecursionError):
        raise MalformedMessage("expected a message as JSON, got something else") from None
    if not isinstance(values, dict):
        raise MalformedMessage('expected a message as {"seq": number, ...}')
    seq = values.pop("seq", None)
    if not _is_count(seq):
        raise MalformedMessage("expected seq as a whole number from 0")
    document = values.pop("document", None)
    if document is not None and not _is_count(document):
        raise MalformedMessage("expected document as a whole number from 0", seq)
    if len(values) != 1 or (action := next(iter(values))) not in _WISHES:
        raise MalformedMessage(f"expected one of {', '.join(_WISHES)} beside seq", seq)
    wish = values[action]
    if action in ("edit", "preview"):
        try:
            return Wish(seq=seq, action=action, edit=edit_from_json(wish), document=document)
        except InputError as error:
            raise MalformedMessage(str(error), seq) from None
    if action == "view":
        if wish not in (RESULT, MODEL):
            raise MalformedMessage(f'expected view as "{RESULT}" or "{MODEL}"', seq)
        return Wish(seq=seq, action=action, view=wish)
    if wish is not True:
        raise MalformedMessage(f'expected "{action}": true', seq)
    return Wish(seq=seq, action=action)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_SEQ


async def serve(websocket: WebSocket, session: Session, studio: Studio, page: str = "") -> None:
    """Serve a WebSocket of a session until either side ends it; too many of one session are refused with 429.

    Args:
        websocket: not accepted yet.
        session: whose.
        studio: does the work.
        page: what the page calls itself. When it comes back after an outage, it hears first which of its messages were
            done, and sends the others again.
    """
    if len(session.connections) >= studio.limits.connections:
        refusal = {"detail": "this session is open in too many places; close one of them"}
        await websocket.send_denial_response(JSONResponse(refusal, 429))
        return
    connection = Connection(page)
    if page:
        connection.put("welcome", text("welcome", seq=session.answered.get(page, 0)))
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
            await self._studio.undo(self._session, view)
        elif wish.action == "redo":
            await self._studio.redo(self._session, view)
        elif wish.action == "edit" and edit is not None:
            await self._studio.edit(self._session, edit, view, document=wish.document)
        elif wish.action == "view":
            self._connection.view = wish.view
            self._studio.views.show(self._session, view)
        elif wish.document in (None, self._session.document.number):  # a render, or a preview
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
