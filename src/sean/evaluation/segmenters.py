"""Networks that read label maps from pictures, to score generated ones. The paper's are not public: each has a name."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sean.evaluation.digests import folder_title, network_digest
from sean.evaluation.extractors import resize_bilinear
from sean.evaluation.label_matching import LabelMapping, LabelMatch, match_labels
from sean.labels import LabelSet
from sean.models.parser import Parser
from sean.models.parser_weights import load_parser
from sean.pretrained import find_parser
from sean.segmap import resize_segmap

SEGFORMER_PREFIX = "segformer:"


class Segmenter(ABC):
    """Pictures to label maps in the labels of a data set.

    Attributes:
        name: what reports call it; other weights, other name.
        match: its labels as those of the data set.
        size: height and width of what it takes.
    """

    name: str
    match: LabelMatch
    size: tuple[int, int]

    @abstractmethod
    def logits(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n h w"]:
        """Logits of its own n labels, for pictures in [-1, 1] of its size."""

    def __call__(self, image: Float[Tensor, "b 3 h w"]) -> Int[Tensor, "b h w"]:
        """Label ids of pictures in [-1, 1] of any size, at that size; k where it sees none of the labels."""
        own = self.logits(resize_bilinear(image, self.size)).argmax(dim=1)
        ids = torch.tensor(self.match.ids, device=own.device)[own]
        return resize_segmap(ids, (image.shape[-2], image.shape[-1]))

    def scored(self, truth: Int[Tensor, "b h w"]) -> Int[Tensor, "b h w"]:
        """True label ids with -1 where the pixel's label is left out of the scores."""
        ignored = torch.isin(truth, torch.tensor(self.match.ignored, dtype=truth.dtype, device=truth.device))
        return truth.masked_fill(ignored, -1)


class ParserSegmenter(Segmenter):
    """A parser of this package.

    Args:
        parser: in evaluation mode.
        match: its labels as those of the data set.
        title: what it is called, see `folder_title`.
        dtype: to compute in; None is that of the parser.
    """

    def __init__(self, parser: Parser, match: LabelMatch, title: str, dtype: torch.dtype | None = None) -> None:
        self.match = match
        self.size = parser.config.image_size
        self.name = f"parser {title} ({network_digest(parser)[:8]})"
        self._dtype = dtype or next(parser.parameters()).dtype
        self._parser = parser.to(self._dtype)

    def logits(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n h w"]:
        """See `Segmenter`."""
        logits: Tensor = self._parser(image.to(self._dtype))
        return logits.float() if logits.element_size() < 4 else logits


def own_labels(name: str) -> LabelSet:
    """The labels that a segmenter was trained with; see `load_segmenter` for its name, and for errors."""
    if name.startswith(SEGFORMER_PREFIX):
        from sean.evaluation.segformer import segformer_labels

        return segformer_labels(name.removeprefix(SEGFORMER_PREFIX))
    _, labels = load_parser(find_parser(name, other=f"{SEGFORMER_PREFIX}HUB_ID_OR_FOLDER"))
    return labels


def load_segmenter(
    name: str,
    labels: LabelSet,
    device: torch.device,
    mapping: LabelMapping | None = None,
    dtype: torch.dtype = torch.float32,
) -> Segmenter:
    """A segmenter for a data set.

    Args:
        name: "bundled" (faces, with the labels of CelebAMask-HQ), the folder of a parser, or "segformer:" with a hub
            id or a folder of transformers' SegFormer.
        labels: of the data set.
        device: where it is to compute.
        mapping: where the network's names differ from the data set's.
        dtype: to compute in; a SegFormer computes in float32.

    Raises:
        InputError: there is none of that name, it is damaged, its labels do not fit, or transformers is missing.
    """
    if name.startswith(SEGFORMER_PREFIX):
        from sean.evaluation.segformer import load_segformer

        return load_segformer(name.removeprefix(SEGFORMER_PREFIX), labels, device, mapping)
    folder = find_parser(name, other=f"{SEGFORMER_PREFIX}HUB_ID_OR_FOLDER")
    parser, own_labels = load_parser(folder)
    title = folder_title(folder)
    match = match_labels(f"the parser {title}", own_labels.names, labels, mapping)
    return ParserSegmenter(parser.to(device), match, title, dtype)
