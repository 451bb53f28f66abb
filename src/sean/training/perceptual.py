"""The perceptual term of a training: finds its feature network, or reports that it is missing."""

from lightning_fabric import Fabric

from sean.errors import InputError
from sean.losses.perceptual import (
    EfficientNetFeatures,
    FeatureNetwork,
    PerceptualLoss,
    StyleEncoderFeatures,
    load_vgg19,
)
from sean.models.efficientnet import load_efficientnet
from sean.models.sean.encoder import StyleEncoder
from sean.models.weights import load_model
from sean.pretrained import find_model
from sean.training.config import EFFICIENTNET_PREFIX, VGG19, TrainConfig
from sean.training.distributed import on_first
from sean.training.log import Log


def perceptual_loss(config: TrainConfig, fabric: Fabric, log: Log) -> PerceptualLoss | None:
    """The term on this process's device; None if its weight is 0, or, with a message, if VGG19 is not available.

    Raises:
        InputError: the named network does not exist or is damaged.
    """
    if config.losses.perceptual == 0:
        return None
    # the first process downloads the file, the others find it in the cache
    if not on_first(fabric, lambda: _load(config) is not None):
        log.message(
            "the perceptual term is OFF: VGG19's weights could not be downloaded; give torchvision's "
            "vgg19-dcbb9e9d.pth as vgg_weights, or another network as perceptual_network (portraits-256, say)"
        )
        return None
    network = _load(config)
    assert network is not None, "the first process could load it"
    loss = PerceptualLoss(network)
    fabric.to_device(loss)
    return loss


def _load(config: TrainConfig) -> FeatureNetwork | None:
    if config.perceptual_network == VGG19:
        return load_vgg19(config.vgg_weights)
    if config.perceptual_network.startswith(EFFICIENTNET_PREFIX):
        return EfficientNetFeatures(load_efficientnet(config.perceptual_network.removeprefix(EFFICIENTNET_PREFIX)))
    model, _ = load_model(find_model(config.perceptual_network))
    if not isinstance(model.style_encoder, StyleEncoder):
        raise InputError(f"expected a SEAN model with one style encoder, got another in {config.perceptual_network}")
    return StyleEncoderFeatures(model.style_encoder)
