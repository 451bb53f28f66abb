"""Style fidelity: agreement of a model's pictures with the styles they are rendered with, region by region.

Four measures on held-out pictures: the colour of a region after an exchange of styles, the colour of a region that was
recoloured before it was encoded (colours that the training set may not have), the fine detail that a reconstruction
keeps, and how much an exchange changes the region itself and the rest of the picture.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError
from sean.evaluation.settings import Progress, untracked
from sean.images import resize_image
from sean.labels import LabelSet
from sean.segmap import resize_segmap

FACE_REGIONS = ("hair", "face", "lips", "cloth", "background")
"""Regions that people recolour in photos of faces; "face" is the skin with nose, ears and neck."""

DETAIL_SIGMA = 2.0
"""Standard deviation, in pixels, of the Gaussian filter that removes the detail to measure."""

OFFSET_SPREAD = 44.0
"""Standard deviation of a recoloured region's offset, of 255, drawn for each channel."""

_MIN_PIXELS = 64
_MARGIN = 4
_ONE_REGION = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A picture at the model's size: uint8 [h, w, 3], and its segmap [h, w]."""

    image: np.ndarray
    segmap: np.ndarray


def run_style_fidelity(
    pipeline: SEANPipeline,
    pictures: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    exchanges: int = 60,
    seed: int = 0,
    progress: Progress = untracked,
) -> dict[str, Any]:
    """Measure a model.

    Args:
        pipeline: of the model.
        pictures: uint8 [h, w, 3] and segmap [h, w] each, of any size; two or more.
        exchanges: number of exchanges of every region, between random pictures.
        seed: of the draws.
        progress: shows the progress.

    Returns:
        JSON values by region, in `regions`, and their medians over all in `median`. Errors are mean absolute
        differences of mean colours (linear in the stored values, of 255), medians over the exchanges: color_error
        (exchanged region against the source's), recolored_error (reconstruction against the recoloured picture).
        detail: the reconstruction's fine detail over the picture's, as standard deviations, median over the pictures.
        locality: the mean change inside an exchanged region over that outside, median over the exchanges.

    Raises:
        InputError: fewer than two pictures, or no region that two of them show.
    """
    if len(pictures) < 2:
        raise InputError(f"expected at least 2 pictures to exchange styles between, got {len(pictures)}")
    size = pipeline.image_size
    shown = [Picture(image=resize_image(image, size), segmap=resize_segmap(ids, size)) for image, ids in pictures]
    rng = np.random.default_rng(seed)
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    regions = {name: ids for name, ids in _regions(pipeline.labels).items() if len(_with(shown, ids)) > 1}
    if not regions:
        raise InputError("expected a region that two of the pictures show, found none; take more pictures")
    own = [pipeline.encode(each.image, each.segmap) for each in progress(shown, "encoding", len(shown))]
    before = [np.asarray(pipeline(each.segmap, styles)) for each, styles in zip(shown, own, strict=True)]
    for name, ids in progress(regions.items(), "exchanging styles", len(regions)):
        numbers = _with(shown, ids)
        for number in numbers:
            inside = np.isin(shown[number].segmap, ids)
            values[name]["detail"] += _detail_kept(before[number], shown[number].image, inside)
        for _ in range(exchanges):
            number, source = (int(each) for each in rng.choice(numbers, 2, replace=False))
            picture, other = shown[number], shown[source]
            inside = np.isin(picture.segmap, ids)
            present = [region for region in ids if np.any(picture.segmap == region)]
            styles = own[number].with_region(present, own[source].completed(own[number]))
            after = np.asarray(pipeline(picture.segmap, styles))
            wanted = _mean_color(other.image, np.isin(other.segmap, ids))
            values[name]["color_error"].append(_distance(_mean_color(after, inside), wanted))
            change = np.abs(after.astype(np.float64) - before[number]).mean(axis=2)
            values[name]["locality"].append(change[inside].mean() / max(change[~inside].mean(), _ONE_REGION))
            recolored = picture.image.astype(np.float64)
            recolored[inside] += rng.normal(0.0, OFFSET_SPREAD, 3)
            image = recolored.round().clip(0, 255).astype(np.uint8)
            made = np.asarray(pipeline(picture.segmap, pipeline.encode(image, picture.segmap)))
            values[name]["recolored_error"].append(_distance(_mean_color(made, inside), _mean_color(image, inside)))
    return {
        "exchanges": exchanges,
        "median": {key: _median(v for found in values.values() for v in found[key]) for key in _MEASURES},
        "regions": {name: {key: _median(found[key]) for key in _MEASURES} for name, found in values.items()},
    }


_MEASURES = ("color_error", "recolored_error", "detail", "locality")


def _regions(labels: LabelSet) -> dict[str, tuple[int, ...]]:
    """Names and ids of the regions that are measured."""
    if {"face", "lips"} <= labels.groups.keys() and {"hair", "cloth", "background"} <= set(labels.names):
        return {name: labels.groups.get(name) or (labels.id_of(name),) for name in FACE_REGIONS}
    return {labels.names[ids[0]]: ids for ids in labels.materials}


def _with(pictures: Sequence[Picture], ids: Sequence[int]) -> list[int]:
    """Indices of the pictures that show a region."""
    return [n for n, each in enumerate(pictures) if np.count_nonzero(np.isin(each.segmap, ids)) >= _MIN_PIXELS]


def _mean_color(image: np.ndarray, inside: np.ndarray) -> np.ndarray:
    return image[inside].astype(np.float64).mean(axis=0)


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).mean())


def _detail_kept(made: np.ndarray, photo: np.ndarray, inside: np.ndarray) -> list[float]:
    """Detail of one picture over that of another, away from the region's border; empty for a thin region."""
    core = ndimage.binary_erosion(inside, iterations=_MARGIN)
    if np.count_nonzero(core) < _MIN_PIXELS:
        return []
    spreads = [float(_detail(image)[core].std()) for image in (made, photo)]
    return [spreads[0] / spreads[1]] if spreads[1] > 0 else []


def _detail(image: np.ndarray) -> np.ndarray:
    grey = image.astype(np.float64).mean(axis=2)
    return grey - ndimage.gaussian_filter(grey, DETAIL_SIGMA)


def _median(values: Any) -> float | None:
    found = list(values)
    return float(np.median(found)) if found else None
