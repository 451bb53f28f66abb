"""Which published network a checkpoint is of, by the names of its tensors."""

from torch import Tensor

from sean.errors import InputError
from sean.models.configs import ModelConfig
from sean.models.official.checkpoint import State
from sean.models.official.pix2pixhd import convert_pix2pixhd, infer_pix2pixhd_config
from sean.models.official.sean import convert_generator, infer_config
from sean.models.official.spade import convert_spade, infer_spade_config

_SEAN = "Zencoder.model.1.weight"
_SPADE = "head_0.norm_0.mlp_gamma.weight"
_PIX2PIXHD = "model.1.weight"


def convert_official(
    state: State, encoder: State | None, *, num_regions: int | None, image_size: tuple[int, int]
) -> tuple[ModelConfig, dict[str, Tensor]]:
    """The config and the state dict of our model for a published generator.

    Args:
        state: of the generator.
        encoder: of the encoder, where that is a file of its own.
        num_regions: labels, where they are known; tells an edge map from a label.
        image_size: height and width in pixels that the generator was trained for.

    Raises:
        InputError: it is no published generator, or the encoder is missing or not wanted.
    """
    if _SPADE in state:
        spade = infer_spade_config(state, encoder, num_regions=num_regions, image_size=image_size)
        return spade, convert_spade(state, encoder)
    if _PIX2PIXHD in state:
        if encoder is None:
            raise InputError("this pix2pixHD generator needs its feature encoder's checkpoint, too (--encoder)")
        pix2pixhd = infer_pix2pixhd_config(state, encoder, num_regions=num_regions, image_size=image_size)
        return pix2pixhd, convert_pix2pixhd(state, encoder)
    if _SEAN in state and encoder is not None:
        raise InputError("SEAN's style encoder is in the generator's checkpoint; leave --encoder out")
    return infer_config(state, image_size), convert_generator(state)
