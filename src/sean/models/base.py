"""The interface of every model: an encoder of styles and a renderer of segmaps, whatever its networks."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sean.plan.patch_plan import SegmapPlan
from sean.plan.planner import Edges

NoiseSource = torch.Generator | Sequence[torch.Generator] | None
"""The source of random noise: one generator for a batch, one for each of its samples, or torch's global one."""


class StyledModel(nn.Module, ABC):
    """A model that encodes the styles of a picture and renders segmaps with styles.

    A style is a code per region (SEAN), a few features per region (pix2pixHD), one vector for the whole picture (SPADE
    with its VAE), or nothing. Every kind is written as codes [b, k, d], one row per region.

    Attributes:
        config: the sizes of the networks.
        style_encoder: makes the styles.
        generator: makes the pictures.
    """

    config: Any  # a ModelConfig; the models narrow it
    style_encoder: Any  # a module, or None where there are no styles
    generator: Any

    style_inputs: ClassVar[int] = 1
    """The number of styles that a picture is rendered with: one, or one for each styled block."""

    @property
    @abstractmethod
    def code_dim(self) -> int:
        """Width d of a region's code."""

    @abstractmethod
    def encode(
        self, image: Float[Tensor, "b 3 h w"], segmap: Int[Tensor, "b h w"]
    ) -> tuple[Float[Tensor, "b k d"], Bool[Tensor, "b k"]]:
        """The styles of pictures.

        Args:
            image: RGB in [-1, 1].
            segmap: label ids; the id k means "no region".

        Returns:
            codes: [b, k, d], zero where the region is absent.
            present: [b, k].
        """

    @abstractmethod
    def render(
        self,
        segmap: Int[Tensor, "b h w"],
        style_codes: Float[Tensor, "v k d"] | Sequence[Tensor],
        *,
        plan: SegmapPlan | None = None,
        edges: Edges | None = None,
        noise: bool = False,
        rng: NoiseSource = None,
    ) -> Float[Tensor, "b 3 h w"]:
        """Pictures in [-1, 1] from segmaps and styles.

        Args:
            segmap: label ids; the id k means "no region". Height and width are multiples of 32.
            style_codes: the styles of every sample, or a sequence of six, one for each SEAN ResBlk, where the model has
                such blocks.
            plan: the plan of this segmap and its edges; None makes one where a plan is needed.
            edges: for a model with instance edges, whether a pixel lies at the edge of an instance; unused with a plan.
            noise: whether to add the learned noise; models without noise ignore it.
            rng: the source of the noise.

        Raises:
            ValueError: the size is not a multiple of 32, or styles or edges do not fit the model.
        """

    def forward(
        self,
        image: Float[Tensor, "b 3 h w"],
        segmap: Int[Tensor, "b h w"],
        *,
        plan: SegmapPlan | None = None,
        edges: Edges | None = None,
        noise: bool = False,
        rng: NoiseSource = None,
    ) -> Float[Tensor, "b 3 h w"]:
        """Reconstruct `image` from its own styles: the training task of all models."""
        codes, _ = self.encode(image, segmap)
        return self.render(segmap, codes, plan=plan, edges=edges, noise=noise, rng=rng)

    def training_pass(
        self,
        image: Float[Tensor, "b 3 h w"],
        segmap: Int[Tensor, "b h w"],
        *,
        plan: SegmapPlan | None = None,
        edges: Edges | None = None,
        rng: NoiseSource = None,
    ) -> tuple[Float[Tensor, "b 3 h w"], dict[str, Tensor]]:
        """The reconstruction as in training, with noise, and the model's own loss terms by name, unweighted."""
        return self(image, segmap, plan=plan, edges=edges, noise=True, rng=rng), {}
