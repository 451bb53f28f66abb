"""Networks with features for FID and KID. Distances by different networks are not comparable, so each has a name."""

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
"""Extractors of the extra [imagenet], and their variants."""

# the training size of the published networks; pictures of other sizes are resized to it
_EFFICIENTNET_SIZES = {"lite0": (224, 224), "lite1": (240, 240)}


class FeatureExtractor(ABC):
    """Pictures to features.

    Attributes:
        name: name in reports; different weights have different names.
    """

    name: str

    @abstractmethod
    def __call__(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Features of pictures in [-1, 1] of any size."""


class ParserFeatures(FeatureExtractor):
    """The deepest features of a parser, averaged over the picture.

    Args:
        parser: parser in evaluation mode.
        title: name of the parser, see `folder_title`.
    """

    def __init__(self, parser: Parser, title: str) -> None:
        self._parser = parser
        self.name = f"parser {title} ({network_digest(parser)[:8]})"

    def __call__(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """See `FeatureExtractor`."""
        return self._parser.features(resize_bilinear(image, self._parser.config.image_size))


class EfficientNetFeatures(FeatureExtractor):
    """The 320 features of EfficientNet-Lite's last stage: ImageNet features without a download.

    The classifier's 1280 features would need more pictures than many data sets have.

    Args:
        network: network in evaluation mode.
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
    """The 2048 pool features of the Inception v3 of published FIDs, from torch-fidelity.

    It takes 8-bit pictures and resizes them itself, like the published one.

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
        device: device to compute on.

    Raises:
        InputError: the extractor does not exist or is damaged, or a package is not installed.
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
        import torchvision  # noqa: F401  # needed by torch-fidelity; fails in many ways with another torch
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except Exception as error:
        raise InputError(
            f"the extractor {INCEPTION} needs torchvision and torch-fidelity, which cannot be imported here "
            f"({type(error).__name__}: {' '.join(str(error).split())[:150]}); install both or give a parser's folder"
        ) from error
    try:
        network: nn.Module = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    except Exception as error:  # the download of weights may fail in many ways
        raise InputError(
            f"cannot get the weights of {INCEPTION} ({' '.join(str(error).split())[:150]}); check the connection"
        ) from error
    return network
