"""Averaged weights: the running average that is validated and exported, and batch-norm statistics that fit it."""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from sean.models.base import StyledModel
from sean.training.batch import TrainingBatch


def averaged_copy(model: StyledModel) -> StyledModel:
    """A copy of `model` to hold the average, without gradients and in evaluation mode."""
    return copy.deepcopy(model).requires_grad_(False).eval()


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move `average` towards `model`, in place; early steps use a smaller decay, so that the initial weights fade.

    Floating-point buffers (running statistics, singular vectors) are averaged like weights.
    """
    decay = min(decay, (1 + step) / (10 + step))
    for mean, value in zip(_floats(average), _floats(model), strict=True):
        mean.lerp_(value, 1 - decay)


@torch.no_grad()
def recompute_statistics(model: StyledModel, batches: Iterable[TrainingBatch]) -> None:
    """Replace the batch-norm statistics by plain means over batches, in place.

    The activations of averaged weights differ from those of any training step, so averaged statistics are visibly
    wrong. The noise is on, as in training. For a model with synchronized batch norms, all processes must call this.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative mean
        norm.train()
    for batch in batches:
        model(batch.image, batch.segmap, plan=batch.plan, edges=batch.edges, noise=True, rng=batch.noise)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def _floats(model: nn.Module) -> list[Tensor]:
    return [tensor for tensor in model.state_dict().values() if tensor.is_floating_point()]
