"""Projects: the same session again from a folder or a zip file, and one clear line for what is none."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sean.data.faces.drawing import FaceShape, draw_face
from sean.editing.editor import Editor
from sean.editing.pipeline import SEANPipeline
from sean.editing.project import ProjectLimits
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.parsing.faces import Crop

from ..models.architectures import ARCHITECTURES, random_model
from ..pictures import difference
from ..support.pipelines import TINY, random_pipeline, random_styles

FACE = draw_face(FaceShape(), (64, 64))
HAT = CELEBAMASK_HQ.id_of("hat")
CROP = Crop(top=10.5, left=-4.0, size=90.0, photo_size=(120, 100))


@pytest.fixture(scope="module")
def pipeline() -> SEANPipeline:
    torch.manual_seed(0)
    model = random_pipeline(TINY)
    bank = [random_styles(seed) for seed in (10, 11)]
    return SEANPipeline(model.model, model.labels, style_bank=bank, card="# tiny face\n\nA model.\n")


@pytest.fixture(scope="module")
def editor(pipeline: SEANPipeline) -> Editor:
    """Two edits done, one undone, on a cropped photo, whose map was changed before the session began."""
    editor = Editor(pipeline)
    photo = np.random.default_rng(0).integers(0, 256, (120, 100, 3), dtype=np.uint8)
    editor.set_image(photo, np.full((120, 100), 1), crop=CROP)
    editor.add_styles("b", random_styles(3))
    editor.set_style("hair", "photo:b", strength=0.4, blocks=[1, 2])
    unlabelled = np.where(FACE == 0, 19, FACE)
    editor.set_segmap(unlabelled)
    editor.split_region((0.5, 0.5))
    editor.set_style("skin", "photo:b", strength=0.7)
    editor.paint([(0.1, 0.2), (0.9, 0.2)], 0.1, "hat")
    editor.undo()
    return editor


@pytest.fixture(params=["session", "session.zip"])
def saved(request: pytest.FixtureRequest, editor: Editor, tmp_path: Path) -> Path:
    path: Path = tmp_path / request.param
    editor.save(path)
    return path


def assert_same(one: Editor, other: Editor) -> None:
    assert np.array_equal(one.state.segmap, other.state.segmap)
    assert np.array_equal(one.state.instances, other.state.instances)
    assert one.state.styles == other.state.styles
    assert difference(one.render(), other.render()) <= 1
    assert np.array_equal(one.touched, other.touched)
    assert list(one.edits) == list(other.edits)
    assert (one.can_undo, one.can_redo) == (other.can_undo, other.can_redo)


def test_a_project_gives_the_session_back(saved: Path, editor: Editor, pipeline: SEANPipeline) -> None:
    back = Editor.load(saved, pipeline)
    assert_same(back, editor)
    assert back.photo is not None and back.photo.crop == CROP
    assert difference(back.composite(), editor.composite()) <= 1
    assert back.sources == editor.sources
    second = Editor.load(saved, pipeline)
    assert second.redo() and (second.state.segmap == HAT).any() and not (editor.state.segmap == HAT).any()
    while second.undo():
        pass
    assert second.state.styles == {(13, 0): (None, ("photo:b", 0.4), ("photo:b", 0.4), None, None, None)}
    assert np.array_equal(second.state.segmap, np.where(FACE == 0, 19, FACE))


def test_a_project_from_before_crops_were_turned(pipeline: SEANPipeline, tmp_path: Path) -> None:
    editor = Editor(pipeline)
    photo = np.full((120, 100, 3), 90, np.uint8)
    editor.set_image(photo, np.full((120, 100), 1), crop=replace(CROP, angle=20.0))
    editor.save(tmp_path / "p")
    back = Editor.load(tmp_path / "p", pipeline)
    assert back.photo is not None and back.photo.crop == replace(CROP, angle=20.0)
    index = json.loads((tmp_path / "p" / "project.json").read_text())
    del index["crop"]["angle"]
    (tmp_path / "p" / "project.json").write_text(json.dumps(index))
    older = Editor.load(tmp_path / "p", pipeline)
    assert older.photo is not None and older.photo.crop == CROP


def test_a_session_without_a_photo(pipeline: SEANPipeline, tmp_path: Path) -> None:
    editor = Editor(pipeline)
    editor.set_own_styles(pipeline.style_bank[1])
    editor.set_segmap(FACE)
    editor.set_style("hair", "bank:0")
    editor.save(tmp_path / "a.zip")
    back = Editor.load(tmp_path / "a.zip", pipeline)
    assert_same(back, editor)
    assert back.photo is None


@pytest.mark.parametrize("name", ["pix2pixhd", "spade without styles"])
def test_models_with_one_style(name: str, tmp_path: Path) -> None:
    labels = LabelSet(name="three", names=("sky", "tree", "road"))
    model = SEANPipeline(random_model(ARCHITECTURES[name]).float(), labels)
    editor = Editor(model)
    image = np.random.default_rng(0).integers(0, 256, (*model.image_size, 3), dtype=np.uint8)
    editor.set_image(image, np.eye(model.image_size[0], model.image_size[1], dtype=np.int64))
    editor.add_style_photo("b", 255 - image, np.zeros(model.image_size, np.int64))
    editor.set_style("sky", "photo:b", strength=0.5)
    editor.set_segmap(np.ones((4, 4), np.int64))
    editor.paint([(0.5, 0.5)], 0.2, "road")
    editor.save(tmp_path / "a")
    assert_same(Editor.load(tmp_path / "a", model), editor)


def test_saving_again_replaces_what_has_changed_only(pipeline: SEANPipeline, editor: Editor, tmp_path: Path) -> None:
    folder = tmp_path / "session"
    editor.save(folder)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert sorted(name.partition("-")[0] for name in before) == ["photo", "project.json", "seen", "segmap", "styles"]
    again = Editor.load(folder, pipeline)
    again.add_styles("c", random_styles(4))
    again.save(folder)
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(after) == len(before)
    kept = {name for name in before if after.get(name) == before[name]}
    assert {name.partition("-")[0] for name in kept} == {"photo", "seen", "segmap"}
    assert_same(Editor.load(folder, pipeline), again)
    damaged = next(folder.glob("photo-*"))
    damaged.write_bytes(b"")
    again.save(folder)
    assert_same(Editor.load(folder, pipeline), again)


def test_a_folder_of_other_things_is_left_alone(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("beach")
    with pytest.raises(InputError, match=r"expected a new folder or a project at .*, found other files"):
        editor.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.txt"]


def test_a_killed_writer_leaves_the_old_project(
    pipeline: SEANPipeline, editor: Editor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "session"
    editor.save(folder)
    changed = Editor.load(folder, pipeline)
    changed.set_segmap(np.roll(FACE, 5))

    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sean.editing.project.write_text_atomic", killed)
    with pytest.raises(KeyboardInterrupt):
        changed.save(folder)
    assert_same(Editor.load(folder, pipeline), editor)


def refusal(path: Path, pipeline: SEANPipeline, **options: Any) -> str:
    with pytest.raises(InputError) as error:
        Editor.load(path, pipeline, **options)
    message = str(error.value)
    assert "\n" not in message and len(message) < 500
    assert str(path) in message
    return message.replace(str(path), "P")


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        index = json.loads((folder / "project.json").read_text())
        change(index)
        (folder / "project.json").write_text(json.dumps(index))

    return damage


def file_of(folder: Path, name: str) -> Path:
    return next(folder.glob(f"{name}-*"))


def _wrong_size(folder: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(file_of(folder, "segmap"))


def _wrong_labels(folder: Path) -> None:
    Image.fromarray(np.full((64, 64), 30, np.uint8)).save(file_of(folder, "segmap"))


DAMAGES: list[tuple[Callable[[Path], Any], str]] = [
    (lambda folder: (folder / "project.json").unlink(), "expected a project with a project.json at P, found none"),
    (lambda folder: (folder / "project.json").write_text("{"), "the project P: project.json is not readable JSON ("),
    (lambda folder: (folder / "project.json").write_text("[1]"), "P: project.json is not the index of a project ("),
    (lambda folder: (folder / "project.json").write_bytes(b"\xff"), "is not readable JSON (it is not UTF-8)"),
    (lambda folder: (folder / "project.json").write_text("[" * 99_999), "not readable JSON (Invalid JSON: recursion"),
    (edited(lambda index: index.update(files=["../../etc/passwd"])), "project.json is damaged: it names files that"),
    (edited(lambda index: index.update(files=[])), "expected files of segmap and styles"),
    (edited(lambda index: index.update(format="2")), "expected the format 'sean project 1' in project.json, got '2'"),
    (edited(lambda index: index.pop("model")), "not the index of a project (model: Field required)"),
    (edited(lambda index: index.update(edits=None)), "not the index of a project (edits: Input should be a valid"),
    (edited(lambda index: index["edits"].append({"kind": "x"})), "cannot open the project P: unknown kind of edit"),
    (edited(lambda index: index.update(begun_styles=[{"kind": "reset_segmap"}])), "expected only set_style in"),
    (edited(lambda index: index["edits"][1].update(source="photo:c")), "the project P: edit 2: there is no"),
    (edited(lambda index: index.update(style_photos=[])), "expected styles of 0 style photos, got 1"),
    (edited(lambda index: index["crop"].update(size=1e9)), "cannot open the project P: expected a crop of a size"),
    (edited(lambda index: index["crop"].update(photo_size=[5, 5])), "expected a photo of 5 x 5, the crop's, got [120"),
    (lambda folder: file_of(folder, "photo").unlink(), "the project P: No such file or directory; it is"),
    (lambda folder: file_of(folder, "photo").write_bytes(b"GIF89a" * 9), "expected a PNG in photo-"),
    (lambda folder: file_of(folder, "styles").write_bytes(b"x" * 99), "is no style file of sean or is damaged"),
    (_wrong_size, "expected a map of the model's size [64, 64] in segmap-"),
    (_wrong_labels, "expected label ids 0..18 or 19 (unlabelled) of 'celebamask-hq', got 30 in segmap-"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_a_damaged_project_is_told_in_one_line(
    damage: Callable[[Path], Any], message: str, editor: Editor, pipeline: SEANPipeline, tmp_path: Path
) -> None:
    folder = tmp_path / "session"
    editor.save(folder)
    damage(folder)
    assert message in refusal(folder, pipeline)
    archive = tmp_path / "session.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for file in folder.iterdir():
            zipped.write(file, file.name)
    told = refusal(archive, pipeline)
    assert message in told
    assert "/tmp" not in told and "../" not in told, "where it was unpacked is nobody's business"


# what a member's header says of it, in the order of the file: bit 0 of the flags at +6 (local) and +8 (central) is
# "encrypted", the method of compression stands 2 bytes further
@pytest.mark.parametrize(("shift", "value"), [(0, 1), (2, 98)], ids=["encrypted", "unknown compression"])
def test_members_that_cannot_be_unpacked_are_refused(
    editor: Editor, pipeline: SEANPipeline, tmp_path: Path, shift: int, value: int
) -> None:
    path = tmp_path / "a.zip"
    editor.save(path)
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark)
        while place >= 0:
            data[place + flags + shift] = value
            place = data.find(mark, place + 4)
    path.write_bytes(data)
    assert refusal(path, pipeline).startswith("P is no zip file of a project or is damaged (")


def test_a_truncated_file_is_refused(editor: Editor, pipeline: SEANPipeline, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    editor.save(path)
    data = path.read_bytes()
    for length in (0, 10, len(data) // 2, len(data) - 30):
        path.write_bytes(data[:length])
        assert refusal(path, pipeline).startswith("P is no zip file of a project or is damaged (")
    for place in range(0, len(data), len(data) // 30):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            Editor.load(path, pipeline)
        except InputError as error:
            assert "\n" not in str(error)
    assert refusal(tmp_path / "nothing", pipeline) == (
        "expected a project, a folder or a .zip, at P, found none; check the path"
    )


def test_a_project_of_another_model_is_refused(saved: Path, pipeline: SEANPipeline) -> None:
    torch.manual_seed(1)
    other = random_pipeline(TINY)
    assert refusal(saved, other) == (
        "cannot open the project P: it was made with another model ('tiny face'): weights differ; open it with that "
        "model"
    )
    larger = random_pipeline(replace(TINY, image_size=(96, 64)))
    assert "image_size, weights differ" in refusal(saved, larger)
    renamed = LabelSet(name="other", names=tuple(f"label {number}" for number in range(19)))
    assert "labels differ" in refusal(saved, SEANPipeline(pipeline.model, renamed))


def test_limits(saved: Path, pipeline: SEANPipeline) -> None:
    assert Editor.load(saved, pipeline, limits=ProjectLimits(max_pixels=12_000, max_edits=3)).can_redo
    assert "expected at most 2 edits" in refusal(saved, pipeline, limits=ProjectLimits(max_edits=2))
    few = refusal(saved, pipeline, limits=ProjectLimits(max_pixels=11_999))
    assert "expected at most 11999 pixels in photo-" in few and "got 100 x 120" in few


def test_a_bomb_is_not_unpacked(editor: Editor, pipeline: SEANPipeline, tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("project.json", b" " * 3_000_000)
        archive.writestr("../evil.txt", "out")
        archive.writestr("/evil.txt", "out")
    told = refusal(path, pipeline, limits=ProjectLimits(max_bytes=2_000_000))
    assert told == "P unpacks to more than the 2000000 bytes allowed"
    assert "project.json is not readable JSON" in refusal(path, pipeline)
    assert not list(tmp_path.parent.glob("evil*")) and not list(tmp_path.glob("evil*"))
    assert CELEBAMASK_HQ.ignore_id is None  # and so unlabelled pixels, above, had no id of their own in files
