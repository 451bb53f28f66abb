"""Losses and scores of a parser: cross-entropy with weighted labels, a soft Dice term, mIoU and accuracy."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from sean.evaluation.metrics import confusion_matrix, segmentation_scores
from sean.models.parsers import Parser

_SMOOTHING = 1.0
"""Pixels added to numerator and denominator of Dice, so that labels of few pixels do not jump between 0 and 1."""


def class_weights(counts: Int[Tensor, " k"], largest: float, power: float = 0.5) -> Float[Tensor, " k"]:
    """Weights proportional to frequency^-power, scaled to a mean of 1 over the pixels, then bounded by `largest`.

    Without weights (power 0) rare labels are never predicted, with power 1 they are predicted everywhere. Labels that
    do not occur have the weight 0.

    Args:
        counts: number of pixels of each label.
        largest: upper bound on the weights.
        power: preference for rare labels, in [0, 1].
    """
    frequency = counts.double() / counts.sum().clamp(min=1)
    raw = torch.where(counts > 0, frequency.clamp(min=1e-12) ** -power, 0.0)
    weights = raw / (frequency * raw).sum().clamp(min=1e-12)
    return weights.clamp(max=largest).float()


def parser_losses(
    logits: Float[Tensor, "b k h w"], segmap: Int[Tensor, "b h w"], weights: Float[Tensor, " k"]
) -> dict[str, Tensor]:
    """The terms `cross_entropy` and `dice`, each a mean over the labelled pixels; 0 without labelled pixels.

    Dice (Milletari et al. 2016) is 1 - 2 |p t| / (|p| + |t|) over the whole batch, averaged over the labels that occur
    in the batch.

    Args:
        logits: logits of k labels.
        segmap: label ids; pixels with ids from k on are ignored.
        weights: weights of the labels in the cross-entropy, which is divided by the number of pixels, not by the sum of
            the weights.
    """
    num_regions = logits.shape[1]
    labelled = segmap < num_regions
    ids = torch.where(labelled, segmap, 0)
    log_probability = F.log_softmax(logits.float(), dim=1)
    of_truth = log_probability.gather(1, ids.unsqueeze(1)).squeeze(1)
    cross_entropy = -(of_truth * weights[ids] * labelled).sum() / labelled.sum().clamp(min=1)
    probability = log_probability.exp() * labelled.unsqueeze(1)
    regions = torch.arange(num_regions, device=segmap.device).view(1, -1, 1, 1)
    truth = (segmap.unsqueeze(1) == regions).float()
    overlap, predicted, actual = ((x).sum(dim=(0, 2, 3)) for x in (probability * truth, probability, truth))
    dice = 1 - (2 * overlap + _SMOOTHING) / (predicted + actual + _SMOOTHING)
    occurs = actual > 0
    return {"cross_entropy": cross_entropy, "dice": (dice * occurs).sum() / occurs.sum().clamp(min=1)}


@torch.no_grad()
def parser_scores(parser: Parser, batches: Iterable[tuple[Tensor, Tensor]], names: Sequence[str]) -> dict[str, Any]:
    """See `sean.evaluation.metrics.segmentation_scores`.

    Args:
        parser: parser in evaluation mode.
        batches: image [b, 3, h, w] in [-1, 1] and segmap [b, h, w].
        names: names of the k labels.
    """
    total = torch.zeros(len(names), len(names) + 1, dtype=torch.int64)
    for image, segmap in batches:
        total += confusion_matrix(parser.predict(image), segmap, len(names)).cpu()
    return segmentation_scores(total, names)
