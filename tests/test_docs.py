"""Every Python block of the README and the docs runs as pasted.

The blocks of a page run one after the other, in a folder that holds faces/, a data folder of drawn faces. A block that
cannot run says why in an HTML comment on the line before it, <!-- not run: the reason -->.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sean.data.faces.drawing import FaceShape, draw_face
from sean.images import read_image, write_image
from sean.labels import CELEBAMASK_HQ
from sean.segmap import colorize, write_segmap

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")) if "```python" in path.read_text())
BLOCK = re.compile(r"(?:<!-- not run: (?P<reason>.+?) -->\n)?```python\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
THREADS = "import torch\ntorch.set_num_threads(1)\n"


def code_of(page: str) -> str:
    """The blocks of a page that are to run, joined."""
    blocks = [match["code"] for match in BLOCK.finditer(page) if not (match["reason"] or "").strip()]
    return "\n".join(blocks)


def faces(folder: Path) -> None:
    """A data folder of drawn faces, coloured flat."""
    for number in range(8):
        segmap = draw_face(FaceShape(hair_length=number / 8), (64, 64))
        write_image(folder / f"images/{number}.png", colorize(segmap, CELEBAMASK_HQ))
        write_segmap(folder / f"labels/{number}.png", segmap, CELEBAMASK_HQ)
    (folder / "classes.txt").write_text(CELEBAMASK_HQ.to_classes_txt())


def test_pages_are_found_and_blocks_read() -> None:
    assert {"README.md", "editing.md", "training.md"} <= {page.name for page in PAGES}
    page = "```python\nx = 1\n```\n<!-- not run: slow -->\n```python\nx = 2\n```\n```\ny\n```\n```python\nx = 3\n```\n"
    assert code_of(page) == "x = 1\n\nx = 3\n"


@pytest.mark.integration
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    faces(tmp_path / "faces")
    command = [sys.executable, "-c", THREADS + code_of(page.read_text(encoding="utf-8"))]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    if page.name == "README.md":
        assert read_image(tmp_path / "edited.jpg").shape == (512, 512, 3)
