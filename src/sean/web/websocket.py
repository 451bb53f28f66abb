"""The WebSocket of a session: edits, previews and requests come in; states, pictures, maps and progress go out.

Messages are read one at a time, and the next one is read when the one before is done, so the connection itself slows
down a client that sends faster than the server works. Answers wait in a `Connection`, which keeps the newest of each
kind only.

States, pictures and maps carry a number: that of the client's message that they answer, or for what others have done
that of the client's last message that is done. So a client may take all its messages up to that number as done, and
the numbers of a connection's pictures never become smaller.
"""

import asyncio
import contextlib
import json
import logging
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fastapi import WebSocket, WebSocketDisconnect
from starlette.responses import JSONResponse

from sean.editing.edits import Edit, edit_from_json
from sean.errors import InputError
from sean.files import parse_json
from sean.web.limits import Limits
from sean.web.queue import Busy
from sean.web.schemas import State

if TYPE_CHECKING:  # both modules import this one
    from sean.web.service import Service
    from sean.web.sessions import Session

Message = str | bytes
_LENGTH = struct.Struct(">I")
_MOST_ERRORS = 16
RESULT = "result"
MODEL = "model"
POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
_MOST_SEQ = 2**53
_CLOSE_SECONDS = 1.0
_WISHES = ("edit", "preview", "undo", "redo", "render", "view")
_logger = logging.getLogger(__name__)


def text(type_: str, **values: Any) -> str:
    """A text message."""
    return json.dumps({"type": type_, **values})


def binary(type_: str, data: bytes, **values: Any) -> bytes:
    """A binary message: the length of a JSON header (4 bytes, big-endian), the header, the data."""
    header = text(type_, **values).encode()
    return _LENGTH.pack(len(header)) + header + data


class Connection:
    """The messages waiting to be sent over a WebSocket.

    A message replaces an unsent one of its kind, so a slow client gets fewer messages instead of late ones, in bounded
    memory.

    Args:
        page: name that the page gives itself.

    Attributes:
        page: see above.
        last_done: number of the client's last message that has been done, or refused with an error. Messages that wait
            for their turn do not count: they may still be lost with the connection.
        view: picture for the client: `RESULT`, the photo with the edits in it, or `MODEL`, the model's picture.
        map_sent: the last map put for the client.
        sources_sent: the last sources of styles put for the client.
        close_code: code with which to close the connection; None while it is open.
    """

    def __init__(self, page: str = "") -> None:
        self.page = page
        self.last_done = 0
        self.view = RESULT
        self.map_sent = b""
        self.sources_sent: list[Any] | None = None
        self.close_code: int | None = None
        self._unsent: dict[str, Message] = {}  # in the order in which the kinds are sent
        self._num_errors = 0
        self._changed = asyncio.Event()

    def put(self, kind: str, message: Message) -> None:
        """Send a message as soon as the client takes it, in place of an unsent one of its kind."""
        self._unsent[kind] = message
        self._changed.set()

    def put_state(self, state: State, seq: int) -> None:
        """Send a state. Its sources, by far the longest part, are a separate message, sent only if they changed.

        Args:
            state: the new state.
            seq: number of the client's message that the state answers.
        """
        values = state.model_dump()
        sources = values.pop("sources")
        if sources != self.sources_sent:
            self.sources_sent = sources
            self.put("sources", text("sources", version=state.version, document=state.document, sources=sources))
        self.put("state", text("state", seq=seq, **values))

    def put_error(self, detail: str, seq: int) -> None:
        """Send an error, unless too many are waiting."""
        if sum(kind.startswith("error") for kind in self._unsent) < _MOST_ERRORS:
            self._num_errors += 1
            self.put(f"error {self._num_errors}", text("error", detail=detail, seq=seq))

    def waits(self, kind: str) -> bool:
        """Whether a message of a kind is unsent."""
        return kind in self._unsent

    def close(self, code: int) -> None:
        """Close the connection and drop unsent messages."""
        if self.close_code is None:
            self.close_code = code
        self._changed.set()

    async def pump(
        self, send: Callable[[Message], Awaitable[None]], seconds: float, on_frame: Callable[[], None]
    ) -> None:
        """Send messages until the connection is closed, at the latest when the client takes nothing for `seconds`.

        Args:
            send: sends a message; returns when the client, or the system for it, has taken it.
            seconds: time for one message.
            on_frame: called after a frame has been sent if no other frame waits.
        """
        while self.close_code is None:
            if not self._unsent:
                self._changed.clear()
                await self._changed.wait()
                continue
            kind = next(iter(self._unsent))
            try:
                async with asyncio.timeout(seconds):
                    await send(self._unsent.pop(kind))
            except TimeoutError:
                self.close(1013)
            if kind == "frame" and not self.waits("frame"):
                on_frame()


