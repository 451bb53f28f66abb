"""The figures: which pictures stand in which row."""

from pathlib import Path

import numpy as np
import pytest

from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError
from sean.experiments import figures
from sean.experiments.runs import DataSet
from sean.images import resize_image
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.models.build import build_model
from sean.models.configs import SEANConfig, SPADEConfig

SEAN = SEANConfig(image_size=(32, 32), style_dim=4, base_channels=1, max_channels=4, mask_dim=4, encoder_channels=2)
SPADE = SPADEConfig(style="none", image_size=(32, 32), base_channels=1, mask_dim=2)


@pytest.fixture(scope="module")
def pipeline() -> SEANPipeline:
    return SEANPipeline(build_model(SEAN, init_gain=1.0), CELEBAMASK_HQ)


def test_pictures_come_from_the_held_out_part(pipeline: SEANPipeline, data: Path) -> None:
    with pytest.raises(InputError, match="expected 4 held-out pairs in celebamask_drawn, got 2"):
        figures.subjects(pipeline, DataSet(folder=data))
    found = figures.subjects(pipeline, DataSet(folder=data, validation=0.2))
    assert len(found) == 4 and found[0].image.shape == (32, 32, 3)
    other = SEANPipeline(
        build_model(SPADEConfig(num_regions=2, style="none", image_size=(32, 32), base_channels=1)),
        LabelSet(name="two", names=("a", "b")),
    )
    with pytest.raises(InputError, match="are not the model's"):
        figures.subjects(other, DataSet(folder=data))


def test_faces_are_drawn_for_models_with_a_bank(pipeline: SEANPipeline) -> None:
    scenes = figures.subjects(pipeline, None)
    styles = pipeline.encode(scenes[0].image, scenes[0].segmap)
    with_bank = SEANPipeline(pipeline.model, pipeline.labels, style_bank=[styles])
    faces = figures.subjects(with_bank, None)
    assert len(faces) == len(scenes) == 4
    assert "longer hair" in faces[0].changes and "longer hair" not in scenes[0].changes
    # a data set that is named is taken, also where faces could be drawn
    assert np.array_equal(figures.subjects(with_bank, DataSet())[0].image, scenes[0].image)


def test_successive_edits(pipeline: SEANPipeline) -> None:
    pictures = figures.subjects(pipeline, None)
    rows = figures.figure_1(pipeline, pictures)
    tiles, sources = rows["Region after region"], rows["Styles from"]
    assert [tile.caption for tile in tiles[:3]] == ["label map", "picture", "reconstruction"]
    assert len(tiles) == 3 + len(sources) and sources
    assert not np.array_equal(tiles[2].image, tiles[3].image)
    rows = figures.figure_2(pipeline, pictures)
    assert len(rows) == 2 and all(len(tiles) >= 6 for tiles in rows.values())


def test_strips(pipeline: SEANPipeline) -> None:
    pictures = figures.subjects(pipeline, None)
    for tiles in figures.figure_5(pipeline, pictures).values():
        assert [tile.caption for tile in tiles][1::6] == ["0.00", "1.00"] and len(tiles) == 9
    strips = list(figures.figure_7(pipeline, pictures).values())
    assert len(strips) == 2
    assert [tile.bar for tile in strips[0]] == [None, *("A" * n + "B" * (6 - n) for n in range(6, -1, -1)), None]
    styles = pipeline.encode(pictures[0].image, pictures[0].segmap)
    assert np.array_equal(strips[0][1].image, np.asarray(pipeline(pictures[0].segmap, styles)))


def test_methods_side_by_side(pipeline: SEANPipeline) -> None:
    spade = SEANPipeline(build_model(SPADE, init_gain=1.0), CELEBAMASK_HQ)
    rows = figures.figure_6({"SPADE": spade, "SEAN": pipeline}, DataSet())
    assert [tile.caption for tile in rows["Picture 1"]] == ["label map", "picture", "SPADE", "SEAN"]
    assert not np.array_equal(rows["Picture 1"][2].image, rows["Picture 1"][3].image)
    rows = figures.edit_benchmark_figure({"SPADE": spade, "SEAN": pipeline}, num_pairs=2)
    assert len(rows) == 2
    scene, source, truth, *_ = next(iter(rows.values()))
    assert resize_image(scene.image, (32, 32)).shape == truth.image.shape == source.image.shape
    assert not np.array_equal(scene.image, truth.image)
