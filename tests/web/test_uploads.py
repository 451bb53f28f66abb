"""Bodies that are too large, too slow or too many, at the level of ASGI."""

import asyncio
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from sean.web import uploads
from sean.web.limits import Limits
from sean.web.uploads import BodyLimit

LIMITS = Limits(upload_bytes=100, message_bytes=10, upload_seconds=0.2, uploads=1)
CHUNK = b"x" * 40


class Exchange:
    """One request to an app that reads its whole body and says how long it is."""

    def __init__(self, chunks: list[bytes], **headers: str) -> None:
        self.chunks, self.sent = chunks, []
        self.num_read = 0
        self.scope: Scope = {
            "type": "http",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        }

    async def receive(self) -> Message:
        if self.num_read == len(self.chunks):
            await asyncio.Event().wait()  # the client says no more
        self.num_read += 1
        return {
            "type": "http.request",
            "body": self.chunks[self.num_read - 1],
            "more_body": self.num_read < len(self.chunks) or not self.chunks[-1],
        }

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def ended(self) -> bool:
        return not self.sent[-1].get("more_body", False)


async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
    """As Starlette does, an HTTPException becomes an answer."""
    try:
        length = 0
        more = True
        while more:
            message = await receive()
            length += len(message["body"])
            more = message["more_body"]
        status, body = 200, str(length)
    except HTTPException as error:
        status, body = error.status_code, error.detail
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body.encode()})


def run(exchange: Exchange) -> Exchange:
    asyncio.run(BodyLimit(read_all, limits=LIMITS)(exchange.scope, exchange.receive, exchange.send))
    return exchange


@pytest.fixture(autouse=True)
def _short_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_DRAIN_SECONDS", 0.05)
    monkeypatch.setattr(uploads, "_DRAIN_BYTES", 200)


MULTIPART = {"content_type": "multipart/form-data; boundary=x"}


def test_what_fits_passes() -> None:
    assert run(Exchange([CHUNK, CHUNK, b"x" * 20], **MULTIPART, content_length="100")).sent[-1]["body"] == b"100"
    assert run(Exchange([b"{}"], content_type="application/json")).status == 200
    assert run(Exchange([b""] * 2 + [b"x"])).status == 200


def test_a_declared_length_is_refused_before_anything_is_read_by_the_app() -> None:
    exchange = run(Exchange([CHUNK] * 3, **MULTIPART, content_length="101"))
    assert exchange.status == 413 and exchange.ended
    assert b"larger than" in exchange.sent[1]["body"]
    assert run(Exchange([CHUNK], content_length="11")).status == 413  # no upload: the limit of messages
    assert run(Exchange([CHUNK], **MULTIPART, content_length="-1")).status == 413


def test_a_body_without_a_length_is_refused_when_it_has_grown_too_large() -> None:
    exchange = run(Exchange([CHUNK] * 1000, **MULTIPART))
    assert exchange.status == 413 and exchange.ended
    # three to exceed the limit, five that are thrown away so that the client sees the answer
    assert exchange.num_read == 3 + 5


def test_a_refused_client_that_stops_sending_is_not_waited_for() -> None:
    exchange = run(Exchange([CHUNK, CHUNK, CHUNK, b""], **MULTIPART))
    assert exchange.status == 413 and exchange.ended


def test_a_body_that_does_not_come_times_out() -> None:
    exchange = run(Exchange([CHUNK, b""], **MULTIPART))
    assert exchange.status == 408 and exchange.ended
    assert b"too long" in exchange.sent[1]["body"]


def test_more_uploads_at_once_than_allowed_are_sent_away() -> None:
    async def flood() -> list[int]:
        app = BodyLimit(read_all, limits=LIMITS)
        exchanges = [Exchange([CHUNK, b""], **MULTIPART) for _ in range(20)]  # slow ones
        await asyncio.gather(*(app(one.scope, one.receive, one.send) for one in exchanges))
        last = Exchange([CHUNK], **MULTIPART)
        await app(last.scope, last.receive, last.send)
        return [one.status for one in [*exchanges, last]]

    assert asyncio.run(flood()) == [408, *[503] * 19, 200]


def test_other_protocols_pass() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any:
        return None

    asyncio.run(BodyLimit(app, limits=LIMITS)({"type": "websocket"}, nothing, nothing))
    assert seen == ["websocket"]
