"""The strips of the paper's Fig. 5 (interpolation of styles) and Fig. 7 (style crossover), as tiles of a sheet."""

from collections.abc import Iterable

import numpy as np

from sean.contact_sheet import Tile
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import Region, StyleCodes
from sean.models.configs import NUM_STYLED_BLOCKS
from sean.segmap import SegmapLike


def interpolation_strip(
    pipeline: SEANPipeline,
    segmap: SegmapLike,
    start: StyleCodes,
    end: StyleCodes,
    steps: int,
    regions: Region | Iterable[Region] | None = None,
) -> list[Tile]:
    """`steps` pictures of one segmap, its styles going linearly from `start` to `end`; captions give the weight."""
    regions = list(regions) if isinstance(regions, Iterable) and not isinstance(regions, str) else regions
    tiles = []
    for weight in np.linspace(0.0, 1.0, steps).tolist():
        picture = pipeline(segmap, start.lerp(end, weight, regions))
        tiles.append(Tile(np.asarray(picture), caption=f"{weight:.2f}"))
    return tiles


def crossover_strip(pipeline: SEANPipeline, segmap: SegmapLike, a: StyleCodes, b: StyleCodes) -> list[Tile]:
    """Seven pictures: the first n ResBlks with styles `a`, the others with `b`, n from 6 to 0, each under its bar."""
    tiles = []
    for count in range(NUM_STYLED_BLOCKS, -1, -1):
        styles = [a] * count + [b] * (NUM_STYLED_BLOCKS - count)
        bar = "A" * count + "B" * (NUM_STYLED_BLOCKS - count)
        tiles.append(Tile(np.asarray(pipeline(segmap, styles)), bar=bar))
    return tiles
