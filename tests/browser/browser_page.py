"""What both forms of the editor's page, with a server and without one, have in common."""

import re
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

# seconds after which a state is taken not to come
PATIENCE = 240


class BrowserPage(ABC):
    """The page in a browser.

    Args:
        page: of a browser.
        address: of the editor.
        expected: pattern of the console's lines that are no problem.
    """

    def __init__(self, page: Page, address: str, expected: str = r"\b\B") -> None:
        self.page = page
        self.address = address
        self.problems: list[str] = []
        self._expected = re.compile(expected)
        page.set_default_timeout(1000 * PATIENCE)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda line: self._note(line.type, line.text))
        page.on("dialog", lambda dialog: dialog.accept())  # leaves although something may be unkept

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not self._expected.search(text):
            self.problems.append(text)

    @abstractmethod
    def state(self) -> Any:
        """The session's state, as its JSON says it."""

    def _is_shown(self) -> bool:
        """Whether the page shows the rest of the state beside the result."""
        return True

    def open(self) -> None:
        self.page.goto(self.address)
        self.ready()

    def ready(self) -> None:
        """Wait until the first result is shown."""
        self.page.wait_for_selector("body[data-ready=true]")
        self.page.wait_for_selector("#result[data-seq]")

    def wait_for_edits(self, count: int) -> None:
        """Until the page shows the state after `count` edits."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            state = self.state()
            shown = self.page.locator("#result").get_attribute("data-version")
            if state["edits"] == count and shown == str(state["version"]) and self._is_shown():
                return
            time.sleep(0.05)
        raise AssertionError(f"expected {count} edits shown, the state is {state}, the page shows version {shown}")

    def test_id(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the picture (fractions) lies in the pane with the map; only unzoomed."""
        pane = "#map" if self.page.locator("#map").is_visible() else "#result"
        box = self.page.locator(pane).bounding_box()
        assert box is not None
        side = min(box["width"], box["height"])
        left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
        return left + x * side, top + y * side

    def drag(self, *points: tuple[float, float]) -> None:
        """Press, move and release the mouse over the map, and move it away, so that it shows no cursor."""
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point), steps=4)
        self.page.mouse.up()
        self.away()

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.at(x, y))
        self.away()

    def away(self) -> None:
        self.page.mouse.move(2, 2)

    def download(self, item: str) -> bytes:
        """What an entry of the download menu gives."""
        self.page.locator("#download-menu-button").click()
        with self.page.expect_download() as download:
            self.page.locator(f"#{item}").click()
        return Path(download.value.path()).read_bytes()
