"""Inference with a model of any architecture: SEAN models are packed, other models run as they are."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sean.inference.encoder import Encoder
from sean.inference.renderer import Renderer
from sean.models.base import NoiseSource, StyledModel
from sean.models.sean.model import SEANModel
from sean.plan.patch_plan import SegmapPlan


class Engine(ABC):
    """A model at inference; see `StyledModel` for shapes and value ranges."""

    @abstractmethod
    def encode(self, image: Tensor, segmap: Tensor) -> tuple[Tensor, Tensor]:
        """Styles and presence of regions."""

    @abstractmethod
    def render(self, plan: SegmapPlan, styles: Sequence[Tensor], *, noise: bool, rng: NoiseSource) -> Tensor:
        """Pictures of a plan's segmaps; `styles` are as many as the model takes (`StyledModel.style_inputs`)."""

    @abstractmethod
    def fork(self, num_kept: int) -> "Engine":
        """The same model with its own memory of the last `num_kept` segmaps and styles."""

    def memory(self) -> Iterator[Tensor]:
        """The tensors of that memory."""
        return iter(())


def engine_for(model: StyledModel, dtype: torch.dtype | None = None) -> Engine:
    """The fastest engine for a model.

    Args:
        model: model in evaluation mode; its weights must not change afterwards.
        dtype: dtype to compute in; None means that of the model.
    """
    return _PackedEngine(model, dtype) if isinstance(model, SEANModel) else _PlainEngine(model, dtype)


class _PackedEngine(Engine):
    """SEAN with packed weights, which keeps the rows of the last segmaps and styles."""

    def __init__(self, model: SEANModel, dtype: torch.dtype | None) -> None:
        self._encoder = Encoder(model.style_encoder, dtype)
        self._renderer = Renderer(model.generator, dtype=dtype)

    def encode(self, image: Tensor, segmap: Tensor) -> tuple[Tensor, Tensor]:
        return self._encoder(image, segmap)

    def render(self, plan: SegmapPlan, styles: Sequence[Tensor], *, noise: bool, rng: NoiseSource) -> Tensor:
        return self._renderer(plan, styles, noise=noise, rng=rng)

    def memory(self) -> Iterator[Tensor]:
        return self._renderer.memory()

    def fork(self, num_kept: int) -> "_PackedEngine":
        other = copy.copy(self)
        other._renderer = self._renderer.fork(num_kept)
        return other


class _PlainEngine(Engine):
    """A baseline, which runs as in training."""

    def __init__(self, model: StyledModel, dtype: torch.dtype | None) -> None:
        own = next(model.parameters()).dtype
        self._dtype = dtype or own
        self._model = model if self._dtype == own else copy.deepcopy(model).to(self._dtype)

    @torch.inference_mode()
    def encode(self, image: Tensor, segmap: Tensor) -> tuple[Tensor, Tensor]:
        return self._model.encode(image.to(self._dtype), segmap)

    @torch.inference_mode()
    def render(self, plan: SegmapPlan, styles: Sequence[Tensor], *, noise: bool, rng: NoiseSource) -> Tensor:
        (style,) = styles
        return self._model.render(plan.segmap, style.to(self._dtype), plan=plan, noise=noise, rng=rng)

    def fork(self, num_kept: int) -> "_PlainEngine":
        return self
