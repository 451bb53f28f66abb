"""--help of the commands: examples, a text for every option, and no torch."""

import re
import subprocess
import sys

import pytest

from sean.cli import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*name.split(), "--help"])
    assert stop.value.code in (0, None)
    printed = capsys.readouterr().out
    assert f"usage: sean {name}" in printed
    assert f"  sean {name}" in printed.split("Examples:")[1]
    bare = [option for option, text in texts_of_options(printed).items() if text.startswith(("(default", "(required"))]
    assert bare == []


def texts_of_options(printed: str) -> dict[str, str]:
    """What --help says of each option, beside it or below it."""
    texts: dict[str, str] = {}
    option = ""
    for line in (line.strip("│ ") for line in printed.splitlines()):
        if line.startswith("-"):
            option, _, texts[option] = re.match(r"(.*?)(\s{2,}|$)(.*)", line).groups()  # type: ignore[union-attr]
        elif option:
            texts[option] = f"{texts[option]} {line}".strip()
    return texts


def test_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in COMMANDS)


@pytest.mark.parametrize("arguments", [["data"], ["data", "--help"], ["data", "-h"]])
def test_a_group_alone_lists_its_subcommands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    listed = [name for name in COMMANDS if f"  {name} " in captured.out]
    assert listed == [name for name in COMMANDS if name.startswith("data ")]
    assert len(listed) >= 4


def test_no_help_loads_torch() -> None:
    """One process for all commands: none of them may load what takes long, as --help must answer at once."""
    code = """
import sys
from sean.cli import COMMANDS, main
heavy = {"torch", "scipy", "skimage", "matplotlib", "lightning_fabric", "fastapi", "transformers"}
for name in COMMANDS:
    try:
        main([*name.split(), "--help"])
    except SystemExit as stop:
        assert not stop.code, name
    loaded = heavy & set(sys.modules)
    assert not loaded, f"sean {name} --help loads {loaded}"
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_help_shows_kinds_without_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["edit", "--help"])
    text = capsys.readouterr().out
    assert (
        "{None}" not in text and "--image PATH" in text and "-o PATH, --output PATH" in text and "-q, --quiet" in text
    )
