"""Medians by a clock that the test sets, and the memory of processes that take a known amount."""

import gc
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from sean.bench import timing
from sean.bench.timing import median_seconds, peak_memory

from .allocation import allocate

MEGABYTE = 2**20


class Clock:
    """Stands still but for what the contenders take."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 50.0
        self.order: list[str] = []
        monkeypatch.setattr(timing, "now", lambda: self.now)

    def contender(self, name: str, *durations: float) -> Callable[[], None]:
        left: Iterator[float] = iter(durations)

        def run() -> None:
            self.order.append(name)
            self.now += next(left)

        return run


def test_medians_without_the_first_round(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    contenders = {"a": clock.contender("a", 100, 4, 1, 2), "b": clock.contender("b", 0.5, 10, 30, 70)}
    assert median_seconds(contenders, 3) == {"a": 2, "b": 30}
    assert "".join(clock.order) == "abababab"


def test_medians_of_one_and_of_two_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert median_seconds({"a": clock.contender("a", 9, 3)}, 1) == {"a": 3}
    assert median_seconds({"a": clock.contender("a", 9, 3, 5)}, 2) == {"a": 4}


def test_real_seconds() -> None:
    event = torch.ones(100, 100)
    seconds = median_seconds({"product": lambda: event @ event, "nothing": lambda: None}, 3)
    assert 0 <= seconds["nothing"] < seconds["product"]


def test_the_garbage_collector_waits_and_comes_back() -> None:
    seen = []
    median_seconds({"a": lambda: seen.append(gc.isenabled())}, 1)
    assert seen == [False, False]
    assert gc.isenabled()

    def fail() -> None:
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        median_seconds({"a": fail}, 1)
    assert gc.isenabled()


def test_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_file", lambda _path: False)
    seen: list[tuple[int, str]] = []
    assert timing._peak_of(lambda *arguments: seen.append(arguments), (3, "x"), torch.get_num_threads()) is None
    assert seen == [(3, "x")]


@pytest.mark.integration
def test_peak_memory_is_that_of_the_function_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # the new process finds the module of `allocate` by this path
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    held = torch.ones(800 * MEGABYTE, dtype=torch.uint8)
    own_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    bare, large = (peak_memory(allocate, size * MEGABYTE) for size in (0, 300))
    if bare is None or large is None:
        pytest.skip("this system does not tell the peak of a process")
    # the system counts with some delay
    assert 290 * MEGABYTE < large - bare < 350 * MEGABYTE
    assert bare < own_peak - held.numel() / 2, "the memory of this process came along"
