"""PSNR, RMSE and SSIM of pictures, and the flat-colour baseline that a style-aware model has to beat."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sean.ops.region_pooling import region_mean
from sean.segmap import onehot

SSIM_KIND = "Gaussian window 11 x 11, sigma 1.5, data range 1 on [0, 1], mirrored borders, mean over RGB"
"""Which SSIM `ssim` is, for reports."""


def rmse(fake: Float[Tensor, "b 3 h w"], real: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """Root mean square error per picture; pictures in [-1, 1], the result on [0, 1] as in the paper's Table 1."""
    return ((fake - real) / 2).square().mean(dim=(1, 2, 3)).sqrt()


def psnr(fake: Float[Tensor, "b 3 h w"], real: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """Peak signal-to-noise ratio per picture in dB; pictures in [-1, 1], so the peak is 2."""
    return -20 * torch.log10(rmse(fake, real))


def ssim(fake: Float[Tensor, "b 3 h w"], real: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """Structural similarity per picture (Wang et al. 2004): Gaussian window 11 x 11, sigma 1.5, mean over RGB.

    Pictures in [-1, 1], moved to [0, 1] with data range 1. Around every pixel, with mirrored borders, as torchmetrics
    has it.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    values = structural_similarity_index_measure((fake + 1) / 2, (real + 1) / 2, data_range=1.0, reduction="none")
    return torch.as_tensor(values)


def flat_colors(
    image: Float[Tensor, "b 3 h w"], segmap: Int[Tensor, "b h w"], num_regions: int
) -> Float[Tensor, "b 3 h w"]:
    """Every region painted with its own mean colour: what the colours alone explain of a picture.

    Pixels of no region form one more region.
    """
    regions = onehot(segmap, num_regions + 1)
    means, _ = region_mean(image, regions)
    return torch.einsum("bkhw,bkc->bchw", regions, means)
