"""The scores of a parser on pairs: mean intersection over union and pixel accuracy, and the former of each label."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from sean.evaluation.metrics import confusion_matrix, segmentation_scores
from sean.models.parsers import Parser


@torch.no_grad()
def parser_scores(parser: Parser, batches: Iterable[tuple[Tensor, Tensor]], names: Sequence[str]) -> dict[str, Any]:
    """See `sean.evaluation.metrics.segmentation_scores`.

    Args:
        parser: in evaluation mode.
        batches: image [b, 3, h, w] in [-1, 1] and segmap [b, h, w].
        names: of the k labels.
    """
    total = torch.zeros(len(names), len(names) + 1, dtype=torch.int64)
    for image, segmap in batches:
        total += confusion_matrix(parser.predict(image), segmap, len(names)).cpu()
    return segmentation_scores(total, names)
