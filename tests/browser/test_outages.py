"""Lost connections, and answers, pictures and connections that overtake each other: the page shows the newest state."""

import io
import json
import re
import struct
import time

import pytest
from PIL import Image
from playwright.sync_api import Response, Route

from .browser_page import PATIENCE
from .editor_page import IS_ASKED_BEFORE_LEAVING, EditorPage
from .line import Line

pytestmark = pytest.mark.integration

STROKE = ((0.4, 0.3), (0.6, 0.3))
OTHER_STROKE = ((0.4, 0.7), (0.6, 0.7))  # not even under three messages
EDIT = {"kind": "paint", "points": OTHER_STROKE, "radius": 0.1, "label": "hat"}
STATE = re.compile("/api/sessions/[^/?]+$")
WHOLE = re.compile(r"/whole\.jpg")


class Held:
    """Requests of the page that a test answers when it wants to."""

    def __init__(self, editor: EditorPage, pattern: re.Pattern[str]) -> None:
        self.routes: list[Route] = []
        self._page, self._pattern = editor.page, pattern
        editor.page.route(pattern, lambda route: self.routes.append(route))

    def wait(self) -> None:
        """Until there is one."""
        end = time.monotonic() + PATIENCE
        while not self.routes:
            assert time.monotonic() < end, f"the page does not ask for {self._pattern.pattern}"
            self._page.wait_for_timeout(20)

    def release(self) -> None:
        """Let them go to the server, and later ones at once."""
        for route in self.routes:
            route.continue_()
        self._page.unroute(self._pattern)


def another_program_edits(editor: EditorPage) -> None:
    assert editor.page.request.post(f"{editor.session_url}/edits", data=EDIT).ok


def another_program_opens(editor: EditorPage, photo: bytes) -> None:
    upload = {"file": {"name": "me.png", "mimeType": "image/png", "buffer": photo}}
    assert editor.page.request.post(f"{editor.session_url}/photo", multipart=upload).ok


def test_edits_made_during_an_outage_are_done_when_it_is_over(editor: EditorPage) -> None:
    line = Line(editor)
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    line.cut()
    editor.drag(*OTHER_STROKE)
    editor.test_id("region-skin").click()
    editor.drag(*STROKE)
    assert "2 not sent yet" in editor.test_id("connection").inner_text()
    assert editor.state()["edits"] == 1
    line.mend()
    editor.wait_for_edits(3)


def test_what_others_do_while_a_page_returns_is_shown(editor: EditorPage) -> None:
    line = Line(editor)
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    line.cut()
    line.page_is_late = True
    line.mend()
    edit = {"kind": "paint", "points": OTHER_STROKE, "radius": 0.1, "label": "hat"}
    assert editor.page.request.post(f"{editor.session_url}/edits", data=edit).ok
    editor.wait_for_edits(2)  # the page's first message over the new connection is still to arrive
    line.deliver()
    editor.drag(*STROKE)
    editor.wait_for_edits(3)


def test_attempts_to_connect_that_overtake_each_other_leave_one_connection(editor: EditorPage) -> None:
    line = Line(editor)
    line.cut()
    line.is_cut = False
    editor.page.evaluate("for (let i = 0; i < 5; i++) window.dispatchEvent(new Event('online'))")
    editor.page.wait_for_selector('#connection[data-status="connected"]')
    editor.drag(*STROKE)
    editor.wait_for_edits(1)


def test_an_edit_whose_answer_is_lost_is_done_once(editor: EditorPage) -> None:
    line = Line(editor)
    line.server_is_silent = True
    editor.drag(*STROKE)
    editor.wait_until_done(1)
    line.cut()
    line.mend()
    editor.drag(*OTHER_STROKE)
    editor.wait_for_edits(2)


def test_a_server_that_is_silent_is_waited_for_visibly(editor: EditorPage) -> None:
    line = Line(editor)
    line.server_is_silent = True
    editor.drag(*STROKE)
    editor.page.wait_for_selector('#connection[data-status="waiting"]')
    assert "waiting for the server" in editor.test_id("connection").inner_text()
    assert editor.page.evaluate(IS_ASKED_BEFORE_LEAVING)  # an edit has no answer yet
    line.cut()
    line.mend()
    editor.wait_for_edits(1)
    editor.page.wait_for_function(f"() => !({IS_ASKED_BEFORE_LEAVING})()")  # all is done and kept


def test_a_change_between_the_state_and_the_connection_is_told(editor: EditorPage) -> None:
    def answer(route: Route) -> None:
        state = route.fetch()
        another_program_edits(editor)
        route.fulfill(response=state)

    editor.page.route(STATE, answer, times=1)
    editor.page.reload()
    editor.ready()
    editor.page.wait_for_selector("#undo:not([disabled])")
    editor.wait_for_edits(1)


