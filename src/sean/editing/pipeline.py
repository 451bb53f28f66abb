"""The pipeline: a trained model with its labels and style bank, from pictures and label maps to pictures."""

import copy
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sean.devices import AUTO, chosen_device
from sean.editing.render_batch import BlockStyles, OutputType, RenderBatch, as_list, check_output_type
from sean.editing.styles import StyleCodes, load_style_codes, mean_colours, mean_style, save_style_codes
from sean.errors import InputError
from sean.hub import spdx_of, upload_folder, with_card_head
from sean.images import ImageLike, image_to_tensor
from sean.inference.engine import engine_for
from sean.labels import LabelSet
from sean.models.base import NoiseSource, StyledModel
from sean.models.weights import MAX_SHARD_SIZE, load_model, save_model
from sean.parsing.photo import CropChoice, OnNoFace, PhotoOpener
from sean.plan.planner import RecentPlans
from sean.pretrained import BANK_NAME, DEFAULT_MODEL, find_model, read_card, write_card
from sean.segmap import SegmapLike, instance_edges, numbers_of, resize_segmap, segmap_of

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
"""The dtypes that pipelines and parsers compute in; float16 on GPUs only."""


def check_dtype(dtype: torch.dtype, device: torch.device) -> None:
    """Raise InputError unless networks can compute in `dtype` on `device`."""
    if dtype not in (*DTYPES, torch.float64):
        raise InputError(f"expected a dtype of {', '.join(map(str, DTYPES))}, got {dtype}")
    if dtype == torch.float16 and device.type == "cpu":
        raise InputError("expected float32 or bfloat16 on the CPU, got float16, which is for GPUs")


