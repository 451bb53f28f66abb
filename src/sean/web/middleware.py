"""ASGI middleware around the application: headers, hosts and origins (`Guard`), and sizes of bodies (`BodyLimit`).

A page of another site may make the user's browser send requests to this server. Browsers then name that page in the
Origin header, which must be this server. A host name that an attacker points at this server (DNS rebinding) appears in
the Host header.

Behind a reverse proxy the browser's Host may arrive unchanged, in X-Forwarded-Host, or not at all. The first case needs
the public name among the names served, the second a trusted proxy, and the last an Origin of the public name.
Starlette's TrustedHostMiddleware covers the first case only: it reads no X-Forwarded-Host, accepts no host without a
list, and answers in plain text instead of the JSON of all other errors.
"""

import asyncio
import contextlib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sean.errors import InputError
from sean.web.limits import MIB, Limits

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


# A host name or address, with an optional port.
_NAME = re.compile(r"([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_LONGEST_SHOWN = 100
_DRAIN_BYTES = 64 * MIB
_DRAIN_SECONDS = 3.0
_MULTIPART = "multipart/form-data"


@dataclass(frozen=True, kw_only=True)
class Access:
    """The host names of a server, and its proxies.

    Attributes:
        hosts: names, without ports, accepted in a request's Host; None accepts any.
        public: public names beyond a proxy, with their ports if browsers show them. Pages with these names are the
            server's own, whatever Host the proxy sends.
        proxies: networks of the proxies whose X-Forwarded-Host is trusted.
    """

    hosts: tuple[str, ...] | None = LOOPBACK_HOSTS
    public: tuple[str, ...] = ()
    proxies: tuple[Network, ...] = ()

    @classmethod
    def of(cls, address: str, names: Sequence[str] = (), proxies: Sequence[str] = ()) -> "Access":
        """The access to a server bound to an address.

        A server bound to more than this machine cannot know its names, and accepts any name unless some are given.

        Args:
            address: the address that it listens on.
            names: public names, such as example.org or example.org:8443.
            proxies: addresses (192.0.2.7) or networks (10.0.0.0/8) of trusted proxies.

        Raises:
            InputError: a name or an address is malformed.
        """
        public = tuple(name.lower().rstrip("/") for name in names)
        for name in public:
            if not _NAME.fullmatch(name):
                raise InputError(
                    f"expected a host name such as example.org or example.org:8443, without https:// and path, got "
                    f"{name!r}"
                )
        own: tuple[str, ...] | None = (*LOOPBACK_HOSTS, address)
        if not public and not _is_loopback(address):
            own = None
        hosts = None if own is None else (*own, *map(_without_port, public))
        return cls(hosts=hosts, public=public, proxies=tuple(map(_network, proxies)))

    def host_of(self, scope: Scope) -> str:
        """The host that the browser requested, in lower case, as far as known."""
        headers = Headers(scope=scope)
        forwarded = headers.get("x-forwarded-host", "")
        if forwarded and self._trusts(scope):
            return forwarded.split(",")[0].strip().lower()
        return headers.get("host", "").lower()

    def answers_to(self, host: str) -> bool:
        """Whether a request with this Host is meant for this server."""
        return self.hosts is None or _without_port(host) in self.hosts

    def is_own(self, origin: str, host: str) -> bool:
        """Whether a page of this origin belongs to this server, which was requested as `host`."""
        page = _host_of(origin)
        return bool(host) and (page == host or page in self.public)

    def _trusts(self, scope: Scope) -> bool:
        client = scope.get("client")
        try:
            address = ipaddress.ip_address(client[0]) if client else None
        except ValueError:  # the name of a test client
            return False
        return address is not None and any(address in network for network in self.proxies)


class Guard:
    """Adds security headers; refuses foreign origins and unknown hosts with 403.

    Args:
        app: the guarded application.
        access: known origins and hosts.
    """

    def __init__(self, app: ASGIApp, *, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send_guarded)
        elif scope["type"] == "http":
            await JSONResponse({"detail": refusal}, 403)(scope, receive, send_guarded)
        else:  # closed before accepting, which the client sees as 403
            await send({"type": "websocket.close", "code": 1008, "reason": refusal})

    def _refusal(self, scope: Scope) -> str | None:
        host, origins = self._access.host_of(scope), Headers(scope=scope).getlist("origin")
        if not self._access.answers_to(host):
            return (
                f"this server does not answer to the host name {host[:_LONGEST_SHOWN]!r}; if it is meant to, who runs "
                "it can add the name (sean web --public-name)"
            )
        acts = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if acts and not all(self._access.is_own(origin, host) for origin in origins):
            return (
                "requests from pages of other sites are refused; if this page is the server's own behind a proxy, who "
                "runs it can add its name (sean web --public-name)"
            )
        return None


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise InputError(f"expected the address of a proxy, such as 192.0.2.7 or 10.0.0.0/8, got {text!r}") from None


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # unbalanced brackets
        return ""


def _without_port(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() else host.lower()


class BodyLimit:
    """Refuses bodies: 413 for too many bytes (before the rest is read), 408 for too slow, 503 for too many at once.

    A body whose Content-Length is too large is refused at once, a chunked body as soon as it becomes too large. The
    rest of the body is then read and dropped for a short time before the connection ends; a browser that is still
    sending would not see the answer otherwise.

    Args:
        app: the guarded application.
        limits: limits on the bytes of an upload (multipart) and of a message (anything else), on time, and on
            simultaneous uploads.
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
        if self._complete:  # the next message is the end of the connection
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
        # otherwise the web server would read the rest of the body
        return HTTPException(status, detail, {"Connection": "close"})

    async def drain(self) -> None:
        """Read and drop the rest of the body, within limits of time and size."""
        received = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self._complete and received < _DRAIN_BYTES:
                    message = await self._receive()
                    received += len(message.get("body", b""))
                    self._complete = not message.get("more_body", False)


def _lingering(send: Send, body: _Body) -> Send:
    """A `send` that delays the end of an answer refusing a body until the rest of the body has been drained."""

    async def lingering(message: Message) -> None:
        is_end = message["type"] == "http.response.body" and not message.get("more_body", False)
        if not (is_end and body.refused):
            await send(message)
            return
        await send({**message, "more_body": True})
        await body.drain()
        await send({"type": "http.response.body"})

    return lingering
