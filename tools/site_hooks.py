"""Parts of the documentation site that code makes, as hooks of mkdocs: pages from files outside of docs/, the commands'
help, notebooks, drawings, the gallery; equations as MathML; and the check that no page asks another host for anything.
"""

import contextlib
import html
import io
import json
import os
import posixpath
import re
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
# page of the site -> file of the repository that it is; links between them are those of the repository
PAGES = {
    "models/portraits-256.md": "src/sean/bundled/portraits-256/README.md",
    "models/face-parser.md": "src/sean/bundled/face-parser/README.md",
    "project/changelog.md": "CHANGELOG.md",
    "project/contributing.md": "CONTRIBUTING.md",
    "project/security.md": "SECURITY.md",
}
GALLERY = "gallery.md"
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")
_FENCE = re.compile(r"(^ *```.*?^ *```$)", re.DOTALL | re.MULTILINE)
_PYTHON = re.compile(r"```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MATH = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what code makes."""
    texts = {page: (ROOT / path).read_text(encoding="utf-8") for page, path in PAGES.items()}
    texts["reference/commands.md"] = commands_page()
    for path in sorted(Path(config.docs_dir).glob("notebooks/*.ipynb")):
        texts[f"notebooks/{path.stem}.md"] = notebook_page(path)
    made: dict[str, str | bytes] = {**texts, **drawings()}
    made |= pictures((Path(config.docs_dir) / GALLERY).read_text(encoding="utf-8"))
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to files of the repository lead to their pages."""
    known = {file.src_uri for file in files}
    return "".join(
        part if _FENCE.fullmatch(part) else _LINK.sub(lambda link: _relinked(link, page.file.src_uri, known), part)
        for part in _FENCE.split(markdown)
    )


def _relinked(link: re.Match[str], page: str, known: set[str]) -> str:
    source = PAGES.get(page, f"docs/{page}")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["path"]))
    if page not in PAGES and not target.startswith("../") and target.removeprefix("docs/") in known:
        return link[0]
    pages = {path: name for name, path in PAGES.items()} | {"README.md": "index.md"}
    name = pages.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
    if name is not None:
        return f"[{link['text']}]({posixpath.relpath(name, posixpath.dirname(page) or '.')}{link['anchor'] or ''})"
    if not (ROOT / target).exists():
        raise PluginError(f"{source}: the link to {link['path']} leads to no file")
    return link["text"]  # a file of the repository that has no page


def on_page_content(page_html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Equations as MathML."""
    return _MATH.sub(
        lambda found: convert(html.unescape(found[2]).strip(), display="block" if found[1] == "div" else "inline"),
        page_html,
    )


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site that would ask another host for anything when a page is opened."""
    found = [
        f"{path.relative_to(config.site_dir)}: {address}"
        for path in sorted(Path(config.site_dir).rglob("*"))
        if path.suffix in (".html", ".css", ".svg")
        for address in foreign_requests(path.read_text(encoding="utf-8"), path.suffix)
    ]
    if found:
        raise PluginError("pages ask other hosts for files: " + "; ".join(found))


def foreign_requests(text: str, suffix: str) -> list[str]:
    """The addresses on other hosts that a browser would fetch when it shows a page, style sheet or drawing."""
    addresses = re.findall(r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)", text)
    fetched = [one or other for one, other in addresses]
    if suffix != ".css":
        reader = _Fetched()
        reader.feed(text)
        fetched += reader.addresses
    return [address for address in fetched if re.match(r"(?i)\s*(https?:)?//", address)]


class _Fetched(HTMLParser):
    """Addresses that tags fetch by themselves: not those of <a>, nor of a <link> that only names a page."""

    NAMED = frozenset({"canonical", "alternate", "prev", "next", "license", "author", "help", "edit"})

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "a" or (tag == "link" and set(values.get("rel", "").split()) <= self.NAMED):
            return
        self.addresses += [values[name] for name in ("src", "href", "xlink:href", "poster", "data") if name in values]
        self.addresses += [part.split()[0] for part in values.get("srcset", "").split(",") if part.strip()]


def commands_page() -> str:
    """The help of every command, as the command prints it."""
    from sean.cli import COMMANDS, main

    parts = [
        "# Commands\n\nWhat `sean COMMAND --help` prints, taken from the commands when this page was built.\n",
        "\n".join(f"- [`sean {name}`](#sean-{name.replace(' ', '-')}): {text}" for name, (_, text) in COMMANDS.items()),
    ]
    width, os.environ["COLUMNS"] = os.environ.get("COLUMNS"), "110"
    try:
        for name in COMMANDS:
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
                main([*name.split(), "--help"])
            text = "\n".join(line.rstrip() for line in said.getvalue().rstrip().splitlines())
            if "usage:" not in text:
                raise PluginError(f"sean {name} --help printed no help")
            parts.append(f"## `sean {name}` {{ #sean-{name.replace(' ', '-')} }}\n\n```text\n{text}\n```")
    finally:
        os.environ.pop("COLUMNS")
        if width is not None:
            os.environ["COLUMNS"] = width
    return "\n\n".join(parts) + "\n"


def notebook_page(path: Path) -> str:
    """A notebook as a page: its text and its code."""
    cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    shown = [
        text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```"
        for cell, text in zip(cells, texts, strict=True)
    ]
    shown.insert(1, f"*The page of `docs/notebooks/{path.name}`; run it with `jupyter lab`.*")
    return "\n\n".join(shown) + "\n"


def pictures(page: str) -> dict[str, bytes]:
    """What the Python blocks of a page write under gallery/, by its name."""
    code = "import torch\ntorch.manual_seed(0)\n" + "\n".join(_PYTHON.findall(page))
    with tempfile.TemporaryDirectory(prefix="sean-site-") as folder:
        (Path(folder) / "gallery").mkdir()
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise PluginError(f"the code of {GALLERY} failed: {done.stderr.strip()[-1000:]}")
        return {f"gallery/{path.name}": path.read_bytes() for path in sorted(Path(folder, "gallery").iterdir())}


def drawings() -> dict[str, bytes]:
    """The drawings of the concepts, by their names."""
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        import site_drawings
    finally:
        sys.path.pop(0)
    return {f"concepts/{name}.svg": drawing.encode() for name, drawing in site_drawings.drawings().items()}
