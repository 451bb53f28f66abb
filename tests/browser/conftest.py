"""A real server with a tiny model, which is quick, and a real browser that opens its page."""

import dataclasses
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, sync_playwright

from sean.labels import CELEBAMASK_HQ
from sean.models.configs import UNetParserConfig
from sean.models.parsers import UNetParser
from sean.models.weights import save_parser

from ..support.pipelines import TINY, random_pipeline
from ..web_process import web_process
from .editor_page import EditorPage

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


SIZE = 128
"""Height and width of the tiny model's pictures."""


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, whose bank has styles of many colours: codes large enough that the colours are seen in pictures."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    pipeline = random_pipeline(dataclasses.replace(TINY, image_size=(SIZE, SIZE)), num_styles=12)
    pipeline.style_bank = [dataclasses.replace(style, codes=3 * style.codes) for style in pipeline.style_bank]
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def parser_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny parser that calls every pixel hair: what is done with its maps is what is tested."""
    folder = tmp_path_factory.mktemp("parser")
    parser = UNetParser(UNetParserConfig(image_size=(32, 32), widths=(2, 2, 2, 2, 2, 2)))
    with torch.no_grad():
        parser.head.weight.zero_()
        parser.head.bias.copy_(torch.eye(CELEBAMASK_HQ.num_regions)[CELEBAMASK_HQ.id_of("hair")])  # type: ignore[union-attr]
    save_parser(folder, parser, CELEBAMASK_HQ)
    return folder


@pytest.fixture(scope="session")
def server(model_folder: Path, parser_folder: Path) -> Iterator[str]:
    """The address of `sean web`, run as a process of its own on any free port."""
    options = ("--model", str(model_folder), "--parser", str(parser_folder), "--threads", "1")
    with web_process(*options) as process:
        yield process.address


@pytest.fixture(scope="session")
def photo(server: str) -> bytes:
    """A face rendered by the model, as the PNG that a user would upload."""
    with urllib.request.urlopen(f"{server}api/bank/3.png") as answer:
        return bytes(answer.read())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, closed after each file: playwright keeps an event loop running, beside which none else can run."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail(f"found no browser ({', '.join(BROWSERS)}); Debian, Ubuntu: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield running
        running.close()


def _opened(browser: Browser, server: str, **settings: Any) -> Iterator[EditorPage]:
    """The page as a first visitor sees it; after the test the browser's console must be clean."""
    context = browser.new_context(**settings)
    page = EditorPage(context.new_page(), server)
    page.open()
    yield page
    context.close()
    assert page.problems == []


@pytest.fixture
def first_visit(browser: Browser, server: str) -> Iterator[EditorPage]:
    """The page at 1280x800 with the hint of a first visit."""
    yield from _opened(browser, server, viewport={"width": 1280, "height": 800})


@pytest.fixture
def editor(first_visit: EditorPage) -> EditorPage:
    """The page at 1280x800."""
    first_visit.close_hint()
    return first_visit


@pytest.fixture
def phone(browser: Browser, server: str) -> Iterator[EditorPage]:
    """The page on a phone: 360 px wide, touch instead of a mouse."""
    for page in _opened(browser, server, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True):
        page.close_hint()
        yield page
