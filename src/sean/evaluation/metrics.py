"""Metrics of pictures (SSIM, RMSE, PSNR and LPIPS; mIoU and accuracy by a segmenter) and of models.

Reconstruction is the paper's Table 1, segmentation its Table 2. The flat-colour baseline is the least that a model with
styles must exceed. A style exchange is local if it changes its region and nothing else. FID and KID are in
`sean.evaluation.distances`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sean.errors import InputError
from sean.evaluation.streaming import Batch
from sean.models.base import StyledModel
from sean.ops.region_pooling import region_mean
from sean.segmap import onehot

PerceptualDistance = Callable[[Tensor, Tensor], Tensor]
"""Maps generated and real pictures [b, 3, h, w] in [-1, 1] to the distance of each pair [b]."""


SSIM_KIND = "Gaussian window 11 x 11, sigma 1.5, data range 1 on [0, 1], mirrored borders, mean over RGB"
"""Description of `ssim` for reports."""


def rmse(fake: Float[Tensor, "b 3 h w"], real: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """Root mean square error per picture; pictures in [-1, 1], the result on [0, 1] as in the paper's Table 1."""
    return ((fake - real) / 2).square().mean(dim=(1, 2, 3)).sqrt()


def psnr(fake: Float[Tensor, "b 3 h w"], real: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """Peak signal-to-noise ratio per picture in dB; pictures in [-1, 1], so the peak is 2."""
    return -20 * torch.log10(rmse(fake, real))


def ssim(fake: Float[Tensor, "b 3 h w"], real: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """Structural similarity per picture (Wang et al. 2004): Gaussian window 11 x 11, sigma 1.5, mean over RGB.

    Pictures in [-1, 1] are mapped to [0, 1] (data range 1). Windows lie around every pixel, with mirrored borders, as
    in torchmetrics.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    values = structural_similarity_index_measure((fake + 1) / 2, (real + 1) / 2, data_range=1.0, reduction="none")
    return torch.as_tensor(values)


def flat_colors(
    image: Float[Tensor, "b 3 h w"], segmap: Int[Tensor, "b h w"], num_regions: int
) -> Float[Tensor, "b 3 h w"]:
    """The picture with every region in its mean colour: the part of a picture that colours alone explain.

    Pixels without a region form one more region.
    """
    regions = onehot(segmap, num_regions + 1)
    means, _ = region_mean(image, regions)
    return torch.einsum("bkhw,bkc->bchw", regions, means)


def confusion_matrix(
    predicted: Int[Tensor, "b h w"], truth: Int[Tensor, "b h w"], num_regions: int
) -> Int[Tensor, "k k_and_none"]:
    """Numbers of pixels by true label (row) and predicted label (column); matrices of several pictures can be added.

    Args:
        predicted: ids; ids outside 0..k-1 mean "no region" and are counted in the last column.
        truth: ids; pixels with ids outside 0..k-1 (no region, ignored) are left out.
        num_regions: k.

    Returns:
        int64 [k, k + 1].
    """
    counted = (truth >= 0) & (truth < num_regions)
    columns = torch.where((predicted >= 0) & (predicted < num_regions), predicted, num_regions)
    cells = truth[counted] * (num_regions + 1) + columns[counted]
    return torch.bincount(cells, minlength=num_regions * (num_regions + 1)).view(num_regions, num_regions + 1)


def segmentation_scores(confusion: Int[Tensor, "k k_and_none"], names: Sequence[str]) -> dict[str, Any]:
    """Scores of a confusion matrix.

    Returns:
        miou: mean intersection over union of the labels that occur in truth or prediction; accuracy: fraction of pixels
        with the true label (both 0..1, None without pixels); iou: intersection over union of each label by name, None
        for labels that do not occur; pixels: number of pixels.
    """
    hits = confusion.diagonal().double()
    union = confusion.sum(dim=1) + confusion[:, :-1].sum(dim=0) - confusion.diagonal()
    occurs = union > 0
    iou = hits / union.clamp_min(1)
    pixels = int(confusion.sum())
    return {
        "miou": iou[occurs].mean().item() if pixels else None,
        "accuracy": hits.sum().item() / pixels if pixels else None,
        "iou": {name: iou[i].item() if occurs[i] else None for i, name in enumerate(names)},
        "pixels": pixels,
    }


def load_lpips(device: torch.device) -> tuple[PerceptualDistance | None, str]:
    """LPIPS with AlexNet, its usual variant, and a description; or None and the reason why it is not available."""
    try:
        import lpips

        network = lpips.LPIPS(net="alex", verbose=False).to(device).eval()
    except Exception as error:  # importing torchvision and downloading weights may fail in many ways
        reason = " ".join(str(error).split())[:150]
        return None, f"the package lpips, which needs torchvision, cannot be used ({type(error).__name__}: {reason})"
    return lambda fake, real: network(fake, real).flatten(), "AlexNet, version 0.1"


@torch.no_grad()
def reconstruction_scores(model: StyledModel, batches: Iterable[Batch]) -> dict[str, float]:
    """Mean scores of reconstructing every picture from its own styles.

    Returns:
        Means over the pictures of psnr (dB), ssim, rmse (on [0, 1]) and psnr_of_flat_colors (the baseline: every region
        in its mean colour), and the number of pictures as `images`.

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
    """The change of a region, and of the rest of the picture, when the region's style is exchanged.

    Every picture with the region takes its style from the next such picture of the batch; the change is the mean
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
