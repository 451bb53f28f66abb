"""The perceptual loss and its feature networks: VGG19 (SEAN paper, supplementary; Johnson et al. 2016), and others.

EfficientNet-Lite and trained style encoders need no download. VGG19 needs no torchvision: its trunk has torchvision's
parameter names, so that the published weights file fits.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sean.errors import InputError
from sean.models.efficientnet import FEATURE_WIDTHS, EfficientNetLite
from sean.models.sean.encoder import StyleEncoder

VGG19_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"

# channels of the 3x3 convolutions of VGG19 up to relu5_1; "M" halves the picture
_VGG19 = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512)
# relu1_1, relu2_1, relu3_1, relu4_1, relu5_1 (indices of torchvision's `features`) and their weights
_TAPS = {1: 1 / 32, 6: 1 / 16, 11: 1 / 8, 20: 1 / 4, 29: 1.0}


class FeatureNetwork(nn.Module, ABC):
    """A network whose features are compared; it is frozen.

    Attributes:
        tap_weights: what the distance of each of its features counts.
    """

    tap_weights: Sequence[float]

    @abstractmethod
    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """Features of pictures in [-1, 1], one tensor for each weight."""


class VGG19Features(FeatureNetwork):
    """The trunk of VGG19 up to relu5_1, frozen; the parameters carry torchvision's names (`features.*`)."""

    tap_weights = tuple(_TAPS.values())

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        dim = 3
        for width in _VGG19:
            if isinstance(width, int):
                layers += [nn.Conv2d(dim, width, 3, padding=1), nn.ReLU()]
                dim = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.requires_grad_(False)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """Features after relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1."""
        taps = []
        for index, layer in enumerate(self.features):
            image = layer(image)
            if index in _TAPS:
                taps.append(image)
        return taps


class EfficientNetFeatures(FeatureNetwork):
    """The features of EfficientNet-Lite at five scales, frozen, each channel divided by its own spread.

    Without the division, a few channels of large values would make up the distance. All scales have equal weights.

    Args:
        network: with ImageNet weights.
    """

    tap_weights = (1 / len(FEATURE_WIDTHS),) * len(FEATURE_WIDTHS)

    def __init__(self, network: EfficientNetLite) -> None:
        super().__init__()
        self.network = network
        for index, spread in enumerate(network.feature_spreads()):
            self.register_buffer(f"scale_{index}", spread.reciprocal().view(-1, 1, 1))
        self.requires_grad_(False)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """Features with a standard deviation near 1 over natural pictures; see `EfficientNetLite.forward`."""
        return [feature * self.get_buffer(f"scale_{index}") for index, feature in enumerate(self.network(image))]


class StyleEncoderFeatures(FeatureNetwork):
    """The activations of a style encoder, frozen; each of its five layers counts the same.

    Args:
        encoder: a trained one; its labels do not matter here.
    """

    def __init__(self, encoder: StyleEncoder) -> None:
        super().__init__()
        self.features = encoder.features
        self.taps = [index for index, layer in enumerate(self.features) if isinstance(layer, (nn.LeakyReLU, nn.Tanh))]
        self.tap_weights = (1 / len(self.taps),) * len(self.taps)
        self.requires_grad_(False)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """The activations after each layer."""
        outputs = []
        for index, layer in enumerate(self.features):
            image = layer(image)
            if index in self.taps:
                outputs.append(image)
        return outputs


class PerceptualLoss(nn.Module):
    """Weighted L1 distance of features; images in [-1, 1] are fed as they are, as in the authors' training."""

    def __init__(self, network: FeatureNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, fake: Float[Tensor, "b 3 h w"], real: Float[Tensor, "b 3 h w"]) -> Float[Tensor, ""]:
        """Distance of `fake` to `real`; no gradient reaches `real`."""
        with torch.no_grad():
            targets = self.network(real)
        distances = [F.l1_loss(f, r) for f, r in zip(self.network(fake), targets, strict=True)]
        return sum((w * d for w, d in zip(self.network.tap_weights, distances, strict=True)), start=fake.new_zeros(()))


def load_vgg19(weights: str | Path | None = None) -> VGG19Features | None:
    """VGG19's trunk with ImageNet weights, or None when they are not given and cannot be downloaded.

    Args:
        weights: torchvision's vgg19-dcbb9e9d.pth; None takes it from torch's download cache or from the network.

    Raises:
        InputError: `weights` (or the cached download) is no such file, or is damaged.
    """
    if weights is not None and not Path(weights).is_file():
        raise InputError(f"expected VGG19 weights, found no file at {weights}")
    source = weights or Path(torch.hub.get_dir(), "checkpoints", Path(VGG19_URL).name)
    try:
        if weights is None:
            state = torch.hub.load_state_dict_from_url(VGG19_URL, map_location="cpu", weights_only=True, progress=False)
        else:
            state = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises UnpicklingError, RuntimeError, ValueError, ... on damaged files
        if weights is None and isinstance(error, OSError):  # offline: the caller says that the term is off
            return None
        raise InputError(
            f"{source} is not a readable weights file ({type(error).__name__}); "
            "expected torchvision's vgg19-dcbb9e9d.pth, remove it or name another"
        ) from error
    network = VGG19Features()
    try:
        state = dict(state)
        network.load_state_dict({key: state[key] for key in network.state_dict()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{source} does not hold VGG19's features.*; expected torchvision's vgg19-dcbb9e9d.pth"
        ) from error
    return network
