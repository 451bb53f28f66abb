"""The WebSocket: what it answers, in which order, what waits for a slow client, and what happens to nonsense."""

import asyncio
import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from sean.editing.editor import Editor
from sean.editing.edits import Paint
from sean.editing.pipeline import SEANPipeline
from sean.web import frames
from sean.web.limits import Limits
from sean.web.service import Service, begin
from sean.web.websocket import Connection, MalformedMessage, Message, Wish, binary, parse, text

from ..pictures import difference
from .conftest import client_of, pixels, png_bytes
from .test_queue import Gate

HAT = {"kind": "paint", "points": [[0.5, 0.5]], "radius": 0.2, "label": "hat"}
HAIR = {**HAT, "label": "hair"}
HEADERS = {"host": "127.0.0.1"}


def connected(client: TestClient, session: str, page: str = "") -> WebSocketTestSession:
    return client.websocket_connect(f"{session}/live?page={page}", headers=HEADERS)


def received(socket: WebSocketTestSession) -> tuple[dict[str, Any], bytes]:
    """The next message: its JSON, and what follows that in a binary one."""
    message = socket.receive()
    if message["type"] == "websocket.close":
        raise WebSocketDisconnect(message["code"])
    if message.get("text"):
        return json.loads(message["text"]), b""
    data = message["bytes"]
    end = 4 + int.from_bytes(data[:4], "big")
    return json.loads(data[4:end]), data[end:]


def until(socket: WebSocketTestSession, type_: str, seq: int) -> tuple[dict[str, Any], bytes]:
    """The next message of that type and number; an error in its place fails the test, which would wait for ever."""
    while True:
        values, data = received(socket)
        if values["type"] == type_ and values["seq"] == seq:
            return values, data
        assert values["type"] != "error" or values["seq"] != seq, values


def all_before_now(socket: WebSocketTestSession) -> list[dict[str, Any]]:
    """The messages that have been put for a client so far and that it has not received yet."""
    socket.send_text("{")
    messages = []
    while (values := received(socket)[0]) != {"type": "error", "seq": 0, "detail": values.get("detail")}:
        messages.append(values)
    return messages


def wait_until_queued(service: Service, count: int) -> None:
    deadline = time.monotonic() + 600
    while service.queue.queued != count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def expected(pipeline: SEANPipeline, bank: int, *edits: Paint) -> Editor:
    """The same session without a server."""
    editor = Editor(pipeline)
    begin(editor, bank)
    editor.replay(edits)
    return editor


def test_an_edit_is_done_and_shown(client: TestClient, session: str, pipeline: SEANPipeline) -> None:
    edit = Paint(points=((0.5, 0.5),), radius=0.2, label="hat")
    editor = expected(pipeline, 1, edit)
    with connected(client, session) as socket:
        socket.send_json({"seq": 5, "edit": HAT})
        sources, _ = received(socket)
        state, _ = received(socket)
        frame, picture = received(socket)
        map_header, segmap = received(socket)
    assert (state["type"], state["seq"], state["version"], state["edits"]) == ("state", 5, 1, 1)
    assert frame == {"type": "frame", "seq": 5, "version": 1, "document": 0, "of": "model"}
    assert map_header == {"type": "map", "seq": 5, "version": 1, "document": 0}
    assert difference(pixels(picture), np.asarray(editor.render())) <= 1
    assert np.array_equal(pixels(segmap), editor.state.segmap)
    shown = {**state, "sources": sources["sources"]}
    assert client.get(session).json() == {key: shown[key] for key in shown if key not in ("type", "seq")}


