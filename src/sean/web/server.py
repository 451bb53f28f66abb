"""Running the application: the socket, what the web server may do, and stopping in good order."""

import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from sean.errors import InputError
from sean.web.app import App
from sean.web.limits import Limits
from sean.web.service import Service

_SHUTDOWN_SECONDS = 10
_HIGHEST_PORT = 65_535
_MOST_CONNECTIONS = 1000
_PONG_SECONDS = 120.0


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes any free one.

    Raises:
        InputError: there is no such port, or the address is not ours or taken.
    """
    if not 0 <= port <= _HIGHEST_PORT:
        raise InputError(f"expected a port of 1 to {_HIGHEST_PORT}, or 0 for any free one, got {port}")
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return socket.create_server(infos[0][4][:2], family=infos[0][0])
    except (OSError, UnicodeError) as error:  # the latter of a name that no name server could be asked for
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"cannot listen on {host} port {port}: {reason}; choose another port or host", setting="port"
        ) from error


def url_of(listener: socket.socket) -> str:
    """The address of the page, for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def server_config(app: App, limits: Limits) -> uvicorn.Config:
    """What the web server may do."""
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # paths hold the ids of sessions
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        ws_max_size=limits.message_bytes,
        ws_per_message_deflate=False,  # pictures are compressed already
        # The answer to a ping is not read while messages wait behind a long edit (`sean.web.websocket`), so the usual
        # 20 seconds would close the connection of a client that is there.
        ws_ping_timeout=_PONG_SECONDS,
    )


def serve(app: App, listener: socket.socket, limits: Limits, on_start: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM; then close the WebSockets (1001), let what runs finish, and return.

    Args:
        app: the application.
        listener: see `listen`; closed at the end.
        limits: of messages.
        on_start: called when requests are answered.
    """
    # The server raises the signal that stopped it once more at its end; by then all is done.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _nothing)
    _Server(server_config(app, limits), app.state.service, on_start).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, service: Service, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._service = service
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._service.decoder.start()  # so that it is there when the first photo comes
            self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._service.disconnect_all()
        await super().shutdown(sockets)


def _nothing(number: int, frame: FrameType | None) -> None:
    """A signal that has been answered."""
