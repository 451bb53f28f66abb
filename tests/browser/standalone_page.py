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
from playwright.sync_api import BrowserContext

from .browser_page import PATIENCE, BrowserPage


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


class StandalonePage(BrowserPage):
    """The page in a browser.

    Args:
        context: of a browser; what it asks for is noted.
        address: of the page.
    """

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.requested: set[str] = set()
        context.on("request", lambda request: self.requested.add(request.url))
        super().__init__(context.new_page(), address)

    def until(self, condition: str) -> None:
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + PATIENCE
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

    def open_sample(self) -> None:
        self.page.locator("#open-menu-button").click()
        self.page.locator("#open-sample").click()
        self.until("document.getElementById('announce').textContent.startsWith('Opened astronaut')")

    def open_file(self, name: str, picture: Image.Image) -> None:
        """Open a picture as a PNG file of the user's."""
        data = io.BytesIO()
        picture.save(data, "PNG")
        self.page.set_input_files("#photo-input", {"name": name, "mimeType": "image/png", "buffer": data.getvalue()})
        self.until(f"document.getElementById('announce').textContent.startsWith('Opened {name}')")

    def choose(self, label: str) -> None:
        """Choose a region."""
        self.test_id(f"region-{label}").click()
