"""When pictures are rendered for whom, and with which numbers they come; without a server."""

import asyncio
import json
from typing import Any

import pytest

from sean.editing.edits import Paint
from sean.web import frames
from sean.web.service import Service
from sean.web.sessions import Session
from sean.web.websocket import Connection, View

from .test_queue import Gate

HAT = Paint(points=((0.5, 0.5),), radius=0.2, label="hat")


async def rendered(service: Service) -> None:
    """Return when nothing is left to render for clients that take no picture."""
    while service.views._tasks:
        await asyncio.gather(*service.views._tasks)


def taken(service: Service, session: Session, connection: Connection) -> dict[str, Any]:
    """The header of the waiting picture of a client that takes it now."""
    message = connection._unsent.pop("frame")
    assert isinstance(message, bytes)
    service.views.taken(session)
    values: dict[str, Any] = json.loads(message[4 : 4 + int.from_bytes(message[:4], "big")])
    return values


def test_a_preview_waits_behind_a_picture_for_all_that_waits_for_slow_clients(service: Service) -> None:
    """And the numbers of a client never become smaller, though its preview is older than its last message."""

    async def live() -> tuple[list[int], list[int]]:
        session, views = await service.begin(None), service.views
        first, second = Connection("first"), Connection("second")
        session.connections.update((first, second))
        views.show(session, View())
        await rendered(service)
        # as the readers of two connections do
        views.show(session, View(first, 4))
        first.last_done = 4
        views.show(session, View(second, 2, preview=HAT))
        second.last_done = 3  # 3 was refused
        seqs: tuple[list[int], list[int]] = [], []
        seqs[0].append(taken(service, session, first)["seq"])
        await rendered(service)
        assert first.waits("frame")  # not of the preview alone
        for connection, seen in ((second, seqs[1]), (first, seqs[0])):
            seen.append(taken(service, session, connection)["seq"])
            await rendered(service)
        seqs[1].append(taken(service, session, second)["seq"])
        assert not first.waits("frame") and not second.waits("frame")
        return seqs

    try:
        assert asyncio.run(live()) == ([0, 4], [3, 3])
    finally:
        service.close()


def test_the_preview_of_a_lone_client_takes_the_place_of_its_waiting_picture(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The preview shows the edit, too, and a hand that moves does not wait for two pictures."""
    render, num_renders = frames.frame, 0

    def counted(*arguments: Any, **options: Any) -> frames.Frame:
        nonlocal num_renders
        num_renders += 1
        return render(*arguments, **options)

    monkeypatch.setattr(frames, "frame", counted)

    async def live() -> int:
        session, connection = await service.begin(None), Connection()
        session.connections.add(connection)
        gate = Gate(service.queue)
        service.views.show(session, View(connection, 1))
        service.views.show(session, View(connection, 2, preview=HAT))
        gate.open()
        await rendered(service)
        return int(taken(service, session, connection)["seq"])

    try:
        assert (asyncio.run(live()), num_renders) == (2, 1)
    finally:
        service.close()
