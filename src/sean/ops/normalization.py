"""Normalize, modulate and activate in one pass over the pixels, with gamma and beta gathered from rows.

Tensors are processed in pieces that fit a core's cache, in channels_last order, in which the channels of a pixel are
adjacent, like those of a row. For the backward pass only the activations before and after are kept at the picture's
size; the convolutions around need both anyway.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

# Size of a piece in numbers: with its gathered rows about 2 MB, the size of a core's cache.
_PIECE = 2**17


def batch_statistics(
    x: Float[Tensor, "b c h w"],
    noise: Float[Tensor, "b 1 h w"] | None = None,
    noise_scale: Float[Tensor, " c"] | None = None,
    *,
    synchronized: bool = False,
) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """Mean and biased variance of every channel of x + noise * noise_scale.

    The results carry no gradients; `normalize_modulate` computes those of the statistics.

    Args:
        x, noise, noise_scale: see `normalize_modulate`.
        synchronized: whether to reduce over the equally large batches of all processes of torch.distributed.
    """
    with torch.no_grad():
        inputs = _Inputs.of(x.contiguous(memory_format=torch.channels_last), noise, noise_scale)
        mean, variance = inputs.statistics()
        return _over_processes(mean, variance) if synchronized else (mean, variance)


def normalize_modulate(
    x: Float[Tensor, "b c h w"],
    rows: Float[Tensor, "q two_c"],
    pixels: Int[Tensor, "b h w"],
    mean: Float[Tensor, " c"],
    variance: Float[Tensor, " c"],
    *,
    statistics_of_x: bool,
    synchronized: bool = False,
    noise: Float[Tensor, "b 1 h w"] | None = None,
    noise_scale: Float[Tensor, " c"] | None = None,
    eps: float = 1e-5,
    slope: float = 1.0,
) -> Float[Tensor, "b c h w"]:
    """LeakyReLU(x_hat * (1 + gamma) + beta), x_hat = (x + noise * noise_scale) normalized (paper, eq. 2).

    Differentiable with respect to x, rows and noise_scale. Computes in float32 for 16-bit activations.

    Args:
        x: activation.
        rows: gamma and beta, concatenated.
        pixels: the row number of every pixel.
        mean, variance: statistics to normalize by.
        statistics_of_x: whether they are the statistics of x with its noise, so that gradients flow through them; else
            they are constants.
        synchronized: whether they are statistics of the batches of all processes, from `batch_statistics`.
        noise: one value per pixel, shared by the channels.
        noise_scale: scale of the noise for every channel; required with noise.
        eps: constant added to the variance.
        slope: positive slope of the LeakyReLU below 0; 1 means no activation.
    """
    scale = None if noise is None else noise_scale
    processes = None
    if statistics_of_x:
        processes = dist.get_world_size() if synchronized else 1
    return _NormalizeModulate.apply(x, _wide(rows), pixels, mean, variance, processes, noise, scale, eps, slope)


def scale_shift_activate(
    x: Float[Tensor, "b c h w"],
    folded: Float[Tensor, "q two_c"],
    pixels: Int[Tensor, "b h2 w2"],
    slope: float = 1.0,
    out: Tensor | None = None,
) -> Float[Tensor, "b c h2 w2"]:
    """LeakyReLU(x * scale + shift) with the scale and shift of every pixel's row: a complete norm at inference.

    Not differentiable.

    Args:
        x: activation, channels_last; of the size of `pixels`, or of half that size, to be doubled (nearest).
        folded: scale and shift, concatenated.
        pixels: the row number of every pixel.
        slope: slope of the LeakyReLU below 0; 1 means no activation.
        out: channels_last tensor for the result; may be x itself. None makes a new tensor.
    """
    if out is None:
        b, h, w = pixels.shape
        out = torch.empty(b, x.shape[1], h, w, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    for _, values in _scaled_pieces(x, folded, pixels, _pixels_first(out)):
        if slope != 1:
            F.leaky_relu_(values, slope)
    return out


def scale_shift_project(
    x: Float[Tensor, "b c h w"],
    folded: Float[Tensor, "q two_c"],
    pixels: Int[Tensor, "b h2 w2"],
    weight: Float[Tensor, "o c"],
) -> Float[Tensor, "b o h2 w2"]:
    """A 1x1 convolution of x * scale + shift, which is never stored at full size. Not differentiable.

    Args:
        x, folded, pixels: see `scale_shift_activate`.
        weight: weight of the convolution.
    """
    out = x.new_empty(pixels.numel(), weight.shape[0])
    for piece, values in _scaled_pieces(x, folded, pixels):
        torch.mm(values.to(x.dtype), weight.T, out=out[piece])
    return out.view(*pixels.shape, -1).permute(0, 3, 1, 2)


def _scaled_pieces(
    x: Tensor, folded: Tensor, pixels: Tensor, flat_out: Tensor | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """Pieces of x * scale + shift, [p, c] each, written to `flat_out` if that is given.

    Computed in the rows' dtype, which may be wider than the activation's.
    """
    flat, ids, c = _pixels_first(x), pixels.flatten(), x.shape[1]
    source = None if x.shape[2:] == pixels.shape[1:] else _doubled(x)
    for piece in _pieces(flat, len(ids)):
        row = folded.index_select(0, ids[piece])
        values = flat[piece] if source is None else flat.index_select(0, source[piece])
        same = flat_out is None or flat_out.dtype == row.dtype
        target = flat_out[piece] if flat_out is not None and same else row[:, :c]
        result = torch.addcmul(row[:, c:], values.to(row.dtype), row[:, :c], out=target)
        yield piece, result if same or flat_out is None else flat_out[piece].copy_(result)


def _doubled(x: Tensor) -> Tensor:
    """The source pixel [p] in x of every pixel of x doubled by nearest interpolation."""
    b, _, h, w = x.shape
    own = torch.arange(b * h * w, device=x.device).view(b, h, w)
    return own.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2).flatten()


class _NormalizeModulate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        rows: Tensor,
        pixels: Tensor,
        mean: Tensor,
        variance: Tensor,
        processes: int | None,
        noise: Tensor | None,
        noise_scale: Tensor | None,
        eps: float,
        slope: float,
    ) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        inputs, ids, c = _Inputs.of(x, noise, noise_scale), pixels.flatten(), x.shape[1]
        scale_shift = torch.cat([(1 + rows[:, :c]) * torch.rsqrt(variance + eps), rows[:, c:]], dim=1)
        out = torch.empty_like(x)
        flat_out = _pixels_first(out)
        for piece in _pieces(flat_out):
            row = scale_shift.index_select(0, ids[piece])
            result = torch.addcmul(row[:, c:], inputs.centred(piece, mean), row[:, :c])
            flat_out[piece] = F.leaky_relu_(result, slope) if slope != 1 else result
        ctx.save_for_backward(x, out, rows, pixels, mean, variance, noise, noise_scale)
        ctx.processes, ctx.eps, ctx.slope = processes, eps, slope
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, out, rows, pixels, mean, variance, noise, noise_scale = ctx.saved_tensors
        inputs, ids, c = _Inputs.of(x, noise, noise_scale), pixels.flatten(), x.shape[1]
        flat_grad = _pixels_first(grad.contiguous(memory_format=torch.channels_last))
        rstd = torch.rsqrt(variance + ctx.eps)
        scale = (1 + rows[:, :c]) * rstd
        grad_x, grad_rows = torch.empty_like(x), torch.zeros_like(rows)
        flat_out, flat_grad_x = _pixels_first(out), _pixels_first(grad_x)
        for piece in _pieces(flat_out):
            g = _wide(flat_grad[piece])
            if ctx.slope != 1:
                g = torch.ops.aten.leaky_relu_backward(g, _wide(flat_out[piece]), ctx.slope, True)
            flat_grad_x[piece] = g * scale.index_select(0, ids[piece])
            grad_rows.index_add_(0, ids[piece], torch.cat([g * inputs.centred(piece, mean), g], dim=1))
        grad_scale, grad_beta = grad_rows[:, :c], grad_rows[:, c:]
        if ctx.processes:
            # the gradients through mean and variance are the same for all pixels of a channel
            sums = torch.stack([(grad_beta * scale).sum(0), rstd**3 * (grad_scale * (1 + rows[:, :c])).sum(0)])
            if ctx.processes > 1:
                dist.all_reduce(sums)
            offset, slant = -sums / (flat_out.shape[0] * ctx.processes)
            for piece in _pieces(flat_out):
                flat_grad_x[piece] += torch.addcmul(offset, inputs.centred(piece, mean), slant)
        grad_noise_scale = None
        if noise is not None:
            grad_noise_scale = (_wide(noise.flatten()) @ _wide(flat_grad_x)).to(noise_scale.dtype)
        grad_rows = torch.cat([grad_scale * rstd, grad_beta], dim=1)
        return grad_x, grad_rows, None, None, None, None, None, grad_noise_scale, None, None


def _over_processes(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance over all processes, from the statistics of their equally large batches (Chan et al. 1979)."""
    own = torch.stack([mean, variance]).double()
    gathered = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(gathered, own)
    means, variances = torch.stack(gathered, dim=1)
    total = means.mean(0)
    variance_of_all = (variances + (means - total).square()).mean(0)
    return total.to(mean.dtype), variance_of_all.to(mean.dtype)


