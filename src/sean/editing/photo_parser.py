"""Label maps of photos that have none, by a segmentation network: the bundled parser, another one, or a SegFormer."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from sean.evaluation.label_matching import LabelMapping
from sean.evaluation.segmenters import Segmenter, load_segmenter
from sean.images import image_to_tensor, resize_image
from sean.labels import LabelSet

# the logit of a label that the network does not know; finite, as interpolation makes NaN of infinities
_NEVER = -1e4


@dataclass(frozen=True, kw_only=True, eq=False)
class ParsedPhoto:
    """The label map of a photo, and how sure the parser is of it.

    Attributes:
        segmap: int64 [h, w], ids 0..k-1; k where the network sees something that is none of the labels.
        confidence: float32 [h, w], the probability of that label.
    """

    segmap: np.ndarray
    confidence: np.ndarray


class PhotoParser:
    """Photos to label maps. The network sees the photo at its own size, and mirrored too; both answers are averaged.

    Args:
        segmenter: the network, matched with `labels`.
        labels: of the maps.
        device: where the network computes.
    """

    def __init__(self, segmenter: Segmenter, labels: LabelSet, device: torch.device) -> None:
        self.labels = labels
        self._segmenter = segmenter
        self._device = device
        ids = segmenter.match.ids
        self._own_ids = {label: [own for own, other in enumerate(ids) if other == label] for label in set(ids)}
        self._mirrored_ids = list(labels.flip_table)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels, of what the network sees."""
        return self._segmenter.size

    @property
    def name(self) -> str:
        """What reports call the network; other weights, other name."""
        return self._segmenter.name

    @property
    def sees_others(self) -> bool:
        """Whether the network knows things that are none of the labels."""
        return self.labels.num_regions in self._segmenter.match.ids

    @torch.inference_mode()
    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The label map of a photo.

        Args:
            image: uint8 [h, w, 3] of any size, showing what the network was trained on (see `sean.editing.faces`).

        Returns:
            int64 [h, w], ids 0..k-1 of `labels`; k where the network sees something that is none of them.

        Raises:
            InputError: not a picture.
        """
        ids: np.ndarray = enlarged_argmax(self._averaged(image), image.shape[:2])[0].cpu().numpy()
        return ids

    @torch.inference_mode()
    def parse(self, image: np.ndarray) -> ParsedPhoto:
        """The label map of a photo with the probabilities of its labels; see `__call__`."""
        logits = self._averaged(image)
        size = (image.shape[0], image.shape[1])
        probability = logits.softmax(dim=1).amax(dim=1, keepdim=True)
        larger = F.interpolate(probability, size=size, mode="bilinear", align_corners=False)
        return ParsedPhoto(
            segmap=enlarged_argmax(logits, size)[0].cpu().numpy(), confidence=larger[0, 0].float().cpu().numpy()
        )

    def _averaged(self, image: np.ndarray) -> Float[Tensor, "1 l h w"]:
        """The logits of a photo and of its mirror image, averaged."""
        picture = image_to_tensor(resize_image(image, self.size)).unsqueeze(0).to(self._device)
        logits = self._logits(picture)
        return (logits + self._logits(picture.flip(-1)).flip(-1)[:, self._mirrored_ids]) / 2

    def _logits(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b l h w"]:
        """Logits of the k labels and of "none of them"; probabilities add up where several stand for one label."""
        own = self._segmenter.logits(image)
        logits = own.new_full((own.shape[0], self.labels.num_regions + 1, *own.shape[2:]), _NEVER)
        for label, own_ids in self._own_ids.items():
            logits[:, label] = own[:, own_ids].logsumexp(dim=1)
        return logits


def open_parser(
    name: str,
    labels: LabelSet,
    device: torch.device,
    mapping: LabelMapping | None = None,
    dtype: torch.dtype = torch.float32,
) -> PhotoParser:
    """A parser that makes maps of the given labels.

    Args:
        name: see `sean.evaluation.segmenters.load_segmenter`.
        labels: of the maps, normally those of the model that renders them.
        device: where it is to compute.
        mapping: where the network's label names differ from those of `labels`.
        dtype: to compute in, see `sean.evaluation.segmenters.load_segmenter`.

    Raises:
        InputError: there is none of that name, it is damaged, its labels do not fit, or transformers is missing.
    """
    return PhotoParser(load_segmenter(name, labels, device, mapping, dtype), labels, device)


def enlarged_argmax(logits: Float[Tensor, "b l h w"], size: tuple[int, int]) -> Int[Tensor, "b hout wout"]:
    """The label with the largest logit after bilinear interpolation to `size` = (h, w), the first one of equal ones.

    Label by label: all labels of a photo of 20 megapixels at once would take 1.6 GB.
    """
    best = logits.new_full((logits.shape[0], *size), -torch.inf)
    ids = torch.zeros(best.shape, dtype=torch.int64, device=logits.device)
    for label in range(logits.shape[1]):
        larger = F.interpolate(logits[:, label : label + 1], size=size, mode="bilinear", align_corners=False)[:, 0]
        ids[larger > best] = label
        best = torch.maximum(best, larger)
    return ids
