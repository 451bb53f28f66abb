"""Small pieces shared by the networks: spectral-norm convolutions, the published initialization, the batch norm."""

import math
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar, cast, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils.parametrize import (
    ParametrizationList,
    is_parametrized,
    register_parametrization,
)

LEAKY_SLOPE = 0.2
_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


def _uncompiled(function: Callable[_Args, _Result]) -> Callable[_Args, _Result]:
    """`torch.compiler.disable`, applied only once the compiler is imported. It would import the compiler itself, which
    takes half of the time of `import sean.Editor`."""
    disabled: list[Callable[_Args, _Result]] = []

    @wraps(function)
    def call(*args: _Args.args, **values: _Args.kwargs) -> _Result:
        if "torch._dynamo" not in sys.modules:
            return function(*args, **values)
        if not disabled:
            disabled.append(torch.compiler.disable(function))
        return disabled[0](*args, **values)

    call._torchdynamo_disable = True  # type: ignore[attr-defined]  # the mark that the compiler looks for
    return call


class SpectralNorm(nn.Module):
    """Parametrization W -> W / sigma(W) (Miyato et al. 2018), sigma estimated by one power iteration per training pass.

    The order of the iteration (v, then u) and the stored vectors are those of the published networks. Torch's own
    parametrization iterates u first; training steps then differ in the third decimal.

    Args:
        rows: output channels of the weight.
        columns: the product of all other sizes of the weight.
    """

    u: Tensor
    v: Tensor

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.register_buffer("u", F.normalize(torch.randn(rows), dim=0))
        self.register_buffer("v", F.normalize(torch.randn(columns), dim=0))

    @_uncompiled  # compiled with a training pass, gradients go wrong
    @torch.no_grad()
    def iterate(self, weight: Tensor, iterations: int = 1) -> None:
        """One power iteration: move the singular vectors towards those of `weight`, in place."""
        matrix, shape = _matrix(weight), weight.shape[1:]
        for _ in range(iterations):
            v = F.normalize(torch.mv(matrix.T, self.u), dim=0)
            self.u.copy_(F.normalize(torch.mv(matrix, v), dim=0))
            self.v.copy_(v.view(*shape[1:], shape[0]).movedim(-1, 0).flatten())

    def forward(self, weight: Tensor) -> Tensor:
        """The normalized weight."""
        if self.training:
            self.iterate(weight)
        # clones: a second forward pass before the backward pass must not change what the first one saved
        v = self.v.view(weight.shape[1:]).movedim(0, -1).flatten().clone()
        return _DivideBySigma.apply(weight, self.u.clone(), v)


class _DivideBySigma(torch.autograd.Function):
    """W / (u^T W v), v in the order of `_matrix`, with a backward pass that makes two tensors of the weight's size
    instead of five."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
        sigma = torch.vdot(u, torch.mv(_matrix(weight), v))
        out = weight / sigma
        ctx.save_for_backward(out, u, v, sigma)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """d(W / sigma) = (dW - (W / sigma) dsigma) / sigma, dsigma = u^T dW v."""
        out, u, v, sigma = ctx.saved_tensors
        matrix = _matrix(grad)
        through_sigma = torch.dot(matrix.flatten(), _matrix(out).flatten())
        of_matrix = torch.addr(matrix, u, v * -through_sigma).div_(sigma)
        o, i, *kernel = grad.shape
        return of_matrix.view(o, *kernel, i).movedim(-1, 1), None, None


def _matrix(weight: Tensor) -> Tensor:
    """[o, i, y, x] as [o, y * x * i]: without a copy where the weight is kept in channels_last format."""
    return weight.movedim(1, -1).flatten(1)


def spectral_conv(
    in_dim: int, out_dim: int, kernel: int, *, stride: int = 1, padding: int = 0, bias: bool = True
) -> nn.Conv2d:
    """A convolution with spectral normalization."""
    conv = nn.Conv2d(in_dim, out_dim, kernel, stride=stride, padding=padding, bias=bias)
    # unsafe: registering must not run (and thereby move) a power iteration
    register_parametrization(conv, "weight", SpectralNorm(out_dim, in_dim * kernel * kernel), unsafe=True)
    return conv


def xavier_(weight: Tensor, gain: float) -> None:
    """Xavier-normal initialization in place. Of a [2c, d, 3, 3] pair of stacked kernels, pass each half by itself."""
    receptive = math.prod(weight.shape[2:])
    std = gain * math.sqrt(2.0 / ((weight.shape[0] + weight.shape[1]) * receptive))
    with torch.no_grad():
        weight.normal_(0.0, std)


def initialize_weights(network: nn.Module, gain: float = 0.02) -> None:
    """Initialize as the paper's training does: Xavier-normal with gain 0.02, biases 0.

    Modules with stacked weights have their own `initialize(gain)`. For spectral-norm convolutions the unnormalized
    weight is initialized and the singular vectors are updated.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            if is_parametrized(module, "weight"):
                parametrization = cast(nn.ModuleDict, module.parametrizations)["weight"]
                original = cast(ParametrizationList, parametrization).original
                spectral_norm = cast(SpectralNorm, cast(ParametrizationList, parametrization)[0])
                xavier_(original, gain)
                spectral_norm.iterate(original, iterations=15)
            else:
                xavier_(module.weight, gain)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    # after the loop above, as a stacked kernel is also the weight of a convolution
    for module in network.modules():
        if isinstance(module, StackedWeights):
            module.initialize(gain)


@runtime_checkable
class StackedWeights(Protocol):
    """A module whose parameters stack several matrices, so that it initializes them itself."""

    def initialize(self, gain: float) -> None:
        """Initialize each stacked matrix separately: Xavier-normal with `gain`, biases 0."""


def batch_norm(dim: int) -> nn.BatchNorm2d:
    """The parameter-free batch norm inside every SEAN norm; its scale and shift come from the modulation."""
    return nn.BatchNorm2d(dim, affine=False)


@torch.no_grad()
def update_running_statistics(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, count: int) -> None:
    """Update the running statistics of a batch norm as torch does in a training pass.

    Args:
        norm: the batch norm; a momentum of None means the plain mean over all passes.
        mean, variance: [c] of the batch; the variance is the biased one.
        count: number of pixels per channel in the batch.
    """
    assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None
    norm.num_batches_tracked += 1
    momentum = 1 / norm.num_batches_tracked.item() if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), momentum)
    unbiased = variance * (count / max(count - 1, 1))
    norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), momentum)
