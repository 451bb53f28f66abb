"""Features of a trained SEAN style encoder for the perceptual term: no download, where VGG19's weights are not to be
had."""

from jaxtyping import Float
from torch import Tensor, nn

from sean.losses.perceptual import FeatureNetwork
from sean.models.style_encoder import StyleEncoder


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
