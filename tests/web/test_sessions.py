"""Which sessions are kept, which are forgotten, and in which order."""

import re
from typing import Any, cast

import pytest

from sean.web.connection import Connection
from sean.web.limits import Limits
from sean.web.sessions import Session, SessionStore, UnknownSession, new_id


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Shop:
    """A store with a clock and a list of what it forgot."""

    def __init__(self, **limits: Any) -> None:
        self.clock, self.gone = Clock(), []
        self.store = SessionStore(Limits(**limits), lambda session: self.gone.append(session.id), self.clock)

    def add(self, name: str, num_bytes: int = 0) -> Session:
        self.clock.now += 1
        session = Session.__new__(Session)  # its editor and state do not matter here
        vars(session).update(id=name, connections=set(), num_bytes=num_bytes, expired=False, last_used=0.0)
        self.store.add(session)
        return session


def test_ids_are_long_and_new() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", session_id) for session_id in ids)


def test_the_session_unused_for_longest_makes_room() -> None:
    shop = Shop(sessions=3)
    a, *_ = shop.add("a"), shop.add("b"), shop.add("c")
    assert shop.store.get("a") is a  # used again
    shop.clock.now += 1
    shop.store.get("c")
    shop.add("d")
    assert shop.gone == ["b"]
    with pytest.raises(UnknownSession, match="no such session, or it has expired"):
        shop.store.get("b")
    assert len(shop.store) == 3


def test_sessions_that_somebody_looks_at_go_last() -> None:
    shop = Shop(sessions=2)
    shop.add("watched").connections.add(Connection())
    shop.add("idle")
    shop.add("new")
    assert shop.gone == ["idle"]
    assert shop.store.get("new").expired is False


def test_two_hundred_sessions_do_not_exceed_the_cap() -> None:
    shop = Shop(sessions=5)
    for number in range(200):
        shop.add(str(number)).connections.add(Connection())
    assert len(shop.store) == 5 and len(shop.gone) == 195
    assert shop.gone[0] == "0" and shop.store.get("199") is not None


def test_memory_is_bounded_and_the_one_in_use_stays() -> None:
    shop = Shop(memory_bytes=100)
    a = shop.add("a", 40)
    shop.add("b", 40)
    shop.add("c", 30)
    assert shop.gone == ["a"] and a.expired
    large = shop.store.get("b")
    large.num_bytes = 1000
    shop.store.make_room(large)
    assert shop.gone == ["a", "c"] and shop.store.all() == [large]


def test_unused_sessions_expire() -> None:
    shop = Shop(idle_seconds=10.0)
    shop.add("a")
    shop.add("b")
    shop.clock.now = 11.5
    shop.store.sweep()
    assert shop.gone == ["a"]
    shop.store.get("b")
    shop.clock.now = 21.0
    shop.store.sweep()
    assert shop.gone == ["a"]
    shop.clock.now = 21.6
    shop.store.sweep()
    assert shop.gone == ["a", "b"] and len(shop.store) == 0


def test_removing_twice_forgets_once() -> None:
    shop = Shop()
    session = cast(Session, shop.add("a"))
    shop.store.remove(session)
    shop.store.remove(session)
    shop.add("b")
    shop.store.clear()
    assert shop.gone == ["a", "b"]
