"""Headers, origins and hosts."""

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from sean.web.security import hosts_served
from sean.web.studio import Studio

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


def test_a_failure_of_the_server_has_them_too_and_tells_nothing(studio: Studio) -> None:
    with client_of(studio) as client:
        client.app.router.routes.insert(0, client.app.router.routes[0])  # type: ignore[attr-defined]
        studio.store.get = lambda _: 1 / 0  # type: ignore[assignment,method-assign,return-value]
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


def test_any_name_will_do_where_others_may_come(studio: Studio) -> None:
    with client_of(studio, hosts=hosts_served("0.0.0.0")) as client:
        assert client.get("/health", headers={"host": "studio.example"}).status_code == 200


def test_hosts_of_addresses() -> None:
    assert hosts_served("0.0.0.0") is None and hosts_served("192.0.2.7") is None and hosts_served("::") is None
    for host in ("127.0.0.1", "127.0.0.2", "localhost", "::1"):
        assert {"localhost", "127.0.0.1", "[::1]"} <= set(hosts_served(host) or ())
