"""The place of `sean.Segmenter` in version 0.1, for scripts of that time."""

import warnings

import numpy as np
import torch

from sean.labels import LabelSet
from sean.parsing.segmenter import Segmenter


class _ArraySegmenter(Segmenter):
    """A segmenter that makes the label map of an array when it is called, as parsers did then."""

    def __call__(self, image):  # type: ignore[no-untyped-def]
        return self.segmap(image) if isinstance(image, np.ndarray) else super().__call__(image)


def open_parser(name: str, labels: LabelSet, device: str | torch.device = "cpu") -> Segmenter:
    """`sean.Segmenter.from_pretrained`, which replaces this function."""
    warnings.warn(
        "sean.editing.photo_parser.open_parser is sean.Segmenter.from_pretrained now", DeprecationWarning, stacklevel=2
    )
    return _ArraySegmenter.from_pretrained(name, labels, device)
