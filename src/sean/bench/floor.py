"""The lower bound of the time: the generator's main convolutions alone, on activations of the same shapes."""

from collections.abc import Callable, Iterator
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sean.inference.packing import PackedConv
from sean.models.configs import BLOCKS, SIZE_MULTIPLE
from sean.models.sean.generator import Generator
from sean.models.sean.norm import SEANResBlk


def main_convolutions(generator: Generator, size: tuple[int, int]) -> Iterator[tuple[nn.Conv2d, tuple[int, int]]]:
    """The stem, the ResBlks' convolutions and the output convolution, each with the size [h, w] of its input."""
    height, width = size[0] // SIZE_MULTIPLE, size[1] // SIZE_MULTIPLE
    yield cast(nn.Conv2d, generator.stem), (height, width)
    for block, (_, _, double) in zip(generator.blocks, BLOCKS, strict=True):
        assert isinstance(block, SEANResBlk)
        convolutions = [block.conv_0, block.conv_1]
        if block.norm_shortcut is not None:
            convolutions.append(block.conv_shortcut)
        for conv in convolutions:
            yield conv, (height, width)
        if double:
            height, width = 2 * height, 2 * width
    yield generator.to_rgb, (height, width)


def inference_floor(generator: Generator, size: tuple[int, int]) -> Callable[[], None]:
    """A function that runs the convolutions for one picture, by the same calls as the fast path."""
    calls = [(PackedConv(conv), _activation(1, conv, at)) for conv, at in main_convolutions(generator, size)]

    @torch.inference_mode()
    def run() -> None:
        for conv, x in calls:
            conv(x)

    return run


def training_floor(generator: Generator, size: tuple[int, int], batch: int) -> Callable[[], None]:
    """A function that runs the convolutions of a batch forwards and backwards."""
    calls: list[tuple[Tensor, Tensor, Tensor | None, int]] = []
    for conv, at in main_convolutions(generator, size):
        weight = conv.weight.detach().clone().requires_grad_()
        bias = None if conv.bias is None else conv.bias.detach().clone().requires_grad_()
        x = _activation(batch, conv, at).requires_grad_()
        calls.append((x, weight, bias, conv.kernel_size[0] // 2))

    def run() -> None:
        for x, weight, bias, padding in calls:
            out = F.conv2d(x, weight, bias, padding=padding)
            out.backward(torch.ones_like(out))
            x.grad = weight.grad = None

    return run


def _activation(batch: int, conv: nn.Conv2d, size: tuple[int, int]) -> Tensor:
    x = torch.randn(batch, conv.in_channels, *size, device=conv.weight.device)
    return x.contiguous(memory_format=torch.channels_last)
