"""A user's program over the public names, under strict type checking: the package carries its types."""

from pathlib import Path

import pytest

api = pytest.importorskip("mypy.api")

CACHE = Path(__file__).resolve().parents[1] / ".mypy_cache" / "user"

PROGRAM = """
from pathlib import Path

import numpy as np
import sean
from PIL import Image


def edited(photo: Path, colour: str) -> Image.Image:
    editor = sean.Editor.from_pretrained()
    editor.set_image(photo, on_no_face="whole")
    editor.set_style("hair", colour, strength=0.8)
    editor.paint([(0.4, 0.2), (0.6, 0.2)], radius=0.05, label="hair")
    editor.undo()
    composited: np.ndarray = editor.composited()
    editor.save_composite(photo.with_suffix(".png"))
    return Image.fromarray(composited)


def exchanged(first: Path, second: Path) -> list[Image.Image]:
    pipe: sean.SEANPipeline = sean.SEANPipeline.from_pretrained(device="cpu", dtype="bfloat16")
    styles = pipe.encode(first), pipe.encode(second)
    mixed: sean.StyleCodes = styles[0].with_region("hair", styles[1])
    maps = [sean.parse(photo) for photo in (first, second)]
    pictures: list[Image.Image] = pipe(maps, [mixed, styles[1]])
    return pictures


def labels(folder: Path) -> tuple[str, ...]:
    try:
        found = sean.LabelSet.from_file(folder / "classes.txt")
    except sean.InputError as error:
        raise SystemExit(str(error)) from error
    parser = sean.Segmenter.from_pretrained("bundled", device="cpu")
    parser.save_pretrained(folder, dtype=__import__("torch").float16)
    return found.names
"""

MISTAKES = """
import sean

editor = sean.Editor.from_pretrained()
editor.set_image("me.jpg", on_no_face="perhaps")  # one of two words
editor.paint([(0.4, 0.2)], radius="wide", label="hair")  # a number
number: int = sean.parse("me.jpg")  # an array
editor.recolor("hair")  # no such method
"""


def checked(folder: Path, program: str) -> tuple[list[str], int]:
    """mypy's complaints about a program of a user, who has no settings for mypy."""
    file = folder / "user.py"
    file.write_text(program)
    said, problems, status = api.run(["--strict", "--config-file=", f"--cache-dir={CACHE}", str(file)])
    assert problems == ""
    return [line for line in said.splitlines() if ": error:" in line], status


@pytest.mark.integration
def test_a_users_program_is_checked_strictly(tmp_path: Path) -> None:
    assert checked(tmp_path, PROGRAM) == ([], 0)


@pytest.mark.integration
def test_a_users_mistakes_are_found(tmp_path: Path) -> None:
    errors, status = checked(tmp_path, MISTAKES)
    assert status == 1
    kinds = [line.rpartition("[")[2].rstrip("]") for line in errors]
    assert kinds == ["arg-type", "arg-type", "assignment", "attr-defined"], errors
