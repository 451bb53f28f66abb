"""Attacks on a real server on this machine: it stays up, bounded and silent about other users."""

import http.client
import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np
import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from sean.editing.pipeline import SEANPipeline
from sean.web.app import create_app
from sean.web.limits import Limits
from sean.web.server import listen, server_config
from sean.web.service import Service

from .conftest import png_bytes

LIMITS = Limits(
    sessions=8,
    upload_bytes=200_000,
    message_bytes=50_000,
    uploads=2,
    upload_seconds=600.0,
    send_seconds=0.5,
    bad_messages=3,
)
HAT = {"kind": "paint", "points": [[0.5, 0.5]], "radius": 0.2, "label": "hat"}


class Server:
    """A server in a thread of this process, and a client of it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.listener = listen("127.0.0.1", 0)
        self.port: int = self.listener.getsockname()[1]
        self._server = uvicorn.Server(server_config(create_app(service), LIMITS))
        self._thread = threading.Thread(target=lambda: self._server.run(sockets=[self.listener]))

    def __enter__(self) -> "Server":
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.should_exit = True
        self._thread.join(600)
        assert not self._thread.is_alive()

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            connection.request(method, path, body, headers={k.replace("_", "-"): v for k, v in headers.items()})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def new_session(self) -> str:
        status, body = self.request("POST", "/api/sessions", b'{"bank": 0}', content_type="application/json")
        assert status == 201
        return f"/api/sessions/{json.loads(body)['id']}"

    def live(self, session: str, **options: Any) -> ClientConnection:
        return connect(f"ws://127.0.0.1:{self.port}{session}/live", max_size=None, **options)

    def is_well(self) -> bool:
        return self.request("GET", "/health")[0] == 200


@pytest.fixture
def server(pipeline: SEANPipeline) -> Iterator[Server]:
    with Server(Service(pipeline, limits=LIMITS, num_threads=1)) as server:
        yield server


def frames_until(socket: ClientConnection, seq: int) -> int:
    """How many frames come up to the one of that number."""
    count = 0
    while True:
        message = socket.recv(600)
        if isinstance(message, bytes):
            header = json.loads(message[4 : 4 + int.from_bytes(message[:4], "big")])
            if header["type"] == "frame":
                count += 1
                if header["seq"] == seq:
                    return count


def test_abandoned_sessions_are_capped(server: Server) -> None:
    with server.live(server.new_session()) as first:
        sessions = [server.new_session() for _ in range(3 * LIMITS.sessions)]
        assert len(server.service.store) == LIMITS.sessions
        assert server.request("GET", sessions[0])[0] == 404 and server.request("GET", sessions[-1])[0] == 200
        first.send('{"seq": 1, "render": true}')  # one that is looked at is kept
        assert frames_until(first, 1) == 1
    assert server.is_well()


def test_traversal_leads_nowhere(server: Server) -> None:
    session = server.new_session()
    for path in (
        "/../pyproject.toml",
        "/..%2f..%2fapp.py",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/index.html/../../app.py",
        "/index.html%00.png",
        f"{session}/../../model/../sessions",
        f"{session}/styles/..%2f..%2fpicture.png",
        f"{session}/styles/%2e%2e/picture.png",
        "/api/bank/..%2f..%2f0.png",
        f"/api/sessions/..%2f{session.rpartition('/')[2]}",
        "/api/sessions/*",
    ):
        assert server.request("GET", path)[0] in (404, 405, 422), path


def test_uploads_are_refused_while_they_arrive(server: Server) -> None:
    session = server.new_session()
    kind = "multipart/form-data; boundary=x"
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield head
        for _ in range(10_000):
            sent += 65_536
            yield bytes(65_536)

    # without a length; what is sent after the answer is thrown away up to a bound
    with suppress(ConnectionError):
        assert server.request("POST", f"{session}/photo", endless(), content_type=kind)[0] == 413
    assert sent < 120 * 2**20
    # with one: nothing of the body is waited for
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.settimeout(600)
        start = f"POST {session}/photo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
        raw.sendall(f"{start}Content-Length: 999999999999\r\n\r\n".encode())
        assert raw.recv(1000).startswith(b"HTTP/1.1 413")
    assert server.is_well()


def test_a_flood_of_uploads_leaves_room_for_others(server: Server) -> None:
    session = server.new_session()
    kind, body = "multipart/form-data; boundary=x", upload(png_bytes(np.zeros((8, 8, 3), np.uint8)))
    start = f"POST {session}/photo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
    head = f"{start}Content-Length: {len(body)}\r\n\r\n".encode()
    with ExitStack() as stack:
        waiting = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(20)]
        for raw in waiting:
            raw.settimeout(600)
            raw.sendall(head + body[:5])  # and then nothing
        while len(waiting) > LIMITS.uploads:
            answered, _, _ = select.select(waiting, [], [], 600)
            assert answered and all(raw.recv(12) == b"HTTP/1.1 503" for raw in answered)
            waiting = [raw for raw in waiting if raw not in answered]
        for raw in waiting:  # the two that were let in
            raw.sendall(body[5:])
        assert [raw.recv(12) for raw in waiting] == [b"HTTP/1.1 400"] * 2  # read; refused only as there is no parser
    deadline = time.monotonic() + 600
    while (status := server.request("POST", f"{session}/photo", body, content_type=kind)[0]) == 503:
        assert time.monotonic() < deadline  # an upload counts for a moment after its answer has been sent
    assert status == 400


def upload(data: bytes) -> bytes:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return head + data + b"\r\n--x--\r\n"


def test_bad_messages_end_the_connection_and_not_the_session(server: Server) -> None:
    session = server.new_session()
    with server.live(session) as live:
        assert closed_after(live, "x" * (LIMITS.message_bytes + 1)) == 1009
    with server.live(session) as live:
        assert closed_after(live, ["x" * 30_000, "x" * 30_000]) == 1009  # in fragments
    with server.live(session) as live:
        assert closed_after(live, "{", "{", "{") == 1008
    with server.live(session) as live:
        live.send('{"seq": 1, "render": true}')
        assert frames_until(live, 1) == 1


def closed_after(live: ClientConnection, *messages: str | list[str]) -> int | None:
    """The code that a connection is closed with for messages, perhaps while the last is being sent."""
    with pytest.raises(ConnectionClosed) as closed:
        for message in messages:
            live.send(message)
        while True:
            live.recv(600)
    return closed.value.rcvd.code if closed.value.rcvd else None


def test_pages_of_other_sites_get_no_connection(server: Server) -> None:
    session = server.new_session()
    for origin in ("http://evil.example", f"http://127.0.0.1:{server.port + 1}", "null"):
        with pytest.raises(InvalidStatus) as refused, server.live(session, origin=origin):
            pass
        assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as refused, server.live("/api/sessions/guessed"):
        pass
    assert refused.value.response.status_code == 404
    with server.live(session, origin=f"http://127.0.0.1:{server.port}"):
        pass


def test_a_slow_client_gets_less_and_holds_up_nobody(server: Server) -> None:
    slow_session, session = server.new_session(), server.new_session()
    with raw_live(server, slow_session) as slow, server.live(session) as live:
        for seq in range(1, 3000):  # reads nothing, and asks for more than the buffers hold
            try:
                slow.sendall(masked(json.dumps({"seq": seq, "edit": HAT if seq % 2 else HAT | {"label": "hair"}})))
            except OSError:
                break
        live.send('{"seq": 1, "render": true}')
        assert frames_until(live, 1) == 1
        slow_one = server.service.store.get(slow_session.rpartition("/")[2])
        for connection in slow_one.connections:
            assert len(connection._unsent) <= 4
    assert server.is_well()


@contextmanager
def raw_live(server: Server, session: str) -> Iterator[socket.socket]:
    """A WebSocket with a tiny receive buffer, from which nothing is read."""
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(600)
        raw.connect(("127.0.0.1", server.port))
        key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nHost: 127.0.0.1\r\n"
        raw.sendall(f"GET {session}/live HTTP/1.1\r\n{upgrade}{key}\r\n".encode())
        assert raw.recv(12) == b"HTTP/1.1 101"
        raw.settimeout(0.5)
        yield raw


def masked(text: str) -> bytes:
    """A text frame as a client sends it, with a mask of zeros."""
    data = text.encode()
    assert 126 <= len(data) + 126 < 65536
    length = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0x80 | 126]) + len(data).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + data


def test_many_users_at_once_each_see_their_own_picture(server: Server) -> None:
    """Edits of four sessions at once; each picture is that of its own session."""
    sessions = [server.new_session() for _ in range(4)]
    labels = ["hat", "hair", "skin", "cloth"]
    results: dict[str, bytes] = {}

    def paint(session: str, label: str) -> None:
        with server.live(session) as live:
            for seq in range(1, 6):
                edit = {**HAT, "label": label, "points": [[seq / 10, 0.5]]}
                live.send(json.dumps({"seq": seq, "edit": edit}))
            frames_until(live, 5)
        results[label] = server.request("GET", f"{session}/picture.png")[1]

    threads = [threading.Thread(target=paint, args=pair) for pair in zip(sessions, labels, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    assert len(set(results.values())) == 4
    for session, label in zip(sessions, labels, strict=True):
        assert json.loads(server.request("GET", session)[1])["edits"] == 5
        replay = server.new_session()
        for seq in range(1, 6):
            edit = {**HAT, "label": label, "points": [[seq / 10, 0.5]]}
            server.request("POST", f"{replay}/edits", json.dumps(edit), content_type="application/json")
        assert server.request("GET", f"{replay}/picture.png")[1] == results[label]
