"""The edit benchmark: errors of exchanging one region's style, against the known true picture.

On synthetic scenes the picture after every style exchange is known: the scene's label map repainted with the other
scene's style in that region (`true_exchange`). No data set of photos has that. A method encodes both scenes, takes one
region's style from the other one, renders, and is compared with the truth, inside the region (did the region take the
style?) and outside (did the rest stay as it was?).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sean.data.synthetic.scenes import Scene, SyntheticScenes, true_exchange
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.evaluation.settings import Progress, untracked
from sean.segmap import resize_segmap

SCENES_SEED = 1_000_003
"""Seed of the benchmark's scenes: far from those of trainings, which use their own seed and the next."""

MIN_PIXELS = 8
"""A region takes part in an exchange if it has this many pixels in both scenes at half size, where SEAN pools."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Edit:
    """One exchange.

    Attributes:
        scene: the scene whose region is restyled.
        source: the scene whose style it takes.
        region: name of the label.
        truth: uint8 [h, w, 3], the true result.
    """

    scene: Scene
    source: Scene
    region: str
    truth: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """Mask of the region's pixels, bool [h, w]."""
        return self.scene.segmap == self.scene.labels.id_of(self.region)


def edits(scenes: SyntheticScenes, num_pairs: int) -> Iterator[Edit]:
    """All exchanges of one region between the scenes 2 i and 2 i + 1, for i below `num_pairs`.

    Raises:
        InputError: the data has fewer scenes.
    """
    if len(scenes) < 2 * num_pairs:
        raise InputError(f"expected {2 * num_pairs} scenes for {num_pairs} pairs, got {len(scenes)}")
    for pair in range(num_pairs):
        scene, source = scenes.scene(2 * pair), scenes.scene(2 * pair + 1)
        halves = [resize_segmap(each.segmap, (scenes.size[0] // 2, scenes.size[1] // 2)) for each in (scene, source)]
        for region_id, region in enumerate(scenes.labels.names):
            if min(np.count_nonzero(half == region_id) for half in halves) >= MIN_PIXELS:
                yield Edit(scene=scene, source=source, region=region, truth=true_exchange(scene, source, region))


def run_edit_benchmark(
    pipeline: SEANPipeline, num_pairs: int, *, whole_style: bool = False, progress: Progress = untracked
) -> dict[str, Any]:
    """Run all exchanges with a model.

    Args:
        pipeline: of a model trained on synthetic scenes.
        num_pairs: pairs of scenes, each with an exchange for every region that both have.
        whole_style: take all of the other scene's styles instead of the region's, as a method with one style for the
            whole picture has to.
        progress: shows the progress.

    Returns:
        JSON values, root mean square errors on [0, 1], means over the exchanges: inside (edited picture against the
        truth, in the region), outside (the same, elsewhere), leakage (edited picture against the method's own picture
        before the edit, outside the region, where no pixel should change), inside_before (that picture against the
        truth, in the region: the error without an edit); the number of `edits`; and the same by region.

    Raises:
        InputError: the scenes have no exchange, or the model has other labels.
    """
    scenes = SyntheticScenes(size=pipeline.image_size, length=2 * num_pairs, seed=SCENES_SEED)
    if pipeline.labels.names != scenes.labels.names:
        raise InputError(f"expected a model of synthetic scenes' labels, got one of {pipeline.labels.name!r}")
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    every = list(edits(scenes, num_pairs))
    if not every:
        raise InputError(f"expected exchanges in {num_pairs} pairs of scenes, found none; take more pairs")
    known: dict[str, tuple[StyleCodes, np.ndarray]] = {}

    def encoded(scene: Scene) -> tuple[StyleCodes, np.ndarray]:
        """Styles of a scene, and its picture before any edit."""
        if scene.name not in known:
            styles = pipeline.encode(scene.image, scene.segmap)
            known[scene.name] = styles, np.asarray(pipeline(scene.segmap, styles))
        return known[scene.name]

    for edit in progress(every, "exchanging styles", len(every)):
        styles, before = encoded(edit.scene)
        other, _ = encoded(edit.source)
        changed = other.completed(styles) if whole_style else styles.with_region(edit.region, other)
        for name, value in edit_errors(edit, before, np.asarray(pipeline(edit.scene.segmap, changed))).items():
            values[edit.region][name].append(value)
    return {"edits": len(every), **_means(list(values.values())), "by_region": _by_region(values)}


def edit_errors(edit: Edit, before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    """The errors of one exchange; see `run_edit_benchmark`.

    Args:
        edit: the exchange.
        before, after: uint8 [h, w, 3], the method's picture without and with the exchange.
    """
    inside = edit.inside
    return {
        "inside": _rmse(after, edit.truth, inside),
        "outside": _rmse(after, edit.truth, ~inside),
        "leakage": _rmse(after, before, ~inside),
        "inside_before": _rmse(before, edit.truth, inside),
    }


def _rmse(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    difference = (a[where].astype(np.float64) - b[where]) / 255
    return float(np.sqrt(np.mean(difference**2))) if difference.size else 0.0


def _by_region(values: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    return {region: {"edits": len(found["inside"]), **_means([found])} for region, found in sorted(values.items())}


def _means(groups: list[dict[str, list[float]]]) -> dict[str, float]:
    return {name: float(np.mean([value for group in groups for value in group[name]])) for name in groups[0]}
