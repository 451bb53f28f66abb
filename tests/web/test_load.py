"""Twenty users who paint at once for ten minutes: nobody gets an error or another's picture, and memory stays bounded.

SEAN_LOAD_SECONDS says for how long instead.
"""

import asyncio
import json
import os
import random
import statistics
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from ..web_process import WebProcess, web_process

pytestmark = [pytest.mark.slow, pytest.mark.integration]

USERS = 20
SECONDS = float(os.environ.get("SEAN_LOAD_SECONDS", "600"))
# After a third of the time every session has all that it keeps; so much more may the last third need than the second.
GROWTH = 1.1
PAINTED = ("hair", "skin", "hat", "cloth", "neck", "background")
STYLED = ("hair", "skin", "nose", "background")  # which every style of the bank has


@dataclass
class User:
    """One user: what he did, and how long he waited for each picture (seconds)."""

    session: str
    chance: random.Random
    edits: list[dict[str, Any]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def stroke(chance: random.Random) -> dict[str, Any]:
    x, y = chance.random(), chance.random()
    points = [[x + 0.02 * step, y + 0.01 * step] for step in range(chance.randint(1, 10))]
    radius = chance.uniform(0.01, 0.1)
    return {"kind": "paint", "points": points, "radius": radius, "label": chance.choice(PAINTED)}


def some_edit(chance: random.Random) -> dict[str, Any]:
    """Mostly strokes, now and then a style."""
    if chance.random() < 0.8:
        return stroke(chance)
    source, strength = f"bank:{chance.randrange(5)}", chance.random()
    return {"kind": "set_style", "source": source, "regions": [chance.choice(STYLED)], "strength": strength}


async def picture_of(socket: ClientConnection, seq: int, user: User) -> None:
    """Wait for the frame of a message."""
    while True:
        message = await socket.recv()
        if isinstance(message, str):
            values = json.loads(message)
            if values["type"] == "error":
                user.problems.append(values["detail"])
                return
        else:
            header = json.loads(message[4 : 4 + int.from_bytes(message[:4], "big")])
            if header["type"] == "frame" and header["seq"] >= seq:
                return


async def paint(server: WebProcess, user: User, until: float) -> None:
    """Do edits until then, each with a preview before it, as the page does, and a moment's rest after it."""
    address = f"{server.address.replace('http', 'ws', 1)}api/sessions/{user.session}/live"
    async with connect(address, max_size=None) as socket:
        seq = 0
        while time.monotonic() < until:
            edit = some_edit(user.chance)
            for action in ("preview", "edit"):
                seq += 1
                begin = time.monotonic()
                await socket.send(json.dumps({"seq": seq, action: edit}))
                await picture_of(socket, seq, user)
            user.edits.append(edit)
            user.waits.append(time.monotonic() - begin)
            await asyncio.sleep(user.chance.uniform(0.0, 0.4))


async def watch(server: WebProcess, until: float) -> list[float]:
    """The server's memory in MiB, once a second."""
    sizes = []
    while time.monotonic() < until:
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
        sizes.append(int(line.split()[1]) / 1024)
        await asyncio.sleep(1.0)
    return sizes


def post(server: WebProcess, path: str, body: Any) -> Any:
    data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{server.address}api/sessions{path}", data, headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def final_picture(server: WebProcess, session: str) -> bytes:
    with urllib.request.urlopen(f"{server.address}api/sessions/{session}/picture.png") as answer:
        return bytes(answer.read())


def replayed(server: WebProcess, number: int, edits: list[dict[str, Any]]) -> bytes:
    """The picture that the same edits give in a session of their own."""
    session = post(server, "", {"bank": number % 5})["id"]
    for edit in edits:
        post(server, f"/{session}/edits", edit)
    return final_picture(server, session)


def test_twenty_users_paint_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    async def everybody(server: WebProcess, users: list[User]) -> list[float]:
        until = time.monotonic() + SECONDS
        sizes, *_ = await asyncio.gather(watch(server, until), *(paint(server, user, until) for user in users))
        return sizes

    with web_process() as server:
        users = [
            User(session=post(server, "", {"bank": number % 5})["id"], chance=random.Random(number))
            for number in range(USERS)
        ]
        sizes = asyncio.run(everybody(server, users))
        waits = sorted(wait for user in users for wait in user.waits)
        third = len(sizes) // 3
        second, last = max(sizes[third:-third]), max(sizes[-third:])
        with capsys.disabled():
            print(
                f"\n{USERS} users, {SECONDS:.0f} s: {len(waits)} edits, from edit to picture median "
                f"{statistics.median(waits):.2f} s, nine of ten within {waits[int(0.9 * len(waits))]:.2f} s; memory "
                f"{sizes[0]:.0f} MiB at first, at most {second:.0f} MiB in the second third, {last:.0f} MiB in the last"
            )
        assert [problem for user in users for problem in user.problems] == []
        assert min(len(user.edits) for user in users) > SECONDS / 10
        pictures = [final_picture(server, user.session) for user in users]
        assert len(set(pictures)) == USERS
        for number, (user, picture) in enumerate(zip(users, pictures, strict=True)):
            assert replayed(server, number, user.edits) == picture
        assert last <= GROWTH * second
