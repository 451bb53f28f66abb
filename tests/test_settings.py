"""Errors name settings, not options of the command line: the library is called from Python, too."""

import ast
import re
from pathlib import Path

import pytest

from sean.cli import main

SOURCE = Path(__file__).resolve().parents[1] / "src/sean"
# the command line itself, and what writes command lines: into reports, and for other programs
WITH_OPTIONS = {"cli.py", "completion.py", "commands", "bench/busy.py", "experiments/report.py", "web/middleware.py"}
OPTION = re.compile(r"(?<![\w-])--[a-z]")


def texts(path: Path) -> list[tuple[int, str]]:
    """All strings of a file, docstrings included, with their lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    strings = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return [(node.lineno, node.value) for node in strings]


def test_no_text_of_the_library_names_an_option() -> None:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if name in WITH_OPTIONS or name.split("/")[0] in WITH_OPTIONS:
            continue
        found += [
            f"{name}:{line}: {text!r}" for line, text in texts(path) if OPTION.search(text) and "torchrun" not in text
        ]
    assert not found, "\n".join(found)


def test_the_command_line_adds_the_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "metrics.jsonl").touch()
    assert main(["train", "--preset", "synthetic", "--output", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said == f"sean: {tmp_path} already holds a training; resume it or choose another folder (--resume)\n"
