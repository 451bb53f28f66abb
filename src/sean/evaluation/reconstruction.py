"""Scores of a model on held-out pairs: reconstruction (the paper's Table 1) and how local a style exchange is."""

from collections import defaultdict
from collections.abc import Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sean.errors import InputError
from sean.evaluation.batches import Batch
from sean.evaluation.image_metrics import flat_colors, psnr, rmse, ssim
from sean.models.base import StyledModel
from sean.segmap import onehot


@torch.no_grad()
def reconstruction_scores(model: StyledModel, batches: Iterable[Batch]) -> dict[str, float]:
    """Mean scores of reconstructing every picture from its own styles.

    Returns:
        psnr (dB), ssim, rmse (on [0, 1]), psnr_of_flat_colors (the baseline: every region in its mean colour), each
        the mean over the pictures, and their number as `images`.

    Raises:
        InputError: no picture.
    """
    values: dict[str, list[Tensor]] = defaultdict(list)
    for image, segmap, edges in batches:
        fake = model(image, segmap, edges=edges).float()
        for name, score in picture_scores(fake, image, segmap, model.config.num_regions).items():
            values[name].append(score)
    if not values:
        raise InputError("expected at least one picture to score, got none")
    scores = {name: torch.cat(parts) for name, parts in values.items()}
    return {"images": float(len(scores["psnr"])), **{name: score.mean().item() for name, score in scores.items()}}


def picture_scores(
    fake: Float[Tensor, "b 3 h w"], image: Float[Tensor, "b 3 h w"], segmap: Int[Tensor, "b h w"], num_regions: int
) -> dict[str, Tensor]:
    """Scores of single pictures, each [b]: psnr (dB), ssim, rmse (on [0, 1]), and psnr_of_flat_colors."""
    return {
        "psnr": psnr(fake, image),
        "ssim": ssim(fake, image),
        "rmse": rmse(fake, image),
        "psnr_of_flat_colors": psnr(flat_colors(image, segmap, num_regions), image),
    }


@torch.no_grad()
def exchange_locality(model: StyledModel, batches: Iterable[Batch], region: int) -> dict[str, float]:
    """How much exchanging one region's style changes that region, and how much the rest of the picture.

    Every picture that has the region takes its style from the next such picture of the batch; the change is the mean
    absolute difference to the picture with its own styles, on the scale [0, 1].

    Returns:
        inside, outside (mean change of a pixel), their ratio, and the number of `pairs`.

    Raises:
        InputError: no batch has two pictures with the region.
    """
    sums = {"inside": 0.0, "outside": 0.0}
    pixels = {"inside": 0.0, "outside": 0.0}
    pairs = 0
    for image, segmap, edges in batches:
        codes, present = model.encode(image, segmap)
        chosen = torch.nonzero(present[:, region]).flatten()
        if len(chosen) < 2:
            continue
        image, segmap, codes = image[chosen], segmap[chosen], codes[chosen]
        edges = None if edges is None else edges[chosen]
        exchanged = codes.clone()
        exchanged[:, region] = codes[:, region].roll(1, dims=0)
        pictures = [model.render(segmap, each, edges=edges) for each in (exchanged, codes)]
        change = (pictures[0] - pictures[1]).abs().mean(dim=1) / 2
        inside = onehot(segmap, model.config.num_regions)[:, region]
        for name, mask in (("inside", inside), ("outside", 1 - inside)):
            sums[name] += (change * mask).sum().item()
            pixels[name] += mask.sum().item()
        pairs += len(chosen)
    if not pairs:
        raise InputError(
            f"expected two pictures with region {region} in one batch, found none; choose a region less rare"
        )
    means = {name: sums[name] / pixels[name] for name in sums}
    return {**means, "ratio": means["inside"] / means["outside"], "pairs": pairs}
