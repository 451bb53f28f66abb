"""Bounds on the bodies of requests, as ASGI middleware: bytes while they arrive, time, and uploads at once."""

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sean.web.limits import MIB, Limits

_DRAIN_BYTES = 64 * MIB
_DRAIN_SECONDS = 3.0
_MULTIPART = "multipart/form-data"


class BodyLimit:
    """Refuses bodies: 413 for too many bytes (before the rest is read), 408 for too slow, 503 for too many at once.

    A body with a Content-Length that is too large is refused at once; one that comes in chunks, as soon as it has
    grown too large. Then the rest is thrown away for a moment before the connection ends: a browser that is still
    sending would not see the answer otherwise.

    Args:
        app: what is guarded.
        limits: of bytes of an upload (multipart) and of a message (anything else), of time and of uploads at once.
    """

    def __init__(self, app: ASGIApp, *, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_upload = headers.get("content-type", "").startswith(_MULTIPART)
        limit = self._limits.upload_bytes if is_upload else self._limits.message_bytes
        body = _Body(receive, limit, self._limits.upload_seconds)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            await self._refuse(scope, body, send, body.too_large())
        elif is_upload and self._uploads >= self._limits.uploads:
            await self._refuse(scope, body, send, body.too_many())
        else:
            self._uploads += is_upload
            try:
                await self._app(scope, body.receive, _lingering(send, body))
            finally:
                self._uploads -= is_upload

    @staticmethod
    async def _refuse(scope: Scope, body: "_Body", send: Send, error: HTTPException) -> None:
        response = JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)
        await response(scope, body.receive, _lingering(send, body))


class _Body:
    """The body of one request, as it arrives."""

    def __init__(self, receive: Receive, limit: int, seconds: float) -> None:
        self._receive = receive
        self._limit = limit
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._received = 0
        self._complete = False
        self.refused = False

    def too_many(self) -> HTTPException:
        return self._refusal(503, "the server is busy with other uploads; try again in a moment")

    def too_large(self) -> HTTPException:
        return self._refusal(413, f"the upload is larger than {self._limit / MIB:.3g} MB; make it smaller")

    async def receive(self) -> Message:
        if self._complete:  # what comes now is the end of the connection, whenever that is
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise self._refusal(408, "the upload took too long; try again with a smaller file") from None
        self._received += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._received > self._limit:
            raise self.too_large()
        return message

    def _refusal(self, status: int, detail: str) -> HTTPException:
        self.refused = True
        # the web server would go on reading what nobody wants
        return HTTPException(status, detail, {"Connection": "close"})

    async def drain(self) -> None:
        """Throw the rest away, as far as it comes soon and is not too much."""
        received = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self._complete and received < _DRAIN_BYTES:
                    message = await self._receive()
                    received += len(message.get("body", b""))
                    self._complete = not message.get("more_body", False)


def _lingering(send: Send, body: _Body) -> Send:
    """`send`, which holds back the end of an answer that refuses a body until the rest has been drained."""

    async def lingering(message: Message) -> None:
        is_end = message["type"] == "http.response.body" and not message.get("more_body", False)
        if not (is_end and body.refused):
            await send(message)
            return
        await send({**message, "more_body": True})
        await body.drain()
        await send({"type": "http.response.body"})

    return lingering
