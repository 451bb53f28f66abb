"""SegFormer (Xie et al. 2021) from transformers, which only this module imports."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sean.errors import InputError
from sean.labels import LabelSet
from sean.pretrained import folder_title

# The defaults of SegformerImageProcessor, for models without a preprocessing file.
DEFAULT_SIZE = (512, 512)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Segformer(nn.Module):
    """A SegFormer with the input size and the colour statistics of its folder.

    Args:
        network: transformers' SegformerForSemanticSegmentation.
        title: name in reports.
        preprocessing: content of preprocessor_config.json; may be empty.

    Attributes:
        names: names of its own labels, in the order of their ids.
        size: height and width, in pixels, of its input.
    """

    def __init__(self, network: Any, title: str, preprocessing: dict[str, Any]) -> None:
        super().__init__()
        self.network = network
        self.title = title
        self.size = _size(preprocessing.get("size", DEFAULT_SIZE), title)
        self.names = tuple(str(network.config.id2label[index]) for index in range(network.config.num_labels))
        self._mean: Tensor
        self._std: Tensor
        self.register_buffer("_mean", _channels(preprocessing.get("image_mean", IMAGENET_MEAN)))
        self.register_buffer("_std", _channels(preprocessing.get("image_std", IMAGENET_STD)))

    @property
    def labels(self) -> LabelSet:
        """Its own label set, with underscores for spaces in names."""
        return LabelSet(name=self.title, names=tuple("_".join(name.split()) for name in self.names))

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n h w"]:
        """Logits of pictures in [-1, 1], enlarged bilinearly from a quarter of the size."""
        normalized = ((image + 1) / 2 - self._mean) / self._std
        small = self.network(pixel_values=normalized).logits
        return F.interpolate(small, size=image.shape[-2:], mode="bilinear", align_corners=False)


def load_segformer(source: str, device: torch.device) -> Segformer:
    """A SegFormer by a hub id owner/name or a folder.

    Raises:
        InputError: transformers is missing, or cannot load the model.
    """
    network = _network(source)
    try:
        preprocessing, _ = _transformers().ImageProcessingMixin.get_image_processor_dict(source)
    except OSError:  # the model has no such file
        preprocessing = {}
    title = folder_title(source) if Path(source).is_dir() else source
    return Segformer(network, title, preprocessing).to(device).eval()


def new_segformer(num_regions: int) -> Segformer:
    """SegFormer-B0 with random weights, for a training.

    Raises:
        InputError: transformers is missing.
    """
    transformers = _transformers()
    network = transformers.SegformerForSemanticSegmentation(transformers.SegformerConfig(num_labels=num_regions))
    return Segformer(network, "SegFormer-B0", {})


def _transformers() -> Any:
    """The package.

    Raises:
        InputError: it is missing.
    """
    try:
        import transformers

        transformers.SegformerForSemanticSegmentation  # noqa: B018 - transformers imports its parts when they are named
    except Exception as error:  # broken packages raise many errors
        raise InputError(
            f"a SegFormer needs transformers, which cannot be imported here ({type(error).__name__}); "
            "pip install 'seankit[segment]'"
        ) from error
    return transformers


def _network(source: str) -> Any:
    transformers = _transformers()
    try:
        return transformers.SegformerForSemanticSegmentation.from_pretrained(source)
    except Exception as error:  # errors of transformers, of the hub client, of safetensors
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"cannot load the SegFormer {source!r} (hub id or folder): {reason}") from error


def _channels(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1)


def _size(size: Any, title: str) -> tuple[int, int]:
    if isinstance(size, dict):
        size = (size.get("height"), size.get("width")) if "height" in size else (size.get("shortest_edge"),) * 2
    elif isinstance(size, int):
        size = (size, size)
    if len(size) != 2 or not all(isinstance(extent, int) and extent > 0 for extent in size):
        raise InputError(f"expected a height and a width in the preprocessor_config.json of {title}, got {size}")
    return (size[0], size[1])
