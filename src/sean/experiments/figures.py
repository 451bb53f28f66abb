"""The paper's figures as sheets of pictures: successive edits, interpolation, methods side by side, crossover.

Figures 1, 2, 5 and 7 are one model's, on pictures of its own: photos of a data set, drawn faces rendered with styles
of its bank, or synthetic scenes. Figure 6 compares the methods of an experiment.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from sean.contact_sheet import Tile
from sean.data.folder import PairedFolder
from sean.data.paired import PairSource
from sean.data.synthetic.scenes import SyntheticScenes
from sean.editing.demo import (
    Subject,
    crossover_strip,
    drawn_faces,
    draws_faces,
    interpolation_strip,
    photo_subject,
    regions_to_exchange,
)
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.experiments.edit_benchmark import SCENES_SEED, Edit, edits
from sean.experiments.runs import DataSet
from sean.segmap import colorize

Rows = dict[str, list[Tile]]
"""The rows of a contact sheet, by title."""

_STEPS = 7
_SUBJECTS = 4


def subjects(pipeline: SEANPipeline, data: DataSet | None) -> list[Subject]:
    """Four pictures to edit.

    Args:
        pipeline: of the model.
        data: held-out photos of this data set, or synthetic scenes; None takes drawn faces where the model can render
            them, else synthetic scenes.

    Raises:
        InputError: the data set has other labels than the model, or too few held-out pictures.
    """
    if data is not None and data.folder is not None:
        pairs = held_out(pipeline, data)
        if len(pairs) < _SUBJECTS:
            raise InputError(f"expected {_SUBJECTS} held-out pairs in {data.name}, got {len(pairs)}")
        read = [pairs.read(int(index)) for index in np.linspace(0, len(pairs) - 1, _SUBJECTS)]
        return [photo_subject(pipeline, pair.image, pair.segmap) for pair in read]
    if data is None and draws_faces(pipeline):
        return drawn_faces(pipeline)
    scenes = SyntheticScenes(size=pipeline.image_size, length=_SUBJECTS, seed=SCENES_SEED, labels=pipeline.labels)
    drawn = [scenes.scene(index) for index in range(_SUBJECTS)]
    return [photo_subject(pipeline, scene.image, scene.segmap) for scene in drawn]


def held_out(pipeline: SEANPipeline, data: DataSet) -> PairSource:
    """The held-out pairs of a data folder.

    Raises:
        InputError: synthetic scenes, or the folder has other labels than the model.
    """
    if data.folder is None:
        raise InputError("expected a data folder with photos, got synthetic scenes")
    folder = PairedFolder.open(data.folder)
    if folder.labels.names != pipeline.labels.names:
        raise InputError(f"the labels of {data.name} are not the model's ({pipeline.labels.name})")
    return folder.pairs(folder.split(data.validation, training=data.training_prefix)[1])


def figure_1(pipeline: SEANPipeline, pictures: Sequence[Subject]) -> Rows:
    """Successive exchanges of styles: region after region of the first picture takes the style of another one."""
    first, *others = pictures
    styles = pipeline.encode(first.image, first.segmap)
    sources: list[Tile] = []
    tiles = [_segmap(pipeline, first.segmap), _picture(first, "picture"), _render(pipeline, first, styles)]
    nearest = pipeline.encode(others[0].image, others[0].segmap)
    for number, region in enumerate(regions_to_exchange(pipeline, first.segmap, styles, nearest)):
        source = others[number % len(others)]
        other = pipeline.encode(source.image, source.segmap)
        if region in other.regions or region in pipeline.labels.groups:
            styles = styles.with_region(region, other)
            sources.append(_picture(source, f"style of {region}"))
            tiles.append(_render(pipeline, first, styles, f"+ {region}"))
    return {"Styles from": sources, "Region after region": tiles}


def figure_2(pipeline: SEANPipeline, pictures: Sequence[Subject]) -> Rows:
    """Successive edits of label map and styles: the map is changed, then regions take another picture's styles."""
    rows: Rows = {}
    for number, (subject, source) in enumerate(itertools.pairwise(pictures[:3]), start=1):
        styles = pipeline.encode(subject.image, subject.segmap)
        other = pipeline.encode(source.image, source.segmap)
        tiles = [_segmap(pipeline, subject.segmap), _render(pipeline, subject, styles)]
        segmap = subject.segmap
        for caption, segmap in list(subject.changes.items())[:2]:
            tiles += [_segmap(pipeline, segmap, caption), _rendered(pipeline, segmap, styles, caption)]
        for region in regions_to_exchange(pipeline, segmap, styles, other)[:2]:
            styles = styles.with_region(region, other)
            tiles.append(_rendered(pipeline, segmap, styles, f"+ {region} of another"))
        rows[f"Picture {number}: its label map, then its styles"] = tiles
    return rows


