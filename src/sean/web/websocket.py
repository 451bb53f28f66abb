"""The WebSocket of a session: edits, previews and requests come in; states, pictures, maps and progress go out.

Messages are read one at a time, and the next one is read when the one before is done, so the connection itself slows
down a client that sends faster than the server works. Answers wait in a `Connection`, which keeps the newest of each
kind only.
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
from sean.web.limits import Limits
from sean.web.queue import Busy
from sean.web.schemas import State

if TYPE_CHECKING:  # both hold connections
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
    """The server's end of a WebSocket, apart from the socket.

    A message replaces an unsent one of its kind, so a slow client gets less, not late, and costs bounded memory.

    Args:
        page: what the page at the other end calls itself.

    Attributes:
        page: see above.
        last_seq: number of the client's last request.
        view: what it is shown: `RESULT`, the photo with the edits in it, or `MODEL`, what the model made.
        map_sent: the map that the client has or will have.
        sources_sent: the sources of styles that the client has or will have.
        close_code: set when the connection is to be closed.
    """

    def __init__(self, page: str = "") -> None:
        self.page = page
        self.last_seq = 0
        self.view = RESULT
        self.map_sent = b""
        self.sources_sent: list[Any] | None = None
        self.close_code: int | None = None
        self._unsent: dict[str, Message] = {}  # in the order in which the kinds are sent
        self._num_errors = 0
        self._changed = asyncio.Event()

    def put(self, kind: str, message: Message) -> None:
        """Send a message when the client takes it; one of the same kind that still waits is dropped."""
        self._unsent[kind] = message
        self._changed.set()

    def put_state(self, state: State, seq: int) -> None:
        """Send a state; its sources, by far the longest part, go as a message of their own and only when they change.

        Args:
            state: newer than the last one.
            seq: number of the client's message that the state answers.
        """
        values = state.model_dump()
        sources = values.pop("sources")
        if sources != self.sources_sent:
            self.sources_sent = sources
            self.put("sources", text("sources", version=state.version, sources=sources))
        self.put("state", text("state", seq=seq, **values))

    def put_error(self, detail: str, seq: int) -> None:
        """Send an error; when too many wait already, it is dropped."""
        if sum(kind.startswith("error") for kind in self._unsent) < _MOST_ERRORS:
            self._num_errors += 1
            self.put(f"error {self._num_errors}", text("error", detail=detail, seq=seq))

    def waits(self, kind: str) -> bool:
        """Whether a message of that kind is not sent yet."""
        return kind in self._unsent

    def close(self, code: int) -> None:
        """Close the connection; what is unsent is dropped."""
        if self.close_code is None:
            self.close_code = code
        self._changed.set()

    async def pump(
        self, send: Callable[[Message], Awaitable[None]], seconds: float, on_frame: Callable[[], None]
    ) -> None:
        """Send until the connection is to be closed, which a client that takes nothing for `seconds` brings about.

        Args:
            send: returns when the client, or the system for it, has taken the message.
            seconds: time for one message.
            on_frame: called when a frame has been sent and none waits.
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
        connection: whose wish it was; None where it came over HTTP.
        seq: number of the client's message.
        preview: an edit that is shown without being done; only `connection` sees it.
    """

    connection: Connection | None = None
    seq: int = 0
    preview: Edit | None = None


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
        values = json.loads(message)
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
    """Serve a WebSocket of a session until either side ends it; too many of one session are refused with 429.

    Args:
        websocket: not accepted yet.
        session: whose.
        service: does the work.
        page: what the page calls itself. When it comes back after an outage, it hears first which of its messages were
            done, and sends the others again.
    """
    if len(session.connections) >= service.limits.connections:
        refusal = {"detail": "this session is open in too many places; close one of them"}
        await websocket.send_denial_response(JSONResponse(refusal, 429))
        return
    connection = Connection(page)
    if page:
        connection.put("welcome", text("welcome", seq=session.answered.get(page, 0)))
    session.connections.add(connection)
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
    # it went away meanwhile, or takes nothing, not even that
    with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await websocket.close(code)


class _Reader:
    """Reads the messages of one connection and does what they ask."""

    def __init__(self, session: "Session", connection: Connection, service: "Service") -> None:
        self._session = session
        self._connection = connection
        self._service = service
        self._pace = _Pace(service.limits)
        self._num_bad = 0

    async def read(self, websocket: WebSocket) -> None:
        """Read until the client leaves, or has sent too much nonsense."""
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
            await self._service.undo(self._session, view)
        elif wish.action == "redo":
            await self._service.redo(self._session, view)
        elif wish.action == "edit" and edit is not None:
            await self._service.edit(self._session, edit, view, document=wish.document)
        elif wish.action == "view":
            self._connection.view = wish.view
            self._service.views.show(self._session, view)
        elif wish.document in (None, self._session.document.number):  # a render, or a preview
            self._service.views.show(self._session, replace(view, preview=edit))


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