def test_sources_and_maps_are_sent_when_they_change_and_only_then(client: TestClient, session: str) -> None:
    """The sources are most of the bytes of a state, and most edits change neither them nor the map."""
    photo = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    upload = {"file": ("other.png", png_bytes(photo)), "segmap": ("map.png", client.get(f"{session}/map.png").content)}
    seen: list[dict[str, Any]] = []

    def all_until(type_: str, seq: int) -> None:
        while (seen[-1].get("type"), seen[-1].get("seq")) != (type_, seq) if seen else True:
            seen.append(received(socket)[0])

    with connected(client, session) as socket:
        for seq in range(1, 6):
            edit = HAT if seq == 1 else {"kind": "set_style", "source": f"bank:{seq % 3}"}
            socket.send_json({"seq": seq, "edit": edit})
            all_until("frame", seq)
        assert client.post(f"{session}/styles", files=upload).status_code == 200
        for seq in range(6, 9):
            socket.send_json({"seq": seq, "edit": {"kind": "set_style", "source": "photo:1", "strength": seq / 10}})
            all_until("frame", seq)
    num = Counter(message["type"] for message in seen)
    assert (num["state"], num["sources"], num["map"]) == (9, 2, 1)
    assert not any("sources" in message for message in seen if message["type"] == "state")
    first, second = (message for message in seen if message["type"] == "sources")
    assert (first["version"], second["version"]) == (1, 6)
    assert first["document"] == second["document"] == 0
    assert [source["source"] for source in second["sources"][len(first["sources"]) :]] == ["photo:1"]


def test_a_preview_is_shown_and_not_done(client: TestClient, session: str, pipeline: SEANPipeline) -> None:
    edit = Paint(points=((0.5, 0.5),), radius=0.2, label="hat")
    editor = expected(pipeline, 1)
    with connected(client, session) as socket:
        socket.send_json({"seq": 1, "preview": HAT})
        frame, picture = until(socket, "frame", 1)
        _, segmap = until(socket, "map", 1)
        assert frame["version"] == 0
        shown = np.asarray(editor.render(editor.after(edit))).astype(int)
        assert np.abs(pixels(picture).astype(int) - shown).max() <= 1
        assert np.array_equal(pixels(segmap), editor.after(edit).segmap)
        socket.send_json({"seq": 2, "render": True})
        assert difference(pixels(until(socket, "frame", 2)[1]), np.asarray(editor.render())) <= 1
    assert client.get(session).json()["edits"] == 0


def test_undo_and_redo(client: TestClient, session: str) -> None:
    with connected(client, session) as socket:
        socket.send_json({"seq": 1, "edit": HAT})
        painted = until(socket, "frame", 1)[1]
        for seq, action, edits in ((2, "undo", 0), (3, "undo", 0), (4, "redo", 1)):
            socket.send_json({"seq": seq, action: True})
            assert until(socket, "state", seq)[0]["edits"] == edits
            picture = until(socket, "frame", seq)[1]
            assert (picture == painted) == bool(edits)


def test_what_comes_over_http_is_shown_too(client: TestClient, session: str) -> None:
    with connected(client, session) as first, connected(client, session) as second:
        first.send_json({"seq": 9, "render": True})
        until(first, "frame", 9)
        assert until(second, "frame", 0)[0]["version"] == 0
        assert client.post(f"{session}/edits", json=HAT).status_code == 200
        for socket, seq in ((first, 9), (second, 0)):
            assert until(socket, "state", seq)[0]["version"] == 1
            assert until(socket, "frame", seq)[0]["version"] == 1


def test_a_preview_is_seen_by_its_own_connection_only(client: TestClient, session: str) -> None:
    with connected(client, session) as first, connected(client, session) as second:
        first.send_json({"seq": 1, "preview": HAT})
        until(first, "frame", 1)
        second.send_json({"seq": 7, "render": True})
        values, _ = received(second)
        assert (values["type"], values["seq"]) == ("frame", 7)
        assert until(first, "frame", 1)[0]["version"] == 0  # and the other way round all see it


