"""What `sean.ops` computes, as the paper states it: loops over batch and regions, d-channel maps at picture size."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor


def region_mean(features: Tensor, segmap: Tensor, num_regions: int) -> tuple[Tensor, Tensor]:
    """Mean feature vector [b, k, d] and presence [b, k] of every region; an absent region has the zero vector."""
    codes = features.new_zeros(len(features), num_regions, features.shape[1])
    present = torch.zeros(len(features), num_regions, dtype=torch.bool)
    for sample in range(len(features)):
        for region in range(num_regions):
            mask = segmap[sample] == region
            if mask.any():
                codes[sample, region] = features[sample][:, mask].mean(dim=1)
                present[sample, region] = True
    return codes, present


def region_styles(style_codes: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """mu [b, k, d]: a linear layer of its own for each region, then ReLU."""
    layers = [F.relu(F.linear(style_codes[:, region], weight[region], bias[region])) for region in range(len(weight))]
    return torch.stack(layers, dim=1)


def style_map(segmap: Tensor, mu: Tensor, variants: Tensor | None = None) -> Tensor:
    """[b, d, h, w]: every pixel carries the vector mu[variant, label] of its region, a pixel of no region zeros.

    The variant is the sample unless `variants` [b, h, w] says otherwise.
    """
    styles = mu.new_zeros(len(segmap), mu.shape[2], *segmap.shape[1:])
    for sample in range(len(segmap)):
        for variant in [sample] if variants is None else range(len(mu)):
            for region in range(mu.shape[1]):
                mask = segmap[sample] == region
                if variants is not None:
                    mask = mask & (variants[sample] == variant)
                if mask.any():
                    styles[sample, :, mask] = mu[variant, region][:, None]
    return styles


def convolution(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """3x3 convolution with zero padding, pixel by pixel and tap by tap, [b, o, h, w]."""
    b, _, h, w = x.shape
    columns = []
    for y in range(h):
        for z in range(w):
            total = bias.expand(b, -1)
            for dy in range(3):
                for dz in range(3):
                    above, left = y + dy - 1, z + dz - 1
                    if 0 <= above < h and 0 <= left < w:
                        total = total + x[:, :, above, left] @ weight[:, :, dy, dz].T
            columns.append(total)
    return torch.stack(columns, dim=2).view(b, -1, h, w)


def onehot(segmap: Tensor, num_regions: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """One plane after the other."""
    return torch.stack([segmap == region for region in range(num_regions)], dim=1).to(dtype)


@st.composite
def segmaps(draw: st.DrawFn, max_regions: int = 6, max_size: int = 9) -> tuple[Tensor, int]:
    """Random label maps [b, h, w] and k: blocks or noise, any set of labels absent, k among the ids as "no region".

    Seeds torch's global generator, so that an example that fails does so again.
    """
    num_regions = draw(st.integers(1, max_regions))
    used = draw(st.sets(st.integers(0, num_regions), min_size=1))
    batch, height, width = draw(st.integers(1, 3)), draw(st.integers(1, max_size)), draw(st.integers(1, max_size))
    block = draw(st.integers(1, 4))
    torch.manual_seed(draw(st.integers(0, 2**31)))
    cells = torch.randint(len(used), (batch, height, width))
    ids = torch.tensor(sorted(used))[cells]
    ids = ids.repeat_interleave(block, 1).repeat_interleave(block, 2)[:, :height, :width]
    return ids.contiguous(), num_regions


def randn(*shape: int) -> Tensor:
    """Normal numbers in float64, from the seeded global generator, that take a gradient."""
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def assert_same_with_gradients(
    fast: Callable[[], Tensor], slow: Callable[[], Tensor], inputs: Sequence[Tensor], tolerance: float = 1e-9
) -> None:
    """Equal outputs, and equal gradients of all `inputs` under random upstream gradients."""
    got, want = fast(), slow()
    torch.testing.assert_close(got, want, atol=tolerance, rtol=tolerance)
    upstream = torch.randn_like(want)
    pairs = zip(_gradients(got, inputs, upstream), _gradients(want, inputs, upstream), strict=True)
    for index, (grad, expected) in enumerate(pairs):
        torch.testing.assert_close(
            grad, expected, atol=tolerance, rtol=tolerance, msg=lambda m, i=index: f"gradient of input {i}: {m}"
        )


def _gradients(output: Tensor, inputs: Sequence[Tensor], upstream: Tensor) -> list[Tensor]:
    if not output.requires_grad:
        return [torch.zeros_like(x) for x in inputs]
    gradients = torch.autograd.grad(output, inputs, upstream, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, gradients, strict=True)]


def folded_rows(rows: Tensor, mean: Tensor, variance: Tensor, eps: float) -> Tensor:
    """Gamma and beta [q, 2c] as the scale and shift that take the normalization with them."""
    gamma, beta = rows.chunk(2, dim=1)
    scale = (1 + gamma) * torch.rsqrt(variance + eps)
    return torch.cat([scale, beta - mean * scale], dim=1)
