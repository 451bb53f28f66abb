"""The hooks that make parts of the documentation site; `make docs` builds it as a whole, strictly."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from sean.cli import COMMANDS

pytest.importorskip("mkdocs")
pytest.importorskip("latex2mathml")
from mkdocs.exceptions import PluginError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "tools/site_hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(name: str) -> SimpleNamespace:
    return SimpleNamespace(file=SimpleNamespace(src_uri=name))


@pytest.mark.parametrize(
    ("text", "suffix", "addresses"),
    [
        ('<script src="https://a.org/x.js"></script>', ".html", ["https://a.org/x.js"]),
        ('<link rel="stylesheet" href="//a.org/x.css">', ".html", ["//a.org/x.css"]),
        ('<link rel="canonical" href="https://a.org/"><a href="https://b.org/">b</a>', ".html", []),
        ('<img srcset="x.png 1x, https://a.org/x.png 2x">', ".html", ["https://a.org/x.png"]),
        ('<img src="x.png"><div style="background: url(\'http://a.org/x.png\')">', ".html", ["http://a.org/x.png"]),
        ('<svg xmlns="http://www.w3.org/2000/svg"><image href="https://a.org/x"/></svg>', ".svg", ["https://a.org/x"]),
        ('@import "https://a.org/x.css"; a { b: url(c.png); d: url(data:x) }', ".css", ["https://a.org/x.css"]),
        ("@font-face { src: url(https://a.org/f.woff2) }", ".css", ["https://a.org/f.woff2"]),
    ],
)
def test_requests_to_other_hosts_are_seen(hooks: ModuleType, text: str, suffix: str, addresses: list[str]) -> None:
    assert hooks.foreign_requests(text, suffix) == addresses


def test_a_site_that_asks_another_host_is_refused(hooks: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text('<p><img src="x.png"></p>')
    hooks.on_post_build(SimpleNamespace(site_dir=str(tmp_path)))
    (tmp_path / "index.html").write_text('<p><img src="https://a.org/x.png"></p>')
    with pytest.raises(PluginError, match=r"index\.html: https://a\.org/x\.png"):
        hooks.on_post_build(SimpleNamespace(site_dir=str(tmp_path)))


@pytest.mark.parametrize(
    ("name", "link", "expected"),
    [
        ("editing.md", "[a](training.md#data)", "[a](training.md#data)"),
        ("editing.md", "[a](../src/sean/bundled/face-parser/README.md)", "[a](models/face-parser.md)"),
        ("how-to/gpu.md", "[a](../editing.md)", "[a](../editing.md)"),
        ("models/face-parser.md", "[terms](LICENSE)", "terms"),
        ("project/security.md", "[how](docs/editing.md#in-the-browser)", "[how](../editing.md#in-the-browser)"),
        ("project/contributing.md", "```sh\n[a](b)\n```", "```sh\n[a](b)\n```"),
        ("index.md", "[a](https://a.org/x.md) ![b](astronaut.jpg)", "[a](https://a.org/x.md) ![b](astronaut.jpg)"),
    ],
)
def test_links_of_the_repository_lead_to_pages(hooks: ModuleType, name: str, link: str, expected: str) -> None:
    files = [page(known).file for known in ("editing.md", "training.md", "index.md", "how-to/gpu.md")]
    assert hooks.on_page_markdown(link, page(name), None, files) == expected


def test_a_link_to_no_file_is_refused(hooks: ModuleType) -> None:
    with pytest.raises(PluginError, match=r"docs/editing\.md: the link to \.\./nothing\.md leads to no file"):
        hooks.on_page_markdown("[a](../nothing.md)", page("editing.md"), None, [page("editing.md").file])


def test_equations_become_mathml(hooks: ModuleType) -> None:
    shown = hooks.on_page_content('<p><span class="arithmatex">\\(a &lt; b_1\\)</span></p>', None, None, None)
    assert "<math" in shown and "<msub>" in shown and "arithmatex" not in shown and 'display="inline"' in shown
    block = hooks.on_page_content('<div class="arithmatex">\\[\n\\gamma\n\\]</div>', None, None, None)
    assert 'display="block"' in block


def test_the_page_of_commands_has_every_command_and_its_options(hooks: ModuleType) -> None:
    text = hooks.commands_page()
    for name in COMMANDS:
        assert f"## `sean {name}` {{ #sean-{name.replace(' ', '-')} }}" in text
    assert text.count("usage: sean ") == len(COMMANDS)
    assert "--new-segmap" in text and "--least-miou" in text and str(ROOT) not in text


def test_notebooks_are_shown_and_have_no_outputs(hooks: ModuleType) -> None:
    books = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
    assert len(books) == 3
    for path in books:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert code and all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
        text = hooks.notebook_page(path)
        assert text.startswith("# ") and text.count("```python\n") == len(code)


def test_every_page_of_the_navigation_is_there(hooks: ModuleType) -> None:
    named = re.findall(r"(?m)^ +- .*?: ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    made = {*hooks.PAGES, "reference/commands.md"}
    made |= {f"notebooks/{path.stem}.md" for path in (ROOT / "docs/notebooks").glob("*.ipynb")}
    assert len(named) > 25
    for name in named:
        assert name in made or (ROOT / "docs" / name).is_file(), name


@pytest.mark.integration
@pytest.mark.parametrize("path", sorted((ROOT / "docs/notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    for cell in book.cells:
        cell.source = re.sub(r"\bsteps=\d+", "steps=2", cell.source)
    client = nbclient.NotebookClient(book, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()  # an exception in a cell is raised
    assert any("image/png" in output.get("data", {}) for cell in book.cells for output in cell.get("outputs", []))