@pytest.mark.parametrize("leaves", [False, True], ids=["stays", "leaves"])
def test_a_preview_does_not_keep_an_edit_from_the_others(
    client: TestClient, service: Service, session: str, leaves: bool
) -> None:
    """The render of an edit waits when another connection asks for a preview, and perhaps leaves then."""
    gate = Gate(service.queue)
    with connected(client, session) as first, connected(client, session) as second:
        first.send_json({"seq": 1, "edit": HAT})
        wait_until_queued(service, 1)
        between = Gate(service.queue, session.rpartition("/")[2], entered=False)
        gate.open()
        until(first, "state", 1)  # done, and its render is behind the second gate
        second.send_json({"seq": 5, "preview": HAIR})
        seen = all_before_now(second)
        if leaves:
            second.close()
        between.open()
        assert client.get(f"{session}/looks/0.png").status_code == 200  # which comes after the renders
        assert [(m["seq"], m["version"]) for m in all_before_now(first) if m["type"] == "frame"] == [(1, 1)]
        if not leaves:
            seen += all_before_now(second)
            assert [(m["seq"], m["version"]) for m in seen if m["type"] == "frame"][-1] == (5, 1)


def test_a_render_brings_the_map_again(client: TestClient, session: str) -> None:
    """The client may have dropped the last one, or have put an older one over it."""
    with connected(client, session) as socket:
        maps = []
        for seq in (1, 2):
            socket.send_json({"seq": seq, "render": True})
            until(socket, "frame", seq)
            (header,) = all_before_now(socket)
            maps.append((header["type"], header["seq"]))
    assert maps == [("map", 1), ("map", 2)]


def test_a_named_page_is_told_the_present_state_when_it_connects(client: TestClient, session: str) -> None:
    """What changes between its last request and the connection is told by no other message."""
    with connected(client, session, "a") as socket:
        socket.send_json({"seq": 3, "edit": HAT})
        until(socket, "state", 3)
    assert client.post(f"{session}/edits", json=HAIR).status_code == 200
    with connected(client, session, "a") as socket:
        messages = all_before_now(socket)
    assert [(message["type"], message.get("version")) for message in messages] == [
        ("welcome", None),
        ("sources", 2),
        ("state", 2),
    ]
    assert messages[0]["seq"] == messages[2]["seq"] == 3 and messages[2]["edits"] == 2
    with connected(client, session) as socket:
        assert all_before_now(socket) == []


def test_an_edit_that_waits_is_not_confirmed_by_the_state_of_another(
    client: TestClient, service: Service, session: str
) -> None:
    """A page drops what is confirmed; if the connection broke then, the edit would be lost."""
    with connected(client, session) as socket, ThreadPoolExecutor(1) as pool:
        gate = Gate(service.queue)
        over_http = pool.submit(client.post, f"{session}/edits", json=HAT)
        wait_until_queued(service, 1)
        between = Gate(service.queue, session.rpartition("/")[2], entered=False)
        socket.send_json({"seq": 7, "edit": HAIR})
        wait_until_queued(service, 3)
        gate.open()
        received(socket)  # the sources
        early, _ = received(socket)
        between.open()
        late, _ = until(socket, "state", 7)
        assert over_http.result(600).status_code == 200
        assert (early["type"], early["version"], early["seq"]) == ("state", 1, 0)
        assert late["version"] == 2
        socket.send_json({"seq": 8, "edit": {**HAT, "label": "wig"}})
        until(socket, "error", 8)
        assert client.post(f"{session}/edits", json=HAT).status_code == 200
        assert until(socket, "state", 8)[0]["version"] == 3  # an error is an answer, too


