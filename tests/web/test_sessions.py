"""Which sessions are kept, which are forgotten, and in which order; and how much memory they are taken to hold."""

import re
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image

from sean.editing.editor import Editor
from sean.editing.pipeline import SEANPipeline
from sean.web.frames import new_document, snapshot
from sean.web.limits import Limits
from sean.web.sessions import Documents, Session, SessionStore, UnknownSession, count_bytes, new_id
from sean.web.websocket import Connection

from ..support.memory import data_bytes


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


def test_shared_memory_counts_once() -> None:
    array, tensor = np.zeros((100, 100)), torch.zeros(50, 50)
    parts = [array, array, array[10:], tensor, tensor[3:], torch.from_numpy(array), b"x" * 10_000]
    assert count_bytes(parts) == 80_000 + 10_000 + 10_000


def test_a_view_counts_all_that_it_keeps_alive() -> None:
    assert count_bytes([np.zeros((100, 100))[:1], torch.zeros(10)[:1]]) == 80_040


def test_pictures_count_their_pixels() -> None:
    assert count_bytes([Image.new("RGB", (200, 200))]) == 120_000


def test_the_memory_of_a_session_is_that_of_everything_it_keeps_alive(pipeline: SEANPipeline) -> None:
    """`memory` of no class on the way may forget an array: a walk of the garbage collector finds the same bytes."""
    photo = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    segmap = np.random.default_rng(1).integers(0, 19, (300, 400))
    editor = Editor(pipeline, parser=None)
    editor.set_image(photo, segmap)
    editor.add_style_photo("other", photo[:, ::-1], segmap)
    documents = Documents(new_document(editor), most=3)
    session = Session(id="x", documents=documents, state=snapshot("x", documents, 0))

    def measured() -> int:
        session.measure()
        walked = data_bytes(documents, (pipeline, editor.photos))
        assert 0.99 * walked <= session.num_bytes <= 1.01 * walked
        return session.num_bytes

    opened = measured()
    editor.paint([(0.5, 0.5)], 0.2, "hair")
    editor.set_style("skin", "bank:1")
    editor.set_style("hair", "photo:other")
    editor.render(quick=True)
    rendered = measured()
    for max_side in (None, 250):
        editor.composited(quick=True, max_side=max_side)
    assert measured() > rendered > opened
    drawn = editor.branch()
    drawn.set_segmap(segmap[:200])
    documents.open(new_document(drawn))  # the first editor forgets what makes its next picture quick
    assert measured() < rendered
    drawn.paint([(0.5, 0.5)], 0.2, "hat")
    drawn.render()
    measured()
    drawn.forget_rendered()
    measured()
