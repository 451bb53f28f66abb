"""Batches: each epoch a permutation, no sample dropped, and the same ones after a resume or with workers."""

import os
from itertools import islice
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import Dataset

from sean.data.loader import BatchPlan, batches
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


def first_keys(plan: BatchPlan, steps: int, start: int = 0, num_workers: int = 0) -> list[Any]:
    return [batch["key"].tolist() for batch in islice(batches(Echo(), plan, start, num_workers=num_workers), steps)]


class Maps(Dataset[dict[str, Any]]):
    """A segmap of four stripes, moved by the index."""

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        return {"segmap": (torch.arange(32).add(key[1]) // 8 % 4).expand(32, 32)}


@pytest.mark.parametrize("num_workers", [0, pytest.param(1, marks=pytest.mark.integration)])
def test_plans_are_made_of_whole_batches(num_workers: int) -> None:
    plan = BatchPlan(length=5, batch_size=2)
    for batch in islice(batches(Maps(), plan, num_workers=num_workers, plan_segmaps=True), 3):
        made, expected = batch["plan"], plan_segmap(batch["segmap"])
        assert torch.equal(made.segmap, batch["segmap"])
        for level, expected_level in zip(made.levels, expected.levels, strict=True):
            assert torch.equal(level.pixels, expected_level.pixels)
            assert torch.equal(level.label_patches, expected_level.label_patches)
    assert "plan" not in next(iter(batches(Maps(), plan)))


@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 2**40))
def test_every_epoch_is_a_permutation_and_nothing_is_dropped(length: int, batch_size: int, seed: int) -> None:
    plan = BatchPlan(length=length, batch_size=batch_size, seed=seed)
    steps = plan.steps_for(3)
    keys = [key for step in range(steps) for key in plan.keys(step)]
    assert len(keys) == steps * batch_size >= 3 * length > len(keys) - batch_size
    for epoch in range(3):
        part = keys[epoch * length : (epoch + 1) * length]
        assert {key[0] for key in part} == {epoch}
        assert sorted(key[1] for key in part) == list(range(length))


@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 4), st.integers(0, 20))
def test_the_processes_share_a_batch_in_order(length: int, local: int, world_size: int, step: int) -> None:
    whole = BatchPlan(length=length, batch_size=local * world_size, seed=1)
    shares = [
        BatchPlan(length=length, batch_size=local * world_size, seed=1, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    assert [key for share in shares for key in share.keys(step)] == whole.keys(step)
    assert all(share.local_batch_size == local for share in shares)


def test_the_order_by_hand() -> None:
    plan = BatchPlan(length=3, batch_size=2, shuffle=False)
    assert [plan.keys(step) for step in range(4)] == [
        [(0, 0), (0, 1)],
        [(0, 2), (1, 0)],
        [(1, 1), (1, 2)],
        [(2, 0), (2, 1)],
    ]
    assert [plan.epoch_of(step) for step in range(4)] == [0, 0, 1, 2]
    assert (plan.steps_per_epoch, plan.steps_for(2)) == (2, 3)


def test_epochs_and_seeds_have_their_own_order() -> None:
    orders = [
        tuple(index for _, index in BatchPlan(length=50, batch_size=50, seed=seed).keys(epoch))
        for seed in (0, 1)
        for epoch in (0, 1)
    ]
    assert len(set(orders)) == 4


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_resume_continues_the_stream(num_workers: int) -> None:
    plan = BatchPlan(length=5, batch_size=2, seed=4)
    expected = [[list(key) for key in plan.keys(step)] for step in range(9)]
    assert first_keys(plan, 9, num_workers=num_workers) == expected
    assert first_keys(plan, 3, start=6, num_workers=num_workers) == expected[6:]


def test_names_are_listed_and_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    batch = next(batches(Echo(), BatchPlan(length=2, batch_size=2, shuffle=False)))
    assert batch["name"] == ["0-0", "0-1"] and batch["key"].shape == (2, 2)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_bad_sample_is_one_line_also_out_of_a_worker(num_workers: int) -> None:
    stream = batches(Echo(), BatchPlan(length=6, batch_size=2, shuffle=False), num_workers=num_workers)
    assert next(stream)["key"].tolist() == [[0, 0], [0, 1]]
    next(stream)
    with pytest.raises(InputError) as caught:
        next(stream)
    assert str(caught.value) == "expected a picture, but five.png is none"


@pytest.mark.integration
def test_a_dead_worker_is_an_error_and_no_silence() -> None:
    stream = batches(Echo(), BatchPlan(length=7, batch_size=1, shuffle=False), start_step=6, num_workers=1)
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
    ],
)
def test_plans_that_cannot_be_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        BatchPlan(**{"length": 4, "batch_size": 2, **changes})
