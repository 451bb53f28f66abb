"""The edit benchmark: errors by hand, a perfect editor has none, and regions that both scenes show."""

import numpy as np
import pytest
import torch
from PIL import Image

from sean.data.synthetic.scenes import SyntheticScenes, paint
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.experiments.edit_benchmark import MIN_PIXELS, SCENES_SEED, Edit, edit_errors, edits, run_edit_benchmark
from sean.labels import LabelSet
from sean.models.build import build_model
from sean.models.configs import SPADEConfig

SCENES = SyntheticScenes(size=(32, 32), length=8, seed=SCENES_SEED)


def test_errors_by_hand() -> None:
    scene = SCENES.scene(0)
    region = int(scene.segmap[0, 0])
    edit = Edit(
        scene=scene,
        source=SCENES.scene(1),
        region=scene.labels.names[region],
        truth=np.full((32, 32, 3), 100, np.uint8),
    )
    before, after = np.full((32, 32, 3), 110, np.uint8), np.full((32, 32, 3), 151, np.uint8)
    after[scene.segmap == region] = 49
    assert edit_errors(edit, before, after) == pytest.approx(
        {"inside": 51 / 255, "outside": 51 / 255, "leakage": 41 / 255, "inside_before": 10 / 255}
    )


def test_edits_exchange_one_region_that_both_scenes_show() -> None:
    found = list(edits(SCENES, 4))
    assert len(found) >= 8
    for edit in found:
        region = edit.scene.labels.id_of(edit.region)
        assert min((each.segmap == region).sum() for each in (edit.scene, edit.source)) >= MIN_PIXELS
        np.testing.assert_array_equal(edit.truth[~edit.inside], edit.scene.image[~edit.inside])
        styles = list(edit.scene.styles)
        styles[region] = edit.source.styles[region]
        np.testing.assert_array_equal(edit.truth, paint(edit.scene.segmap, styles))
    assert len({(edit.scene.name, edit.region) for edit in found}) == len(found)


class Painter(SEANPipeline):
    """An editor that knows the truth: its styles are the number of the scene that each region's style is of."""

    def __init__(self) -> None:
        self.labels = SCENES.labels

    image_size = SCENES.size

    def encode(self, image: np.ndarray, segmap: np.ndarray) -> StyleCodes:  # type: ignore[override]
        number = next(n for n in range(len(SCENES)) if np.array_equal(SCENES.scene(n).image, image))
        k = self.labels.num_regions
        return StyleCodes(torch.full((k, 1), float(number)), torch.ones(k, dtype=torch.bool), self.labels)

    def __call__(self, segmap: np.ndarray, styles: StyleCodes) -> Image.Image:  # type: ignore[override]
        numbers = enumerate(styles.codes[:, 0].int().tolist())
        return Image.fromarray(paint(segmap, [SCENES.scene(n).styles[region] for region, n in numbers]))


def test_a_perfect_editor_has_no_error() -> None:
    scores = run_edit_benchmark(Painter(), 4)
    assert scores["inside"] == scores["outside"] == scores["leakage"] == 0
    assert scores["inside_before"] > 0.05  # and it had something to do
    assert (
        scores["edits"]
        == sum(region["edits"] for region in scores["by_region"].values())
        == len(list(edits(SCENES, 4)))
    )


def test_exchanging_everything_leaks() -> None:
    scores = run_edit_benchmark(Painter(), 4, whole_style=True)
    assert scores["inside"] == 0
    assert scores["leakage"] == scores["outside"] > 0.05


@torch.no_grad()
def test_a_model_without_styles_changes_nothing() -> None:
    torch.manual_seed(0)
    config = SPADEConfig(style="none", image_size=(32, 32), base_channels=1, mask_dim=2)
    pipeline = SEANPipeline(build_model(config, init_gain=1.0), SCENES.labels)
    scores = run_edit_benchmark(pipeline, 2)
    assert scores["leakage"] == 0
    assert scores["inside"] == scores["inside_before"] > 0


def test_other_labels_are_refused() -> None:
    labels = LabelSet(name="two", names=("a", "b"))
    config = SPADEConfig(style="none", num_regions=2, image_size=(32, 32), base_channels=1, mask_dim=2)
    with pytest.raises(InputError, match="labels, got one of 'two'"):
        run_edit_benchmark(SEANPipeline(build_model(config), labels), 2)
    with pytest.raises(InputError, match="expected 20 scenes for 10 pairs, got 8"):
        next(edits(SCENES, 10))
