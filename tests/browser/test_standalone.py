"""The page without a server, as `make pages` builds it: it edits within the browser, as the package does."""

import io
import json
import os
import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from sean.editing.editor import Editor
from sean.editing.edits import edit_from_json
from sean.images import as_photo
from sean.pretrained import DEFAULT_MODEL
from sean.web.service import begin

from .conftest import BROWSERS, FLAGS
from .standalone_page import StandalonePage, file_server

SITE = Path(__file__).resolve().parents[2] / "site"
LARGEST_LEVELS = 2
STROKES = 20
SOFTWARE_CARD = [
    "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan",
    "--use-vulkan=swiftshader", "--ignore-gpu-blocklist",
]  # fmt: skip

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not (SITE / "edit" / "build.js").is_file(), reason="the page is not built: make pages (it needs npm)"
    ),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    built = json.loads((SITE / "edit" / "page.json").read_text(encoding="utf-8"))["name"]
    assert built == DEFAULT_MODEL, f"the page was built with {built}; run make pages again"
    with file_server(SITE) as address:
        yield f"{address}edit/"


@pytest.fixture
def editor(browser: Browser, address: str) -> Iterator[StandalonePage]:
    """The page at 1280x800; after the test the browser's console must be clean, and no other host was asked."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = StandalonePage(context, address)
    page.open()
    yield page
    hosts = {urlsplit(url).netloc for url in page.requested if not url.startswith(("blob:", "data:"))}
    context.close()
    assert page.problems == []
    assert hosts == {urlsplit(address).netloc}


def levels(picture: np.ndarray, wanted: object) -> int:
    return int(np.abs(picture[:, :, :3].astype(int) - np.asarray(wanted).astype(int)).max())


def replayed(editor: Editor, page: StandalonePage) -> Editor:
    editor.replay(edit_from_json(values) for values in page.edits())
    return editor


def test_a_first_visit_computes_with_threads_and_says_where_photos_stay(editor: StandalonePage) -> None:
    assert editor.page.evaluate("crossOriginIsolated")
    assert editor.page.get_by_test_id("place").is_visible()
    assert "never leave" in str(editor.page.get_by_test_id("place").text_content())


def test_strokes_and_looks_on_a_drawn_face(editor: StandalonePage) -> None:
    ours = Editor.from_pretrained()
    begin(ours, 0)
    assert levels(editor.picture("picture.png"), ours.render()) <= LARGEST_LEVELS
    editor.choose("hair")
    editor.drag((0.4, 0.5), (0.6, 0.55))
    editor.wait_for_edits(1)
    editor.page.get_by_test_id("look-2").click()
    editor.wait_for_edits(2)
    replayed(ours, editor)
    assert np.array_equal(editor.picture("map.png"), ours.state.segmap)
    assert levels(editor.picture("picture.png"), ours.render()) <= LARGEST_LEVELS
    editor.page.locator("#undo").click()
    editor.wait_for_edits(1)
    ours.undo()
    assert levels(editor.picture("picture.png"), ours.render()) <= LARGEST_LEVELS


def test_a_photo_is_edited_as_the_package_edits_it(editor: StandalonePage) -> None:
    data = pytest.importorskip("skimage.data")
    editor.open_sample()
    photo = editor.state()["photo"]
    assert len(photo["faces"]) == 1
    ours = Editor.from_pretrained()
    ours.set_image(data.astronaut(), crop=tuple(photo["crop"][name] for name in ("left", "top", "size")))
    found = Editor.from_pretrained()
    found.set_image(data.astronaut())
    assert found.photo is not None and found.photo.crop is not None and ours.photo is not None
    assert ours.photo.crop is not None and ours.photo.crop.overlap(found.photo.crop) > 0.9, "it is the face"
    differs = editor.picture("map.png") != ours.state.segmap
    assert differs.mean() < 0.004, "the weights have 16 bits; a shift by one pixel would change more"
    editor.choose("hair")
    editor.page.get_by_test_id("preset-auburn").click()
    editor.wait_for_edits(1)
    editor.drag((0.2, 0.5), (0.2, 0.8))
    editor.wait_for_edits(2)
    edited = np.array(Image.open(io.BytesIO(editor.download("download-photo"))))
    wanted = replayed(ours, editor).composited()
    differences = np.abs(edited[:, :, :3].astype(int) - wanted).max(axis=2)
    assert (differences > LARGEST_LEVELS).mean() < 0.001, "the few pixels around which the maps differ"
    assert differences.max() <= 4 * LARGEST_LEVELS
    assert (edited[:, :, :3] != data.astronaut()).any()


def test_a_transparent_photo_lies_on_white_and_its_download_is_transparent(editor: StandalonePage) -> None:
    """To one level: the browser's canvas stores colours multiplied by their opacity."""
    height, width = 96, 128
    rgba = np.random.default_rng(3).integers(0, 256, (height, width, 4), dtype=np.uint8)
    rgba[:, :, 3] = np.linspace(0, 255, width).round()
    rgba[:, :16, 3] = 0
    photo = Image.fromarray(rgba)
    editor.open_file("logo.png", photo)
    white = as_photo(photo).image
    assert levels(editor.picture("whole.jpg"), white) <= 1
    written = Image.open(io.BytesIO(editor.download("download-photo")))
    assert np.array_equal(np.array(written)[:, :, 3], rgba[:, :, 3])
    assert levels(as_photo(written).image, white) <= 1


