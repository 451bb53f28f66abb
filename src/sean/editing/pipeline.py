"""The pipeline: a trained model with its labels and style bank, from pictures and label maps to pictures."""

import copy
import os
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sean.devices import chosen_device
from sean.editing.styles import StyleCodes, load_style_codes, mean_style, save_style_codes
from sean.errors import InputError
from sean.files import write_text_atomic
from sean.images import ImageLike, as_photo, image_to_tensor, resize_image, tensor_to_image
from sean.inference.engine import engine_for
from sean.labels import LabelSet
from sean.models.base import StyledModel
from sean.models.weights import load_model, save_model
from sean.plan.recent import RecentPlans
from sean.pretrained import BANK_NAME, CARD_NAME, find_model
from sean.segmap import SegmapLike, instance_edges, numbers_of, resize_segmap, segmap_of, segmap_of_photo

BlockStyles = StyleCodes | Sequence[StyleCodes]
"""One style, or one per SEAN ResBlk."""

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
"""What pipelines and parsers compute in; float16 on GPUs only."""


def check_dtype(dtype: torch.dtype, device: torch.device) -> None:
    """Raise InputError unless a network can compute in `dtype` on `device`."""
    if dtype not in (*DTYPES, torch.float64):
        raise InputError(f"expected a dtype of {', '.join(map(str, DTYPES))}, got {dtype}")
    if dtype == torch.float16 and device.type == "cpu":
        raise InputError("expected float32 or bfloat16 on the CPU, got float16, which is for GPUs")


