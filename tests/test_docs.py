"""Every Python and shell block of the README and the docs runs as pasted, and every `sean ...` line has true options.

The blocks of a page run one after the other, in a folder with the files that a reader would have: me.jpg, you.jpg,
data folders of drawn faces, and so on. A block that cannot run says why in an HTML comment on the line before it,
<!-- not run: needs ... -->. Trainings are cut to a few steps. `python -m pytest -m slow tests/test_docs.py` runs the
shell blocks.
"""

import contextlib
import functools
import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sean.cli import COMMANDS, _parse
from sean.data.faces.drawing import FaceShape, draw_face
from sean.extras import EXTRAS
from sean.images import read_image, write_image
from sean.labels import CELEBAMASK_HQ
from sean.segmap import colorize, write_segmap

from .data.official import miniature
from .support.forks import fork, run_code, wait

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if path.name != "remarks.md")
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>.+?) -->\n)?```(?P<language>\w+)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)
# What a block that is not run needs, and how many there are of each: a block more has to be counted here.
NOT_RUN = {
    "a checkout": 1,
    "a GPU": 2,
    "a running server": 1,
    "an export": 1,
    "an official file": 1,
    "the network": 2,
    "the package webdataset": 1,
}


# Paths that stand for any.
EXAMPLES = {"src/sean/a/b.py", "tests/a/test_b.py"}


@dataclass(frozen=True)
class Block:
    """A block of code: its language, its text, and why it is not run."""

    language: str
    code: str
    reason: str


def blocks_of(page: str, *languages: str) -> list[Block]:
    """The blocks of a page in these languages, in their order."""
    found = (Block(match["language"], match["code"], (match["reason"] or "").strip()) for match in BLOCK.finditer(page))
    return [block for block in found if block.language in languages]


def code_of(page: str) -> str:
    """The Python blocks of a page that are to run, joined."""
    return "\n".join(block.code for block in blocks_of(page, "python") if not block.reason)


def pages_with(language: str) -> list[Path]:
    """The pages that have a block of a language to run."""
    return [path for path in PAGES if any(not block.reason for block in blocks_of(path.read_text(), language))]


def faces(folder: Path, size: tuple[int, int] = (64, 64)) -> None:
    """A data folder of drawn faces, coloured flat."""
    for number in range(8):
        segmap = draw_face(FaceShape(hair_length=number / 8), size)
        write_image(folder / f"images/{number}.png", colorize(segmap, CELEBAMASK_HQ))
        write_segmap(folder / f"labels/{number}.png", segmap, CELEBAMASK_HQ)
    (folder / "classes.txt").write_text(CELEBAMASK_HQ.to_classes_txt())


def test_pages_are_found_and_blocks_read() -> None:
    assert {"README.md", "editing.md", "training.md"} <= {page.name for page in pages_with("python")}
    assert {"README.md", "index.md", "train.md", "augment.md"} <= {page.name for page in pages_with("sh")}
    page = (
        "```python\nx = 1\n```\n<!-- not run: slow -->\n```python\nx = 2\n```\n```sh\ny\n```\n```python\nx = 3\n```\n"
    )
    assert code_of(page) == "x = 1\n\nx = 3\n"
    assert blocks_of(page, "sh", "python")[2] == Block("sh", "y\n", "")


def test_every_block_has_a_language() -> None:
    for path in PAGES:
        fences = re.findall(r"(?m)^```(.*)$", path.read_text())
        assert all(fences[::2]) and not any(fences[1::2]), f"{path.name}: a block without a language"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_files_and_modules_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    files = set(re.findall(r"`((?:tests|src|tools|docs)/[\w./-]*\w)[^`]*`", text)) - EXAMPLES
    assert not [name for name in files if not (ROOT / name).exists()]
    assert not [name for name in set(re.findall(r"\bsean(?:\.[A-Za-z_]\w*)+", text)) if not names_something(name)]


