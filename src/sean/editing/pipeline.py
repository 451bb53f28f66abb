"""The pipeline: a trained model with its labels and style bank, from pictures and label maps to pictures."""

import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sean.editing.styles import StyleCodes, load_style_codes, mean_style, save_style_codes
from sean.errors import InputError
from sean.files import write_text_atomic
from sean.images import image_to_tensor, resize_image, tensor_to_image, to_rgb
from sean.inference.encoder import Encoder
from sean.inference.renderer import Renderer
from sean.labels import LabelSet
from sean.models.build import SEANModel
from sean.models.generator import NUM_STYLED_BLOCKS
from sean.models.weights import CONFIG_NAME, WEIGHTS_NAME, load_model, save_model
from sean.plan.recent import RecentPlans
from sean.segmap import resize_segmap, validate

BANK_NAME = "style_bank.safetensors"
CARD_NAME = "README.md"
DEFAULT_MODEL = "celebamask-mini-128"

ImageLike = Image.Image | np.ndarray
SegmapLike = Image.Image | np.ndarray


class SEANPipeline:
    """Encode photos into style codes and render segmaps with them.

    Args:
        model: moved to evaluation mode; results follow its device. Its weights are packed here and must not change
            from here on.
        labels: the label set of its regions.
        style_bank: styles of training pictures, for editing without a second photo; may be empty. Regions that a
            rendered segmap has but its styles lack take the bank's mean (without a bank: the zero code, as published).
        card: text of the model card.
    """

    def __init__(
        self, model: SEANModel, labels: LabelSet, *, style_bank: Sequence[StyleCodes] = (), card: str = ""
    ) -> None:
        self.model = model.eval()
        self.labels = labels
        self.style_bank = list(style_bank)
        self.card = card
        self._fallback = mean_style(self.style_bank) if self.style_bank else None
        self._encoder = Encoder(self.model.style_encoder)
        self._renderer = Renderer(self.model.generator)
        self._plans = RecentPlans()

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width, in pixels, of what the model sees and renders."""
        return self.model.config.image_size

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return next(self.model.parameters()).device

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str], device: str | torch.device = "cpu") -> "SEANPipeline":
        """Load a model.

        Args:
            name: a bundled model, a local model folder, or a Hugging Face hub id (owner/name).
            device: where it is to compute.

        Raises:
            InputError: no such model, or its files are damaged.
        """
        folder = _find_model(str(name))
        model, labels = load_model(folder)
        bank = load_style_codes(folder / BANK_NAME) if (folder / BANK_NAME).is_file() else []
        card = (folder / CARD_NAME).read_text(encoding="utf-8") if (folder / CARD_NAME).is_file() else ""
        return cls(model.to(device), labels, style_bank=bank, card=card)

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
            image: a PIL picture or uint8 [h, w, 3].
            segmap: label ids of the same picture, integers [h, w] or a palette or grey PIL picture. Both are resized
                to `image_size`; they need not agree in size, only in what they show.

        Raises:
            InputError: not a picture, not a map of label ids, or ids out of range.
        """
        pixels = resize_image(_image_array(image), self.image_size)
        ids = self._segmap(segmap)
        batch = image_to_tensor(pixels).unsqueeze(0).to(self.device)
        codes, present = self._encoder(batch, ids)
        return StyleCodes(codes[0].cpu().float().clone(), present[0].cpu().clone(), self.labels)

    @torch.inference_mode()
    def __call__(
        self,
        segmap: SegmapLike,
        styles: StyleCodes | Sequence[StyleCodes],
        *,
        noise: bool = False,
        seed: int = 0,
    ) -> Image.Image:
        """Render a segmap.

        Args:
            segmap: label ids, integers [h, w] or a palette or grey PIL picture; resized to `image_size`.
            styles: the styles, or six, one per SEAN ResBlk from coarse to fine (style crossover, Fig. 7).
            noise: add the learned noise. Off, the picture depends on segmap and styles only.
            seed: of the noise.

        Returns:
            A picture of `image_size`. Where the segmap had another size, `.info["resized_from"]` is that
            (height, width).

        Raises:
            InputError: ids out of range, another number of styles than one or six, or styles of another model.
        """
        ids = self._segmap(segmap)
        per_block = [styles] * NUM_STYLED_BLOCKS if isinstance(styles, StyleCodes) else list(styles)
        if len(per_block) != NUM_STYLED_BLOCKS:
            raise InputError(
                f"expected one StyleCodes, or {NUM_STYLED_BLOCKS} (one per SEAN ResBlk), got {len(per_block)}"
            )
        codes = [self._codes(style).unsqueeze(0).to(self.device) for style in per_block]
        rng = torch.Generator(self.device).manual_seed(seed) if noise else None
        plan = self._plans.plan(ids).to(self.device)
        picture = tensor_to_image(self._renderer(plan, codes, noise=noise, rng=rng)[0].float().cpu())
        result = Image.fromarray(picture)
        size = _segmap_size(segmap)
        if size != self.image_size:
            result.info["resized_from"] = size
        return result

    def _segmap(self, segmap: SegmapLike) -> Tensor:
        array = np.asarray(segmap)
        ids = validate(array, self.labels, "the segmap", allow_unlabelled=True)
        return torch.from_numpy(resize_segmap(ids, self.image_size)).unsqueeze(0).to(self.device)

    def _codes(self, style: StyleCodes) -> Tensor:
        expected = (self.labels.num_regions, self.model.config.style_dim)
        if tuple(style.codes.shape) != expected:
            raise InputError(
                f"expected style codes {list(expected)} of this model, got {list(style.codes.shape)}; "
                "encode the photo with this model"
            )
        return (style if self._fallback is None else style.completed(self._fallback)).codes


def bundled_models() -> list[str]:
    """Names of the models that come with the package."""
    folder = _bundled_folder()
    return sorted(path.parent.name for path in folder.glob(f"*/{CONFIG_NAME}")) if folder.is_dir() else []


def _bundled_folder() -> Path:
    return Path(str(files("sean"))) / "bundled"


def _find_model(name: str) -> Path:
    if name in bundled_models():
        return _bundled_folder() / name
    if Path(name).is_dir():
        return Path(name)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return _download(name)
    raise InputError(
        f"unknown model {name!r}; expected a bundled one ({', '.join(bundled_models()) or 'none here'}), "
        "a model folder, or a hub id owner/name"
    )


def _download(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, allow_patterns=[CONFIG_NAME, WEIGHTS_NAME, BANK_NAME, CARD_NAME]))
    except Exception as error:  # the hub client raises a dozen kinds, of its own and of its HTTP library
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"no local folder {hub_id!r}, and the hub did not give it: {reason}") from error


def _image_array(image: ImageLike) -> np.ndarray:
    array = to_rgb(image) if isinstance(image, Image.Image) else image
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise InputError(f"expected a picture, uint8 [h, w, 3], got {array.dtype} {list(array.shape)}")
    return array


def _segmap_size(segmap: SegmapLike) -> tuple[int, int]:
    height, width = np.asarray(segmap).shape[:2]
    return height, width
