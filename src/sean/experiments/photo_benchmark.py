"""The photo benchmark: a region recoloured by code is the truth for the model's edit to the same style.

Code recolours a region of a real photo in Lab: a gain of its lightness, a shift of its colour. The style of the edit is
encoded from the recoloured photo, so an exact method reproduces the recoloured photo. The benchmark measures the ways
to put the model's picture into the photo (`sean.Editor.composite`), and making no edit.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from sean.compositing.colour import lab_to_srgb, srgb_to_lab
from sean.editing.editor import Editor
from sean.editing.photo_composite import BLENDS
from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError
from sean.evaluation.edit_metrics import detail_kept, leakage, region_error, seam_visibility
from sean.evaluation.settings import Progress, untracked
from sean.segmap import resize_segmap

REGIONS = ("hair", "skin", "lips", "cloth", "background")
"""Regions that people recolour in photos of faces."""

METHODS = ("nothing", *BLENDS)
MEASURES = ("error", "detail", "leakage", "seam")
# Largest gain of the lightness (smallest: its inverse); standard deviation of the shifts of a and b.
_GAIN, _SHIFT = 1.7, 14.0
_LEAST_AREA = 0.004
# Width of the band around the region's border that is left out, in pixels of 256: label maps are not exact there.
_MARGIN = 8


def recoloured_by_code(image: np.ndarray, region: np.ndarray, gain: float, shift: Sequence[float]) -> np.ndarray:
    """A photo with a region in another colour: L times a gain, a and b plus a shift, faded over one pixel.

    Args:
        image: uint8 [h, w, 3].
        region: bool [h, w].
        gain: positive.
        shift: of a and b.
    """
    lab = srgb_to_lab(image)
    other = np.stack([np.clip(lab[..., 0] * gain, 0, 100), lab[..., 1] + shift[0], lab[..., 2] + shift[1]], axis=2)
    weight = ndimage.uniform_filter(region.astype(np.float32), 3, mode="nearest")[..., None]
    moved = lab_to_srgb((lab + weight * (other - lab)).astype(np.float32))
    return np.where(weight > 0, moved, image)


def run_photo_benchmark(
    pipeline: SEANPipeline,
    pictures: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    regions: Sequence[str] = REGIONS,
    seed: int = 0,
    progress: Progress = untracked,
) -> dict[str, Any]:
    """Measure the composites of a model's edits.

    Args:
        pipeline: of the model.
        pictures: photos uint8 [h, w, 3] and their maps [h, w], of any size.
        regions: labels or groups of the model's label set; those that it lacks are left out.
        seed: of the colours.
        progress: shows the progress.

    Returns:
        JSON values: the number of `pictures`, `self_edits` (photos that an edit to their own style changed; 0 is
        right), and by region and method the means of error, detail, leakage and seam (see
        `sean.evaluation.edit_metrics`) with the number of `edits`.

    Raises:
        InputError: no picture shows any of the regions.
    """
    labels = pipeline.labels
    known = {name: _ids(pipeline, name) for name in regions if name in labels.names or name in labels.groups}
    values: dict[str, dict[str, dict[str, list[float]]]] = {}
    changed = 0
    for number, (image, segmap) in progress(list(enumerate(pictures)), "editing photos", len(pictures)):
        editor = Editor(pipeline, parser=None)
        editor.set_image(image, segmap, crop="none")
        editor.set_style(editor.styles)
        changed += not np.array_equal(editor.composited(), image)
        editor.undo()
        ids = resize_segmap(segmap, (image.shape[0], image.shape[1]))
        for name, own in known.items():
            region = np.isin(ids, own)
            if region.mean() < _LEAST_AREA:
                continue
            rng = np.random.default_rng([seed, number, REGIONS.index(name) if name in REGIONS else len(REGIONS)])
            gain, shift = float(_GAIN ** rng.uniform(-1, 1)), rng.normal(0, _SHIFT, 2)
            truth = recoloured_by_code(image, region, gain, shift.tolist())
            styles = pipeline.encode(truth, segmap, crop="none")
            here = [label for label in own if styles.present[label]]
            if not here:
                continue
            editor.set_style(here, styles)
            made = {"nothing": image, **{str(blend): editor.composited(blend=blend) for blend in BLENDS}}
            editor.undo()
            found = values.setdefault(name, {method: {measure: [] for measure in MEASURES} for method in METHODS})
            margin = max(1, round(_MARGIN * max(image.shape[:2]) / 256))
            for method, edited in made.items():
                scores = (
                    region_error(edited, truth, region),
                    detail_kept(edited, truth, region),
                    leakage(edited, image, region, margin),
                    seam_visibility(edited, truth, region),
                )
                for measure, score in zip(MEASURES, scores, strict=True):
                    if score is not None:
                        found[method][measure].append(score)
    if not values:
        raise InputError(f"expected photos that show {', '.join(regions)}, found none; take more photos")
    return {
        "pictures": len(pictures),
        "self_edits": changed,
        "regions": {
            name: {
                "edits": len(found["nothing"]["error"]),
                **{method: {m: _mean(found[method][m]) for m in MEASURES} for method in METHODS},
            }
            for name, found in values.items()
        },
    }


def _ids(pipeline: SEANPipeline, name: str) -> tuple[int, ...]:
    return tuple(pipeline.labels.ids_of(name))


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
