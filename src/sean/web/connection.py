"""What waits to be sent to one WebSocket: little, and of each kind the newest."""

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable
from typing import Any

Message = str | bytes
_LENGTH = struct.Struct(">I")
_MOST_ERRORS = 16
RESULT = "result"
MODEL = "model"


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
        close_code: set when the connection is to be closed.
    """

    def __init__(self, page: str = "") -> None:
        self.page = page
        self.last_seq = 0
        self.view = RESULT
        self.map_sent = b""
        self.close_code: int | None = None
        self._unsent: dict[str, Message] = {}  # in the order in which the kinds are sent
        self._num_errors = 0
        self._changed = asyncio.Event()

    def put(self, kind: str, message: Message) -> None:
        """Send a message when the client takes it; one of the same kind that still waits is dropped."""
        self._unsent[kind] = message
        self._changed.set()

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
