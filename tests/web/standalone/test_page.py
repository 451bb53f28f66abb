"""The page without a server as files: nothing that it names is missing, and it may ask its own host alone."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from sean.pretrained import DEFAULT_MODEL, find_model

ROOT = Path(__file__).resolve().parents[3]
IMPORT = re.compile(r"""(?:from|import\()\s*"(\.{1,2}/[^"]+)"|^import "(\.{1,2}/[^"]+)";""", re.MULTILINE)


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_page", ROOT / "tools" / "build_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(builder: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page without networks and runtime."""
    folder: Path = tmp_path_factory.mktemp("page") / "edit"
    builder._copy_page(folder)
    builder._describe(folder, find_model(DEFAULT_MODEL), {"generator.onnx": "models/generator-1.onnx"})
    builder._list_files(folder, ["models/generator-1.onnx"])
    return folder


def test_every_module_that_is_imported_is_there(page: Path) -> None:
    found = 0
    for module in page.rglob("*.js"):
        for names in IMPORT.findall(module.read_text(encoding="utf-8")):
            found += 1
            assert (module.parent / "".join(names)).is_file(), f"{module.name} imports {names}"
    assert found > 60


def test_the_two_backends_have_the_same_functions(page: Path) -> None:
    exported = re.compile(r"^export (?:async )?(?:const|function|class) (\w+)", re.MULTILINE)
    server = (ROOT / "src/sean/web/static/backend.js").read_text(encoding="utf-8")
    own = (page / "backend.js").read_text(encoding="utf-8")
    assert own != server
    assert set(exported.findall(own)) == set(exported.findall(server))
    words = re.compile(r"^  (\w+): ", re.MULTILINE)
    assert words.findall(own.partition("};")[0]) == words.findall(server.partition("};")[0])


def test_the_page_asks_its_own_host_alone(page: Path) -> None:
    text = (page / "index.html").read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    for rule in policy[1].split("; "):
        assert not {"*", "https:", "http:"} & set(rule.split())
    assert text.index("Content-Security-Policy") < text.index("<script")
    assert "standalone/install.js" in text and "main.js" not in text


def test_the_service_worker_knows_every_file(page: Path) -> None:
    text = (page / "build.js").read_text(encoding="utf-8")
    build = json.loads(text.removeprefix("const BUILD = ").rstrip().removesuffix(";"))
    names = {path.relative_to(page).as_posix() for path in page.rglob("*") if path.is_file()}
    assert set(build["shell"]) == names - {"build.js", "sw.js"}


def test_the_model_is_described(page: Path) -> None:
    described = json.loads((page / "page.json").read_text(encoding="utf-8"))
    assert described["name"] == DEFAULT_MODEL
    assert described["groups"]["lips"] == [11, 12]
    assert described["faces"] is True
