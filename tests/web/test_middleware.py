"""Headers, origins and hosts; bodies that are too large, too slow or too many."""

import asyncio
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from sean.errors import InputError
from sean.web import middleware
from sean.web.limits import Limits
from sean.web.middleware import Access, BodyLimit
from sean.web.service import Service

from .conftest import client_of


def test_every_answer_has_the_headers(client: TestClient, session: str) -> None:
    for path in ("/", "/health", "/nothing", session, f"{session}/map.png", "/api/sessions/guessed"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= set(policy)
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
        assert headers["cache-control"] == ("no-cache" if path == "/" else "no-store")


def test_a_failure_of_the_server_has_them_too_and_tells_nothing(service: Service) -> None:
    with client_of(service) as client:
        client.app.router.routes.insert(0, client.app.router.routes[0])  # type: ignore[attr-defined]
        service.store.get = lambda _: 1 / 0  # type: ignore[assignment,method-assign,return-value]
        silent = TestClient(client.app, base_url="http://127.0.0.1", raise_server_exceptions=False)
        answer = silent.get("/api/sessions/x")
    assert answer.status_code == 500
    assert answer.json() == {"detail": "something went wrong on the server; try again, or begin a new session"}
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://127.0.0.1", True),
        ("https://127.0.0.1", True),
        ("http://127.0.0.1:9999", False),
        ("http://evil.example", False),
        ("null", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_origins_must_be_our_own(client: TestClient, session: str, origin: str, allowed: bool) -> None:
    headers = {"origin": origin, "host": "127.0.0.1"}
    assert client.post(f"{session}/undo", headers=headers).status_code == (200 if allowed else 403)
    assert client.get(session, headers=headers).status_code == 200  # nobody else's page can read it
    if allowed:
        with client.websocket_connect(f"{session}/live", headers=headers):
            pass
    else:
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"{session}/live", headers=headers):
            pass


def test_programs_send_no_origin(client: TestClient, session: str) -> None:
    with client.websocket_connect(f"{session}/live", headers={"host": "127.0.0.1:7860"}):
        pass


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:7860", 200),
        ("LOCALHOST:1", 200),
        ("[::1]:7860", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example:7860", 403),
        ("", 403),
    ],
)
def test_a_name_that_was_made_to_point_here_is_refused(client: TestClient, host: str, status: int) -> None:
    assert client.get("/health", headers={"host": host}).status_code == status


def test_any_name_will_do_where_others_may_come(service: Service) -> None:
    with client_of(service, access=Access.of("0.0.0.0")) as client:
        assert client.get("/health", headers={"host": "service.example"}).status_code == 200


def test_hosts_of_addresses() -> None:
    assert all(Access.of(address).hosts is None for address in ("0.0.0.0", "192.0.2.7", "::"))
    for address in ("127.0.0.1", "127.0.0.2", "localhost", "::1"):
        assert {"localhost", "127.0.0.1", "[::1]"} <= set(Access.of(address).hosts or ())


def status_of(client: TestClient, session: str, **headers: str) -> int:
    """What a change and a WebSocket of a page meet with; both must meet with the same."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    status = client.post(f"{session}/undo", headers=sent).status_code
    try:
        with client.websocket_connect(f"{session}/live", headers=sent):
            live = 200
    except WebSocketDisconnect:
        live = 403
    assert live == status
    return status


@pytest.mark.parametrize("name", ["Example.org", "example.org:8443"])
def test_a_public_name_behind_a_proxy(service: Service, name: str) -> None:
    page = f"https://{name.lower()}"
    with client_of(service, access=Access.of("127.0.0.1", [name])) as client:
        session = f"/api/sessions/{client.post('/api/sessions', json={}).json()['id']}"
        assert status_of(client, session, host=name, origin=page) == 200  # the proxy keeps Host
        assert status_of(client, session, host="127.0.0.1:7860", origin=page) == 200  # nginx by itself
        assert status_of(client, session, host="127.0.0.1:7860", origin="https://evil.example") == 403
        assert status_of(client, session, host="127.0.0.1:7860", origin="https://example.org:9") == 403
        assert status_of(client, session, host="evil.example", origin="https://evil.example") == 403


def test_other_names_are_refused_once_one_is_public(service: Service) -> None:
    with client_of(service, access=Access.of("0.0.0.0", ["example.org"])) as client:
        assert client.get("/health", headers={"host": "example.org"}).status_code == 200
        answer = client.get("/health", headers={"host": "evil.example"})
    assert answer.status_code == 403
    assert "'evil.example'" in answer.json()["detail"] and "--public-name" in answer.json()["detail"]


@pytest.mark.parametrize(("peer", "status"), [("10.1.2.3", 200), ("10.9.9.9", 200), ("192.0.2.7", 403), ("name", 403)])
def test_the_forwarded_host_is_believed_of_trusted_proxies_alone(service: Service, peer: str, status: int) -> None:
    access = Access.of("0.0.0.0", proxies=["10.0.0.0/8", "::1"])
    with client_of(service, access=access) as client:
        session = f"/api/sessions/{client.post('/api/sessions', json={}).json()['id']}"
        beside = TestClient(client.app, base_url="http://sean:7860", client=(peer, 50000))
        page = {"origin": "https://example.org", "x_forwarded_host": "example.org"}
        assert status_of(beside, session, **page) == status


def test_a_trusted_proxy_widens_no_names(service: Service) -> None:
    """A page whose name was made to point here runs on this machine too, and may send any header."""
    with client_of(service, access=Access.of("127.0.0.1", proxies=["127.0.0.1"])) as client:
        here = TestClient(client.app, base_url="http://127.0.0.1", client=("127.0.0.1", 50000))
        assert here.get("/health").status_code == 200
        assert here.get("/health", headers={"x-forwarded-host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("name", ["https://example.org", "example.org/tools", "", "*", "exa mple", "example.org:port"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(InputError, match="expected a host name such as"):
        Access.of("127.0.0.1", [name])


@pytest.mark.parametrize("proxy", ["proxy", "10.0.0.0/33", ""])
def test_proxies_that_are_none(proxy: str) -> None:
    with pytest.raises(InputError, match="expected the address of a proxy"):
        Access.of("127.0.0.1", proxies=[proxy])


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
    monkeypatch.setattr(middleware, "_DRAIN_SECONDS", 0.05)
    monkeypatch.setattr(middleware, "_DRAIN_BYTES", 200)


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
