"""The editor's composites that keep a photo's detail: what they change, what they leave, and that they come again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sean.editing.editor import Editor
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.editing.surroundings import surroundings
from sean.labels import CELEBAMASK_HQ
from sean.parsing.faces import Crop
from sean.parsing.label_matching import match_labels
from sean.parsing.photo import Photo
from sean.parsing.segmenter import Segmenter

from ..pictures import region_colour
from ..support.pipelines import random_styles

SIDE = 240
HAIR, SKIN, CLOTH = (CELEBAMASK_HQ.id_of(name) for name in ("hair", "skin", "cloth"))
CROP = Crop(top=80.0, left=80.0, size=80.0, photo_size=(SIDE, SIDE))
BLUE = (40.0, 60.0, 170.0)


def scene() -> np.ndarray:
    """Label ids of a photo: a column of hair, and skin in it, on a ground; the crop sees neither end of the hair."""
    ids = np.zeros((SIDE, SIDE), dtype=np.int64)
    ids[50:190, 95:145] = HAIR
    ids[100:140, 108:132] = SKIN
    return ids


COLOURS = {0: (200, 205, 200), HAIR: (110, 80, 50), SKIN: (220, 170, 150)}


@pytest.fixture
def photo(rng: np.random.Generator) -> np.ndarray:
    ids, levels = scene(), np.zeros((SIDE, SIDE, 3))
    for label, colour in COLOURS.items():
        levels[ids == label] = colour
    return np.clip(levels + rng.normal(0, 6, (SIDE, SIDE, 1)), 0, 255).astype(np.uint8)


class ByColour(Segmenter):
    """Knows the labels of the scene by their colours."""

    def __init__(self) -> None:
        match = match_labels("a stand-in", CELEBAMASK_HQ.names, CELEBAMASK_HQ)
        super().__init__(lambda image: image, CELEBAMASK_HQ, match, size=(64, 64), name="by colour")

    def segmap(self, photo: np.ndarray) -> np.ndarray:
        distances = [np.square(photo.astype(float) - colour).sum(axis=2) for colour in COLOURS.values()]
        ids: np.ndarray = np.array(list(COLOURS))[np.argmin(distances, axis=0)]
        return ids


def coloured(level: tuple[float, float, float], seed: int = 3) -> StyleCodes:
    return replace(random_styles(seed), mean_colours=torch.tensor(level).expand(19, 3).clone())


@pytest.fixture
def editor(pipeline: SEANPipeline, photo: np.ndarray) -> Editor:
    editor = Editor(pipeline, parser=ByColour())
    editor.set_image(photo, crop=CROP)
    return editor


def test_hair_takes_the_colour_beyond_the_crop_and_all_else_stays(editor: Editor, photo: np.ndarray) -> None:
    editor.set_style("hair", coloured(BLUE))
    result = editor.composited()
    inner = np.zeros((SIDE, SIDE), bool)
    inner[84:100, 100:140] = True
    for rows in (slice(84, 98), slice(142, 156), slice(66, 76), slice(164, 172)):  # the last two beyond the crop
        found = region_colour(result[rows, 100:140], np.ones((rows.stop - rows.start, 40)))
        wanted = region_colour(np.full((1, 1, 3), BLUE).astype(np.uint8), np.ones((1, 1)))
        assert found is not None and wanted is not None
        np.testing.assert_allclose(found.mean, wanted.mean, atol=7)
    before, after = (image[84:98, 100:140].astype(float).mean(axis=2) for image in (photo, result))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.9, "the photo's detail"
    np.testing.assert_array_equal(result[:, :86], photo[:, :86])
    np.testing.assert_array_equal(result[104:136, 114:126], photo[104:136, 114:126])


def test_a_background_is_followed_to_the_borders_of_the_photo(editor: Editor, photo: np.ndarray) -> None:
    editor.set_style("background", coloured(BLUE))
    changed = (editor.composited() != photo).any(axis=2)
    assert changed[:40].mean() > 0.98 and changed[:, :80].mean() > 0.98 and changed[:170, 160:].mean() > 0.98
    assert not changed[104:136, 112:128].any()


def test_strength_is_continuous_and_nothing_done_is_the_photo(editor: Editor, photo: np.ndarray) -> None:
    np.testing.assert_array_equal(editor.composited(), photo)
    steps = []
    for strength in (0.0, 0.25, 0.5, 0.75, 1.0):
        editor.set_style("hair", coloured(BLUE), strength=strength)
        steps.append(editor.composited()[84:98, 100:140].astype(float).mean(axis=(0, 1)))
    moves = np.linalg.norm(np.diff(steps, axis=0), axis=1)
    assert np.array_equal(steps[0], photo[84:98, 100:140].astype(float).mean(axis=(0, 1)))
    assert moves.min() > 0 and moves.max() < 2.5 * moves.min()
    for _ in range(5):
        editor.undo()
    editor.set_style("hair", editor.styles)  # its own
    np.testing.assert_array_equal(editor.composited(), photo)


def test_a_project_gives_the_same_bytes(editor: Editor, pipeline: SEANPipeline, tmp_path: Path) -> None:
    editor.paint([(0.5, 0.2), (0.5, 0.9)], 0.05, "hat")
    editor.set_style("hair", coloured(BLUE), strength=0.7)
    first = editor.composited()
    editor.save(tmp_path / "p.zip")
    np.testing.assert_array_equal(Editor.load(tmp_path / "p.zip", pipeline, parser=ByColour()).composited(), first)
    editor.set_style("background", coloured((0, 0, 0)))
    editor.composited()
    editor.undo()
    np.testing.assert_array_equal(editor.composited(), first)


def test_what_the_model_alone_knows_follows_the_model(editor: Editor, photo: np.ndarray) -> None:
    editor.set_style("skin", random_styles(4), blocks=[0, 1])  # no colour is known of a mixture
    changed = (editor.composited() != photo).any(axis=2)
    assert changed[106:134, 114:126].mean() > 0.8 and not changed[:, :86].any()


def test_an_instance_has_its_own_colour(editor: Editor, photo: np.ndarray) -> None:
    editor.paint([(0.0, 0.5), (1.0, 0.5)], 0.02, "skin")
    editor.reset_segmap()
    number = editor.split_region((0.5, 0.1))
    editor.set_style("hair", coloured(BLUE), instance=number)
    changed = (editor.composited() != photo).any(axis=2)
    assert changed[84:98, 100:140].mean() > 0.95
    assert not changed[104:136, 114:126].any()


def test_a_map_that_the_parser_does_not_share_ends_at_the_crop(pipeline: SEANPipeline, photo: np.ndarray) -> None:
    editor = Editor(pipeline, parser=ByColour())
    editor.set_image(photo, np.where(scene() == HAIR, CLOTH, HAIR), crop=CROP)
    editor.set_style("cloth", coloured(BLUE))
    changed = (editor.composited() != photo).any(axis=2)
    assert changed[90:98, 104:136].mean() > 0.9
    assert not changed[:80].any() and not changed[160:].any()


def test_surroundings_are_those_of_the_scene(photo: np.ndarray) -> None:
    segmap = scene()[80:160, 80:160]
    for whole in (False, True):
        frame, ids = surroundings(Photo(image=photo, crop=CROP), segmap, ByColour(), whole=whole)
        a, _, c, _, e, f = frame.matrix
        rows = (f + e * (np.arange(ids.shape[0]) + 0.5) / ids.shape[0]).astype(int)
        columns = (c + a * (np.arange(ids.shape[1]) + 0.5) / ids.shape[1]).astype(int)
        assert (ids == scene()[np.ix_(rows, columns)]).mean() > 0.95
        assert (len(rows) > 200) and (rows[0] == 0) == whole
