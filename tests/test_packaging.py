"""What a distribution of the project holds: licences, the files that the Dockerfile copies, the sources of the docs."""

import re
import tomllib
from pathlib import Path

import pytest

from sean.cli import main
from sean.pretrained import PARSER_NAME, bundled_models

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_bundled_weights_have_their_terms_beside_them() -> None:
    licenses = {path for pattern in PROJECT["license-files"] for path in ROOT.glob(pattern)}
    name = re.search(r"LicenseRef-\S+", PROJECT["license"])
    assert name is not None and PROJECT["license"].startswith("Apache-2.0 AND ")
    for model in [*bundled_models(), PARSER_NAME]:
        path = ROOT / "src/sean/bundled" / model / "LICENSE"
        assert path in licenses, "the wheel's metadata has a copy of it"
        text = path.read_text(encoding="utf-8")
        assert f"SPDX: {name.group()}" in text and "non-commercial" in text
        assert "non-commercial" in (path.parent / "README.md").read_text(encoding="utf-8")


def test_the_version_tells_the_terms(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"sean {PROJECT['version']}"
    assert "Apache-2.0" in second and "non-commercial" in second


def test_the_container_copies_files_that_are_there() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    assert "src" in copied and "pyproject.toml" in copied
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for name in copied:
        assert (ROOT / name).exists() and name not in ignored
    (extras,) = (line.partition("EXTRAS=")[2] for line in lines if line.startswith("ARG EXTRAS="))
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_source_distribution_takes_every_part_of_the_repository() -> None:
    manifest = (ROOT / "MANIFEST.in").read_text(encoding="utf-8")
    wanted = set(re.findall(r"(?m)^graft (\S+)$", manifest)) | set(manifest.partition("include ")[2].split())
    for path in ROOT.iterdir():
        if path.name in ("docs", "tests", "tools") or path.suffix in (".md", ".cff", ".txt") or path.name == "Makefile":
            assert path.name in wanted, f"{path.name} is in no source distribution"
