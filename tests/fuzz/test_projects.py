"""Damaged projects, edits and exports: a session of this model, or one line."""

import json
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sean.editing.editor import Editor
from sean.editing.edits import edit_from_json
from sean.editing.pipeline import SEANPipeline
from sean.onnx.manifest import FORMAT, Manifest, read_manifest

from ..support.pipelines import random_pipeline, random_styles
from .damage import changed, damaged, damaged_json, few, read

EDITS = [
    {"kind": "paint", "points": [[0.1, 0.2], [0.3, 0.4]], "radius": 0.1, "label": "hair"},
    {"kind": "erase", "points": [[0.1, 0.2]], "radius": 0.1},
    {"kind": "fill", "point": [0.5, 0.5], "label": "skin"},
    {"kind": "polygon", "points": [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]], "label": 3, "keep": ["hair"]},
    {"kind": "replace_label", "old": "hair", "new": "hat"},
    {"kind": "reset_segmap"},
    {"kind": "set_style", "source": "own", "regions": ["hair"], "strength": 0.5, "blocks": [1, 2]},
]


@pytest.fixture(scope="module")
def pipeline() -> SEANPipeline:
    return random_pipeline()


@pytest.fixture(scope="module")
def project(pipeline: SEANPipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder."""
    editor = Editor(pipeline, parser=None)
    segmap = np.random.default_rng(0).integers(0, 19, (64, 64))
    photo = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    editor.set_image(photo, segmap, crop="none")
    editor.add_styles("you", random_styles(3))
    editor.apply(edit_from_json(EDITS[0]))
    editor.set_style("hair", "photo:you")
    editor.undo()
    path = tmp_path_factory.mktemp("project") / "sound"
    editor.save(path)
    return path


def opened(path: Path, pipeline: SEANPipeline) -> Editor | None:
    editor = read(lambda: Editor.load(path, pipeline, parser=None))
    if editor is not None:
        assert editor.state.segmap.shape == (64, 64) and editor.state.segmap.max() <= 19
    return editor


@few
@given(data=st.data())
def test_files_of_a_project(project: Path, pipeline: SEANPipeline, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(path.name for path in project.iterdir())))
    with TemporaryDirectory() as folder:
        for path in project.iterdir():
            content = path.read_bytes()
            if path.name == name:
                text = path.suffix == ".json" and data.draw(st.booleans())
                content = data.draw(damaged_json(json.loads(content)) if text else damaged(content))
            (Path(folder) / path.name).write_bytes(content)
        opened(Path(folder), pipeline)


@few
@given(data=st.data())
def test_zip_files_of_a_project(project: Path, pipeline: SEANPipeline, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(project.iterdir()):
                archive.write(file, file.name)
        path.write_bytes(data.draw(damaged(path.read_bytes())))
        opened(path, pipeline)
        assert sorted(Path(folder).iterdir()) == [path]


@few
@given(data=st.data())
def test_edits(pipeline: SEANPipeline, data: st.DataObject) -> None:
    editor = Editor(pipeline, parser=None)
    editor.set_segmap(np.zeros((64, 64), np.int64))
    before = editor.state.segmap.copy()
    edit = read(lambda: edit_from_json(data.draw(changed(data.draw(st.sampled_from(EDITS))))))
    if edit is not None and read(lambda: editor.apply(edit)) is None:
        assert np.array_equal(editor.state.segmap, before) and editor.num_edits == 0


MANIFEST: dict[str, Any] = {
    "format": FORMAT,
    "labels": {"name": "two", "names": ["sky", "sea"], "palette": None, "ignore_id": None, "flip_pairs": []},
    "image_size": [64, 64],
    "parser_size": None,
    "code_dim": 8,
    "num_blocks": 6,
    "instance_edges": False,
    "files": {"encoder.onnx": {"sha256": "00" * 32}},
}


@given(content=damaged_json(MANIFEST))
@example(content=json.dumps({**MANIFEST, "image_size": [0, 64]}).encode())
@example(content=json.dumps({**MANIFEST, "code_dim": -1}).encode())
def test_manifests_of_exports(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "manifest.json").write_bytes(content)
        manifest = read(lambda: read_manifest(Path(folder)))
        if isinstance(manifest, Manifest):
            assert len(manifest.image_size) == 2 and min(*manifest.image_size, manifest.code_dim) > 0
            assert read(lambda: manifest.read("encoder.onnx")) is None
