"""The editor on a tiny model: sessions, pictures, what is kept of the photo, and replays equal bit for bit."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import sean
from sean.data.faces.drawing import FaceShape, draw_face
from sean.editing.editor import Editor
from sean.editing.edits import Paint, ResetSegmap, SetStyle, edit_from_json, new_edit
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.parsing.faces import Crop
from sean.parsing.segmenter import Segmenter

from ..models.architectures import ARCHITECTURES, random_model
from ..pictures import difference
from ..profiles import WIDE_GAMUT
from ..support.pipelines import TINY, random_pipeline, random_styles
from .test_history import some_step

FACE = draw_face(FaceShape(), (64, 64))
HAIR, SKIN, HAT = (CELEBAMASK_HQ.id_of(name) for name in ("hair", "skin", "hat"))


class FaceOnTheLeft(Segmenter):
    """Finds skin where red is above 127, and remembers what it saw."""

    size = (64, 64)

    def __init__(self, labels: LabelSet = CELEBAMASK_HQ) -> None:
        self.labels = labels
        self.seen: list[np.ndarray] = []

    def segmap(self, image: np.ndarray) -> np.ndarray:
        self.seen.append(image)
        return (image[:, :, 0] > 127).astype(np.int64) * SKIN


def with_bank(model: SEANPipeline) -> SEANPipeline:
    return SEANPipeline(model.model, model.labels, style_bank=[random_styles(seed, 0.8) for seed in (10, 11, 12)])


@pytest.fixture(scope="module")
def pipeline() -> SEANPipeline:
    torch.manual_seed(0)
    return with_bank(random_pipeline(TINY))


@pytest.fixture
def photo(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.fixture
def editor(pipeline: SEANPipeline, photo: np.ndarray) -> Editor:
    editor = Editor(pipeline)
    editor.set_image(photo, FACE)
    return editor


def picture(editor: Editor, **options: Any) -> np.ndarray:
    return np.asarray(editor.render(**options))


def test_the_package_exports_it() -> None:
    assert sean.Editor is Editor


def test_the_first_picture_is_the_reconstruction(pipeline: SEANPipeline, editor: Editor, photo: np.ndarray) -> None:
    own = pipeline.encode(photo, FACE)
    assert difference(picture(editor), pipeline.fork()(FACE, own)) <= 1
    assert difference(picture(editor, seed=3), pipeline.fork()(FACE, own, noise=True, seed=3)) <= 1
    assert not np.array_equal(picture(editor, seed=3), picture(editor))
    assert not editor.touched.any()
    assert (editor.can_undo, editor.can_redo, list(editor.edits)) == (False, False, [])


def test_edits_give_the_pipelines_pictures(pipeline: SEANPipeline, editor: Editor, photo: np.ndarray) -> None:
    own, other = pipeline.encode(photo, FACE), random_styles(3)
    editor.add_styles("other", other)
    editor.fill((0.02, 0.02), "hat")
    segmap = editor.state.segmap
    assert segmap[0, 0] == HAT and np.array_equal(segmap == HAT, editor.touched)
    own = own.completed(sean.editing.styles.mean_style(pipeline.style_bank))
    assert difference(picture(editor), pipeline.fork()(segmap, own)) <= 1
    editor.set_style("hair", "photo:other")
    editor.set_style(["skin", "nose"], "photo:other", strength=0.3)
    mixed = own.with_region("hair", other).lerp(other, 0.3, ["skin", "nose"])
    assert difference(picture(editor), pipeline.fork()(segmap, mixed)) <= 1
    editor.undo()
    editor.undo()
    editor.set_style("photo:other", blocks=[3, 4, 5])
    assert difference(picture(editor), pipeline.fork()(segmap, [own] * 3 + [other] * 3)) <= 1
    editor.set_style("skin", "region:hair")
    codes = own.codes.clone()
    codes[SKIN] = own.codes[HAIR]
    crossed = StyleCodes(other.codes.index_copy(0, torch.tensor([SKIN]), own.codes[[HAIR]]), own.present, own.labels)
    skin = StyleCodes(codes, own.present, own.labels)
    assert difference(picture(editor), pipeline.fork()(segmap, [skin] * 3 + [crossed] * 3)) <= 1


def test_instances_take_styles_of_their_own(pipeline: SEANPipeline, editor: Editor) -> None:
    """The hair, cut in two by a line of skin: two halves, two styles."""
    editor.paint([(0.5, 0.0), (0.5, 0.4)], 0.03, "skin")
    before = picture(editor)
    row, column = np.argwhere(editor.state.segmap == HAIR)[0]
    number = editor.split_region(((column + 0.5) / 64, (row + 0.5) / 64))
    assert difference(picture(editor), before) <= 1
    half = editor.state.instances == number
    assert 0 < half.sum() < (editor.state.segmap == HAIR).sum()
    editor.set_style("hair", "bank:0", instance=number)
    own = editor._sources.complete_own
    other = own.with_region("hair", pipeline.style_bank[0])
    expected = pipeline.fork()(editor.state.segmap, [[own] * 6, [other] * 6], variants=half.astype(int))
    assert difference(picture(editor), expected) <= 1
    assert not np.array_equal(picture(editor), before)
    # equal styles, of class and instance, are the class-wise picture exactly
    editor.set_style("hair", "bank:0")
    assert difference(picture(editor), pipeline.fork()(editor.state.segmap, other)) <= 1


def test_equal_instances_share_a_variant(editor: Editor) -> None:
    from sean.editing.state import render_styles

    places = {label: np.argwhere(label == FACE)[0] for label in (HAIR, SKIN)}
    numbers = {}
    for label, (row, column) in places.items():
        numbers[label] = editor.split_region(((column + 0.5) / 64, (row + 0.5) / 64))
    for label, number in numbers.items():
        editor.set_style(label, "bank:1", instance=number)
    styles = render_styles(editor.state, editor._begun)
    assert len(styles.variants) == 2  # one more serves the instances of all labels
    assert styles.numbers is not None
    assert np.array_equal(styles.numbers, (editor.state.instances > 0).astype(int))
    editor.set_style(HAIR, "bank:1")
    editor.set_style(SKIN, "own", instance=numbers[SKIN])
    styles = render_styles(editor.state, editor._begun)
    assert len(styles.variants) == 1 and styles.numbers is None


def test_touched_is_what_differs_from_the_photo(editor: Editor) -> None:
    editor.set_style("hair", "bank:0", strength=0.0)
    assert not editor.touched.any()
    editor.set_style("hair", "bank:0", strength=0.5, blocks=[2])
    assert np.array_equal(editor.touched, FACE == HAIR)
    editor.set_style("own")
    editor.paint([(0.5, 0.5)], 0.1, "hat")
    assert np.array_equal(editor.touched, editor.state.segmap == HAT)
    editor.erase([(0.5, 0.5)], 0.2)
    assert not editor.touched.any()
    editor.split_region((0.5, 0.5))
    assert np.array_equal(editor.touched, editor.state.instances == 1)
    editor.set_segmap(np.where(FACE == HAIR, HAT, FACE))  # of the same photo
    assert np.array_equal(editor.touched, FACE == HAIR)


@pytest.mark.parametrize("size", [(64, 64), (150, 90), (40, 200)])
def test_the_composite_keeps_untouched_pixels(
    pipeline: SEANPipeline, size: tuple[int, int], rng: np.random.Generator
) -> None:
    whole = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    editor = Editor(pipeline)
    editor.set_image(whole, FACE)
    assert np.array_equal(editor.composite(), whole)
    editor.set_style("hair", "bank:0")
    rows = np.arange(size[0])[:, None] * 64 // size[0]
    columns = np.arange(size[1])[None] * 64 // size[1]
    touched = editor.touched[rows, columns]
    result = np.asarray(editor.composite(blend="paste", margin=0.0))
    assert result.shape == whole.shape
    assert np.array_equal(result[~touched], whole[~touched])
    rendered = np.asarray(editor.render().resize(size[::-1], Image.Resampling.BICUBIC))
    changed = (result != whole).any(axis=2)
    assert changed.sum() > 0.5 * touched.sum()
    if size == (64, 64):
        assert np.array_equal(result[touched], rendered[touched])
    assert np.array_equal(editor.composite(blend="render"), rendered)


def test_a_margin_fades_out_around_what_is_touched(editor: Editor, photo: np.ndarray) -> None:
    editor.set_style("hair", "bank:0")
    touched, rendered = editor.touched, picture(editor).astype(float)
    result = np.asarray(editor.composite(blend="paste", margin=2 / 64)).astype(float)
    assert np.array_equal(result[touched], rendered[touched])
    near = np.zeros_like(touched)
    for dy, dx in np.ndindex(5, 5):
        near |= np.roll(touched, (dy - 2, dx - 2), (0, 1))
    assert np.array_equal(result[~near], photo[~near])
    beside = np.roll(touched, 1, 0) & ~touched
    beside[0] = False  # there, what np.roll brings comes from the other end
    t = 1 - 1 / 3
    share = t * t * (3 - 2 * t)
    expected = photo[beside] + share * (rendered[beside] - photo[beside])
    assert np.abs(result[beside] - expected).max() <= 1.5
    with pytest.raises(InputError, match=re.escape("expected a margin in [0, 0.1], got 0.2")):
        editor.composite(margin=0.2)


def test_a_crop_is_edited_and_put_back(pipeline: SEANPipeline, rng: np.random.Generator) -> None:
    whole = rng.integers(0, 256, (160, 200, 3), dtype=np.uint8)
    crop = Crop(top=20.0, left=-16.0, size=128.0, photo_size=(160, 200))
    segmap = np.zeros((160, 200), np.int64)
    segmap[:, 48:] = SKIN
    editor = Editor(pipeline)
    editor.set_image(whole, segmap, crop=crop)
    # the crop shows columns -16..111: the skin begins at its middle
    assert (editor.state.segmap == np.where(np.arange(64) < 32, 0, SKIN)).all()
    assert editor.original is not None and editor.original.shape == (64, 64, 3)
    assert np.array_equal(editor.composite(), whole)
    editor.set_style("bank:0", "skin")
    changed = (np.asarray(editor.composite(blend="paste", margin=0.0, feather=0.0)) != whole).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 147, 48, 111)
    assert (np.asarray(editor.composite(blend="render", feather=0.0))[:20] == whole[:20]).all()


def test_a_parser_makes_the_map(pipeline: SEANPipeline) -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[:, :50] = 255
    parser = FaceOnTheLeft()
    editor = Editor(pipeline, parser=parser)
    editor.set_image(Image.fromarray(image), crop="none")
    assert np.array_equal(editor.state.segmap, np.where(np.arange(64) < 32, SKIN, 0) * np.ones((64, 1), int))
    assert [seen.shape for seen in parser.seen] == [(256, 256, 3)]
    editor.set_image(image, crop=Crop(top=0.0, left=0.0, size=50.0, photo_size=(100, 100)))
    assert (editor.state.segmap == SKIN).all()
    assert editor.add_style_photo("b", image, crop=None) == "photo:b"
    assert editor.sources["photo:b"] == ("background", "skin")


def test_a_photo_without_a_face_is_refused_or_taken_whole(pipeline: SEANPipeline) -> None:
    editor = Editor(pipeline, parser=FaceOnTheLeft())
    grey = np.full((40, 80, 3), 200, np.uint8)
    with pytest.raises(InputError, match="expected a face in the photo, found none; take the whole picture"):
        editor.set_image(grey)
    assert not editor.begun
    editor.set_image(grey, on_no_face="whole")
    assert editor.photo is not None
    assert editor.photo.crop == Crop(top=-20.0, left=0.0, size=80.0, photo_size=(40, 80))


def test_a_session_may_begin_with_a_map_and_a_style(pipeline: SEANPipeline) -> None:
    editor = Editor(pipeline)
    editor.set_segmap(FACE)
    mean = sean.editing.styles.mean_style(pipeline.style_bank)
    assert difference(picture(editor), pipeline.fork()(FACE, mean)) <= 1
    editor.set_style("hair", "bank:1")
    editor.set_own_styles(pipeline.style_bank[2])
    assert difference(picture(editor), pipeline.fork()(FACE, pipeline.style_bank[2])) <= 1
    assert not editor.can_undo
    assert editor.original is None and editor.photo is None
    with pytest.raises(InputError, match="expected a session with a photo"):
        editor.composite()


def test_a_new_map_keeps_class_styles_and_begins_anew(editor: Editor) -> None:
    editor.set_style("hair", "bank:0")
    number = editor.split_region((0.5, 0.5))
    label = int(editor.state.segmap[32, 32])
    editor.set_style(label, "mean", instance=number)
    editor.set_segmap(np.full((8, 8), HAIR))
    assert editor.state.segmap.shape == (64, 64) and not editor.can_undo
    assert set(editor.state.styles) == {(HAIR, 0)}
    editor.set_image(np.zeros((64, 64, 3), np.uint8), FACE)
    assert not editor.state.styles


def test_a_preview_is_not_kept(editor: Editor) -> None:
    stroke = Paint(points=((0.1, 0.1), (0.9, 0.9)), radius=0.05, label="hat")
    before = picture(editor)
    state = editor.after(stroke)
    preview = picture(editor, state=state, quick=True)
    assert not editor.can_undo and difference(picture(editor), before) <= 1
    editor.apply(stroke)
    assert np.array_equal(editor.state.segmap, state.segmap)
    assert np.abs(picture(editor).astype(int) - preview).max() <= 1


def test_a_rendered_picture_is_the_callers(editor: Editor) -> None:
    before = picture(editor)
    editor.render().paste((0, 0, 0), (0, 0, 64, 64))
    assert difference(picture(editor), before) <= 1


def test_editors_do_not_see_each_other(pipeline: SEANPipeline, editor: Editor, photo: np.ndarray) -> None:
    other = Editor(pipeline)
    other.set_image(photo[::-1].copy(), FACE)
    other.add_styles("mine", random_styles(1))
    before = picture(editor)
    other.set_style("photo:mine")
    assert difference(picture(editor), before) <= 1
    assert "photo:mine" not in editor.sources


@given(st.lists(some_step, min_size=4, max_size=8))
@settings(max_examples=8)
def test_a_replay_gives_the_same_map_styles_and_picture(pipeline: SEANPipeline, steps: list[Any]) -> None:
    """Whatever was rendered, undone and redone meanwhile."""
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    one, fresh = Editor(pipeline), Editor(pipeline)
    for each in (one, fresh):
        each.set_image(image, FACE)
    for step in steps:
        if isinstance(step, dict):
            one.apply(edit_from_json(step))
        else:
            one.redo() if step == "redo" else one.undo()
            one.render(quick=True)
    fresh.replay(one.edits)
    assert np.array_equal(one.state.segmap, fresh.state.segmap)
    assert np.array_equal(one.state.instances, fresh.state.instances)
    assert one.state.styles == fresh.state.styles
    assert difference(picture(one), picture(fresh)) <= 1
    assert np.array_equal(one.touched, fresh.touched)
    assert one.regions == fresh.regions


def test_a_replay_says_which_edit_fails(editor: Editor) -> None:
    with pytest.raises(InputError, match=r"^edit 2: there is no style 'photo:x'"):
        editor.replay([ResetSegmap(), SetStyle(source="photo:x"), ResetSegmap()])
    assert editor.num_edits == 1


@pytest.mark.parametrize("name", ["pix2pixhd", "spade with vae", "spade without styles"])
def test_models_with_one_style(name: str) -> None:
    model = random_model(ARCHITECTURES[name]).float()
    labels = LabelSet(name="three", names=("sky", "tree", "road"))
    pipeline = SEANPipeline(model, labels)
    image = np.random.default_rng(0).integers(0, 256, (*pipeline.image_size, 3), dtype=np.uint8)
    segmap = np.zeros(pipeline.image_size, np.int64)
    segmap[:, 20:] = 1
    editor = Editor(pipeline)
    editor.set_image(image, segmap)
    assert difference(picture(editor), pipeline(segmap, pipeline.encode(image, segmap))) <= 1
    editor.paint([(0.5, 0.5)], 0.2, "road")
    editor.add_style_photo("b", 255 - image, segmap)
    editor.set_style("sky", "photo:b", strength=0.5)
    assert picture(editor).shape == image.shape
    with pytest.raises(InputError, match="set_style: this model has no styles per block or instance; leave"):
        editor.set_style("sky", "photo:b", blocks=[0])
    with pytest.raises(InputError, match="split_region: this model has no styles per instance; SEAN models have"):
        editor.split_region((0.1, 0.1))


def test_wrong_use_is_told_in_one_line(pipeline: SEANPipeline, editor: Editor, photo: np.ndarray) -> None:
    nothing = Editor(pipeline)
    assert not nothing.begun and not nothing.undo() and not nothing.redo() and list(nothing.edits) == []
    begin = "expected a picture or a map to edit; begin with set_image or set_segmap"
    for use in (lambda: nothing.paint([(0.0, 0.0)], 0.1, "hair"), nothing.render, lambda: nothing.touched):
        with pytest.raises(InputError, match=begin):
            use()
    with pytest.raises(InputError, match="expected a label map with the photo, as there is no parser to make one"):
        Editor(pipeline, parser=None).set_image(photo)
    with pytest.raises(InputError, match="expected a parser for the labels 'celebamask-hq' of the model, got one"):
        Editor(pipeline, parser=FaceOnTheLeft(LabelSet(name="two", names=("a", "b"))))
    with pytest.raises(InputError, match="expected a crop of a photo of 64 x 64"):
        editor.set_image(photo, FACE, crop=Crop(top=0.0, left=0.0, size=9.0, photo_size=(9, 9)))
    with pytest.raises(InputError, match="expected a picture as uint8"):
        editor.set_image(photo[:, :, 0], FACE)
    with pytest.raises(InputError, match=re.escape("expected label ids 0..18")):
        editor.set_image(photo, FACE + 200)
    with pytest.raises(InputError, match="expected no own styles for a session with a photo"):
        editor.set_own_styles(random_styles(0))
    with pytest.raises(InputError, match="paint: expected points as"):
        editor.paint([(0.0,)], 0.1, "hair")
    editor.add_styles("a", random_styles(0))
    with pytest.raises(InputError, match="there is a style photo named 'a' already; choose another name"):
        editor.add_styles("a", random_styles(1))
    with pytest.raises(InputError, match="expected a name of 1 to 100 printable characters"):
        editor.add_styles("a\nb", random_styles(1))
    with pytest.raises(InputError, match=re.escape("expected styles of this model, [19, 8] of 'celebamask-hq', got")):
        editor.add_styles("c", StyleCodes(torch.zeros(19, 3), torch.ones(19, dtype=torch.bool), CELEBAMASK_HQ))
    assert np.array_equal(editor.composite(), photo), "the session goes on"


def test_a_photo_with_a_profile_and_transparency_comes_back_to_the_bit(pipeline: SEANPipeline, tmp_path: Path) -> None:
    generator, exif = np.random.default_rng(3), Image.Exif()
    values = generator.integers(0, 256, (96, 96, 4), dtype=np.uint8)
    exif[0x0112], exif[0x010F] = 8, "a camera"
    Image.fromarray(np.rot90(values, -1)).save(tmp_path / "me.png", icc_profile=WIDE_GAMUT, exif=exif)
    editor = Editor(pipeline)
    editor.set_image(tmp_path / "me.png", np.full((96, 96), 1))
    editor.save_composite(tmp_path / "same.png")
    editor.save(tmp_path / "session.zip")
    editor.paint([(0.2, 0.2)], 0.1, "hat")
    editor.save_composite(tmp_path / "edited.png")
    same, edited = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("same", "edited"))
    assert np.array_equal(same, values)
    assert np.array_equal(edited[48:], values[48:]) and np.array_equal(edited[:, :, 3], values[:, :, 3])
    assert (edited[:48] != values[:48]).any()
    with Image.open(tmp_path / "edited.png") as image:
        assert image.info["icc_profile"] == WIDE_GAMUT
        assert image.getexif()[0x010F] == "a camera" and image.getexif().get(0x0112, 1) == 1
    again = Editor.load(tmp_path / "session.zip", pipeline)
    again.paint([(0.2, 0.2)], 0.1, "hat")
    again.save_composite(tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "edited.png").read_bytes()


def test_a_map_turned_against_the_photo_is_refused_and_the_session_goes_on(pipeline: SEANPipeline) -> None:
    editor = Editor(pipeline)
    editor.set_image(np.zeros((60, 90, 3), np.uint8), np.full((60, 90), 1))
    for given_map in (np.full((90, 60), 1), np.full((90, 90), 1)):
        with pytest.raises(InputError, match=r"expected a photo and its label map of one size, or of one shape"):
            editor.set_image(np.zeros((60, 90, 3), np.uint8), given_map)
        with pytest.raises(InputError, match=r"of one shape"):
            editor.add_style_photo("you", np.zeros((60, 90, 3), np.uint8), given_map)
    assert editor.photo is not None and editor.photo.image.shape == (60, 90, 3)


def test_labels_that_are_to_be_kept_stay_under_brush_and_polygon(pipeline: SEANPipeline) -> None:
    editor = Editor(pipeline)
    segmap = np.zeros((64, 64), np.int64)
    segmap[20:28, 20:28] = CELEBAMASK_HQ.id_of("l_eye")
    segmap[20:28, 40:48] = CELEBAMASK_HQ.id_of("nose")
    editor.set_segmap(segmap)
    hair = CELEBAMASK_HQ.id_of("hair")
    for paint in (
        lambda: editor.paint([(0.1, 0.4), (0.9, 0.4)], 0.2, "hair", keep=["eyes"]),
        lambda: editor.polygon([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)], "hair", keep=["l_eye"]),
    ):
        paint()
        assert (editor.state.segmap[20:28, 20:28] == CELEBAMASK_HQ.id_of("l_eye")).all()
        assert (editor.state.segmap[20:28, 40:48] == hair).all()
        (edit,) = editor.edits
        assert edit_from_json(edit.to_json()) == edit
        editor.undo()
    editor.paint([(0.5, 0.4)], 0.5, "hair")
    assert "keep" not in next(editor.edits).to_json()
    assert (editor.state.segmap[20:28, 20:28] == hair).all()


def test_a_branch_opens_another_picture_and_leaves_the_first_alone(pipeline: SEANPipeline) -> None:
    rng = np.random.default_rng(3)
    first, second = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    segmap = np.full((64, 64), CELEBAMASK_HQ.id_of("skin"))
    editor = Editor(pipeline)
    editor.set_image(first, segmap)
    editor.add_style_photo("other", second, segmap)
    editor.set_style("skin", "photo:other")
    before = np.asarray(editor.render())
    branch = editor.branch()
    assert np.array_equal(np.asarray(branch.render()), before) and not branch.can_undo
    branch.set_image(second, segmap)
    branch.paint([(0.5, 0.5)], 0.2, "hair")
    assert "photo:other" in branch.sources
    assert np.array_equal(np.asarray(editor.render()), before) and editor.num_edits == 1
    editor.undo()
    assert not editor.can_undo and editor.can_redo
    assert [edit.kind for edit in editor.undone] == ["set_style"]


def test_the_composite_of_a_state_in_a_smaller_photo(pipeline: SEANPipeline) -> None:
    photo = np.random.default_rng(4).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    editor = Editor(pipeline)
    editor.set_image(photo, np.full((64, 64), CELEBAMASK_HQ.id_of("skin")))
    smaller = editor.photo_at(64)
    assert smaller.image.shape == (64, 64, 3) and editor.photo_at(64) is smaller
    assert editor.photo_at(500) is editor.photo
    assert np.array_equal(editor.composited(max_side=64), smaller.image)  # nothing was changed
    edit = new_edit(Paint, points=[(0.5, 0.5)], radius=0.2, label="hair")
    shown = editor.composited(editor.after(edit), max_side=64)
    assert editor.num_edits == 0 and not np.array_equal(shown, smaller.image)
    editor.apply(edit)
    assert np.array_equal(editor.composited(max_side=64), shown)
