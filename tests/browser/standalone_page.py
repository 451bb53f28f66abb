"""The page without a server: its files from a plain web server, and what a user does on it.

Its security policy forbids the evaluation of text, by which playwright waits for conditions; here they are asked for.
"""

import functools
import http.server
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import BrowserContext, Page


class _Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    extensions_map = {  # noqa: RUF012 (the base class has it so)
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".webmanifest": "application/manifest+json",
    }

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def file_server(folder: Path) -> Iterator[str]:
    """The address of a plain web server of a folder: it sends no headers that the page would need."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class StandalonePage:
    """The page in a browser.

    Args:
        context: of a browser; what it asks for is noted.
        address: of the page.
    """

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.address = address
        self.problems: list[str] = []
        self.requested: set[str] = set()
        context.on("request", lambda request: self.requested.add(request.url))
        self.page: Page = context.new_page()
        self.page.set_default_timeout(120_000)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda line: self._note(line.type, line.text))
        self.page.on("dialog", lambda dialog: dialog.accept())

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.problems.append(text)

    def open(self) -> None:
        self.page.goto(self.address)
        self.ready()

    def ready(self) -> None:
        """Wait until the first result is shown, and the page has been loaded for the second time."""
        self.page.wait_for_selector("body[data-ready=true]")
        self.page.wait_for_selector("#result[data-seq]")

    def until(self, condition: str) -> None:
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + 120
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, f"it never came true: {condition}"
            time.sleep(0.02)

    def ask(self, path: str) -> bytes:
        """What the page's backend answers; {session} stands for the session's id."""
        script = """async (path) => {
            const { ask } = await import(new URL('backend.js', document.baseURI).href);
            const session = sessionStorage.getItem('sean-session');
            const answer = await ask(new URL('api/' + path.replace('{session}', session), document.baseURI).href);
            return [...new Uint8Array(await answer.arrayBuffer())];
        }"""
        return bytes(self.page.evaluate(script, path))

    def state(self) -> Any:
        return json.loads(self.ask("sessions/{session}"))

    def picture(self, name: str) -> np.ndarray:
        """A picture of the session, uint8; of a palette picture the ids."""
        return np.array(Image.open(io.BytesIO(self.ask(f"sessions/{{session}}/{name}"))))

    def edits(self) -> Any:
        """The edits done, as JSON."""
        return json.loads(self.ask("sessions/{session}/script.json"))["done"]

    def wait_for_edits(self, count: int) -> None:
        """Until the result shows the state after so many edits."""
        end = time.monotonic() + 120
        while time.monotonic() < end:
            state = self.state()
            shown = self.page.locator("#result").get_attribute("data-version")
            if state["edits"] == count and shown == str(state["version"]):
                return
            time.sleep(0.05)
        raise AssertionError(f"expected {count} edits shown, the page has {state['edits']}")

    def open_sample(self) -> None:
        self.page.locator("#open-menu-button").click()
        self.page.locator("#open-sample").click()
        self.until("document.getElementById('announce').textContent.startsWith('Opened astronaut')")

    def choose(self, label: str) -> None:
        """Choose a region."""
        self.page.get_by_test_id(f"region-{label}").click()

    def drag(self, *points: tuple[float, float]) -> None:
        """A stroke between places of the canvas with the map, as fractions of it."""
        box = self.page.locator("#map").bounding_box()
        assert box is not None
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=4)
        self.page.mouse.up()
        self.page.mouse.move(2, 2)

    def download(self, item: str) -> bytes:
        """What an entry of the download menu gives."""
        self.page.locator("#download-menu-button").click()
        with self.page.expect_download() as download:
            self.page.locator(f"#{item}").click()
        return Path(download.value.path()).read_bytes()