def names_something(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        place = ROOT.joinpath("src", *parts[:count])
        if place.is_dir() or place.with_suffix(".py").is_file():
            try:
                functools.reduce(getattr, parts[count:], importlib.import_module(".".join(parts[:count])))
            except AttributeError:
                return False
            return True
    return False


def test_names_that_lead_nowhere_are_seen() -> None:
    assert names_something("sean.Editor.set_image") and names_something("sean.onnx.plan")
    assert not names_something("sean.commands.memory") and not names_something("sean.Editor.paints")


def test_blocks_that_are_not_run_are_counted() -> None:
    reasons = Counter()
    for path in PAGES:
        for block in blocks_of(path.read_text(), "python", "sh"):
            if block.reason:
                match = re.match(r"needs ((?:an?|the) (?:official file|package \w+|running server|\w+))", block.reason)
                assert match is not None, f"{path.name}: 'not run: {block.reason}', expected 'not run: needs a ...'"
                reasons[match[1]] += 1
    assert reasons == NOT_RUN


@pytest.mark.integration
@pytest.mark.parametrize("page", pages_with("python"), ids=lambda path: path.name)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    faces(tmp_path / "faces")
    (tmp_path / "gallery").mkdir()
    wait(fork(run_code, code_of(page.read_text(encoding="utf-8")), tmp_path))
    if page.name == "README.md":
        assert read_image(tmp_path / "edited.jpg").shape == (512, 512, 3)


def test_the_results_have_the_remarks() -> None:
    """`sean experiment results --remarks` copies them."""
    remarks = (ROOT / "docs/results/remarks.md").read_text()
    assert f"## Remarks\n\n{remarks.strip()}\n\n## Figures" in (ROOT / "docs/results.md").read_text()


# A line of shell, its continuations joined.
LINE = re.compile(r"(?m)^(?:.*\\\n)*.*$")


def sean_lines(page: str) -> tuple[list[list[str]], list[list[str]]]:
    """The words of every line of a page that calls sean: in shell blocks, run or not; and in `code` of the text.

    Lines with a word in capitals, as --data DIR, or with dots, stand for many and are left out.
    """
    blocks = [line for block in blocks_of(page, "sh") for line in LINE.findall(block.code)]
    text = re.findall(r"`((?:torchrun [^`]*-m )?sean [^`]+)`", BLOCK.sub("", page).replace("\n", " "))
    return _calls(blocks), _calls(text)


def _calls(lines: list[str]) -> list[list[str]]:
    found = []
    for line in lines:
        with contextlib.suppress(ValueError):  # a part of a heredoc
            words = shlex.split(line.replace("\\\n", " "), comments=True)
            if words[:1] == ["torchrun"]:
                words = words[words.index("-m") + 1 :]
            stands_for_many = any(re.fullmatch(r"[A-Z][A-Z_.]*", word) or "..." in word for word in words)
            if len(words) > 1 and words[0] == "sean" and not stands_for_many:
                found.append(words[1:])
    return found


def command_of(words: list[str]) -> str:
    """The subcommand that words begin with; empty where they are none, as --version."""
    return next((name for name in COMMANDS if words[: len(name.split())] == name.split()), "")


@pytest.mark.parametrize(
    "page", [path for path in PAGES if any(sean_lines(path.read_text()))], ids=lambda path: path.name
)
def test_lines_of_sean_have_options_that_there_are(page: Path) -> None:
    blocks, text = sean_lines(page.read_text())
    for words in blocks:
        assert command_of(words), f"{page.name}: there is no command {words}"
        _parse([*words])
    for words in text:
        if words[0].startswith("--") or words == ["data"] or "--help" in words:
            continue
        name = command_of(words)
        assert name, f"{page.name}: there is no command {words}"
        try:
            _parse([*words])
        except ValueError as error:  # the text shows the option that it is about, not all that are required
            assert str(error).startswith("Missing"), f"{page.name}: sean {shlex.join(words)}: {error}"


def test_wrong_lines_are_seen() -> None:
    page = (
        "`sean edit --nothing 3 -o x.png` and `sean train --data DIR`\n```sh\n# x\nsean list \\\n  --model x # y\n```\n"
    )
    assert sean_lines(page) == ([["list", "--model", "x"]], [["edit", "--nothing", "3", "-o", "x.png"]])
    for (words,) in sean_lines(page):
        with pytest.raises(ValueError, match="Unrecognized options: --"):
            _parse(words)


# `sean` of the shell blocks: the command itself, with trainings and judgements cut short, and a server that ends.
SEAN = """#!{python}
import re, subprocess, sys
from sean.cli import main
words = sys.argv[1:]
def cut(**options):
    for name, value in options.items():
        option = "--" + name.replace("_", "-").replace("config-", "config.", 1).replace("model-", "model.", 1)
        if option in words:
            del words[words.index(option) : words.index(option) + 2]
        words.extend([option, *value.split()])
if __name__ == "__main__":  # a process that it starts imports it again
    if words[0] in ("train", "train-parser") and "--dry-run" not in words:
        if "--resume" in words:
            cut(config_steps="3")
        else:
            cut(config_steps="2", config_batch_size="2", config_num_workers="0")
            cut(config_model_image_size="64 64")
            if words[0] == "train":
                cut(config_model_base_channels="2", config_model_style_dim="16")
    elif words[0] == "experiment":
        cut(budget="2")
        if words[1] == "edit-benchmark":
            cut(pairs="2")
    elif words[0] == "export":
        cut(checks="1")
    elif words[:2] == ["data", "speed"]:
        cut(batches="1", steps="1")
    if words[0] == "web":
        server = [sys.executable, "-m", "sean", *words, "--no-open", "--port", "0"]
        server = subprocess.Popen(server, stdout=subprocess.PIPE)
        said = server.stdout.readline().decode()
        server.terminate()
        sys.exit(server.wait() or "the editor is at" not in said)
    sys.exit(main(words))
"""
# `pip` and `make` install and run nothing: they check that what is asked for is there.
PIP = """#!{python}
import re, sys
known = {extras!r}
for extra in re.findall(r"\\[([\\w,]+)\\]", " ".join(sys.argv)):
    assert set(extra.split(",")) <= known, f"there is no extra {{extra}}"
"""
MAKE = """#!{python}
import sys
assert set(sys.argv[1:]) <= {targets!r}, f"there is no target {{sys.argv[1:]}}"
"""


def set_up(folder: Path, page: str) -> dict[str, str]:
    """The files and programs of a reader of a page, given as its text, and the environment to use them in."""
    from skimage.data import astronaut

    import sean

    programs = folder / "programs"
    programs.mkdir()
    targets = set(re.findall(r"(?m)^([\w-]+):", (ROOT / "Makefile").read_text()))
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    assert EXTRAS.keys() <= extras
    for name, text in (("sean", SEAN), ("pip", PIP), ("make", MAKE)):
        values = {"python": sys.executable, "extras": extras, "targets": targets}
        written = text if name == "sean" else text.format(**values)
        (programs / name).write_text(written.replace("{python}", sys.executable))
        (programs / name).chmod(0o755)
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')  # a link would lose its environment
    (programs / "python").chmod(0o755)
    home = folder / "home"
    miniature.celebamask_hq(home / "Downloads/CelebAMask-HQ")
    work = folder / "work"
    work.mkdir()
    for name in ("me.jpg", "you.jpg", "holidays/1.jpg", "holidays/2.jpg", "portraits/1.jpg", "portraits/2.jpg"):
        (work / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.asarray(astronaut())).save(work / name, quality=95)
    shell = "".join(block.code for block in blocks_of(page, "sh") if not block.reason)
    for name in ("faces", "city", "mended"):
        if not re.search(rf"sean data prepare .* {name}\s", shell):  # the page makes it
            faces(work / name)
    sean.data.export(work / "city", work / "export", format="labelme")
    sean.SEANPipeline.from_pretrained(device="cpu").save_pretrained(work / "runs/city/model")
    path = f"{programs}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "HOME": str(home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("sh"), ids=lambda path: path.name)
def test_the_shell_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    """Where Python stands before the first shell block, it makes the files for it, and runs first."""
    pytest.importorskip("skimage")
    pytest.importorskip("pycocotools")
    text = page.read_text(encoding="utf-8")
    environment = set_up(tmp_path, text)
    ran = 0
    before_shell = True
    for block in blocks_of(text, "python", "sh"):
        if block.reason or (block.language == "python" and not before_shell):
            continue
        before_shell = before_shell and block.language == "python"
        command = [sys.executable, "-c", block.code] if block.language == "python" else ["bash", "-ec", block.code]
        done = subprocess.run(command, cwd=tmp_path / "work", env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{block.code}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}"
        ran += block.language == "sh"
    assert ran
