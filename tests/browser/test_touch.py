"""Fingers on a phone: one paints, two zoom and move, and a stroke that turns into a pinch paints nothing."""

import numpy as np
import pytest
from playwright.sync_api import CDPSession

from .editor_page import EditorPage

pytestmark = pytest.mark.integration


class Fingers:
    """Fingers on the map of a page, each at a point of the picture (fractions)."""

    def __init__(self, editor: EditorPage) -> None:
        self._editor = editor
        self._session: CDPSession = editor.page.context.new_cdp_session(editor.page)

    def put(self, *points: tuple[float, float], kind: str = "touchStart") -> None:
        """All fingers that touch the map, after one has come (or moved)."""
        places = [self._editor.at(*point) for point in points]
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def move(self, *points: tuple[float, float]) -> None:
        self.put(*points, kind="touchMove")

    def lift(self) -> None:
        self._session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@pytest.fixture
def fingers(phone: EditorPage) -> Fingers:
    phone.page.get_by_role("button", name="Map", exact=True).click()
    # the pane has come, and is drawn at its size
    shown = (
        "() => { const c = document.getElementById('map'); return c.clientHeight > 0 && c.height === c.clientHeight }"
    )
    phone.page.wait_for_function(shown)
    return Fingers(phone)


def zoom(editor: EditorPage) -> str:
    return editor.page.locator("#zoom-value").inner_text()


def test_a_stroke_of_a_finger_paints_and_does_not_scroll(phone: EditorPage, fingers: Fingers) -> None:
    scrolled, before = phone.page.evaluate("scrollY"), phone.segmap()
    fingers.put((0.5, 0.15))
    for step in range(1, 11):
        fingers.move((0.5, 0.15 + 0.05 * step))
    fingers.lift()
    phone.wait_for_edits(1)
    column = before.shape[1] // 2
    changed = (phone.segmap() != before)[:, column]
    assert changed[int(0.45 * len(changed)) : int(0.6 * len(changed))].all()
    assert phone.page.evaluate("scrollY") == scrolled
    assert zoom(phone) == "100 %"


def test_two_fingers_zoom_and_paint_nothing(phone: EditorPage, fingers: Fingers) -> None:
    before, segmap = phone.shown("map"), phone.segmap()
    fingers.put((0.45, 0.5))
    fingers.move((0.44, 0.5))  # a stroke has begun
    fingers.put((0.44, 0.5), (0.56, 0.5))
    for step in range(1, 9):
        fingers.move((0.44 - 0.03 * step, 0.5), (0.56 + 0.03 * step, 0.5))
    fingers.lift()
    phone.wait_for_change("map", before)
    assert int(zoom(phone).split()[0]) > 300
    assert phone.state()["edits"] == 0
    fingers.put((0.2, 0.5))
    fingers.put((0.2, 0.5), (0.8, 0.5))
    for step in range(1, 11):
        fingers.move((0.2 + 0.028 * step, 0.5), (0.8 - 0.028 * step, 0.5))
    fingers.lift()
    phone.page.wait_for_function("() => document.getElementById('zoom-value').textContent.trim() === '100 %'")
    assert phone.state()["edits"] == 0 and np.array_equal(phone.segmap(), segmap), "nothing was painted"
