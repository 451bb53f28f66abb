"""The completion of the shell: its script, run by bash, offers commands, members of groups and options."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sean.cli import main


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("XDG_DATA_HOME", str(home))
        assert main(["--install-completion", "bash"]) == 0
    return home / "bash-completion/completions/sean"


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("sean ed", ["edit"]),
        ("sean data pa", ["parse"]),
        ("sean edit --style", ["--style", "--style-photo"]),
        ("sean data parse --cr", ["--crop"]),
    ],
)
def test_bash_offers(words: str, offered: list[str], script: Path, tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    last = len(words.split()) - 1
    ask = f'source {script}; COMP_WORDS=({words}); COMP_CWORD={last}; _tyro_sean; printf "%s\\n" "${{COMPREPLY[@]}}"'
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    found = subprocess.run(["bash", "-c", ask], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == offered


def test_the_shell_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZDOTDIR", str(tmp_path))
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    assert main(["--install-completion"]) == 0
    assert "compinit" in capsys.readouterr().out
    assert (tmp_path / ".zfunc/_sean").read_text().startswith("#compdef sean")


def test_an_unknown_shell_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--install-completion", "fish"]) == 2
    assert capsys.readouterr().err == "sean: expected the shell as bash or zsh, got fish; name it after the option\n"


def test_a_file_in_place_of_the_folder_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".zfunc").write_text("mine")
    monkeypatch.setenv("ZDOTDIR", str(tmp_path))
    assert main(["--install-completion", "zsh"]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and f"cannot write {tmp_path}/.zfunc/_sean" in line
