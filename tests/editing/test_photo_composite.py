"""Edits in a photo: what is recoloured, what is redrawn, and what stays to the bit."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from sean.cli import main
from sean.compositing.colour import parse_colour
from sean.editing.editor import Editor
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ
from sean.parsing.faces import Crop

from ..pictures import region_colour

HAIR, SKIN = (CELEBAMASK_HQ.id_of(name) for name in ("hair", "skin"))
SIZE = (192, 256)


@pytest.fixture
def pipeline(pipeline: SEANPipeline) -> SEANPipeline:
    """The tiny model with a bank of two styles, without colours."""
    generator = torch.Generator().manual_seed(0)
    present = torch.ones(19, dtype=torch.bool)
    shape = (19, pipeline.model.code_dim)
    bank = [StyleCodes(torch.rand(shape, generator=generator) * 2 - 1, present, CELEBAMASK_HQ) for _ in range(2)]
    return SEANPipeline(pipeline.model, CELEBAMASK_HQ, style_bank=bank)


@pytest.fixture
def photo(rng: np.random.Generator) -> np.ndarray:
    """Brown hair on the right of beige skin, with grain."""
    levels = np.full((*SIZE, 3), (200.0, 170.0, 150.0))
    levels[:, 128:] = (110, 75, 50)
    return (levels + rng.normal(0, 6, (*SIZE, 1))).round().clip(0, 255).astype(np.uint8)


@pytest.fixture
def editor(pipeline: SEANPipeline, photo: np.ndarray) -> Editor:
    segmap = np.full(SIZE, SKIN)
    segmap[:, 128:] = HAIR
    editor = Editor(pipeline)
    editor.set_image(photo, segmap)
    return editor


def test_a_colour_moves_the_photo_and_keeps_its_grain(editor: Editor, photo: np.ndarray) -> None:
    editor.set_style("hair", "#204080")
    edited = np.asarray(editor.composite())
    hair = np.zeros(SIZE, bool)
    hair[:, 140:] = True
    found = region_colour(edited, hair)
    assert found is not None
    np.testing.assert_allclose(found.mean, parse_colour("#204080").mean, atol=3)
    own, new = photo[hair].mean(axis=1), edited[hair].mean(axis=1)
    assert np.corrcoef(own, new)[0, 1] > 0.95
    assert np.array_equal(edited[:, :112], photo[:, :112])


def test_strength_is_continuous_from_the_photo_on(editor: Editor, photo: np.ndarray) -> None:
    means = []
    for strength in (0.0, 0.01, 0.5, 1.0):
        editor.set_style("hair", "#204080", strength=strength)
        edited = np.asarray(editor.composite())
        means.append(float(edited[:, 140:, 2].mean() - edited[:, 140:, 0].mean()))  # from brown to blue
        if strength == 0:
            assert np.array_equal(edited, photo)
    assert abs(means[1] - means[0]) < 3
    assert means[0] < means[2] < means[3]


def test_own_styles_undo_and_reload_give_the_photo_to_the_bit(
    editor: Editor, pipeline: SEANPipeline, photo: np.ndarray, tmp_path: Path
) -> None:
    editor.set_style("hair", editor.styles)
    editor.set_style("skin", "own")
    assert np.array_equal(editor.composite(), photo)
    editor.set_style("hair", "#204080")
    edited = np.asarray(editor.composite())
    editor.save(f"{tmp_path}/p.zip")
    assert np.array_equal(Editor.load(f"{tmp_path}/p.zip", pipeline).composite(), edited)
    editor.undo()
    assert np.array_equal(editor.composite(), photo)
    editor.redo()
    assert np.array_equal(editor.composite(), edited)


def test_a_style_photo_gives_its_colour(editor: Editor, photo: np.ndarray, rng: np.random.Generator) -> None:
    other = rng.integers(0, 30, (*SIZE, 3), dtype=np.uint8)
    other[:, 128:, 0] += 150
    segmap = np.full(SIZE, SKIN)
    segmap[:, 128:] = HAIR
    editor.add_style_photo("red", other, segmap)
    editor.set_style("hair", "photo:red")
    edited = np.asarray(editor.composite())
    np.testing.assert_allclose(edited[:, 150:].mean(axis=(0, 1)), other[:, 150:].mean(axis=(0, 1)), atol=12)


def test_the_style_of_a_recoloured_photo_recolours_it(editor: Editor, photo: np.ndarray) -> None:
    """A map takes some skin for hair, which the mean of the style includes; the edited hair takes little of it."""
    photo[:, 160:] = photo[:, 96:0:-1]
    recoloured = photo.copy()
    recoloured[:, 128:160] //= 2
    segmap = np.full(SIZE, SKIN)
    segmap[:, 125:163] = HAIR
    editor.set_image(photo, segmap)
    editor.add_style_photo("dark", recoloured, segmap)
    editor.set_style("hair", "photo:dark")
    edited = np.asarray(editor.composite())
    inside = np.zeros(SIZE, bool)
    inside[:, 132:156] = True
    found, wanted = region_colour(edited, inside), region_colour(recoloured, inside)
    assert found is not None and wanted is not None
    np.testing.assert_allclose(found.mean, wanted.mean, atol=5.5)  # with all of the skin: 7.3 in L


@pytest.mark.parametrize(("source", "blocks"), [("bank:1", None), ("#204080", [0, 1])])
def test_without_a_known_colour_the_photo_follows_the_model(
    source: str, blocks: list[int] | None, editor: Editor, photo: np.ndarray
) -> None:
    before = np.asarray(editor.render()).astype(float)
    editor.set_style("hair", source, blocks=blocks)
    after = np.asarray(editor.render()).astype(float)
    edited = np.asarray(editor.composite()).astype(float)
    assert np.array_equal(edited[:, :112], photo[:, :112])
    model = (after - before)[:, 36:].mean(axis=(0, 1))
    made = (edited - photo)[:, 144:].mean(axis=(0, 1))
    assert np.abs(model).max() > 1, "the style changes the picture"
    assert np.dot(model, made) > 0.7 * np.linalg.norm(model) * np.linalg.norm(made)


def test_a_painted_part_has_the_photos_colours(editor: Editor, photo: np.ndarray) -> None:
    editor.paint([(0.2, 0.3), (0.3, 0.3)], radius=0.12, label="hair")
    edited = np.asarray(editor.composite()).astype(float)
    changed = (edited != photo).any(axis=2)
    painted = editor.state.segmap != np.where(np.arange(64) < 32, SKIN, HAIR)
    large = np.kron(painted, np.ones((3, 4), bool))
    assert not changed[ndimage.distance_transform_edt(~large) > 8].any()
    assert changed[large].mean() > 0.9
    core = np.zeros(SIZE, bool)
    core[50:66, 48:80] = True
    np.testing.assert_allclose(edited[core].mean(axis=0), photo[:, 140:].mean(axis=(0, 1)), atol=12)


def test_a_crop_stays_in_its_place(pipeline: SEANPipeline, photo: np.ndarray) -> None:
    segmap = np.full(SIZE, SKIN)
    segmap[:, 128:] = HAIR
    editor = Editor(pipeline)
    editor.set_image(photo, segmap, crop=Crop(top=32.0, left=64.0, size=128.0, photo_size=SIZE))
    editor.set_style("hair", "#204080")
    changed = (np.asarray(editor.composite()) != photo).any(axis=2)
    assert changed[64:128, 136:180].mean() > 0.95
    outside = np.ones(SIZE, bool)
    outside[32:160, 64:192] = False
    assert not changed[outside].any()


def test_what_is_refused(editor: Editor, pipeline: SEANPipeline) -> None:
    with pytest.raises(Exception, match="blend"):  # by its type, where types are checked
        editor.composite(blend="soft")  # type: ignore[arg-type]
    empty = Editor(pipeline)
    empty.set_segmap(np.full((64, 64), SKIN))
    with pytest.raises(InputError, match="expected a session with a photo"):
        empty.composite()


def test_a_turned_crop_is_edited_in_its_place(pipeline: SEANPipeline, photo: np.ndarray) -> None:
    segmap = np.full(SIZE, SKIN)
    segmap[:, 128:] = HAIR
    crop = Crop(top=36.0, left=68.0, size=120.0, photo_size=SIZE, angle=40.0)
    editor = Editor(pipeline)
    editor.set_image(photo, segmap, crop=crop)
    seen = editor.state.segmap
    assert [seen[0, 32], seen[32, -1]] == [HAIR, HAIR]  # the photo's right is above and to the right
    assert [seen[-1, 32], seen[32, 0]] == [SKIN, SKIN]
    down, across = np.indices(SIZE) + 0.5
    across, down = across - 128, down - 96
    angle = np.deg2rad(40)
    u, v = across * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - across * np.sin(angle)
    inside = np.maximum(np.abs(u), np.abs(v))
    assert editor.photo is not None
    whole = editor.photo.whole_map(seen, 99)
    assert (whole[inside < 58] == segmap[inside < 58]).mean() > 0.97
    assert (whole[inside > 61] == 99).all()
    editor.set_style("hair", "#204080")
    for blend in ("detail", "paste"):
        changed = (editor.composited(blend=blend) != photo).any(axis=2)
        assert changed[(inside < 45) & (across > 8)].mean() > 0.95
        assert not changed[(inside > 62) | (across < -12)].any()


def test_a_self_edit_of_a_large_photo_is_the_photo(
    pipeline: SEANPipeline, rng: np.random.Generator, tmp_path: Path
) -> None:
    """4 000 x 3 000 pixels: by strength 1, undo, the project and the command, always the same bits."""
    photo = np.tile(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8), (50, 50, 1))
    segmap = np.full((64, 64), SKIN)
    segmap[:, 32:] = HAIR
    editor = Editor(pipeline)
    editor.set_image(photo, segmap)
    editor.set_style("hair", editor.styles, strength=1.0)
    assert np.array_equal(editor.composited(), photo)
    editor.save(tmp_path / "project")
    assert np.array_equal(Editor.load(tmp_path / "project", pipeline).composited(), photo)
    editor.set_style("hair", "#204080")
    assert not np.array_equal(editor.composited(), photo)
    editor.undo()
    assert np.array_equal(editor.composited(), photo)
    pipeline.save_pretrained(tmp_path / "model")
    Image.fromarray(photo).save(tmp_path / "photo.png", compress_level=1)
    Image.fromarray(segmap.astype(np.uint8)).save(tmp_path / "map.png")
    given = ["--model", f"{tmp_path}/model", "--image", f"{tmp_path}/photo.png", "--segmap", f"{tmp_path}/map.png"]
    style = ["--style", f"hair={tmp_path}/photo.png,{tmp_path}/map.png", "--output", f"{tmp_path}/edited.png"]
    assert main(["edit", *given, *style]) == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "edited.png")), photo)
