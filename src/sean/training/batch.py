"""The batch of one process in one pass of a training step, with the noise of its samples.

All random numbers of a training follow from its seed and the position of a sample in the run (step, place in the
batch). No state of a random generator is kept, and neither the number of processes nor a resume changes a number.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from sean.data.loader import BatchSchedule, batches
from sean.errors import InputError
from sean.plan.patch_plan import SegmapPlan
from sean.training.config import TrainConfig
from sean.training.data import TrainingData

# separates the noise of the steps from the noise used when batch-norm statistics are recomputed
TRAINING_NOISE = 0
STATISTICS_NOISE = 1


@dataclass(frozen=True, kw_only=True)
class TrainingBatch:
    """Samples of one process.

    Attributes:
        image: [b, 3, h, w] in [-1, 1].
        segmap: [b, h, w] label ids.
        plan: plan of the segmap; None makes one where a plan is needed.
        edges: [b, h, w] for models that take instance edges (see `sean.segmap.instance_edges`), else None.
        noise: one generator per sample; None draws from torch's global generator.
    """

    image: Tensor
    segmap: Tensor
    plan: SegmapPlan | None = None
    edges: Tensor | None = None
    noise: Sequence[torch.Generator] | None = None


def training_batches(
    data: TrainingData, config: TrainConfig, start_step: int, fabric: Fabric, stream: int = TRAINING_NOISE
) -> Generator[TrainingBatch]:
    """An endless iterator over the batches of this process from a step on, `config.accumulate` per step.

    Raises:
        InputError: a sample cannot be read, or the processes cannot share the batch evenly.
    """
    plan = batch_schedule(data, config, rank=fabric.global_rank, world_size=fabric.world_size)
    first = start_step * config.accumulate
    edges = config.model.instance_edges
    loaded = batches(
        data.training,
        plan,
        first,
        num_workers=config.num_workers,
        pin_memory=fabric.device.type == "cuda",
        plan_segmaps=config.model.uses_plan,
        instance_edges=edges,
    )
    with closing(loaded):
        for micro_step, batch in enumerate(loaded, start=first):
            places = range(micro_step * plan.batch_size, (micro_step + 1) * plan.batch_size)
            own = places[plan.rank * plan.local_batch_size :][: plan.local_batch_size]
            yield TrainingBatch(
                image=fabric.to_device(batch["image"]),
                segmap=fabric.to_device(batch["segmap"]),
                plan=fabric.to_device(batch["plan"]) if config.model.uses_plan else None,
                edges=fabric.to_device(batch["edges"]) if edges else None,
                noise=noise_generators(config.seed, stream, own, fabric.device),
            )


def batch_schedule(data: TrainingData, config: TrainConfig, *, rank: int = 0, world_size: int = 1) -> BatchSchedule:
    """The schedule of a process's samples for single passes; `config.accumulate` passes make a step."""
    if config.batch_size % (config.accumulate * world_size):
        raise InputError(
            f"expected a batch_size that is a multiple of {config.accumulate} passes x {world_size} processes, got "
            f"{config.batch_size}"
        )
    return BatchSchedule(
        length=len(data.training),  # type: ignore[arg-type]
        batch_size=config.batch_size // config.accumulate,
        seed=config.seed,
        rank=rank,
        world_size=world_size,
        groups=data.groups,
    )


def noise_generators(
    seed: int, stream: int, places: Sequence[int], device: torch.device | str = "cpu"
) -> list[torch.Generator]:
    """One generator per sample, seeded by the sample's position among all samples of the run."""
    return [torch.Generator(device).manual_seed(_mixed(seed, stream, place)) for place in places]


def _mixed(*numbers: int) -> int:
    state: Any = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return int(state[0])
