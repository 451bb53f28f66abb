"""The measurement that tells whether the data keeps up."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from sean.data.synthetic.scenes import SyntheticScenes
from sean.training import throughput
from sean.training.config import TrainConfig
from sean.training.data import TrainingData
from sean.training.throughput import measure_throughput


class Clock:
    """Stands still but for what readers and steps take."""

    now = 0.0

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


class Slow(SyntheticScenes):
    """Takes 50 ms for a sample."""

    clock = Clock()

    def __getitem__(self, key: Any) -> dict[str, Any]:
        self.clock.pass_by(0.05)
        return super().__getitem__(key)


def test_a_slow_reader_and_a_slow_step(
    config: TrainConfig, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 pictures a second can be read one by one; two of them take a step of 250 ms."""
    clock = Slow.clock
    slow = Slow(size=(32, 32), length=5, seed=0, labels=data.labels)
    monkeypatch.setattr(throughput, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    monkeypatch.setattr(throughput, "training_step", lambda *_: clock.pass_by(0.25))
    result = measure_throughput(config, replace(data, training=slow), num_batches=4, num_steps=2, accelerator="cpu")
    assert (result.loader, result.step) == (pytest.approx(20), pytest.approx(8))