def test_the_newest_map_stays_when_an_older_one_comes_late(editor: EditorPage) -> None:
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    editor.page.locator("#open-menu-button").click()
    with editor.opening():
        editor.page.locator("#open-drawing").click()
    held = Held(editor, WHOLE)

    def is_map(response: Response) -> bool:
        return "/map.png?" in response.url and response.ok

    with editor.opening():
        with editor.page.expect_response(is_map):
            editor.page.keyboard.press("Control+z")  # back to the stroke
        held.wait()
        editor.page.keyboard.press("Control+z")  # back to the beginning
        version = str(editor.state()["version"])
        editor.page.wait_for_function("v => document.getElementById('map').dataset.version === v", arg=version)
        held.release()
    editor.wait_for_edits(0)


def test_pictures_that_did_not_load_are_asked_for_again(editor: EditorPage, photo: bytes) -> None:
    editor.page.route(WHOLE, lambda route: route.abort(), times=1)
    with editor.opening():
        editor.upload("photo-input", "me.png", photo)
    editor.page.route(WHOLE, lambda route: route.fulfill(status=500), times=1)
    another_program_opens(editor, photo)
    editor.wait_until_told("error 500")
    with editor.opening():  # by the next state
        another_program_edits(editor)
    editor.wait_for_edits(1)
    editor.problems.clear()  # the browser's console tells of the answers too


def test_a_stroke_belongs_to_the_picture_that_is_shown(editor: EditorPage) -> None:
    held = Held(editor, WHOLE)
    with editor.opening():
        assert editor.page.request.post(f"{editor.session_url}/drawing", data={"bank": 1}).ok
        held.wait()
        editor.drag(*STROKE)
        held.release()
    assert editor.state()["edits"] == 0
    with editor.opening():
        editor.page.keyboard.press("Control+z")
    editor.wait_for_edits(1)


def frame(color: str, seq: int) -> bytes:
    """A picture of the server's."""
    buffer = io.BytesIO()
    Image.new("RGB", (128, 128), color).save(buffer, "PNG")
    header = json.dumps({"type": "frame", "seq": seq, "version": seq, "document": 0, "of": "model"}).encode()
    return struct.pack(">I", len(header)) + header + buffer.getvalue()


def test_a_picture_that_is_decoded_late_is_dropped(editor: EditorPage) -> None:
    editor.page.add_init_script(
        """const make = createImageBitmap;
        window.createImageBitmap = async (...values) => {
            const waiting = window.waiting;
            window.waiting = null;
            await waiting;
            const bitmap = await make(...values);
            if (waiting) window.isDecoded = true;
            return bitmap;
        };"""
    )
    line = Line(editor)
    result = editor.shown("result")
    editor.page.evaluate("() => { window.waiting = new Promise((resolve) => { window.goOn = resolve; }); }")
    line.sockets[0].send(frame("red", 1000))
    editor.page.wait_for_function("window.waiting === null")
    line.sockets[0].send(frame("blue", 1000))
    editor.wait_for_change("result", result)
    blue = editor.shown("result")
    editor.page.evaluate("goOn()")
    editor.page.wait_for_function("window.isDecoded")
    assert editor.shown("result") == blue


def test_work_that_came_back_is_kept_at_once(editor: EditorPage) -> None:
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    editor.wait_until_kept()
    held = Held(editor, re.compile("/script.json$"))
    editor.forget()
    editor.wait_until_told("brought back")
    editor.forget()  # before the page could keep it anew
    held.release()
    editor.wait_for_edits(1)


def test_a_second_tab_follows_work_that_came_back(editor: EditorPage) -> None:
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    editor.wait_until_kept()
    session = editor.page.evaluate("sessionStorage.getItem('sean-session')")
    page = editor.page.context.new_page()
    page.add_init_script(f"sessionStorage.setItem('sean-session', '{session}')")
    other = EditorPage(page, editor.address)
    other.open()
    held = Held(other, re.compile("/api/model$"))
    editor.forget()
    editor.wait_until_told("brought back")
    held.wait()
    held.release()
    other.wait_until_told("brought back")
    assert other.session_url == editor.session_url
    other.drag(*OTHER_STROKE)
    other.wait_for_edits(2)
    editor.wait_for_edits(2)
    assert other.problems == []


def test_a_lost_upload_ends_no_other_session(editor: EditorPage, photo: bytes) -> None:
    held = Held(editor, re.compile(r"/photo\?"))
    editor.upload("photo-input", "me.png", photo)
    held.wait()
    editor.forget()
    editor.wait_for_edits(0)
    session = editor.session_url
    held.release()  # to the session that is gone
    editor.test_id("message-error").wait_for()
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    assert editor.session_url == session


def test_looks_are_those_of_the_session(editor: EditorPage) -> None:
    editor.forget_and_bring_back()  # pictures of sessions that were brought back have the same numbers
    editor.page.wait_for_selector("#looks img[src]")
    editor.page.wait_for_selector("#looks img:not([src])", state="detached")
    held = Held(editor, re.compile("/looks/"))
    editor.forget_and_bring_back()
    held.wait()
    session = editor.page.evaluate("sessionStorage.getItem('sean-session')")
    assert session in held.routes[0].request.url
    held.release()