class SEANPipeline:
    """Encode photos into style codes and render segmaps with them.

    Args:
        model: moved to evaluation mode; results follow its device. Its weights are packed here and must not change
            from here on.
        labels: the label set of its regions.
        style_bank: styles of training pictures, for editing without a second photo; may be empty. Regions that a
            rendered segmap has but its styles lack take the bank's mean (without a bank: the zero code, as published).
        card: text of the model card.
        dtype: to compute in, of `DTYPES`; None is that of the model. `model` itself stays as it is.

    Raises:
        InputError: another dtype, or float16 on a CPU.
    """

    def __init__(
        self,
        model: StyledModel,
        labels: LabelSet,
        *,
        style_bank: Sequence[StyleCodes] = (),
        card: str = "",
        dtype: torch.dtype | None = None,
    ) -> None:
        self.model = model.eval()
        self.labels = labels
        self.style_bank = list(style_bank)
        self.card = card
        self._fallback = mean_style(self.style_bank) if self.style_bank else None
        self._set_engine(dtype)
        self._plans = RecentPlans()

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width, in pixels, of what the model sees and renders."""
        return self.model.config.image_size

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """What the model computes in."""
        return self._dtype

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> "SEANPipeline":
        """Compute on another device or in another dtype from now on; returns this pipeline.

        Args:
            device: where to compute, see `from_pretrained`; None leaves it.
            dtype: of `DTYPES`; None leaves it. Weights are rounded from those of `model`, so that nothing is lost on
                the way back.

        Raises:
            InputError: as for the class.
        """
        if device is not None:
            self.model.to(chosen_device(device))
        self._set_engine(dtype or self._dtype)
        return self

    def _set_engine(self, dtype: torch.dtype | None) -> None:
        if dtype is not None:
            check_dtype(dtype, self.device)
        self._dtype = dtype or next(self.model.parameters()).dtype
        self._engine = engine_for(self.model, dtype)

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> "SEANPipeline":
        """Load a model.

        Args:
            name: a bundled model, a local model folder, or a Hugging Face hub id (owner/name).
            device: where it is to compute: cpu, cuda, cuda:1, or auto (a CUDA card where there is one).
            dtype: to compute in, of `DTYPES`. In bfloat16 pictures of the bundled model differ by 2/255 at most.

        Raises:
            InputError: no such model, its files are damaged, no such device here, or another dtype.
        """
        where = chosen_device(device)
        folder = find_model(str(name))
        model, labels = load_model(folder)
        bank = load_style_codes(folder / BANK_NAME) if (folder / BANK_NAME).is_file() else []
        card = (folder / CARD_NAME).read_text(encoding="utf-8") if (folder / CARD_NAME).is_file() else ""
        return cls(model.to(where), labels, style_bank=bank, card=card, dtype=dtype)

    def fork(self, num_kept: int = 1) -> "SEANPipeline":
        """This model with its own memory, for another picture edited meanwhile; the weights are shared.

        A pipeline remembers the plans and rows of the last segmaps and styles, so that the next change of one of them
        is quick. Two users of one pipeline would push each other out of that memory.

        Args:
            num_kept: how many segmaps and styles are remembered.
        """
        other = copy.copy(self)
        other._engine = self._engine.fork(num_kept)
        other._plans = RecentPlans(num_kept)
        return other

    def save_pretrained(self, folder: str | os.PathLike[str], *, dtype: torch.dtype = torch.float32) -> None:
        """Write config.json, model.safetensors and, where there are such, the style bank and the model card.

        Args:
            folder: made when missing.
            dtype: of the numbers on disk; float16 halves the files.
        """
        folder = Path(folder)
        save_model(folder, self.model, self.labels, dtype=dtype)
        if self.style_bank:
            save_style_codes(folder / BANK_NAME, self.style_bank, dtype=dtype)
        if self.card:
            write_text_atomic(folder / CARD_NAME, self.card)

    @torch.inference_mode()
    def encode(self, image: ImageLike, segmap: SegmapLike) -> StyleCodes:
        """The style of every region of a photo.

        Args:
            image: the path of a file, a PIL picture (turned upright as its EXIF orientation says, in sRGB as its ICC
                profile says) or uint8 [h, w, 3].
            segmap: label ids of the same picture: the path of a file, a PIL picture or integers [h, w], of the shape
                of the picture in any size, or of `image_size`. Both are resized to `image_size`. A map of the shape of
                the photo before it was turned upright is turned with it.

        Raises:
            InputError: not a picture, not a map of label ids, ids out of range, or a map of another shape.
        """
        photo = as_photo(image)
        pixels = resize_image(photo.image, self.image_size)
        ids = self._batch(segmap_of_photo(segmap, self.labels, photo, self.image_size))
        batch = image_to_tensor(pixels).unsqueeze(0).to(self.device)
        codes, present = self._engine.encode(batch, ids)
        return StyleCodes(codes[0].cpu().float().clone(), present[0].cpu().clone(), self.labels)

    @torch.inference_mode()
    def __call__(
        self,
        segmap: SegmapLike,
        styles: BlockStyles | Sequence[BlockStyles],
        instances: SegmapLike | None = None,
        *,
        variants: SegmapLike | None = None,
        noise: bool = False,
        seed: int = 0,
    ) -> Image.Image:
        """Render a segmap.

        Args:
            segmap: label ids: the path of a file, a PIL picture or integers [h, w]; resized to `image_size`.
            styles: the styles; of a SEAN model also six, one per SEAN ResBlk from coarse to fine (style crossover,
                Fig. 7).
            instances: for a model with instance edges, one number per object, of the segmap's size and in the same
                forms; resized with it. By default the segmap itself: neighbours of one label are then one object.
            variants: which of several `styles` every pixel takes, numbers from 0 of the segmap's size and in the same
                forms; `styles` is then a sequence of one or more, each one StyleCodes or six. So two windows of one
                label get two styles.
            noise: add the learned noise. Off, the picture depends on segmap and styles only.
            seed: of the noise.

        Returns:
            A picture of `image_size`. Where the segmap had another size, `.info["resized_from"]` is that
            (height, width).

        Raises:
            InputError: ids out of range, another number of styles than one or six, styles of another model, or
                instances or variants that are no numbers, have another size, name a style that is not there, or are
                given to a model that has none.
        """
        given = segmap_of(segmap, self.labels)
        ids, size = self._batch(given), (given.shape[0], given.shape[1])
        edges = self._edges(ids, instances, size)
        each = [styles] if variants is None else list(styles)  # type: ignore[arg-type]
        numbers = None if variants is None else self._variants(variants, size, len(each))
        per_variant = [self._per_block(cast(BlockStyles, one)) for one in each]
        codes = [torch.stack([self._codes(style) for style in block]) for block in zip(*per_variant, strict=True)]
        codes = [block.to(self.device) for block in codes]
        rng = torch.Generator(self.device).manual_seed(seed) if noise else None
        plan = self._plans.plan(ids, numbers, edges=edges).to(self.device)
        picture = tensor_to_image(self._engine.render(plan, codes, noise=noise, rng=rng)[0].float().cpu())
        result = Image.fromarray(picture)
        if size != self.image_size:
            result.info["resized_from"] = size
        return result

    def _batch(self, ids: np.ndarray) -> Tensor:
        """Ids [h, w] as [1, h, w] of the model's size."""
        return torch.from_numpy(resize_segmap(ids, self.image_size)).unsqueeze(0).to(self.device)

    def _edges(self, ids: Tensor, instances: SegmapLike | None, size: tuple[int, int]) -> Tensor | None:
        """Where the model takes instance edges: those of the instances, or by default of the ids [1, h, w]."""
        if not self.model.config.instance_edges:
            if instances is not None:
                raise InputError("expected no instances for a model without instance edges; leave them out")
            return None
        if instances is not None:
            ids = self._numbers(instances, size, "instances", "object")
        return instance_edges(ids)[:, 0].bool()

    def _variants(self, variants: SegmapLike, size: tuple[int, int], count: int) -> Tensor | None:
        """Numbers of styles [1, h, w]; None where there is but one style."""
        if self.model.style_inputs == 1:
            raise InputError(f"expected no variants for {self.model.config.architecture}; leave them out")
        numbers = self._numbers(variants, size, "variants", "style")
        lowest, highest = int(numbers.min()), int(numbers.max())
        if lowest < 0 or highest >= count:
            raise InputError(f"expected variants in 0..{count - 1}, numbers of styles, got {lowest}..{highest}")
        return numbers if count > 1 else None

    def _numbers(self, numbers: SegmapLike, size: tuple[int, int], name: str, thing: str) -> Tensor:
        """A map of the segmap's size as [1, h, w] at the model's size."""
        array = numbers_of(numbers)
        if array.shape != size or array.dtype.kind not in "iub":
            raise InputError(
                f"expected {name} as integers of the segmap's size {list(size)}, got {array.dtype} "
                f"{list(array.shape)}; give one number per {thing} and pixel"
            )
        resized = resize_segmap(array.astype(np.int64), self.image_size)
        return torch.from_numpy(resized).unsqueeze(0).to(self.device)

    def _per_block(self, styles: BlockStyles) -> list[StyleCodes]:
        count = self.model.style_inputs
        per_block = [styles] * count if isinstance(styles, StyleCodes) else list(styles)
        if len(per_block) != count:
            several = f", or {count} (one per SEAN ResBlk)" if count > 1 else " for this architecture"
            raise InputError(f"expected one StyleCodes{several}, got {len(per_block)}")
        return per_block

    def _codes(self, style: StyleCodes) -> Tensor:
        expected = (self.labels.num_regions, self.model.code_dim)
        if tuple(style.codes.shape) != expected:
            raise InputError(
                f"expected style codes {list(expected)} of this model, got {list(style.codes.shape)}; "
                "encode the photo with this model"
            )
        return (style if self._fallback is None else style.completed(self._fallback)).codes
