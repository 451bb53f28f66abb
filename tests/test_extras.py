"""The table of the extras: as pyproject.toml has them, and nothing optional is imported that no extra brings."""

import ast
import importlib.util
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from sean.cli import COMMANDS
from sean.errors import InputError
from sean.extras import EXTRAS, as_input_error, require

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Imported where they are there, and done without where not.
BESIDE = {"lpips", "torchvision", "torch_fidelity"}


def distribution(requirement: str) -> str:
    """The name of a requirement: lower case, with dashes."""
    name = requirement.split(";")[0]
    for sign in "[<>=~! ":
        name = name.split(sign)[0]
    return name.lower().replace("_", "-")


def distributions(extra: str) -> set[str]:
    """What an extra of pyproject.toml installs, other extras of ours included."""
    found = set()
    for requirement in PROJECT["optional-dependencies"][extra]:
        if requirement.startswith("seankit["):
            found |= distributions(requirement.removeprefix("seankit[").rstrip("]"))
        else:
            found.add(distribution(requirement))
    return found


def test_the_table_is_that_of_the_project() -> None:
    assert set(EXTRAS) == set(PROJECT["optional-dependencies"]) - {"dev", "docs"}
    for extra, packages in EXTRAS.items():
        named = {"skimage" if name == "scikit-image" else name.replace("-", "_") for name in distributions(extra)}
        assert named == set(packages), extra


def test_every_import_is_required_or_of_an_extra() -> None:
    required = {distribution(each) for each in PROJECT["dependencies"]}
    homes = packages_distributions()
    known = {package for packages in EXTRAS.values() for package in packages} | BESIDE | {"sean"}
    brought = {"starlette": "fastapi", "pydantic": "fastapi", "fsspec": "s3fs"}
    for file in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for package in {name.split(".")[0] for name in names} - sys.stdlib_module_names:
                package = brought.get(package, package)
                distributions_of = {name.lower().replace("_", "-") for name in homes.get(package, [])}
                assert package in known or distributions_of & required, f"{file}: {package} is brought by no extra"


def test_all_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("fastapi", "uvicorn"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError) as error:
        require("web", "the editor")
    assert str(error.value) == "the editor needs fastapi, uvicorn, which are not installed; pip install 'seankit[web]'"


def test_what_is_there_is_enough() -> None:
    require("photo", "finding faces")


def test_a_module_of_no_extra_is_no_ones_mistake() -> None:
    assert as_input_error(ModuleNotFoundError(name="torch"), "sean") is None
    assert as_input_error(ModuleNotFoundError(), "sean") is None
    line = as_input_error(ModuleNotFoundError(name="skimage.feature"), "sean edit")
    assert str(line) == "sean edit needs skimage, which is not installed; pip install 'seankit[photo]'"


def test_the_matrix_of_commands_and_extras_lacks_no_command() -> None:
    spec = importlib.util.spec_from_file_location("extras_matrix", ROOT / "tools/extras_matrix.py")
    assert spec is not None and spec.loader is not None
    matrix = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(matrix)
    assert {matrix.command_of(name) for name in matrix.LINES} == set(COMMANDS)
