"""Batches with instance edges: made where asked for, planned with, and refused where there are no instances."""

from typing import Any

import pytest
import torch
from torch.utils.data import Dataset

from sean.data.loader import BatchSchedule, batches
from sean.errors import InputError
from sean.plan.planner import plan_segmap
from sean.segmap import instance_edges


class Maps(Dataset[dict[str, Any]]):
    """Stripes of labels, and across them stripes of instances."""

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        stripes = (torch.arange(32).add(key[1]) // 8 % 4).expand(32, 32)
        return {"segmap": stripes, "instances": stripes.T}


class MapsAlone(Maps):
    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        return {"segmap": super().__getitem__(key)["segmap"]}


PLAN = BatchSchedule(length=5, batch_size=2)


def test_edges_are_of_the_instances_and_in_the_plan() -> None:
    batch = next(iter(batches(Maps(), PLAN, plan_segmaps=True, instance_edges=True)))
    assert torch.equal(batch["edges"], instance_edges(batch["instances"])[:, 0].bool())
    assert torch.equal(batch["plan"].edges, batch["edges"])
    expected = plan_segmap(batch["segmap"], edges=batch["edges"])
    assert torch.equal(batch["plan"].levels[-1].label_patches, expected.levels[-1].label_patches)


def test_without_being_asked_for_there_are_none() -> None:
    batch = next(iter(batches(Maps(), PLAN, plan_segmaps=True)))
    assert "edges" not in batch
    assert batch["plan"].edges is None
    assert "plan" not in next(iter(batches(Maps(), PLAN, instance_edges=True)))


def test_data_without_instances_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="expected instance maps") as error:
        next(iter(batches(MapsAlone(), PLAN, instance_edges=True)))
    assert "\n" not in str(error.value)
