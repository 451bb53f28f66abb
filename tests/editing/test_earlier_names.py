"""Names of version 0.1: scripts of that time run, and say what to write now."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sean
from sean.editing.editor import Editor
from sean.editing.pipeline import SEANPipeline
from sean.labels import CELEBAMASK_HQ
from sean.parsing import faces


def test_open_parser_gives_a_segmenter_that_takes_arrays() -> None:
    from sean.editing.photo_parser import open_parser

    with pytest.warns(DeprecationWarning, match=r"sean\.Segmenter\.from_pretrained"):
        parser = open_parser("bundled", CELEBAMASK_HQ, torch.device("cpu"))
    photo = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    expected = sean.Segmenter.from_pretrained("bundled", CELEBAMASK_HQ, "cpu").segmap(photo)
    assert np.array_equal(parser(photo), expected)
    assert parser(torch.zeros(1, 3, 40, 50)).shape == (1, 40, 50)


def test_faces_are_found_where_they_were() -> None:
    from sean.editing.faces import find_faces

    assert find_faces is faces.find_faces


@pytest.mark.parametrize(("keep_original", "blend"), [(True, "detail"), (False, "render")])
def test_composites_keep_the_original(
    pipeline: SEANPipeline, tmp_path: Path, keep_original: bool, blend: str, rng: np.random.Generator
) -> None:
    editor = Editor(pipeline)
    photo = rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)
    segmap = np.repeat(np.arange(2), 24)[:, None].repeat(48, axis=1)
    editor.set_image(photo, segmap)
    editor.set_style([1], pipeline.encode(255 - photo, segmap))
    expected = editor.composite(blend=blend)  # type: ignore[arg-type]
    with pytest.warns(DeprecationWarning, match="blend"):
        assert np.array_equal(editor.composite(keep_original=keep_original), expected)
    with pytest.warns(DeprecationWarning, match="blend"):
        editor.save_composite(tmp_path / "saved.png", keep_original=keep_original)
    assert np.array_equal(Image.open(tmp_path / "saved.png"), expected)
    assert not np.array_equal(editor.composite(blend="detail"), editor.composite(blend="render"))
