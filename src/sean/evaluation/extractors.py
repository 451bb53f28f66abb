"""Networks whose features FID and KID compare. Distances by different ones are never comparable: each has a name."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sean.errors import InputError
from sean.images import resize_bilinear
from sean.models.configs import LITE_VARIANTS
from sean.models.efficientnet import FEATURE_WIDTHS, EfficientNetLite, load_efficientnet
from sean.models.parsers import Parser
from sean.models.weights import load_parser, network_digest
from sean.pretrained import find_parser, folder_title

INCEPTION = "inception"
EFFICIENTNETS = {f"efficientnet-{variant}": variant for variant in LITE_VARIANTS}
"""Extractors that the extra [imagenet] brings, and their variants."""

# what the published networks were trained at, and FIDs at any other size of picture are by
_EFFICIENTNET_SIZES = {"lite0": (224, 224), "lite1": (240, 240)}


class FeatureExtractor(ABC):
    """Pictures to features.

    Attributes:
        name: what reports call it; other weights, other name.
    """

    name: str

    @abstractmethod
    def __call__(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Features of pictures in [-1, 1] of any size."""


class ParserFeatures(FeatureExtractor):
    """The deepest features of a parser, averaged over the picture.

    Args:
        parser: in evaluation mode.
        title: what it is called, see `folder_title`.
    """

    def __init__(self, parser: Parser, title: str) -> None:
        self._parser = parser
        self.name = f"parser {title} ({network_digest(parser)[:8]})"

    def __call__(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """See `FeatureExtractor`."""
        return self._parser.features(resize_bilinear(image, self._parser.config.image_size))


class EfficientNetFeatures(FeatureExtractor):
    """The 320 numbers that EfficientNet-Lite's last stage has of a picture: ImageNet features without a download.

    Its classifier widens them to 1280, which more data sets have too few pictures for.

    Args:
        network: in evaluation mode.
    """

    def __init__(self, network: EfficientNetLite) -> None:
        self._network = network
        self._size = _EFFICIENTNET_SIZES[network.variant]
        self.name = f"efficientnet-{network.variant} pool {FEATURE_WIDTHS[-1]} ({network_digest(network)[:8]})"

    def __call__(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """See `FeatureExtractor`."""
        features: Tensor = self._network(resize_bilinear(image, self._size))[-1]
        return features.mean(dim=(2, 3))


class InceptionFeatures(FeatureExtractor):
    """The 2048 pool features of the Inception v3 that published FIDs are by, from torch-fidelity.

    It resizes by itself, as the published one does, and takes 8-bit pictures.

    Args:
        network: torch-fidelity's FeatureExtractorInceptionV3 with the feature 2048.
    """

    name = "inception-v3-compat pool 2048 (torch-fidelity)"

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    def __call__(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """See `FeatureExtractor`."""
        (features,) = self._network(((image + 1) * 127.5).round().clamp(0, 255).to(torch.uint8))
        return features.flatten(1)


def load_extractor(name: str, device: torch.device) -> FeatureExtractor:
    """A feature extractor.

    Args:
        name: "inception", one of `EFFICIENTNETS`, "bundled" (the face parser that comes with the package), or the
            folder of a parser.
        device: where it is to compute.

    Raises:
        InputError: there is none of that name, it is damaged, or what it needs is not installed.
    """
    if name == INCEPTION:
        return InceptionFeatures(_inception().to(device).eval())
    if name in EFFICIENTNETS:
        return EfficientNetFeatures(load_efficientnet(EFFICIENTNETS[name]).to(device))
    folder = find_parser(name, "extractor", other=f"{', '.join(EFFICIENTNETS)}, {INCEPTION}")
    parser, _ = load_parser(folder)
    return ParserFeatures(parser.to(device), folder_title(folder))


def _inception() -> nn.Module:
    try:
        import torchvision  # noqa: F401  # torch-fidelity needs it; beside another torch it fails in many ways
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except Exception as error:
        raise InputError(
            f"the extractor {INCEPTION} needs torchvision and torch-fidelity, which cannot be imported here "
            f"({type(error).__name__}: {' '.join(str(error).split())[:150]}); install both or give a parser's folder"
        ) from error
    try:
        network: nn.Module = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    except Exception as error:  # it downloads its weights: anything the network may do
        raise InputError(
            f"cannot get the weights of {INCEPTION} ({' '.join(str(error).split())[:150]}); check the connection"
        ) from error
    return network
