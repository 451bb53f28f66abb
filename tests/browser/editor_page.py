"""What a user does on the editor's page, and what the user and the server then see."""

import base64
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page

from .browser_page import PATIENCE, BrowserPage

IS_ASKED_BEFORE_LEAVING = """() => {
    const leaving = new Event('beforeunload', { cancelable: true });
    window.dispatchEvent(leaving);
    return leaving.defaultPrevented;
}"""
# Some messages leave by themselves after some seconds.
COLLECTS_MESSAGES = """window.told = [];
new MutationObserver((changes) => {
    const added = changes.flatMap(({ addedNodes }) => [...addedNodes]);
    told.push(...added.map(({ dataset }) => dataset?.text).filter(Boolean));
}).observe(document, { childList: true, subtree: true });"""


class EditorPage(BrowserPage):
    """The page in a browser.

    Args:
        page: of a browser.
        address: of the server.
    """

    def __init__(self, page: Page, address: str) -> None:
        # A refused upload and a session that is gone are answered with 4xx on purpose.
        super().__init__(page, address, expected=r"status of 4\d\d")
        page.add_init_script(COLLECTS_MESSAGES)

    def close_hint(self) -> None:
        """Dismiss the first visit's hint, and wait until the panes have taken its place."""
        self.test_id("hint").get_by_role("button").click()
        self.wait_for_layout()

    def wait_for_layout(self) -> None:
        """Until the canvases have the size of the panes, whose places the panels above them move."""
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('canvas')].every((c) => [c.height, 0].includes(c.clientHeight))"
        )

    @property
    def session_url(self) -> str:
        session = self.page.evaluate("sessionStorage.getItem('sean-session')")
        return f"{self.address}api/sessions/{session}"

    def wait_until_kept(self) -> None:
        """Until the browser has kept the work as the server has it now."""
        version = str(self.state()["version"])
        self.page.wait_for_function("version => document.body.dataset.kept === version", arg=version)

    def state(self) -> Any:
        return self.page.request.get(self.session_url).json()

    def region(self, label: str, instance: int = 0) -> Any:
        """A region of the server's state; None where the map has none such."""
        found = [r for r in self.state()["regions"] if (r["label"], r["instance"]) == (label, instance)]
        return found[0] if found else None

    def segmap(self) -> np.ndarray:
        """The map as the server has it: label ids [h, w]."""
        return np.array(Image.open(io.BytesIO(self.page.request.get(f"{self.session_url}/map.png").body())))

    @staticmethod
    def label_at(segmap: np.ndarray, x: float, y: float) -> int:
        """The label id of a map at fractions of its width and height."""
        return int(segmap[int(y * segmap.shape[0]), int(x * segmap.shape[1])])

    def shown(self, pane: str) -> str:
        """What a canvas shows, as the data URL of its pixels."""
        # a pane is drawn in the frame after its contents have changed
        script = """name => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(
            () => resolve(document.getElementById(name).toDataURL()))))"""
        return str(self.page.evaluate(script, pane))

    @staticmethod
    def canvas_pixels(shown: str) -> np.ndarray:
        """What `shown` gives, as uint8 [h, w, 4]."""
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(shown.split(",")[1]))))

    def wait_until_done(self, edits: int) -> None:
        """Until the server has done that many edits, whether the page knows it or not."""
        end = time.monotonic() + PATIENCE
        while self.state()["edits"] < edits:
            assert time.monotonic() < end, f"expected {edits} edits, the state is {self.state()}"
            time.sleep(0.05)

    def wait_until_opened(self) -> None:
        """Until the server has opened a photo, whether the page knows it or not."""
        end = time.monotonic() + PATIENCE
        while self.state()["photo"] is None:
            assert time.monotonic() < end, "the server opens no photo"
            time.sleep(0.05)

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Around what opens another picture, or goes back to one: ends when the page shows that picture."""
        before = self.page.locator("#original").get_attribute("data-document")
        yield
        script = "before => document.getElementById('original').dataset.document !== before"
        self.page.wait_for_function(script, arg=before)

    def wait_for_change(self, pane: str, before: str) -> None:
        script = "([name, before]) => document.getElementById(name).toDataURL() !== before"
        self.page.wait_for_function(script, arg=[pane, before])

    def wait_for_picture(self, pane: str, wanted: str) -> None:
        script = "([name, wanted]) => document.getElementById(name).toDataURL() === wanted"
        self.page.wait_for_function(script, arg=[pane, wanted])

    def wait_until_near(self, pane: str, wanted: str) -> None:
        """Until a canvas shows a picture, to two levels: a quick picture may differ by one from the exact one."""
        expected, end = self.canvas_pixels(wanted).astype(int), time.monotonic() + PATIENCE
        while np.abs(self.canvas_pixels(self.shown(pane)).astype(int) - expected).max() > 2:
            assert time.monotonic() < end, f"{pane} does not come to show the picture"
            time.sleep(0.1)

    def _is_shown(self) -> bool:
        """Whether the page's map is the server's, with no stroke over it: the map follows the result."""
        script = """async (address) => {
            const { labelMap, stroke } = await import(new URL('panes.js', document.baseURI));
            const picture = await createImageBitmap(await (await fetch(address)).blob());
            const [shown, wanted] = [labelMap.bitmap, picture].map((bitmap) => {
                const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
                context.drawImage(bitmap, 0, 0);
                return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
            });
            return stroke.empty && shown.every((value, i) => value === wanted[i]);
        }"""
        return bool(self.page.evaluate(script, f"{self.session_url}/map.png"))

    def upload(self, field: str, name: str, data: bytes, kind: str = "image/png") -> None:
        self.page.set_input_files(f"#{field}", {"name": name, "mimeType": kind, "buffer": data})

    def drop(self, test_id: str, name: str, data: bytes) -> None:
        """Drop a picture file on an element."""
        self._give(data, name, test_id, "drop")

    def paste(self, name: str, data: bytes) -> None:
        """Paste a picture from the clipboard."""
        self._give(data, name, "", "paste")

    def _give(self, data: bytes, name: str, test_id: str, kind: str) -> None:
        self.page.evaluate(
            """([data, name, testId, kind]) => {
                const files = new DataTransfer();
                const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
                files.items.add(new File([bytes], name, { type: 'image/png' }));
                const target = testId ? document.querySelector(`[data-testid="${testId}"]`) : document.body;
                const options = { bubbles: true, cancelable: true };
                target.dispatchEvent(kind === 'drop'
                    ? new DragEvent('drop', { ...options, dataTransfer: files })
                    : new ClipboardEvent('paste', { ...options, clipboardData: files }));
            }""",
            [base64.b64encode(data).decode(), name, test_id, kind],
        )

    def wait_until_told(self, text: str) -> None:
        """Until the page has shown a message with a text, since it was loaded."""
        self.page.wait_for_function("text => told.some((message) => message.includes(text))", arg=text)

    def forget_and_bring_back(self) -> None:
        """Let the server forget the session once the browser has kept its work, and wait until that is brought back."""
        self.wait_until_kept()
        self.forget()

    def forget(self) -> None:
        """Let the server forget the session, and wait until the page has another one."""
        session = self.session_url
        self.page.request.delete(session)
        self.page.wait_for_function("old => !old.endsWith(sessionStorage.getItem('sean-session'))", arg=session)
