"""What `SEANPipeline.__call__` is given and gives: segmaps paired with styles, and pictures in the wanted form."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
from PIL import Image
from torch import Tensor

from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.images import tensor_to_image
from sean.segmap import SegmapLike

BlockStyles = StyleCodes | Sequence[StyleCodes]
"""One style, or one per SEAN ResBlk."""
OutputType = Literal["pil", "np", "pt"]


def check_output_type(output_type: str) -> None:
    """Raise InputError unless `output_type` is an `OutputType`."""
    if output_type not in get_args(OutputType):
        raise InputError(f"expected output_type as one of {', '.join(get_args(OutputType))}, got {output_type!r}")


def as_list(values: Any, type_name: str) -> list[Any]:
    """A list or tuple as a list.

    Raises:
        InputError: another type; `type_name` is the type that the message expects.
    """
    if not isinstance(values, list | tuple):
        raise InputError(f"expected {type_name}, or a list of them, got {type(values).__name__}")
    return list(values)


@dataclass(frozen=True, kw_only=True)
class RenderBatch:
    """Segmaps to render, with their styles and instance maps.

    Attributes:
        segmaps: label maps as the caller gave them.
        styles: one entry per segmap; for a segmap with variants, the styles that its variants number.
        instances: one map per segmap; None if the caller gave none.
        many: whether the caller gets a list of pictures.
    """

    segmaps: list[SegmapLike]
    styles: list[BlockStyles]
    instances: list[SegmapLike] | None
    many: bool

    @classmethod
    def paired(cls, segmap: Any, styles: Any, instances: Any) -> "RenderBatch":
        """Pair segmaps with styles, see the table of `SEANPipeline.__call__`.

        Raises:
            InputError: the numbers of segmaps, styles and instance maps differ.
        """
        many = isinstance(segmap, list | tuple)
        crossovers = isinstance(styles, list | tuple) and any(isinstance(one, list | tuple) for one in styles)
        if not many and not crossovers:
            maps = None if instances is None else [instances]
            return cls(segmaps=[segmap], styles=[styles], instances=maps, many=False)
        count = len(segmap) if many else len(styles)
        each = [styles] * count if isinstance(styles, StyleCodes) else as_list(styles, "StyleCodes")
        if not count or len(each) != count:
            raise InputError(
                f"expected one StyleCodes, or one for each of {count} label maps, got {len(each)}; for a crossover of "
                "every map give a list of lists"
            )
        maps = None if instances is None else list(instances) if many else [instances] * count
        if maps is not None and len(maps) != count:
            raise InputError(f"expected instances for each of {count} label maps, got {len(maps)}")
        return cls(segmaps=list(segmap) if many else [segmap] * count, styles=each, instances=maps, many=True)

    @classmethod
    def with_variants(cls, segmap: Any, styles: Any, instances: Any) -> "RenderBatch":
        """One segmap whose pixels take one of several styles each.

        Raises:
            InputError: several segmaps.
        """
        if isinstance(segmap, list | tuple):
            raise InputError("expected one segmap where variants are given, got a list")
        maps = None if instances is None else [instances]
        return cls(
            segmaps=[cast(SegmapLike, segmap)],
            styles=list(cast(Sequence[BlockStyles], styles)),
            instances=maps,
            many=False,
        )

    def output(self, rendered: Tensor, sizes: Sequence[tuple[int, int]], output_type: OutputType) -> Any:
        """The rendered pictures in the form that the caller asked for.

        Args:
            rendered: float [b, 3, h, w] in [-1, 1].
            sizes: height and width of each segmap as the caller gave it.
            output_type: see `SEANPipeline.__call__`.
        """
        pictures = _converted(rendered, sizes, output_type)
        return pictures if self.many else pictures[0]


def _converted(rendered: Tensor, sizes: Sequence[tuple[int, int]], output_type: OutputType) -> Any:
    if output_type == "pt":
        return rendered
    arrays = [tensor_to_image(picture) for picture in rendered.cpu()]
    if output_type == "np":
        return np.stack(arrays)
    pictures = [Image.fromarray(array) for array in arrays]
    for picture, size in zip(pictures, sizes, strict=True):
        if size != (picture.height, picture.width):
            picture.info["resized_from"] = size
    return pictures