class SEANPipeline:
    """Encode photos into style codes and render segmaps with them.

    Args:
        model: the model, which is set to evaluation mode; results are on its device. Its weights are packed and must
            not change afterwards.
        labels: the label set of its regions.
        style_bank: styles of training pictures, for editing without a second photo; may be empty. Regions of a segmap
            that the styles lack take the bank's mean (without a bank: the zero code, as published).
        card: text of the model card.
        terms: text of the weights' licence, which goes with them wherever they are saved; empty where there is none.
        dtype: dtype to compute in, one of `DTYPES`; None means that of the model. `model` itself does not change.

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
        terms: str = "",
        dtype: torch.dtype | None = None,
    ) -> None:
        self.model = model.eval()
        self.labels = labels
        self.style_bank = list(style_bank)
        self.card = card
        self.terms = terms
        self._fallback = mean_style(self.style_bank) if self.style_bank else None
        self._set_engine(dtype)
        self.photos = PhotoOpener(labels, self.image_size, device=self.device)
        self._plans = RecentPlans()

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width, in pixels, of the model's pictures."""
        return self.model.config.image_size

    @property
    def device(self) -> torch.device:
        """The device that the model computes on."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that the model computes in."""
        return self._dtype

    def __repr__(self) -> str:
        height, width = self.image_size
        millions = sum(parameter.numel() for parameter in self.model.parameters()) / 1e6
        return (
            f"SEANPipeline({self.model.config.architecture}, {height} x {width} pixels, "
            f"{self.labels.num_regions} labels of {self.labels.name!r}, "
            f"{millions:.1f} M parameters, {len(self.style_bank)} bank styles, "
            f"{str(self.dtype).removeprefix('torch.')} on {self.device})"
        )

    def to(
        self, device: str | torch.device | torch.dtype | None = None, dtype: torch.dtype | str | None = None
    ) -> "SEANPipeline":
        """Compute on another device or in another dtype from now on; returns this pipeline.

        Args:
            device: device to compute on, see `from_pretrained`; None keeps it. A dtype is accepted in its place.
            dtype: one of `DTYPES`, or its name; None keeps it. Weights are always rounded from those of `model`, so
                nothing is lost by switching back.

        Raises:
            InputError: as for the class.
        """
        if isinstance(device, torch.dtype):
            device, dtype = None, device
        if device is not None:
            self.model.to(chosen_device(device))
            self.photos = PhotoOpener(self.labels, self.image_size, device=self.device)
        self._set_engine(self._dtype if dtype is None else _dtype_of(dtype))
        return self

    def _set_engine(self, dtype: torch.dtype | None) -> None:
        if dtype is not None:
            check_dtype(dtype, self.device)
        self._dtype = dtype or next(self.model.parameters()).dtype
        self._engine = engine_for(self.model, dtype)

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str] = DEFAULT_MODEL,
        device: str | torch.device = AUTO,
        dtype: torch.dtype | str | None = None,
        revision: str | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
    ) -> "SEANPipeline":
        """Load a model.

        Args:
            name: a bundled model (by default the one for faces), a local model folder, or a Hugging Face hub id
                (owner/name).
            device: device to compute on: "auto" (a CUDA card if there is one, else the CPU), cpu, cuda or cuda:1.
            dtype: dtype to compute in, one of `DTYPES`, or its name; None is float32. In bfloat16, pictures of the
                bundled model differ by at most 2/255 but for single values.
            revision: for a hub id: branch, tag or commit.
            cache_dir: for a hub id: the folder for downloads.
            token: for a hub id: access token of the hub for private models; None takes the stored token.
            local_files_only: for a hub id: use earlier downloads, without a connection.

        Raises:
            InputError: the model does not exist, its files are damaged, the device does not exist, or another dtype.
        """
        where, number_type = chosen_device(device), torch.float32 if dtype is None else _dtype_of(dtype)
        folder = find_model(os.fspath(name), revision, cache_dir, token, local_files_only)
        model, labels = load_model(folder)
        bank = load_style_codes(folder / BANK_NAME) if (folder / BANK_NAME).is_file() else []
        card, terms = read_card(folder)
        return cls(model.to(where), labels, style_bank=bank, card=card, terms=terms, dtype=number_type)

    def fork(self, num_kept: int = 1) -> "SEANPipeline":
        """A pipeline with the same weights and its own memory, for another picture edited at the same time.

        A pipeline remembers the plans and rows of the last segmaps and styles, so that their next change is quick. Two
        users of one pipeline would displace each other's entries.

        Args:
            num_kept: number of segmaps and styles to remember.
        """
        other = copy.copy(self)
        other._engine = self._engine.fork(num_kept)
        other._plans = RecentPlans(num_kept)
        return other

    def memory(self) -> Iterator[np.ndarray | Tensor]:
        """The remembered rows and plans of the last segmaps and styles, without the weights."""
        yield from self._engine.memory()
        yield from self._plans.memory()

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        dtype: torch.dtype = torch.float32,
        max_shard_size: int | str = MAX_SHARD_SIZE,
    ) -> None:
        """Write config.json, model.safetensors and, if present, the style bank and the model card.

        Args:
            folder: folder, created if missing.
            dtype: dtype of the numbers on disk; float16 halves the files.
            max_shard_size: size of a weights file, in bytes or as "20MB"; larger weights are split into several files.

        Raises:
            InputError: the folder cannot be written, or max_shard_size is not a size.
        """
        folder = Path(folder)
        save_model(folder, self.model, self.labels, dtype=dtype, max_shard_size=max_shard_size)
        if self.style_bank:
            save_style_codes(folder / BANK_NAME, self.style_bank, dtype=dtype)
        write_card(folder, self.card, self.terms)

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
        report: Mapping[str, Any] | None = None,
    ) -> str:
        """Upload the files of `save_pretrained` to the Hugging Face hub, with a metadata header in the model card.

        Args:
            repo_id: owner/name; the repository is created if missing.
            revision: the branch; None is the main branch.
            token: access token of the hub; None takes the stored token.
            private: whether a new repository is private.
            dtype: dtype of the numbers; float16 halves the files.
            licence: SPDX identifier of the weights' licence ("apache-2.0"); the terms of the training data apply.
            datasets: hub ids of the training data.
            report: report of `sean.evaluate` or `sean evaluate`; its reconstruction scores go into the header.

        Returns:
            The address of the commit.

        Raises:
            InputError: the hub refuses the upload or cannot be reached.
        """
        scores = {} if report is None else report.get("rows", {}).get("model", report)["reconstruction"]
        card = with_card_head(
            self.card,
            repo_id.rpartition("/")[2],
            licence=licence or spdx_of(self.terms),
            datasets=list(datasets),
            tags=[self.model.config.architecture, self.labels.name],
            scores={name: scores[name] for name in ("psnr", "ssim", "rmse") if scores.get(name) is not None},
            data="" if report is None else str(report.get("data", "held-out pictures")),
        )
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder, dtype=dtype)
            write_card(Path(folder), card, self.terms)
            return upload_folder(Path(folder), repo_id, revision=revision, token=token, private=private)

    @overload
    def encode(
        self,
        image: ImageLike,
        segmap: SegmapLike | None = None,
        *,
        crop: CropChoice = "auto",
        face: int = 0,
        on_no_face: OnNoFace = "error",
    ) -> StyleCodes: ...
    @overload
    def encode(
        self,
        image: list[ImageLike],
        segmap: Sequence[SegmapLike | None] | None = None,
        *,
        crop: CropChoice = "auto",
        face: int = 0,
        on_no_face: OnNoFace = "error",
    ) -> list[StyleCodes]: ...
    def encode(
        self,
        image: ImageLike | list[ImageLike],
        segmap: SegmapLike | Sequence[SegmapLike | None] | None = None,
        *,
        crop: CropChoice = "auto",
        face: int = 0,
        on_no_face: OnNoFace = "error",
    ) -> StyleCodes | list[StyleCodes]:
        """Encode the style of every region of a photo.

        Args:
            image: the path of a file, a PIL picture (turned upright by its EXIF orientation, converted to sRGB by its
                ICC profile), uint8 [h, w, 3] or a tensor [3, h, w], uint8 or float in [-1, 1]; or a list of photos.
            segmap: label ids of the photo: the path of a file, a PIL picture or integers [h, w], with the aspect ratio
                of the photo in any size, or of `image_size`. Photo and map are resized to `image_size`. A map with the
                shape of the photo before it was turned upright is turned with it. None lets the parser make the map of
                the face in the photo. For a list of photos, a list of as many maps, or None.
            crop, face, on_no_face: see `sean.Editor.set_image`.

        Returns:
            The styles; a list of styles for a list of photos.

        Raises:
            InputError: not a picture, not a map of label ids, ids out of range, a map of another shape, no face, or no
                map for a model whose labels are not those of faces.
        """
        if isinstance(image, list):
            maps = [None] * len(image) if segmap is None else segmap
            if not isinstance(maps, list | tuple) or len(maps) != len(image):
                raise InputError(f"expected a list of {len(image)} label maps with a list of {len(image)} photos")
            opened = [(photo, ids) for photo, ids in zip(image, maps, strict=True)]
        else:
            opened = [(image, cast(SegmapLike | None, segmap))]
        styles = []
        for given, given_map in opened:
            photo, ids = self.photos.open(given, given_map, crop=crop, face=face, on_no_face=on_no_face)
            styles.append(self.encode_seen(photo.seen(self.image_size), ids))
        return styles if isinstance(image, list) else styles[0]

    @torch.inference_mode()
    def encode_seen(self, image: np.ndarray, segmap: np.ndarray) -> StyleCodes:
        """Encode the styles of a picture of the model's size.

        Args:
            image: uint8 [h, w, 3] of `image_size`.
            segmap: label ids, int64 [h, w] of `image_size`.
        """
        batch = image_to_tensor(image).unsqueeze(0).to(self.device)
        codes, present = self._engine.encode(batch, self._batched(segmap))
        colours = mean_colours(image, segmap, self.labels.num_regions)
        return StyleCodes(codes[0].cpu().float().clone(), present[0].cpu().clone(), self.labels, colours)

    @overload
    def __call__(
        self,
        segmap: SegmapLike,
        styles: BlockStyles | Sequence[BlockStyles],
        instances: SegmapLike | None = None,
        *,
        variants: SegmapLike | None = None,
        output_type: Literal["pil"] = "pil",
        noise: bool | None = None,
        seed: int | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
    ) -> Image.Image: ...
    @overload
    def __call__(
        self,
        segmap: SegmapLike | Sequence[SegmapLike],
        styles: BlockStyles | Sequence[BlockStyles],
        instances: SegmapLike | Sequence[SegmapLike] | None = None,
        *,
        variants: SegmapLike | None = None,
        output_type: OutputType = "pil",
        noise: bool | None = None,
        seed: int | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
    ) -> Any: ...
    @torch.inference_mode()
    def __call__(
        self,
        segmap: SegmapLike | Sequence[SegmapLike],
        styles: BlockStyles | Sequence[BlockStyles],
        instances: SegmapLike | Sequence[SegmapLike] | None = None,
        *,
        variants: SegmapLike | None = None,
        output_type: OutputType = "pil",
        noise: bool | None = None,
        seed: int | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
    ) -> Any:
        """Render a segmap, or a batch of them.

        | segmap | styles | gives |
        |---|---|---|
        | one | one StyleCodes | a picture |
        | one | six StyleCodes | a picture whose SEAN ResBlks, coarse to fine, take one each (style crossover, Fig. 7) |
        | one | a list of lists of six | a list of pictures, one for each crossover |
        | a list of n | one StyleCodes | a list of n pictures |
        | a list of n | a list of n, each one StyleCodes or six | a list of n pictures |

        Args:
            segmap: label ids: the path of a file, a PIL picture or integers [h, w], as an array or a tensor; resized to
                `image_size`. A list or tuple of segmaps is a batch.
            styles: see the table.
            instances: for a model with instance edges, a map with one number per object, of the size and type of the
                segmap. By default the segmap itself, so that neighbours with the same label are one object. For a
                batch, a list.
            variants: for a single segmap, a map with the index in `styles` of every pixel, of the size and type of the
                segmap; `styles` is then a sequence of entries that are each one StyleCodes or six. Two windows with the
                same label can thus have different styles.
            output_type: "pil"; "np" for uint8 [h, w, 3]; "pt" for a float tensor [3, h, w] in [-1, 1] on the model's
                device. For a batch, "np" and "pt" give one array or tensor with a leading axis.
            noise: whether to add the learned noise. None adds it if a seed or a generator is given; otherwise the
                picture depends on segmap and styles only.
            seed: seed of the noise; every picture of a batch gets the noise that it would get alone.
            generator: source of the noise instead of a seed; for a batch, one or a list.

        Returns:
            A picture of `image_size`. If the segmap had another size, `.info["resized_from"]` of a PIL picture is that
            (height, width). Pictures of a batch may differ from those rendered alone by one level of 255.

        Raises:
            InputError: ids out of range, a number of styles that is not in the table, styles of another model, an
                unknown output type, or instances or variants that are not integers, have another size, refer to a
                missing style, or are given to a model that takes none.
        """
        check_output_type(output_type)
        paired = RenderBatch.paired if variants is None else RenderBatch.with_variants
        batch = paired(segmap, styles, instances)
        given = [segmap_of(one, self.labels) for one in batch.segmaps]
        sizes = [(ids.shape[0], ids.shape[1]) for ids in given]
        ids = torch.cat([self._batched(one) for one in given])
        edges = self._edges(ids, batch.instances, sizes)
        numbers = None if variants is None else self._variants(variants, sizes[0], len(batch.styles))
        per_style = [self._per_block(one) for one in batch.styles]
        codes = [torch.stack([self._codes(style) for style in block]) for block in zip(*per_style, strict=True)]
        codes = [block.to(self.device) for block in codes]
        noisy = seed is not None or generator is not None if noise is None else noise
        rng = self._noise_source(seed, generator, len(given)) if noisy else None
        plan = self._plans.plan(ids, numbers, edges=edges).to(self.device)
        rendered = self._engine.render(plan, codes, noise=noisy, rng=rng).float()
        return batch.output(rendered, sizes, output_type)

    def _noise_source(
        self, seed: int | None, generator: torch.Generator | Sequence[torch.Generator] | None, count: int
    ) -> NoiseSource:
        if generator is None:
            return [torch.Generator(self.device).manual_seed(seed or 0) for _ in range(count)]
        if seed is not None:
            raise InputError("expected a seed or a generator for the noise, got both")
        generators = [generator] if isinstance(generator, torch.Generator) else list(generator)
        if len(generators) not in (1, count) or any(one.device.type != self.device.type for one in generators):
            devices = sorted({one.device.type for one in generators})
            raise InputError(
                f"expected one generator on {self.device.type}, or one for each of {count} pictures, got "
                f"{len(generators)} on {', '.join(devices) or 'nothing'}"
            )
        return generators[0] if len(generators) == 1 else generators

    def _batched(self, ids: np.ndarray) -> Tensor:
        """Ids [h, w] resized to the model's size, [1, h, w]."""
        return torch.from_numpy(resize_segmap(ids, self.image_size)).unsqueeze(0).to(self.device)

    def _edges(
        self, ids: Tensor, instances: Sequence[SegmapLike] | None, sizes: Sequence[tuple[int, int]]
    ) -> Tensor | None:
        """Instance edges for models that take them: of the instances, or by default of the ids [b, h, w]."""
        if not self.model.config.instance_edges:
            if instances is not None:
                raise InputError("expected no instances for a model without instance edges; leave them out")
            return None
        if instances is not None:
            each = zip(instances, sizes, strict=True)
            ids = torch.cat([self._numbers(numbers, size, "instances", "object") for numbers, size in each])
        return instance_edges(ids)[:, 0].bool()

    def _variants(self, variants: SegmapLike, size: tuple[int, int], count: int) -> Tensor | None:
        """Indices of styles [1, h, w]; None if there is only one style."""
        if self.model.style_inputs == 1:
            raise InputError(f"expected no variants for {self.model.config.architecture}; leave them out")
        numbers = self._numbers(variants, size, "variants", "style")
        lowest, highest = int(numbers.min()), int(numbers.max())
        if lowest < 0 or highest >= count:
            raise InputError(f"expected variants in 0..{count - 1}, numbers of styles, got {lowest}..{highest}")
        return numbers if count > 1 else None

    def _numbers(self, numbers: SegmapLike, size: tuple[int, int], name: str, thing: str) -> Tensor:
        """A map of the segmap's size, resized to the model's size, [1, h, w]."""
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
        per_block = [styles] * count if isinstance(styles, StyleCodes) else as_list(styles, "StyleCodes")
        if len(per_block) != count:
            several = f", or {count} (one per SEAN ResBlk)" if count > 1 else " for this architecture"
            raise InputError(f"expected one StyleCodes{several}, got {len(per_block)}")
        return per_block

    def _codes(self, style: StyleCodes) -> Tensor:
        if not isinstance(style, StyleCodes):
            raise InputError(f"expected StyleCodes, as `encode` makes them, got {type(style).__name__}")
        expected = (self.labels.num_regions, self.model.code_dim)
        if tuple(style.codes.shape) != expected:
            raise InputError(
                f"expected style codes {list(expected)} of this model, got {list(style.codes.shape)}; "
                "encode the photo with this model"
            )
        return (style if self._fallback is None else style.completed(self._fallback)).codes


def _dtype_of(dtype: torch.dtype | str) -> torch.dtype:
    if isinstance(dtype, torch.dtype):
        return dtype
    names = {str(known).removeprefix("torch."): known for known in DTYPES}
    if dtype not in names:
        raise InputError(f"expected a dtype of {', '.join(names)}, got {dtype!r}")
    return names[dtype]
