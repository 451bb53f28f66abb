"""Estimates of memory against sizes that are known."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from sean.web.memory import Measured, MemoryWatch, held_bytes, reachable

_SLACK = 2000  # for the objects themselves


class Holder:
    def __init__(self, *things: Any) -> None:
        self.things = things


def test_data_counts_once_however_often_it_is_held() -> None:
    array, tensor = np.zeros((100, 100)), torch.zeros(50, 50)
    holder = Holder(array, [array[10:], {"key": array}], tensor, tensor[3:], b"x" * 10_000)
    expected = 80_000 + 10_000 + 10_000
    assert expected <= held_bytes(holder) <= expected + _SLACK


def test_a_view_counts_all_that_it_keeps_alive() -> None:
    assert 80_000 <= held_bytes(Holder(np.zeros((100, 100))[:1], torch.zeros(10)[:1])) <= 80_040 + _SLACK


def test_pictures_count_their_pixels() -> None:
    assert 120_000 <= held_bytes(Holder(Image.new("RGB", (200, 200)))) <= 120_000 + _SLACK


def test_what_is_shared_counts_nothing() -> None:
    weights = torch.zeros(1000, 1000)
    model = Holder(weights, {"more": np.zeros(1000)})
    assert held_bytes(Holder(model, weights, b"x" * 5000), reachable(model)) <= 5000 + _SLACK


@dataclass(eq=False)
class Thing(Measured):
    data: bytes
    num_bytes: int = 0
    measured_at: float = -1e9

    def held(self) -> Any:
        return self.data


def test_a_watch_measures_when_it_is_due() -> None:
    watch, thing = MemoryWatch(None, seconds=1000.0), Thing(b"x" * 1000)
    watch.measure(thing)
    first = thing.num_bytes
    assert 1000 <= first <= 1100
    thing.data = b"x" * 3000
    watch.measure(thing)
    assert thing.num_bytes == first
    watch.measure(thing, now=True)
    assert 3000 <= thing.num_bytes <= 3100
