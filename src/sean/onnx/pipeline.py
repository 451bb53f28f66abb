"""The pipeline of an export without torch: numpy, onnxruntime and Pillow."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
from PIL import Image

from sean.errors import InputError
from sean.images import ImageLike, as_photo, resize_image
from sean.labels import LabelSet
from sean.onnx.manifest import DENSE_NAME, ENCODER_NAME, FAST_NAME, PARSER_NAME, read_manifest
from sean.onnx.plan import plan_inputs
from sean.onnx.styles import StyleCodes, mean_style, read_bank
from sean.pretrained import BANK_NAME
from sean.segmap import SegmapLike, numbers_of, resize_segmap, segmap_of, segmap_of_photo

Form = Literal["fast", "dense"]


class Pipeline:
    """Encode photos into style codes and render label maps with them, as `sean.SEANPipeline` does.

    Args:
        folder: an export, as `sean export` writes it.
        form: of the generator: "fast" works on the distinct patches of a label map, "dense" on every pixel.
        threads: number of threads; None leaves the choice to onnxruntime.
        providers: of onnxruntime, in order of preference.

    Attributes:
        labels: of the model.
        style_bank: styles of training pictures; may be empty. Regions of a rendered map that its styles lack take the
            bank's mean.

    Raises:
        InputError: no export there, a damaged one, or another form.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        form: Form = "fast",
        threads: int | None = None,
        providers: Sequence[str] = ("CPUExecutionProvider",),
    ) -> None:
        if form not in ("fast", "dense"):
            raise InputError(f"expected the form fast or dense, got {form!r}")
        self._manifest = read_manifest(Path(folder))
        self._form = form
        self._options = onnxruntime.SessionOptions()
        if threads is not None:
            self._options.intra_op_num_threads = threads
        self._providers = list(providers)
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        bank = Path(folder) / BANK_NAME
        self.labels: LabelSet = self._manifest.labels
        self.style_bank = read_bank(bank, self.labels) if bank.is_file() else []
        self._fallback = mean_style(self.style_bank) if self.style_bank else None

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width, in pixels, of the model's input and output."""
        return self._manifest.image_size

    def encode(self, image: ImageLike, segmap: SegmapLike | None = None) -> StyleCodes:
        """The style of every region of a photo.

        Args:
            image: the path of a file, a PIL picture or uint8 [h, w, 3].
            segmap: label ids of the same picture: the path of a file, a PIL picture or integers [h, w]; None parses
                the photo, see `parse`.

        Raises:
            InputError: not a picture, not a map of label ids, a map of another shape, or no parser to make one.
        """
        photo = as_photo(image)
        given = self.parse(image) if segmap is None else segmap
        ids = segmap_of_photo(given, self.labels, photo, self.image_size)
        inputs = {"image": _batch(photo.image, self.image_size), "segmap": self._ids(ids)}
        codes, present = self._run(ENCODER_NAME, inputs)
        return StyleCodes(codes[0], present[0], self.labels)

    def parse(self, image: ImageLike) -> np.ndarray:
        """The label map of a photo framed as the parser's training pictures are: int64 [h, w], ids 0..k.

        Raises:
            InputError: not a picture, or an export without a parser.
        """
        if self._manifest.parser_size is None:
            raise InputError("this export has no parser; export the model with one, or give a label map")
        photo = as_photo(image)
        logits, _ = self._run(PARSER_NAME, {"image": _batch(photo.image, self._manifest.parser_size)})
        return _enlarged_argmax(logits[0], photo.size)

    def __call__(
        self,
        segmap: SegmapLike,
        styles: StyleCodes | Sequence[StyleCodes],
        *,
        instances: SegmapLike | None = None,
        variants: SegmapLike | None = None,
    ) -> Image.Image:
        """Render a label map.

        Args:
            segmap: label ids: the path of a file, a PIL picture or integers [h, w]; resized to `image_size`.
            styles: one StyleCodes, or one for each SEAN ResBlk (`StyleCodes.crossover`); with variants, one for each.
            instances: for a model with instance edges, one number per object; by default the map itself.
            variants: the index in `styles` for every pixel; only with the fast form.

        Returns:
            A picture of `image_size`.

        Raises:
            InputError: ids out of range, styles of another model or another number of them, or variants that do not
                fit.
        """
        given = segmap_of(segmap, self.labels)
        ids = self._ids(given)
        numbers = None if variants is None else self._numbers(variants, given.shape, "variants")
        inputs = {"segmap": ids, "codes": self._codes(styles, numbers)}
        edges = self._edges(ids, given.shape, instances)
        if self._form == "dense":
            if numbers is not None:
                raise InputError('expected no variants for the dense form; open the export with form="fast"')
            inputs |= {} if edges is None else {"edges": edges}
        else:
            inputs |= plan_inputs(ids, self.labels.num_regions, numbers, edges)
        (picture,) = self._run(FAST_NAME if self._form == "fast" else DENSE_NAME, inputs)
        levels = np.clip(np.round((picture[0] + 1) * 127.5), 0, 255).astype(np.uint8)
        return Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0)))

    def _run(self, name: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        if name not in self._sessions:
            data = self._manifest.read(name)
            self._sessions[name] = onnxruntime.InferenceSession(data, self._options, providers=self._providers)
        result: list[np.ndarray] = self._sessions[name].run(None, inputs)
        return result

    def _ids(self, segmap: np.ndarray) -> np.ndarray:
        """A map [h, w] resized to the model's size: [1, h, w]."""
        return resize_segmap(segmap, self.image_size)[None].astype(np.int32)

    def _codes(self, styles: StyleCodes | Sequence[StyleCodes], variants: np.ndarray | None) -> np.ndarray:
        """The style codes [v, 6, k, d] of all variants and ResBlks."""
        count = self._manifest.num_blocks
        listed = [styles] if isinstance(styles, StyleCodes) else list(styles)
        if variants is None and len(listed) not in (1, count):
            raise InputError(f"expected one StyleCodes, or {count} (one per SEAN ResBlk), got {len(listed)}")
        if variants is not None and (variants.min() < 0 or variants.max() >= len(listed)):
            raise InputError(
                f"expected variants in 0..{len(listed) - 1}, numbers of styles, got {variants.min()}..{variants.max()}"
            )
        expected = (self.labels.num_regions, self._manifest.code_dim)
        for style in listed:
            if style.codes.shape != expected:
                raise InputError(
                    f"expected style codes {list(expected)} of this model, got {list(style.codes.shape)}; encode the "
                    "photo with this model"
                )
        codes = np.stack([(s if self._fallback is None else s.completed(self._fallback)).codes for s in listed])
        if variants is None and len(listed) == count:
            return codes[None].astype(np.float32)
        return np.repeat(codes[:, None], count, axis=1).astype(np.float32)

    def _edges(self, ids: np.ndarray, size: tuple[int, ...], instances: SegmapLike | None) -> np.ndarray | None:
        """Pixels at the edge of an instance, bool [1, h, w], for models that take edges."""
        if not self._manifest.instance_edges:
            if instances is not None:
                raise InputError("expected no instances for a model without instance edges; leave them out")
            return None
        numbers = ids if instances is None else self._numbers(instances, size, "instances")
        edges = np.zeros(numbers.shape, np.int32)
        below, right = numbers[:, 1:] != numbers[:, :-1], numbers[:, :, 1:] != numbers[:, :, :-1]
        edges[:, 1:] |= below
        edges[:, :-1] |= below
        edges[:, :, 1:] |= right
        edges[:, :, :-1] |= right
        return edges

    def _numbers(self, numbers: SegmapLike, size: tuple[int, ...], name: str) -> np.ndarray:
        """A map of the segmap's size, resized to the model's size: [1, h, w]."""
        array = numbers_of(numbers)
        if array.shape != size or array.dtype.kind not in "iub":
            raise InputError(
                f"expected {name} as integers of the segmap's size {list(size)}, got {array.dtype} {list(array.shape)}"
            )
        return self._ids(array)


def _batch(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A photo uint8 [h, w, 3] resized to [1, 3, h, w], values in [-1, 1]."""
    resized = resize_image(image, size).transpose(2, 0, 1)
    return np.ascontiguousarray(resized[None].astype(np.float32) / np.float32(127.5) - np.float32(1))


def _enlarged_argmax(logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The label of the largest logit after bilinear interpolation of [l, h, w]; label by label, to save memory."""
    rows, columns = (_weights(extent, own) for extent, own in zip(size, logits.shape[1:], strict=True))
    best = np.full(size, -np.inf, np.float32)
    ids = np.zeros(size, np.int64)
    for label, plane in enumerate(logits):
        tall = plane[rows[0]] * (1 - rows[2][:, None]) + plane[rows[1]] * rows[2][:, None]
        larger = tall[:, columns[0]] * (1 - columns[2]) + tall[:, columns[1]] * columns[2]
        ids[larger > best] = label
        best = np.maximum(best, larger)
    return ids


def _weights(extent: int, own: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every pixel of an enlarged row: the two source pixels around it, and the weight of the second."""
    places = np.maximum((np.arange(extent) + 0.5) * (own / extent) - 0.5, 0).astype(np.float32)
    first = np.minimum(places.astype(np.int64), own - 1)
    return first, np.minimum(first + 1, own - 1), places - first
