"""Batches of a process: its share, its passes, and noise that depends on a sample's place alone."""

from dataclasses import replace
from itertools import islice

import pytest
import torch
from lightning_fabric import Fabric

from sean.errors import InputError
from sean.training.batch import STATISTICS_NOISE, batch_schedule, noise_generators, training_batches
from sean.training.config import TrainConfig
from sean.training.data import TrainingData


def draws(generators: list[torch.Generator]) -> list[float]:
    return [torch.rand(1, generator=generator).item() for generator in generators]


def test_noise_depends_on_seed_stream_and_place() -> None:
    together = draws(noise_generators(3, 0, range(4)))
    assert together == draws(noise_generators(3, 0, range(2))) + draws(noise_generators(3, 0, range(2, 4)))
    others = [draws(noise_generators(seed, stream, range(4))) for seed, stream in ((4, 0), (3, STATISTICS_NOISE))]
    assert len({*together, *others[0], *others[1]}) == 12


def test_passes_of_a_step_are_the_step_cut_up(config: TrainConfig, data: TrainingData, fabric: Fabric) -> None:
    """Steps 1 and 2 with batches of 4, whole or in two passes: the same samples with the same noise, in order."""
    whole = list(islice(training_batches(data, replace(config, batch_size=4), 1, fabric), 2))
    cut = list(islice(training_batches(data, replace(config, batch_size=4, accumulate=2), 1, fabric), 4))
    for index, batch in enumerate(whole):
        parts = cut[2 * index : 2 * index + 2]
        assert torch.equal(batch.image, torch.cat([part.image for part in parts]))
        assert torch.equal(batch.segmap, torch.cat([part.segmap for part in parts]))
        assert batch.noise is not None and batch.plan is not None
        assert draws(list(batch.noise)) == [draw for part in parts for draw in draws(list(part.noise or []))]
        assert torch.equal(parts[1].plan.segmap, parts[1].segmap) if parts[1].plan else False


def test_a_batch_that_cannot_be_shared(config: TrainConfig, data: TrainingData) -> None:
    config = replace(config, batch_size=6, accumulate=3)
    assert batch_schedule(data, config, world_size=2).local_batch_size == 1
    with pytest.raises(InputError, match="multiple of 3 passes x 4 processes, got 6"):
        batch_schedule(data, config, world_size=4)
    with pytest.raises(InputError, match=r"multiple of accumulate \(4\), got 6"):
        replace(config, accumulate=4)