def figure_5(pipeline: SEANPipeline, pictures: Sequence[Subject]) -> Rows:
    """Interpolation between the styles of two pictures: of one region, of another one, and of all."""
    first, second = pictures[:2]
    styles, other = (pipeline.encode(each.image, each.segmap) for each in (first, second))
    regions: list[str | None] = [*regions_to_exchange(pipeline, first.segmap, styles, other)[:2], None]
    return {
        f"The style of {region or 'all regions'}, from the one picture's to the other's": [
            _picture(first, "picture"),
            *interpolation_strip(pipeline, first.segmap, styles, other, _STEPS, region),
            _picture(second, "other style"),
        ]
        for region in regions
    }


def figure_6(methods: Mapping[str, SEANPipeline], data: DataSet) -> Rows:
    """Methods side by side: held-out pictures, reconstructed by each from their label maps and own styles.

    Args:
        methods: pipelines by name, all of one size and label set; the names are the captions.
        data: source of the pictures.
    """
    some = next(iter(methods.values()))
    rows: Rows = {}
    for number, subject in enumerate(subjects(some, data), start=1):
        rows[f"Picture {number}"] = [
            _segmap(some, subject.segmap),
            _picture(subject, "picture"),
            *(
                _render(pipeline, subject, pipeline.encode(subject.image, subject.segmap), name)
                for name, pipeline in methods.items()
            ),
        ]
    return rows


def figure_7(pipeline: SEANPipeline, pictures: Sequence[Subject]) -> Rows:
    """Style crossover: each ResBlk takes the styles of picture A or of picture B."""
    rows: Rows = {}
    for one in (0, 2):
        a, b = pictures[one : one + 2]
        styles = pipeline.encode(a.image, a.segmap)
        other = pipeline.encode(b.image, b.segmap).completed(styles)
        strip = crossover_strip(pipeline, a.segmap, styles, other)
        rows[f"Pictures {one + 1} (A) and {one + 2} (B)"] = [_picture(a, "A"), *strip, _picture(b, "B")]
    return rows


def edit_benchmark_figure(methods: Mapping[str, SEANPipeline], num_pairs: int = 5) -> Rows:
    """Exchanges of the edit benchmark, the largest region of each pair: the truth and each method's result."""
    some = next(iter(methods.values()))
    scenes = SyntheticScenes(size=some.image_size, length=2 * num_pairs, seed=SCENES_SEED)
    largest: dict[str, Edit] = {}
    for edit in edits(scenes, num_pairs):
        known = largest.get(edit.scene.name)
        if known is None or edit.inside.sum() > known.inside.sum():
            largest[edit.scene.name] = edit
    rows: Rows = {}
    for number, edit in enumerate(largest.values(), start=1):
        tiles = [
            Tile(edit.scene.image, caption="scene"),
            Tile(edit.source.image, caption=f"style of {edit.region}"),
            Tile(edit.truth, caption="truth"),
        ]
        for name, pipeline in methods.items():
            styles = pipeline.encode(edit.scene.image, edit.scene.segmap)
            other = pipeline.encode(edit.source.image, edit.source.segmap)
            tiles.append(_rendered(pipeline, edit.scene.segmap, styles.with_region(edit.region, other), name))
        rows[f"{number}: {edit.region} takes another scene's style"] = tiles
    return rows


def _segmap(pipeline: SEANPipeline, segmap: np.ndarray, caption: str = "label map") -> Tile:
    return Tile(colorize(segmap, pipeline.labels), caption=caption, pixelated=True)


def _picture(subject: Subject, caption: str) -> Tile:
    return Tile(subject.image, caption=caption)


def _render(pipeline: SEANPipeline, subject: Subject, styles: StyleCodes, caption: str = "reconstruction") -> Tile:
    return _rendered(pipeline, subject.segmap, styles, caption)


def _rendered(pipeline: SEANPipeline, segmap: np.ndarray, styles: StyleCodes, caption: str) -> Tile:
    return Tile(np.asarray(pipeline(segmap, styles)), caption=caption)
