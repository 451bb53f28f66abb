"""Batches: each epoch a permutation, no sample dropped, and the same ones after a resume or with workers."""

import os
import signal
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import Dataset

from sean.data.loader import STOPPING_SIGNALS, BatchSchedule, batches
from sean.errors import InputError
from sean.plan.planner import plan_segmap


class Echo(Dataset[dict[str, Any]]):
    """Gives its key back; sample number 5 is broken, number 6 kills its process."""

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        if key[1] == 5:
            raise InputError("expected a picture, but five.png is none")
        if key[1] == 6:
            os._exit(7)
        return {"key": torch.tensor(key), "name": f"{key[0]}-{key[1]}"}


def first_keys(plan: BatchSchedule, steps: int, start: int = 0, num_workers: int = 0) -> list[Any]:
    return [batch["key"].tolist() for batch in islice(batches(Echo(), plan, start, num_workers=num_workers), steps)]


class Maps(Dataset[dict[str, Any]]):
    """A segmap of four stripes, moved by the index."""

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        return {"segmap": (torch.arange(32).add(key[1]) // 8 % 4).expand(32, 32)}


@pytest.mark.parametrize("num_workers", [0, pytest.param(1, marks=pytest.mark.integration)])
def test_plans_are_made_of_whole_batches(num_workers: int) -> None:
    plan = BatchSchedule(length=5, batch_size=2)
    for batch in islice(batches(Maps(), plan, num_workers=num_workers, plan_segmaps=True), 3):
        made, expected = batch["plan"], plan_segmap(batch["segmap"])
        assert torch.equal(made.segmap, batch["segmap"])
        for level, expected_level in zip(made.levels, expected.levels, strict=True):
            assert torch.equal(level.pixels, expected_level.pixels)
            assert torch.equal(level.label_patches, expected_level.label_patches)
    assert "plan" not in next(iter(batches(Maps(), plan)))


@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 2**40))
def test_every_epoch_is_a_permutation_and_nothing_is_dropped(length: int, batch_size: int, seed: int) -> None:
    plan = BatchSchedule(length=length, batch_size=batch_size, seed=seed)
    steps = -(-3 * length // batch_size)
    keys = [key for step in range(steps) for key in plan.keys(step)]
    assert len(keys) == steps * batch_size >= 3 * length > len(keys) - batch_size
    for epoch in range(3):
        part = keys[epoch * length : (epoch + 1) * length]
        assert {key[0] for key in part} == {epoch}
        assert sorted(key[1] for key in part) == list(range(length))


@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 4), st.integers(0, 20))
def test_the_processes_share_a_batch_in_order(length: int, local: int, world_size: int, step: int) -> None:
    whole = BatchSchedule(length=length, batch_size=local * world_size, seed=1)
    shares = [
        BatchSchedule(length=length, batch_size=local * world_size, seed=1, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    assert [key for share in shares for key in share.keys(step)] == whole.keys(step)
    assert all(share.local_batch_size == local for share in shares)


GROUPS = st.lists(st.integers(1, 6), min_size=1, max_size=12).map(tuple)


def group_of(groups: tuple[int, ...], index: int) -> int:
    return [number for number, size in enumerate(groups) for _ in range(size)][index]


@given(GROUPS, st.integers(1, 5), st.integers(1, 9), st.integers(0, 2**40))
def test_with_groups_every_epoch_is_a_permutation_of_whole_windows(
    groups: tuple[int, ...], window: int, batch_size: int, seed: int
) -> None:
    length = sum(groups)
    plan = BatchSchedule(length=length, batch_size=batch_size, seed=seed, groups=groups, window=window)
    keys = [key for step in range(-(-3 * plan.length // batch_size)) for key in plan.keys(step)]
    for epoch in range(3):
        part = keys[epoch * length : (epoch + 1) * length]
        assert {key[0] for key in part} == {epoch}
        assert sorted(key[1] for key in part) == list(range(length))
        # However the groups follow each other: with `window` new ones begun, all before are finished for good.
        entered = list(dict.fromkeys(group_of(groups, index) for _, index in part))
        place = 0
        while place < length:
            done = len(entered) - len({group_of(groups, index) for _, index in part[place:]})
            chosen = entered[done : done + window]
            stretch = part[place : place + sum(groups[group] for group in chosen)]
            assert {group_of(groups, index) for _, index in stretch} == set(chosen)
            place += len(stretch)


@given(GROUPS, st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 30))
def test_the_processes_share_a_batch_of_groups_and_know_what_is_near(
    groups: tuple[int, ...], window: int, local: int, world_size: int, step: int
) -> None:
    values: dict[str, Any] = {"length": sum(groups), "batch_size": local * world_size, "groups": groups}
    values |= {"window": window, "seed": 1}
    whole = BatchSchedule(**values)
    shares = [BatchSchedule(**values, rank=rank, world_size=world_size) for rank in range(world_size)]
    assert [key for share in shares for key in share.keys(step)] == whole.keys(step)
    assert {share.near_groups(step) for share in shares} == {whole.near_groups(step)}
    near = whole.near_groups(step)
    assert len(set(near)) == len(near)
    assert {group_of(groups, index) for _, index in whole.keys(step) + whole.keys(step + 1)[:1]} <= set(near)
    if local * world_size <= min(groups):  # then a step has at most two windows, and there is the next one
        assert len(near) <= 3 * window


def test_windows_by_hand() -> None:
    plan = BatchSchedule(length=7, batch_size=2, groups=(3, 1, 2, 1), window=2, shuffle=False)
    assert [plan.keys(step) for step in (0, 1, 3)] == [[(0, 0), (0, 1)], [(0, 2), (0, 3)], [(0, 6), (1, 0)]]
    assert [plan.near_groups(step) for step in range(4)] == [(0, 1, 2, 3)] * 2 + [(2, 3, 0, 1)] * 2
    assert BatchSchedule(length=7, batch_size=2).near_groups(0) == ()


def test_groups_and_the_samples_in_them_are_shuffled() -> None:
    plan = BatchSchedule(length=60, batch_size=60, groups=(10,) * 6, window=2)
    orders = [[index for _, index in plan.keys(epoch)] for epoch in range(2)]
    assert orders[0] != orders[1]
    for order in orders:
        assert [index // 10 for index in order] != sorted(index // 10 for index in order)
        first = order[:20]  # two groups, mixed
        assert len({index // 10 for index in first}) == 2
        assert len({index // 10 for index in first[:10]}) == 2
        assert sorted(first, key=lambda index: index // 10) != sorted(first)


def test_the_order_by_hand() -> None:
    plan = BatchSchedule(length=3, batch_size=2, shuffle=False)
    assert [plan.keys(step) for step in range(4)] == [
        [(0, 0), (0, 1)],
        [(0, 2), (1, 0)],
        [(1, 1), (1, 2)],
        [(2, 0), (2, 1)],
    ]


def test_epochs_and_seeds_have_their_own_order() -> None:
    orders = [
        tuple(index for _, index in BatchSchedule(length=50, batch_size=50, seed=seed).keys(epoch))
        for seed in (0, 1)
        for epoch in (0, 1)
    ]
    assert len(set(orders)) == 4


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_resume_continues_the_stream(num_workers: int) -> None:
    plan = BatchSchedule(length=5, batch_size=2, seed=4)
    expected = [[list(key) for key in plan.keys(step)] for step in range(9)]
    assert first_keys(plan, 9, num_workers=num_workers) == expected
    assert first_keys(plan, 3, start=6, num_workers=num_workers) == expected[6:]


def test_names_are_listed_and_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    batch = next(batches(Echo(), BatchSchedule(length=2, batch_size=2, shuffle=False)))
    assert batch["name"] == ["0-0", "0-1"] and batch["key"].shape == (2, 2)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_bad_sample_is_one_line_also_out_of_a_worker(num_workers: int) -> None:
    stream = batches(Echo(), BatchSchedule(length=6, batch_size=2, shuffle=False), num_workers=num_workers)
    assert next(stream)["key"].tolist() == [[0, 0], [0, 1]]
    next(stream)
    with pytest.raises(InputError) as caught:
        next(stream)
    assert str(caught.value) == "expected a picture, but five.png is none"


@pytest.mark.integration
def test_a_dead_worker_is_an_error_and_no_silence() -> None:
    stream = batches(Echo(), BatchSchedule(length=7, batch_size=1, shuffle=False), start_step=6, num_workers=1)
    with pytest.raises(RuntimeError, match=r"DataLoader worker .* exited unexpectedly"):
        next(stream)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": 0}, "at least one sample"),
        ({"batch_size": 0}, "expected a batch size"),
        ({"batch_size": 3, "world_size": 2}, "multiple of the 2 processes, got 3"),
        ({"rank": 1}, r"expected a rank in 0\.\.0, got 1"),
        ({"seed": -1}, "seed of at least 0"),
        ({"groups": (1, 2)}, r"groups of at least 1 and 4 samples in all, got \(1, 2\)"),
        ({"groups": (4, 0)}, "groups of at least 1"),
        ({"window": 0}, "window of at least 1 group, got 0"),
    ],
)
def test_plans_that_cannot_be_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        BatchSchedule(**{"length": 4, "batch_size": 2, **changes})


class Far(Echo):
    """Notes in a folder which groups are fetched; group 1 cannot be."""

    def __init__(self, notes: Path) -> None:
        self.notes = notes

    def fetch(self, group: int) -> None:
        (self.notes / f"{group} {time.monotonic_ns()}").touch()
        if group == 1:
            raise InputError("cannot read http://far/training-000001.tar")


@pytest.mark.parametrize("num_workers", [0, pytest.param(2, marks=pytest.mark.integration)])
def test_the_groups_of_this_window_and_the_next_are_fetched_ahead(tmp_path: Path, num_workers: int) -> None:
    plan = BatchSchedule(length=5, batch_size=1, shuffle=False, groups=(2, 1, 1, 1), window=1)
    stream = batches(Far(tmp_path), plan, num_workers=num_workers)
    next(stream)
    if not num_workers:  # workers are some steps ahead themselves
        wait_for(tmp_path, {"0", "1"})
        next(stream)
        assert sorted(fetched(tmp_path)) == ["0", "1"]
    next(stream), next(stream)
    wait_for(tmp_path, {"0", "1", "2", "3"})
    if not num_workers:
        assert sorted(fetched(tmp_path)) == ["0", "1", "2", "3"]


def fetched(notes: Path) -> list[str]:
    return [path.name.split()[0] for path in notes.iterdir()]


def wait_for(notes: Path, groups: set[str]) -> None:
    end = time.monotonic() + 600
    while not groups <= set(fetched(notes)):
        assert time.monotonic() < end, f"only {fetched(notes)} were fetched"
        time.sleep(0.005)


class Handlers(Dataset[dict[str, Any]]):
    """Says which of Ctrl-C and SIGTERM the process that reads it ignores."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        return {"ignored": [signal.getsignal(number) == signal.SIG_IGN for number in STOPPING_SIGNALS]}


@pytest.mark.integration
def test_signals_are_the_main_processs_business() -> None:
    """They reach all processes of a terminal or a job; a worker that ended by one would take the step along."""
    before = signal.getsignal(signal.SIGTERM)
    (batch,) = islice(batches(Handlers(), BatchSchedule(length=2, batch_size=1), num_workers=1), 1)
    assert {signal.SIGINT, signal.SIGTERM} <= set(STOPPING_SIGNALS)
    assert [ignored.item() for ignored in batch["ignored"]] == [True] * len(STOPPING_SIGNALS)
    assert signal.getsignal(signal.SIGTERM) == before


class Stuck(Dataset[dict[str, Any]]):
    """Its first sample in an epoch's order is there at once; the second waits until its process is killed."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        while key[1]:
            time.sleep(1)
        return {"process": os.getpid()}


@pytest.mark.integration
def test_a_closed_stream_leaves_no_worker_that_waits() -> None:
    """A worker takes no SIGTERM, so that the exit of the program would wait for it without end."""
    stream = batches(Stuck(), BatchSchedule(length=2, batch_size=1, shuffle=False), num_workers=1)
    worker = next(stream)["process"].item()
    stream.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