def test_cancel_is_not_offered_for_what_the_worker_has(editor: StandalonePage) -> None:
    editor.page.evaluate(
        """() => {
            window.offered = [];
            const [progress, cancel] = ['progress', 'progress-cancel'].map((id) => document.getElementById(id));
            const look = () => { if (!progress.hidden) offered.push(!cancel.hidden); };
            new MutationObserver(look).observe(progress, { attributes: true, childList: true, subtree: true });
        }"""
    )
    editor.open_file("me.png", Image.new("RGB", (96, 96), "teal"))
    offered = editor.page.evaluate("offered")
    assert offered and not any(offered)


def test_without_the_network_after_the_first_visit(editor: StandalonePage) -> None:
    editor.choose("hair")
    editor.drag((0.4, 0.5), (0.6, 0.55))
    editor.wait_for_edits(1)
    before = editor.picture("picture.png")
    kept = "async () => (await (await caches.open('sean-large')).keys()).map(({ url }) => url.split('/').pop())"
    editor.until(f"({kept})().then((names) => ['encoder', 'parser'].every((n) => names.some((x) => x.startsWith(n))))")
    editor.until("document.body.dataset.kept >= 1")
    editor.page.context.set_offline(True)
    editor.page.reload()
    editor.ready()
    editor.wait_for_edits(1)
    assert np.array_equal(editor.picture("picture.png"), before), "the work was kept, too"
    editor.open_sample()
    assert len(editor.state()["photo"]["faces"]) == 1


@pytest.mark.slow
def test_webgpu_on_a_card_of_software(browser: Browser, address: str) -> None:
    """The browser computes the card itself (SwiftShader), which takes a minute or more for a picture."""
    flags = [*(flag for flag in FLAGS if flag != "--disable-gpu"), *SOFTWARE_CARD]
    found = next(filter(None, map(shutil.which, BROWSERS)))
    running = browser.browser_type.launch(executable_path=found, args=flags)
    page = StandalonePage(running.new_context(viewport={"width": 1280, "height": 800}), f"{address}?device=webgpu")
    page.open()
    assert any(url.endswith("ort.webgpu.min.mjs") for url in page.requested)
    ours = Editor.from_pretrained()
    begin(ours, 0)
    assert levels(page.picture("picture.png"), ours.render()) <= LARGEST_LEVELS
    page.choose("hair")
    page.page.get_by_test_id("look-2").click()
    page.wait_for_edits(1)
    assert levels(page.picture("picture.png"), replayed(ours, page).render()) <= LARGEST_LEVELS
    running.close()
    assert page.problems == []


# The time of every end of a stroke, and of the first repaint of the page after every new picture.
_WATCH = """() => {
    window.times = { ends: [], pictures: [] };
    window.addEventListener('pointerup', () => times.ends.push(performance.now()), true);
    const result = document.getElementById('result');
    new MutationObserver(() => requestAnimationFrame(
        () => times.pictures.push([performance.now(), Number(result.dataset.version)])
    )).observe(result, { attributes: true, attributeFilter: ['data-version'] });
}"""


@pytest.mark.slow
def test_times_and_sizes(browser: Browser, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints what a user waits for and what comes over the wire."""
    models = sum(file.stat().st_size for file in (SITE / "edit" / "models").iterdir())
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    begin_at = time.monotonic()
    page = StandalonePage(context, f"{address}?device=wasm")
    page.open()
    first = time.monotonic() - begin_at
    page.page.evaluate(_WATCH)
    waits = []
    for number in range(STROKES):
        page.choose("hair" if number % 2 else "skin")
        page.drag((0.35, 0.2 + 0.6 * number / STROKES), (0.65, 0.2 + 0.6 * number / STROKES))
        page.wait_for_edits(number + 1)
        version = page.state()["version"]
        page.until(f"times.pictures.some(([, shown]) => shown === {version})")
        times = page.page.evaluate("times")
        waits.append(next(at for at, shown in times["pictures"] if shown == version) - times["ends"][-1])
    context.close()
    with capsys.disabled():
        print(
            f"\nmodels {models / 1e6:.1f} MB; first picture of a first visit after {first:.1f} s; from stroke to "
            f"picture, {STROKES} strokes, WebAssembly: median {statistics.median(waits):.0f} ms, longest "
            f"{max(waits):.0f} ms; load of the machine {os.getloadavg()[0]:.1f}"
        )
    assert models <= 30e6
