"""Comparison of exported networks with PyTorch: the differences of their outputs for the same inputs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor

from sean.models.configs import NUM_STYLED_BLOCKS
from sean.models.sean.model import SEANModel
from sean.onnx.plan import plan_inputs

CPU = ("CPUExecutionProvider",)
_SEED = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """A batch of inputs of the networks.

    Attributes:
        image: [b, 3, h, w] in [-1, 1].
        segmap: int64 [b, h, w], ids 0..k.
        codes: [b, 6, k, d].
        edges: bool [b, h, w], for models with instance edges.
    """

    image: Tensor
    segmap: Tensor
    codes: Tensor
    edges: Tensor | None


def samples(model: SEANModel, count: int, bank: Tensor | None = None) -> Iterator[Sample]:
    """Pairs of styles and maps, two at a time: maps of blocks of labels, with pixel noise.

    Every other region has one style in all blocks; the styles of the rest are mixed by block.

    Args:
        model: gives the sizes.
        count: number of pairs.
        bank: styles [n, k, d] to mix; None takes random numbers.
    """
    rng = np.random.default_rng(_SEED)
    config, (height, width) = model.config, model.config.image_size
    for start in range(0, count, 2):
        batch = min(2, count - start)
        cells = rng.integers(config.num_regions + 1, size=(batch, height // 16, width // 16))
        segmap = cells.repeat(16, axis=1).repeat(16, axis=2)
        noisy = rng.random(segmap.shape) < 0.005
        segmap[noisy] = rng.integers(config.num_regions + 1, size=int(noisy.sum()))
        if bank is None:
            codes = torch.from_numpy(rng.uniform(-1, 1, (batch, NUM_STYLED_BLOCKS, config.num_regions, model.code_dim)))
        else:
            codes = bank[torch.from_numpy(rng.integers(len(bank), size=(batch, NUM_STYLED_BLOCKS)))]
        codes[:, :, ::2] = codes[:, :1, ::2]
        blobs = rng.uniform(-1, 1, (batch, 3, height // 8, width // 8)).repeat(8, axis=2).repeat(8, axis=3)
        edges = torch.from_numpy(rng.random(segmap.shape) < 0.02) if config.instance_edges else None
        image = torch.from_numpy(np.clip(blobs + rng.normal(0, 0.05, blobs.shape), -1, 1))
        yield Sample(image=image.float(), segmap=torch.from_numpy(segmap), codes=codes.float(), edges=edges)


class Runner:
    """An ONNX model, run by onnxruntime on the CPU."""

    def __init__(self, model: onnx.ModelProto) -> None:
        options = onnxruntime.SessionOptions()
        # spinning threads would slow down other programs on a busy machine
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=CPU)

    def __call__(self, **inputs: np.ndarray) -> list[Tensor]:
        """The outputs, in the order of the model."""
        return [torch.from_numpy(value) for value in self._session.run(None, inputs)]


def generator_inputs(sample: Sample, num_regions: int, *, fast: bool) -> dict[str, np.ndarray]:
    """The inputs of the dense or the fast generator."""
    segmap = sample.segmap.numpy()
    inputs = {"segmap": segmap.astype(np.int32), "codes": sample.codes.numpy()}
    edges = None if sample.edges is None else sample.edges.numpy()
    if fast:
        return inputs | plan_inputs(segmap, num_regions, edges=edges)
    return inputs if edges is None else inputs | {"edges": edges.astype(np.int32)}


@torch.inference_mode()
def render(model: SEANModel, sample: Sample) -> Tensor:
    """PyTorch's pictures."""
    return model.render(sample.segmap, list(sample.codes.unbind(1)), edges=sample.edges)


def largest_difference(one: Tensor, other: Tensor) -> float:
    """The largest absolute difference; infinite if either array has a NaN."""
    difference = float((one.double() - other.double()).abs().max())
    return difference if np.isfinite(difference) else float("inf")
