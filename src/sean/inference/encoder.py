"""The style encoder at inference: channels_last, normalized and activated in place."""

import copy
from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sean.models.layers import LEAKY_SLOPE
from sean.models.sean.encoder import StyleEncoder, StyleEncoders
from sean.ops.normalization import batch_statistics, scale_shift_activate


class Encoder:
    """A style encoder, or several, packed for inference.

    Args:
        encoder: encoder whose present weights are copied.
        dtype: dtype of convolutions and activations; None means that of the weights.
    """

    def __init__(self, encoder: StyleEncoder | StyleEncoders, dtype: torch.dtype | None = None) -> None:
        packed = copy.deepcopy(encoder).requires_grad_(False).to(dtype)
        self._dtype = next(packed.parameters()).dtype
        packed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for module in packed.modules():
            if isinstance(module, StyleEncoder):
                module.features = nn.Sequential(*_packed_layers(module.features))
        self._encoder = packed

    @torch.inference_mode()
    def __call__(
        self, image: Float[Tensor, "b 3 h w"], segmap: Int[Tensor, "b h w"]
    ) -> tuple[Float[Tensor, "b k d"], Bool[Tensor, "b k"]]:
        """Style codes [b, k, d] and presence of the regions; see `StyleEncoder.forward`."""
        return self._encoder(image.to(self._dtype).contiguous(memory_format=torch.channels_last), segmap)


def _packed_layers(layers: Iterable[nn.Module]) -> list[nn.Module]:
    packed = list(layers)
    for index, layer in enumerate(packed):
        if isinstance(layer, nn.InstanceNorm2d):
            # followed by its LeakyReLU
            packed[index : index + 2] = [_NormalizeActivate(layer.eps)]
        elif isinstance(layer, nn.Tanh):
            packed[index] = _TanhInPlace()
    return packed


class _NormalizeActivate(nn.Module):
    """Instance norm and LeakyReLU, in place."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        b, _, h, w = x.shape
        mean, variance = (torch.stack(each) for each in zip(*map(batch_statistics, x.split(1)), strict=True))
        scale = torch.rsqrt(variance + self.eps)
        samples = torch.arange(b, device=x.device).view(b, 1, 1).expand(b, h, w)
        return scale_shift_activate(x, torch.cat([scale, -mean * scale], dim=1), samples, LEAKY_SLOPE, out=x)


class _TanhInPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.tanh_()
