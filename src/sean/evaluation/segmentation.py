"""Segmentation scores of pictures, by a network that reads them: mIoU and pixel accuracy (the paper's Table 2)."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor


def confusion_matrix(
    predicted: Int[Tensor, "b h w"], truth: Int[Tensor, "b h w"], num_regions: int
) -> Int[Tensor, "k k_and_none"]:
    """Pixels by true label (row) and predicted label (column); the matrices of several pictures add up.

    Args:
        predicted: ids; those outside 0 .. k-1 mean "none of these labels" and are counted in the last column.
        truth: ids; pixels with an id outside 0 .. k-1 (no region, ignored) are left out.
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
        miou: mean intersection over union of the labels that occur in truth or prediction; accuracy: share of the
        pixels that have their true label (both 0..1, None where no pixel counts); iou: that of each label by name,
        None where it does not occur; pixels: their number.
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
