"""The published, dense formulation of a model with the same weights: the reference for the fast formulation."""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from sean.models.layers import update_running_statistics
from sean.models.sean.norm import DrawNoise, SEANNorm
from sean.ops import dense
from sean.plan.patch_plan import PatchPlan

Network = TypeVar("Network", bound=nn.Module)


class DenseSEANNorm(SEANNorm):
    """A SEAN norm that convolves d-channel style maps and one-hot segmaps at full size, as published."""

    def forward(
        self,
        x: Tensor,
        plan: PatchPlan,
        style_codes: Tensor | None = None,
        draw_noise: DrawNoise | None = None,
        slope: float = 1.0,
    ) -> Tensor:
        """See `SEANNorm.forward`; only the label, variant and edge of every pixel are taken from the plan."""
        variants, labels = dense.region_map(plan)
        mask = style = None
        if self.mask is not None:
            mask = dense.mask_modulation(labels, *self.mask.weights, edges=dense.edge_map(plan))
        if self.style is not None:
            assert style_codes is not None, "a SEAN norm with a style branch was called without style codes"
            mu = self.style.region_styles(style_codes)
            style = dense.style_modulation(variants, labels, mu, self.style.weight, self.style.bias)
        modulation = mask if style is None else style
        if mask is not None and style is not None:
            alpha = torch.sigmoid(self.blend).repeat_interleave(x.shape[1])[:, None, None]
            modulation = torch.lerp(mask, style, alpha.to(mask.dtype))
        assert modulation is not None, "a norm has one branch at least"
        if draw_noise is not None and self.noise_scale is not None:
            x = x + draw_noise(x) * self.noise_scale[:, None, None]
        mean, variance = self.norm.running_mean, self.norm.running_var
        if self.norm.training:
            variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
            update_running_statistics(self.norm, mean, variance, x.numel() // x.shape[1])
        assert mean is not None and variance is not None, "the batch norm keeps running statistics"
        return dense.normalize_modulate(x, modulation, mean, variance, self.norm.eps, slope)


def dense_formulation(network: Network) -> Network:
    """A view of a network (generator, model) that computes densely and shares all parameters and buffers."""
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    view = copy.deepcopy(network, shared)
    for module in view.modules():
        if type(module) is SEANNorm:
            module.__class__ = DenseSEANNorm
    return view