@dataclass(frozen=True)
class View:
    """A request for a picture.

    Attributes:
        connection: connection of the request; None for HTTP.
        seq: number of the client's message.
        preview: an edit to show, on `connection` only, without applying it.
    """

    connection: Connection | None = None
    seq: int = 0
    preview: Edit | None = None


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A client's message: its number, its action, and for "edit" and "preview" the edit and the document's number."""

    seq: int
    action: str
    edit: Edit | None = None
    document: int | None = None
    view: str = RESULT


class MalformedMessage(InputError):
    """A malformed message.

    Args:
        detail: description of the error, one line.
        seq: number of the message, or 0 without one.
    """

    def __init__(self, detail: str, seq: int = 0) -> None:
        super().__init__(detail)
        self.seq = seq


def parse(message: str) -> Wish:
    """Read a client's message: {"seq": n} and one of "edit", "preview" (with the edit), "undo", "redo", "render",
    "view" ("result" or "model").

    "render" asks for all that is shown: the picture and the map, even if that map has been sent before.

    An optional "document" with "edit" or "preview" is the number of the picture that the edit belongs to.

    Raises:
        MalformedMessage: the message has another form; one line.
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


async def serve(websocket: WebSocket, session: "Session", service: "Service", page: str = "") -> None:
    """Serve a WebSocket of a session until either side ends it; too many per session are refused with 429.

    Args:
        websocket: the socket, not yet accepted.
        session: the session.
        service: the service.
        page: name that the page gives itself. A page that returns after an outage is first told which of its messages
            have been handled, and sends the others again. It is told the present state, too: nothing else tells it what
            others have changed since it last asked.
    """
    if len(session.connections) >= service.limits.connections:
        refusal = {"detail": "this session is open in too many places; close one of them"}
        await websocket.send_denial_response(JSONResponse(refusal, 429))
        return
    connection = Connection(page)
    session.connections.add(connection)
    if page:
        answered = session.answered.get(page, 0)  # read before the state, which then has all that it confirms
        connection.put("welcome", text("welcome", seq=answered))
        connection.put_state(session.state, answered)
    try:
        await websocket.accept()
        await _serve(websocket, session, connection, service)
    finally:
        session.connections.discard(connection)


async def _serve(websocket: WebSocket, session: "Session", connection: Connection, service: "Service") -> None:
    async def send(message: str | bytes) -> None:
        await (websocket.send_text(message) if isinstance(message, str) else websocket.send_bytes(message))

    reader = _Reader(session, connection, service)
    sending = asyncio.create_task(
        connection.pump(send, service.limits.send_seconds, lambda: service.views.taken(session))
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
    # the client may have gone, or take no message at all
    with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await websocket.close(code)


class _Reader:
    """Reads and handles the messages of one connection."""

    def __init__(self, session: "Session", connection: Connection, service: "Service") -> None:
        self._session = session
        self._connection = connection
        self._service = service
        self._pace = _Pace(service.limits)
        self._num_bad = 0

    async def read(self, websocket: WebSocket) -> None:
        """Read until the client leaves, or has sent too many malformed messages."""
        while self._num_bad < self._service.limits.bad_messages:
            await self._pace.keep()
            event: dict[str, Any] = dict(await websocket.receive())
            if event["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(event.get("code") or 1005)
            self._service.store.touch(self._session)
            await self._handle(event.get("text"))
        self._connection.close(POLICY_VIOLATION)

    async def _handle(self, message: str | None) -> None:
        limit = self._service.limits.message_bytes
        try:
            if message is None:
                raise MalformedMessage("expected a text message, got a binary one")
            if len(message) > limit:  # if the web server does not check it
                raise MalformedMessage(f"expected a message of at most {limit} bytes")
            wish = parse(message)
        except MalformedMessage as error:
            self._num_bad += 1
            self._connection.put_error(str(error), error.seq)
            return
        try:
            await self._do(wish)
        except (InputError, Busy) as error:
            self._connection.put_error(str(error), wish.seq)
        except Exception:
            _logger.exception("a message failed")
            self._connection.put_error("something went wrong on the server; try another edit", wish.seq)
        self._connection.last_done = max(wish.seq, self._connection.last_done)

    async def _do(self, wish: Wish) -> None:
        view, edit = View(self._connection, wish.seq), wish.edit
        if wish.action == "undo":
            await self._service.undo(self._session, view)
        elif wish.action == "redo":
            await self._service.redo(self._session, view)
        elif wish.action == "edit" and edit is not None:
            await self._service.edit(self._session, edit, view, document=wish.document)
        elif wish.action == "view":
            self._connection.view = wish.view
            self._service.views.show(self._session, view)
        elif wish.action == "render":
            self._connection.map_sent = b""  # the client may have dropped that map, or show an older one
            self._service.views.show(self._session, view)
        elif wish.document in (None, self._session.document.number):  # a preview
            self._service.views.show(self._session, replace(view, preview=edit))


class _Pace:
    """Limits the rate of messages, after an initial burst of one second's messages."""

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
