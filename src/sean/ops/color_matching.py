"""Regions in the mean colours of their styles: the means, without the spreads, of Reinhard et al. 2001, "Color Transfer
between Images". Light and texture are the network's; the colour that the eye takes for the region's is exact.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from sean.plan.patch_plan import NUM_TAPS, PatchPlan

SMOOTHED = 5
"""Side of the square of pixels over which the shifts are averaged, so that regions get no outlines."""


def match_mean_colors(
    picture: Float[Tensor, "b 3 h w"],
    plan: PatchPlan,
    colors: Float[Tensor, "v k 3"],
    known: Bool[Tensor, "v k"],
) -> Float[Tensor, "b 3 h w"]:
    """Shift every region of a picture to a mean colour. Differentiable with respect to picture and colours.

    The shifts are averaged over 5 x 5 pixels, and the result is clipped: means are exact but for thin regions and for
    colours near black and white.

    Args:
        picture: RGB in [-1, 1].
        plan: of the picture's segmap at full size.
        colors: RGB in [-1, 1] by variant and label, see `PatchPlan.regions`.
        known: whether there is a colour; regions without one stay as they are.

    Returns:
        RGB in [-1, 1], float32 for 16-bit pictures.
    """
    picture = picture.to(torch.promote_types(picture.dtype, torch.float32))
    b, _, h, w = picture.shape
    ids = (plan.region_patches[:, NUM_TAPS // 2] - 1)[plan.region_rows][plan.pixels].flatten().long()
    variants, labels = plan.regions.long().unbind(dim=1)
    labels = labels.clamp(max=colors.shape[1])  # the row of "no region"
    wanted = F.pad(colors.to(picture.dtype), (0, 0, 0, 1))[variants, labels]
    # in 64 bits, as a sum over a whole picture, pixel by pixel, would be wrong in its fourth digit in 32
    sums = torch.zeros_like(wanted, dtype=torch.float64)
    sums = sums.index_add(0, ids, picture.permute(0, 2, 3, 1).reshape(-1, 3).double())
    counts = torch.bincount(ids, minlength=len(sums)).clamp_min(1)
    means = (sums / counts.unsqueeze(1)).to(picture.dtype)
    shifts = (wanted - means) * F.pad(known, (0, 1))[variants, labels].unsqueeze(1)
    shift = _averaged(shifts.index_select(0, ids).view(b, h, w, 3).permute(0, 3, 1, 2).contiguous())
    return (picture + shift).clamp(-1, 1)


def _averaged(maps: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """The means of squares of `SMOOTHED` pixels; outside, the outermost pixels go on."""
    # sums of slices take a tenth of avg_pool2d's time
    h, w = maps.shape[-2:]
    wide = F.pad(maps, [SMOOTHED // 2] * 4, mode="replicate")
    tall = torch.stack([wide[..., start : start + h, :] for start in range(SMOOTHED)]).sum(dim=0)
    return torch.stack([tall[..., start : start + w] for start in range(SMOOTHED)]).sum(dim=0) / SMOOTHED**2
