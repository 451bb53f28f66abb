"""Feature networks of the perceptual term that need no download: EfficientNet-Lite, and trained style encoders."""

from jaxtyping import Float
from torch import Tensor, nn

from sean.losses.perceptual import FeatureNetwork
from sean.models.efficientnet import FEATURE_WIDTHS, EfficientNetLite
from sean.models.sean.encoder import StyleEncoder


class EfficientNetFeatures(FeatureNetwork):
    """The features of EfficientNet-Lite at five scales, frozen, each channel divided by its own spread.

    Without the division a few channels of large values would be the whole distance. Each scale counts the same.

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
