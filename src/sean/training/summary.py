"""The summary of a training before it starts: settings, sizes, memory, and length of an epoch."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from sean.models.base import StyledModel
from sean.models.build import build_model
from sean.models.discriminator import discriminator_condition
from sean.segmap import instance_edges
from sean.training.batch import batch_schedule
from sean.training.config import TrainConfig
from sean.training.data import TrainingData
from sean.training.state import new_discriminator

_FLOAT = 4  # bytes


@dataclass(frozen=True, kw_only=True)
class MemoryEstimate:
    """Memory in bytes that one process needs on its device, without the libraries and a perceptual network.

    Attributes:
        networks: weights, gradients, Adam's two means, and the averaged weights.
        fixed: memory kept for the backward pass independent of the number of pictures (normalized weights).
        picture: memory kept for the backward pass per picture.
        pictures: number of pictures in a pass.
    """

    networks: int
    fixed: int
    picture: int
    pictures: int

    @property
    def total(self) -> int:
        """The sum."""
        return self.networks + self.fixed + self.picture * self.pictures


def summary(config: TrainConfig, data: TrainingData, num_processes: int) -> str:
    """The summary as text: the resolved settings as JSON, then the figures.

    The memory is measured by forward passes on the CPU with one and with two pictures of the data.
    """
    plan = batch_schedule(data, config, world_size=num_processes)
    model = build_model(config.model, config.init_gain)
    discriminator = new_discriminator(config)
    memory = estimate_memory(model, discriminator, config, data, plan.local_batch_size)
    per_epoch = len(data.training) / config.batch_size  # type: ignore[arg-type]
    gigabytes = [value / 2**30 for value in (memory.total, memory.networks, memory.fixed, memory.picture)]
    return "\n".join(
        [
            config.to_json(),
            "",
            f"training pairs     {len(data.training)}, held out {len(data.validation)}",  # type: ignore[arg-type]
            f"labels             {data.labels.num_regions} ({data.labels.name})",
            f"parameters         {_count(model.style_encoder) / 1e6:.1f} M style encoder, "
            f"{_count(model.generator) / 1e6:.1f} M generator, {_count(discriminator) / 1e6:.1f} M discriminator",
            f"steps per epoch    {per_epoch:.1f}; {config.steps} steps are {config.steps / per_epoch:.1f} epochs",
            f"pictures per pass  {plan.local_batch_size} on each of {num_processes} processes, "
            f"{config.accumulate} passes a step",
            f"memory, estimated  {gigabytes[0]:.2f} GiB a process: networks and optimizers {gigabytes[1]:.2f}, "
            f"kept by a pass {gigabytes[2]:.2f} + {gigabytes[3]:.3f} for each picture",
        ]
    )


def estimate_memory(
    model: StyledModel, discriminator: nn.Module, config: TrainConfig, data: TrainingData, pictures: int
) -> MemoryEstimate:
    """Count the parameters, and the memory that a pass of both networks keeps with one and with two pictures."""
    generator, critic = _count(model), _count(discriminator)
    learned = sum(parameter.numel() for parameter in discriminator.parameters() if parameter.requires_grad)
    one, two = (_kept_bytes(model, discriminator, config, data, count) for count in (1, 2))
    return MemoryEstimate(
        networks=_FLOAT * (5 * generator + critic + 3 * learned),
        fixed=max(0, 2 * one - two),
        picture=two - one,
        pictures=pictures,
    )


def _count(network: nn.Module | None) -> int:
    return 0 if network is None else sum(parameter.numel() for parameter in network.parameters())


def _kept_bytes(
    model: StyledModel, discriminator: nn.Module, config: TrainConfig, data: TrainingData, count: int
) -> int:
    samples = [data.training[(0, index % len(data.training))] for index in range(count)]  # type: ignore[arg-type]
    image, segmap = (torch.stack([sample[name] for sample in samples]) for name in ("image", "segmap"))
    edges = None
    if config.model.instance_edges:
        edges = instance_edges(torch.stack([sample["instances"] for sample in samples]))[:, 0].bool()
    fabric = Fabric(accelerator="cpu", devices=1, precision=config.precision)  # type: ignore[arg-type]
    model.train()
    with fabric.autocast(), _counting((model, discriminator)) as sizes:
        fake, _ = model.training_pass(image, segmap, edges=edges)
        condition = discriminator_condition(segmap, edges, config.model.num_regions)
        discriminator(torch.cat([condition, condition]), torch.cat([fake, image]))
    return sum(sizes.values())


@contextmanager
def _counting(networks: Sequence[nn.Module]) -> Iterator[dict[int, int]]:
    """Sizes in bytes, by address, of all storages kept for a backward pass, without those of parameters."""
    own = {parameter.untyped_storage().data_ptr() for network in networks for parameter in network.parameters()}
    sizes: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        yield sizes
