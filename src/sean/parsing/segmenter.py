"""Segmentation networks with a given label set, which make label maps of photos and judge rendered pictures.

The paper's segmentation networks are not public. Scores by different networks are not comparable, so every segmenter
has a name that appears in reports.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from sean.devices import AUTO, chosen_device
from sean.errors import InputError
from sean.hub import SEGMENTATION, spdx_of, upload_folder, with_card_head
from sean.images import image_to_tensor, resize_bilinear, resize_image
from sean.labels import LabelSet
from sean.models.parsers import Parser
from sean.models.weights import load_parser, network_digest, save_parser
from sean.parsing.label_matching import LabelMapping, LabelMatch, match_labels
from sean.pretrained import BUNDLED, find_parser, folder_title, read_card, write_card
from sean.segmap import resize_segmap

SEGFORMER_PREFIX = "segformer:"

# Logit of a label that the network lacks; finite, because interpolation turns infinities into NaN.
_NEVER = -1e4


@dataclass(frozen=True, kw_only=True, eq=False)
class ParsedPhoto:
    """The label map of a photo with probabilities.

    Attributes:
        segmap: int64 [h, w], ids 0..k-1; k for labels outside the set.
        confidence: float32 [h, w], probability of the label.
    """

    segmap: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class _ParserFolder:
    """The content of a parser's folder."""

    parser: Parser
    labels: LabelSet
    card: str
    terms: str


