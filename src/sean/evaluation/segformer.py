"""SegFormer (Xie et al. 2021) as a segmenter, by transformers, which only this module imports."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sean.errors import InputError
from sean.evaluation.digests import folder_title, network_digest
from sean.evaluation.label_matching import LabelMapping, LabelMatch, match_labels
from sean.evaluation.segmenters import Segmenter
from sean.labels import LabelSet

# of SegformerImageProcessor: what holds where a model says nothing
DEFAULT_SIZE = (512, 512)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class SegformerSegmenter(Segmenter):
    """A SegFormer, at the size and with the colour statistics that its folder names.

    Args:
        network: transformers' SegformerForSemanticSegmentation, in evaluation mode.
        match: its labels as those of the data set.
        title: what it is called.
        preprocessing: the content of its preprocessor_config.json; may be empty.
    """

    def __init__(self, network: Any, match: LabelMatch, title: str, preprocessing: dict[str, Any]) -> None:
        self._network = network
        self._mean = _channels(preprocessing.get("image_mean", IMAGENET_MEAN), network.device)
        self._std = _channels(preprocessing.get("image_std", IMAGENET_STD), network.device)
        self.match = match
        self.size = _size(preprocessing.get("size", DEFAULT_SIZE), title)
        self.name = f"segformer {title} ({network_digest(network)[:8]})"

    def logits(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n h w"]:
        """See `Segmenter`; SegFormer's own, a quarter as large, are interpolated as transformers does it."""
        normalized = ((image + 1) / 2 - self._mean) / self._std
        small = self._network(pixel_values=normalized).logits
        return F.interpolate(small, size=image.shape[-2:], mode="bilinear", align_corners=False)


def load_segformer(
    source: str, labels: LabelSet, device: torch.device, mapping: LabelMapping | None = None
) -> SegformerSegmenter:
    """A SegFormer for a data set.

    Args:
        source: a hub id owner/name, or a folder.
        labels, device, mapping: see `sean.evaluation.segmenters.load_segmenter`.

    Raises:
        InputError: transformers is missing, it cannot load the model, or its labels do not fit.
    """
    network = _network(source)
    from transformers import ImageProcessingMixin

    try:
        preprocessing, _ = ImageProcessingMixin.get_image_processor_dict(source)
    except OSError:  # the model has no such file
        preprocessing = {}
    title = _title(source)
    match = match_labels(f"the SegFormer {title}", _label_names(network), labels, mapping)
    return SegformerSegmenter(network.to(device).eval(), match, title, preprocessing)


def segformer_labels(source: str) -> LabelSet:
    """The labels of a SegFormer, with _ for spaces in their names; see `load_segformer`."""
    return LabelSet(name=_title(source), names=tuple("_".join(name.split()) for name in _label_names(_network(source))))


def _network(source: str) -> Any:
    try:
        from transformers import SegformerForSemanticSegmentation
    except Exception as error:  # transformers imports lazily, and a broken package beside it fails in many ways
        raise InputError(
            f"a SegFormer needs transformers, which cannot be imported here ({type(error).__name__}); "
            "pip install 'sean[segment]'"
        ) from error
    try:
        return SegformerForSemanticSegmentation.from_pretrained(source)
    except Exception as error:  # of its own, of the hub client, of safetensors
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"cannot load the SegFormer {source!r} (hub id or folder): {reason}") from error


def _label_names(network: Any) -> list[str]:
    return [str(network.config.id2label[index]) for index in range(network.config.num_labels)]


def _title(source: str) -> str:
    return folder_title(source) if Path(source).is_dir() else source


def _channels(values: Any, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device).view(1, 3, 1, 1)


def _size(size: Any, title: str) -> tuple[int, int]:
    if isinstance(size, dict):
        size = (size.get("height"), size.get("width")) if "height" in size else (size.get("shortest_edge"),) * 2
    elif isinstance(size, int):
        size = (size, size)
    if len(size) != 2 or not all(isinstance(extent, int) and extent > 0 for extent in size):
        raise InputError(f"expected a height and a width in the preprocessor_config.json of {title}, got {size}")
    return (size[0], size[1])
