"""The measurement that tells whether the data keeps up."""

import time
from dataclasses import replace
from typing import Any

import pytest

from sean.data.synthetic import SyntheticScenes
from sean.training import throughput
from sean.training.config import TrainConfig
from sean.training.data import TrainingData
from sean.training.throughput import measure_throughput


class Slow(SyntheticScenes):
    """Takes 50 ms for a sample."""

    def __getitem__(self, key: Any) -> dict[str, Any]:
        time.sleep(0.05)
        return super().__getitem__(key)


def test_a_slow_reader_and_a_slow_step(
    config: TrainConfig, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most 20 pictures a second can be read one by one; two of them take a step of 100 ms."""
    slow = Slow(size=(32, 32), length=5, seed=0, labels=data.labels)
    monkeypatch.setattr(throughput, "training_step", lambda *_: time.sleep(0.1))
    options: dict[str, Any] = {"num_batches": 4, "num_steps": 2, "accelerator": "cpu"}
    result = measure_throughput(config, replace(data, training=slow), **options)
    assert 5 < result.loader <= 20
    assert 10 < result.step <= 20
    assert measure_throughput(config, data, **options).loader > result.loader