class Segmenter:
    """A segmentation network, its labels matched with those of a label set.

    Args:
        network: maps pictures [b, 3, h, w] in [-1, 1] of `size` to logits [b, n, h, w] of its own n labels.
        labels: the k labels of this segmenter's maps.
        match: the counterpart in `labels` of each of the network's own labels.
        size: height and width, in pixels, of the network's input.
        name: name in reports; different weights need different names.
        device: device that the network computes on.
    """

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        labels: LabelSet,
        match: LabelMatch,
        *,
        size: tuple[int, int],
        name: str,
        device: torch.device | None = None,
    ) -> None:
        self.labels = labels
        self.match = match
        self.size = size
        self.name = name
        self._network = network
        self._device = device or torch.device("cpu")
        self._loaded: _ParserFolder | None = None
        self._own_ids = {
            label: [own for own, other in enumerate(match.ids) if other == label] for label in set(match.ids)
        }

    @classmethod
    def from_pretrained(
        cls,
        name: str = BUNDLED,
        labels: LabelSet | None = None,
        device: str | torch.device = AUTO,
        mapping: LabelMapping | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> "Segmenter":
        """Load a segmenter.

        Args:
            name: "bundled" (the face parser that comes with the package, with the labels of CelebAMask-HQ), the folder
                or the hub id of a parser, or "segformer:" followed by a hub id or a folder of transformers' SegFormer.
            labels: label set of the maps; None takes the network's own labels.
            device: device to compute on, see `sean.devices.chosen_device`.
            mapping: matches differing label names of the network with `labels`.
            dtype: dtype to compute in; a SegFormer computes in float32.

        Raises:
            InputError: the network does not exist or is damaged, the labels do not match, or transformers is missing.
        """
        where = chosen_device(device)
        if name.startswith(SEGFORMER_PREFIX):
            from sean.parsing.segformer import load_segformer

            former = load_segformer(name.removeprefix(SEGFORMER_PREFIX), where)
            labels = labels or former.labels
            match = match_labels(f"the SegFormer {former.title}", former.names, labels, mapping)
            full_name = f"segformer {former.title} ({network_digest(former.network)[:8]})"
            return cls(former, labels, match, size=former.size, name=full_name, device=where)
        folder = find_parser(name, other=f"{SEGFORMER_PREFIX}HUB_ID_OR_FOLDER")
        parser, own_labels = load_parser(folder)
        labels, title = labels or own_labels, folder_title(folder)
        match = match_labels(f"the parser {title}", own_labels.names, labels, mapping)
        full_name = f"parser {title} ({network_digest(parser)[:8]})"
        network = partial(_parser_logits, parser.to(where, dtype), dtype)
        segmenter = cls(network, labels, match, size=parser.config.image_size, name=full_name, device=where)
        card, terms = read_card(folder)
        segmenter._loaded = _ParserFolder(parser=parser, labels=own_labels, card=card, terms=terms)
        return segmenter

    def save_pretrained(self, folder: str | os.PathLike[str], *, dtype: torch.dtype = torch.float32) -> None:
        """Write config.json, model.safetensors and, if present, the card and the terms of a parser.

        The labels are the network's own, also of a segmenter that was loaded with other labels.

        Args:
            folder: folder, created if missing.
            dtype: dtype of the numbers on disk; float16 halves the files.

        Raises:
            InputError: the segmenter is not a parser of this package, or the folder cannot be written.
        """
        loaded, folder = self._parser_folder, Path(folder)
        save_parser(folder, loaded.parser, loaded.labels, dtype=dtype)
        write_card(folder, loaded.card, loaded.terms)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        private: bool = False,
        dtype: torch.dtype = torch.float32,
        licence: str | None = None,
        datasets: Sequence[str] = (),
    ) -> str:
        """Upload the files of `save_pretrained` to the Hugging Face hub, with a metadata header in the card.

        Args:
            repo_id: owner/name; the repository is created if missing.
            revision: the branch; None is the main branch.
            token: access token of the hub; None takes the stored token.
            private: whether a new repository is private.
            dtype: dtype of the numbers; float16 halves the files.
            licence: SPDX identifier of the weights' licence; by default the one that the terms name.
            datasets: hub ids of the training data.

        Returns:
            The address of the commit.

        Raises:
            InputError: the segmenter is not a parser of this package, or the hub refuses the upload or cannot be
                reached.
        """
        loaded = self._parser_folder
        card = with_card_head(
            loaded.card,
            repo_id.rpartition("/")[2],
            licence=licence or spdx_of(loaded.terms),
            datasets=list(datasets),
            tags=[loaded.parser.config.architecture, loaded.labels.name],
            task=SEGMENTATION,
        )
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder, dtype=dtype)
            write_card(Path(folder), card, loaded.terms)
            return upload_folder(Path(folder), repo_id, revision=revision, token=token, private=private)

    @property
    def _parser_folder(self) -> _ParserFolder:
        if self._loaded is None:
            raise InputError(f"expected a parser of this package, got {self.name}; save it with its own library")
        return self._loaded

    @property
    def sees_others(self) -> bool:
        """Whether the network has labels without a counterpart in the set."""
        return self.labels.num_regions in self.match.ids

    def __call__(self, image: Float[Tensor, "b 3 h w"]) -> Int[Tensor, "b h w"]:
        """Label ids of pictures for mIoU and accuracy, resized from the network's labels by nearest neighbour.

        Args:
            image: pictures in [-1, 1], of any size.

        Returns:
            Ids 0..k-1 of `labels`; k for labels outside the set.
        """
        own = self._network(resize_bilinear(image, self.size)).argmax(dim=1)
        ids = torch.tensor(self.match.ids, device=own.device)[own]
        return resize_segmap(ids, (image.shape[-2], image.shape[-1]))

    def scored(self, truth: Int[Tensor, "b h w"]) -> Int[Tensor, "b h w"]:
        """True label ids, with -1 for pixels that are left out of the scores."""
        ignored = torch.isin(truth, torch.tensor(self.match.ignored, dtype=truth.dtype, device=truth.device))
        return truth.masked_fill(ignored, -1)

    @torch.inference_mode()
    def segmap(self, photo: np.ndarray) -> np.ndarray:
        """The label map of a photo from the mean logits of the photo and its mirror image, enlarged bilinearly.

        Args:
            photo: uint8 [h, w, 3] of any size, similar to the network's training pictures; `sean.parse` finds the face
                in other photos first.

        Returns:
            int64 [h, w], ids 0..k-1 of `labels`; k for labels outside the set.

        Raises:
            InputError: not a picture.
        """
        ids: np.ndarray = enlarged_argmax(self._averaged(photo), photo.shape[:2])[0].cpu().numpy()
        return ids

    @torch.inference_mode()
    def parse(self, photo: np.ndarray) -> ParsedPhoto:
        """The label map of a photo with the probabilities of its labels; see `segmap`."""
        logits = self._averaged(photo)
        size = (photo.shape[0], photo.shape[1])
        probability = logits.softmax(dim=1).amax(dim=1, keepdim=True)
        larger = F.interpolate(probability, size=size, mode="bilinear", align_corners=False)
        return ParsedPhoto(
            segmap=enlarged_argmax(logits, size)[0].cpu().numpy(), confidence=larger[0, 0].float().cpu().numpy()
        )

    def _averaged(self, photo: np.ndarray) -> Float[Tensor, "1 l h w"]:
        """The mean logits of a photo and its mirror image."""
        picture = image_to_tensor(resize_image(photo, self.size)).unsqueeze(0).to(self._device)
        direct, mirrored = self._logits(picture), self._logits(picture.flip(-1)).flip(-1)
        return (direct + mirrored[:, list(self.labels.flip_table)]) / 2

    def _logits(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b l h w"]:
        """Logits of the k labels and of "no region"; probabilities of labels with the same counterpart are added."""
        own = self._network(image)
        logits = own.new_full((own.shape[0], self.labels.num_regions + 1, *own.shape[2:]), _NEVER)
        for label, own_ids in self._own_ids.items():
            logits[:, label] = own[:, own_ids].logsumexp(dim=1)
        return logits


def enlarged_argmax(logits: Float[Tensor, "b l h w"], size: tuple[int, int]) -> Int[Tensor, "b hout wout"]:
    """The label with the largest logit after bilinear interpolation to `size` = (h, w), the first of equal labels.

    Labels are processed one by one: all labels of a photo of 20 megapixels would take 1.6 GB.
    """
    best = logits.new_full((logits.shape[0], *size), -torch.inf)
    ids = torch.zeros(best.shape, dtype=torch.int64, device=logits.device)
    for label in range(logits.shape[1]):
        larger = F.interpolate(logits[:, label : label + 1], size=size, mode="bilinear", align_corners=False)[:, 0]
        ids[larger > best] = label
        best = torch.maximum(best, larger)
    return ids


def _parser_logits(parser: Parser, dtype: torch.dtype, image: Tensor) -> Tensor:
    logits: Tensor = parser(image.to(dtype))
    return logits.float() if logits.element_size() < 4 else logits
