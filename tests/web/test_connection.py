"""What waits for a client: the newest of each kind; and what happens to one that takes nothing."""

import asyncio
import json

from sean.web.connection import Connection, Message, binary, text


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