class _Inputs(NamedTuple):
    """An activation as [p, c] and, optionally, noise [p] to add to it, scaled per channel."""

    flat: Tensor
    noise: Tensor | None
    noise_scale: Tensor | None

    @classmethod
    def of(cls, x: Tensor, noise: Tensor | None, noise_scale: Tensor | None) -> "_Inputs":
        return cls(_pixels_first(x), None if noise is None else noise.flatten(), noise_scale)

    def piece(self, piece: slice) -> Tensor:
        """A range of pixels of x + noise * noise_scale."""
        x = _wide(self.flat[piece])
        if self.noise is None or self.noise_scale is None:
            return x
        return torch.addcmul(x, self.noise[piece].unsqueeze(1).to(x.dtype), self.noise_scale.to(x.dtype))

    def centred(self, piece: slice, mean: Tensor) -> Tensor:
        return self.piece(piece) - mean

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and biased variance of every channel, in two passes: the one-pass formula loses digits, and so do sums
        over all pieces in float32."""
        count, c = self.flat.shape
        like = _wide(self.flat[:1])
        total = torch.zeros(c, dtype=torch.float64, device=like.device)
        for piece in _pieces(self.flat):
            total += self.piece(piece).sum(0)
        mean = (total / count).to(like.dtype)
        total.zero_()
        for piece in _pieces(self.flat):
            total += self.centred(piece, mean).square_().sum(0)
        return mean, (total / count).to(like.dtype)


def _wide(x: Tensor) -> Tensor:
    """16-bit numbers as float32."""
    return x.float() if x.element_size() < 4 else x


def _pixels_first(x: Tensor) -> Tensor:
    """[b, c, h, w] in channels_last format as [b * h * w, c], without a copy."""
    return x.permute(0, 2, 3, 1).flatten(0, 2)


def _pieces(flat: Tensor, count: int | None = None) -> Iterator[slice]:
    """Slices of the pixels of [p, c] that fit a core's cache; one slice for devices other than CPUs.

    `count` replaces p as the number of pixels if given.
    """
    count, c = flat.shape[0] if count is None else count, flat.shape[1]
    if flat.device.type != "cpu" or torch.compiler.is_compiling():
        yield slice(0, count)
        return
    step = max(1, _PIECE // c)
    for start in range(0, count, step):
        yield slice(start, start + step)