def test_an_edit_that_waits_is_not_confirmed_by_the_picture_of_another(
    client: TestClient, service: Service, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    render = frames.frame

    def slow(*arguments: Any, **options: Any) -> frames.Frame:
        entered.set()
        assert go_on.wait(600)
        return render(*arguments, **options)

    monkeypatch.setattr(frames, "frame", slow)
    with connected(client, session) as socket:
        assert client.post(f"{session}/edits", json=HAT).status_code == 200
        assert entered.wait(600)
        socket.send_json({"seq": 7, "edit": HAIR})
        wait_until_queued(service, 1)
        go_on.set()
        shown = []
        while not shown or shown[-1]["version"] < 2:
            values, _ = received(socket)
            if values["type"] == "frame":
                shown.append(values)
    assert [(frame["seq"], frame["version"]) for frame in shown] == [(0, 1), (7, 2)]


def test_of_many_previews_the_newest_is_shown(client: TestClient, session: str) -> None:
    frames = []
    with connected(client, session) as socket:
        for seq in range(1, 41):
            socket.send_json({"seq": seq, "preview": {**HAT, "points": [[seq / 40, 0.5]]}})
        while not frames or frames[-1] < 40:
            values, _ = received(socket)
            if values["type"] == "frame":
                frames.append(values["seq"])
    assert frames == sorted(frames) and len(frames) < 40


NONSENSE: list[tuple[Any, str, int]] = [
    ("{", "as JSON", 0),
    ("[" * 100_000, "as JSON", 0),
    ("[]", "expected a message", 0),
    ('{"render": true}', "expected seq", 0),
    ('{"seq": true, "render": true}', "expected seq", 0),
    ('{"seq": -1, "render": true}', "expected seq", 0),
    ('{"seq": 1e400, "render": true}', "expected seq", 0),
    ('{"seq": 3}', "expected one of", 3),
    ('{"seq": 3, "render": true, "undo": true}', "expected one of", 3),
    ('{"seq": 3, "shutdown": true}', "expected one of", 3),
    ('{"seq": 3, "undo": 1}', "undo", 3),
    ('{"seq": 3, "edit": {"kind": "paint"}}', "paint: expected a value for points", 3),
    ('{"seq": 3, "edit": null}', "expected an edit", 3),
    ('{"seq": 3, "preview": {"kind": "fill", "point": [NaN, 0], "label": "hat"}}', "fill: expected point", 3),
]


@pytest.mark.parametrize(("message", "complaint", "seq"), NONSENSE)
def test_nonsense_is_answered_with_a_line(message: str, complaint: str, seq: int) -> None:
    with pytest.raises(MalformedMessage, match=complaint) as raised:
        parse(message)
    assert raised.value.seq == seq and "\n" not in str(raised.value) and len(str(raised.value)) < 300


def test_sense_is_read() -> None:
    paint = Paint(points=((0.5, 0.5),), radius=0.2, label="hat")
    assert parse(json.dumps({"seq": 1, "edit": HAT})) == Wish(seq=1, action="edit", edit=paint)
    assert parse('{"seq": 0, "redo": true}') == Wish(seq=0, action="redo")


def test_a_session_survives_nonsense_until_there_is_too_much(pipeline: SEANPipeline) -> None:
    service = Service(pipeline, limits=Limits(bad_messages=len(NONSENSE) + 2, message_bytes=200_000), num_threads=1)
    with client_of(service) as client:
        session = f"/api/sessions/{client.post('/api/sessions').json()['id']}"
        with connected(client, session) as socket:
            for message, _, seq in NONSENSE:
                socket.send_text(message)
                assert until(socket, "error", seq)[0]["detail"]
            socket.send_bytes(b"\x00\x01")
            assert "binary" in until(socket, "error", 0)[0]["detail"]
            socket.send_json({"seq": 8, "edit": {**HAT, "label": "wig"}})  # well-formed: not counted
            assert "wig" in until(socket, "error", 8)[0]["detail"]
            socket.send_json({"seq": 9, "preview": {**HAT, "label": "wig"}})
            assert "wig" in until(socket, "error", 9)[0]["detail"]
            socket.send_json({"seq": 10, "render": True})
            until(socket, "frame", 10)
            socket.send_text("x" * 200_001)
            with pytest.raises(WebSocketDisconnect) as closed:
                while True:
                    received(socket)
        assert closed.value.code == 1008
        assert client.get(session).status_code == 200


def test_unknown_sessions_and_too_many_connections_are_refused(client: TestClient, session: str) -> None:
    with pytest.raises(WebSocketDisconnect), connected(client, "/api/sessions/guessed"):
        pass
    sockets = [connected(client, session) for _ in range(5)]
    for socket in sockets[:4]:
        socket.__enter__()
    with pytest.raises(WebSocketDisconnect):
        sockets[4].__enter__()
    for socket in sockets[:4]:
        socket.__exit__(None, None, None)


def test_a_session_that_ends_closes_its_sockets(client: TestClient, session: str) -> None:
    with connected(client, session) as socket:
        assert client.delete(session).status_code == 204
        with pytest.raises(WebSocketDisconnect) as closed:
            received(socket)
    assert closed.value.code == 4404


def test_messages_are_read_at_a_pace(pipeline: SEANPipeline) -> None:
    service = Service(pipeline, limits=Limits(messages_per_second=20.0), num_threads=1)
    with client_of(service) as client:
        session = f"/api/sessions/{client.post('/api/sessions').json()['id']}"
        with connected(client, session) as socket:
            start = time.monotonic()
            for seq in range(1, 31):
                socket.send_json({"seq": seq, "undo": True})
            until(socket, "frame", 30)
            # a burst of 20, then 20 a second
            assert time.monotonic() - start >= 0.45


def pumped(connection: Connection, messages: int, seconds: float = 5.0) -> tuple[list[Message], int]:
    """The messages that a client gets until it has that many, and how often a frame was its last."""
    sent: list[Message] = []
    frames: list[int] = []

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        sent.append(message)
        if len(sent) == messages:
            connection.close(1000)

    asyncio.run(connection.pump(send, seconds, lambda: frames.append(len(sent))))
    return sent, len(frames)


def test_a_binary_message_is_a_header_and_data() -> None:
    message = binary("frame", b"data", seq=7, version=3)
    length = int.from_bytes(message[:4], "big")
    assert json.loads(message[4 : 4 + length]) == {"type": "frame", "seq": 7, "version": 3}
    assert message[4 + length :] == b"data"


def test_the_newest_of_a_kind_is_sent_in_the_place_of_the_first() -> None:
    connection = Connection()
    connection.put("frame", b"old frame")
    connection.put("state", "state")
    connection.put("frame", b"new frame")
    assert connection.waits("frame") and not connection.waits("map")
    assert pumped(connection, 2) == ([b"new frame", "state"], 1)
    assert not connection.waits("frame")


def test_errors_all_arrive_but_for_a_flood() -> None:
    connection = Connection()
    for number in range(100):
        connection.put_error("wrong", number)
    sent, _ = pumped(connection, 16)
    assert sent == [text("error", detail="wrong", seq=number) for number in range(16)]
    assert json.loads(sent[3]) == {"type": "error", "detail": "wrong", "seq": 3}
    assert not connection._unsent


def test_a_client_that_takes_nothing_is_disconnected_and_costs_little() -> None:
    async def run() -> int | None:
        connection = Connection()
        pumping = asyncio.create_task(
            connection.pump(lambda message: asyncio.Event().wait(), 0.05, lambda: None)  # type: ignore[arg-type]
        )
        for number in range(1000):
            connection.put("frame", bytes(1000))
            connection.put("state", str(number))
        await pumping
        assert len(connection._unsent) <= 2
        return connection.close_code

    assert asyncio.run(run()) == 1013


def test_the_first_reason_to_close_counts() -> None:
    connection = Connection()
    connection.close(1001)
    connection.close(1008)
    connection.put("frame", b"frame")
    assert pumped(connection, 1) == ([], 0)
    assert connection.close_code == 1001
