"""The cost of one training step of the generator: forward and backward, with plans from the loader."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from sean.bench.floor import training_floor
from sean.models.build import build_model
from sean.models.configs import SEANConfig
from sean.models.sean.dense import dense_formulation
from sean.models.sean.generator import Generator
from sean.models.sean.model import SEANModel
from sean.plan.planner import plan_segmap

FAST = "fast"
DENSE = "dense"


def training_cases(
    model: SEANModel, segmap: Tensor, size: tuple[int, int], *, floor: bool = True
) -> dict[str, Callable[[], Any]]:
    """A step of the fast formulation, of the dense one, and of the convolutions alone.

    Args:
        model: in training mode.
        segmap: [b, h, w].
        size: of the pictures.
        floor: also the convolutions alone.
    """
    cases: dict[str, Callable[[], Any]] = {
        FAST: _step(model.generator, segmap, model.config),
        DENSE: _step(dense_formulation(model.generator), segmap, model.config),
    }
    if floor:
        cases["convolutions alone"] = training_floor(model.generator, size, segmap.shape[0])
    return cases


def one_step(config: SEANConfig, segmap: Sequence[Any], formulation: str) -> None:
    """Build a generator and run one step; runs in a separate process, whose peak memory is measured."""
    generator = build_model(config).generator
    if formulation == DENSE:
        generator = dense_formulation(generator)
    _step(generator.train(), torch.tensor(segmap), config)()


def _step(generator: Generator, segmap: Tensor, config: SEANConfig) -> Callable[[], None]:
    device = next(generator.parameters()).device
    plan, segmap = plan_segmap(segmap).to(device), segmap.to(device)
    shape = (segmap.shape[0], config.num_regions, config.style_dim)
    codes = (torch.rand(shape, device=device) * 2 - 1).requires_grad_()

    def run() -> None:
        out = generator(segmap, codes, plan=plan, noise=True)
        out.backward(torch.ones_like(out))
        generator.zero_grad(set_to_none=True)

    return run
