"""Regions in the mean colours of their styles: the means, without the spreads, of Reinhard et al. 2001, "Color Transfer
between Images". Light and texture are the network's; the colour that the eye takes for the region's is the style's.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from sean.ops.modulation import region_index
from sean.plan.patch_plan import PatchPlan


def match_mean_colors(
    picture: Float[Tensor, "b 3 h w"],
    plan: PatchPlan,
    colors: Float[Tensor, "v k 3"],
    known: Bool[Tensor, "v k"],
    window: int,
) -> Float[Tensor, "b 3 h w"]:
    """Shift every region of a picture to a mean colour. Differentiable with respect to picture and colours.

    The shifts are averaged over a window, so that regions get no outlines and small ones suit their surroundings; the
    result is clipped. Means are exact but for thin regions and for colours near black and white.

    Args:
        picture: RGB in [-1, 1].
        plan: of the picture's segmap at full size.
        colors: RGB in [-1, 1] by variant and label, see `PatchPlan.regions`.
        known: whether there is a colour; regions without one have a shift of zero.
        window: side of the window in pixels, odd.

    Returns:
        RGB in [-1, 1], float32 for 16-bit pictures.
    """
    picture = picture.to(torch.promote_types(picture.dtype, torch.float32))
    b, _, h, w = picture.shape
    num_variants, num_regions = known.shape
    # 0 is "no region"
    ids = region_index(plan, num_variants, num_regions).index_select(0, plan.region_map.flatten()).long()
    wanted = F.pad(colors.flatten(0, 1).to(picture.dtype), (0, 0, 1, 0))
    # in 64 bits, as a sum over a whole picture, pixel by pixel, would be wrong in its fourth digit in 32
    sums = torch.zeros_like(wanted, dtype=torch.float64)
    sums = sums.index_add(0, ids, picture.permute(0, 2, 3, 1).reshape(-1, 3).double())
    counts = torch.bincount(ids, minlength=len(sums)).clamp_min(1)
    means = (sums / counts.unsqueeze(1)).to(picture.dtype)
    shifts = (wanted - means) * F.pad(known.flatten(), (1, 0)).unsqueeze(1)
    shift = shifts.index_select(0, ids).view(b, h, w, 3).permute(0, 3, 1, 2)
    wide = F.pad(shift.contiguous(), [window // 2] * 4, mode="replicate")
    averaged = wide.unfold(-2, window, 1).mean(dim=-1).unfold(-1, window, 1).mean(dim=-1)
    return (picture + averaged).clamp(-1, 1)
