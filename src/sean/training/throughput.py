"""Throughput of a training: pictures per second that the loader delivers and that the training step consumes."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

from lightning_fabric import Fabric

from sean.training.batch import TrainingBatch, training_batches
from sean.training.config import TrainConfig
from sean.training.data import TrainingData
from sean.training.distributed import start_processes
from sean.training.state import new_state
from sean.training.step import training_step

_WARM_UP = 2


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """Pictures a second.

    Attributes:
        loader: pictures per second delivered by the loader alone.
        step: pictures per second consumed by the training step without waiting for data and without perceptual term.
    """

    loader: float
    step: float


def measure_throughput(
    config: TrainConfig, data: TrainingData, *, num_batches: int, num_steps: int, accelerator: str = "auto"
) -> Throughput:
    """Time the loader and the step, one after the other.

    Args:
        config: settings; the number of regions is replaced by that of the data.
        data: data whose training part is read.
        num_batches: number of batches to read, after those that the workers have read ahead.
        num_steps: number of steps to take.
        accelerator: name of the accelerator for lightning-fabric.
    """
    config = replace(config, model=replace(config.model, num_regions=data.labels.num_regions))
    fabric = start_processes(config.precision, accelerator)
    stream = training_batches(data, config, 0, fabric)
    # every worker prefetches two batches
    ready = list(islice(stream, _WARM_UP + 2 * config.num_workers))
    start = time.perf_counter()
    for _ in islice(stream, num_batches):
        pass
    delivered = num_batches * len(ready[0].image) / (time.perf_counter() - start)
    stream.close()
    seconds = _step_seconds(config, fabric, lambda step: ready[step % len(ready)], num_steps)
    return Throughput(loader=delivered, step=config.batch_size / seconds)


def _step_seconds(config: TrainConfig, fabric: Fabric, batch: Callable[[int], TrainingBatch], num_steps: int) -> float:
    state = new_state(config, fabric)
    seconds = []
    for step in range(_WARM_UP + num_steps):
        passes = [batch(step)] * config.accumulate
        start = time.perf_counter()
        training_step(state, passes, config, fabric, None)
        seconds.append(time.perf_counter() - start)  # the step ends with its losses on the CPU
    return statistics.median(seconds[_WARM_UP:])
