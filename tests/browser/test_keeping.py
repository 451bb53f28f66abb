"""Work is never lost: opening is undone, edits survive closed tabs and servers that forget; failures unlock."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Route

from .editor_page import IS_ASKED_BEFORE_LEAVING, EditorPage
from .line import Line

pytestmark = pytest.mark.integration

STROKE = ((0.4, 0.3), (0.6, 0.3))
OTHER_STROKE = ((0.4, 0.7), (0.6, 0.7))  # not even under three messages


def noise(height: int, width: int) -> bytes:
    """A photo of many bytes, as no format makes noise small."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def reopened(context: BrowserContext, editor: EditorPage) -> EditorPage:
    """Another tab of the same browser."""
    page = EditorPage(context.new_page(), editor.address)
    page.open()
    return page


def test_a_pasted_picture_a_dropped_one_and_a_drawing_are_undone(editor: EditorPage, photo: bytes) -> None:
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    original, segmap = editor.shown("original"), editor.segmap()
    with editor.opening():
        editor.drop("mixer-source", "face.png", photo)
    editor.test_id("faces").get_by_label("Dismiss").click()
    editor.page.locator("#open-menu-button").click()
    with editor.opening():
        editor.page.locator("#open-drawing").click()
    assert editor.state()["photo"] is None
    with editor.opening():
        editor.page.keyboard.press("Control+z")
    assert editor.state()["photo"]["name"] == "face.png"
    with editor.opening():
        editor.page.keyboard.press("Control+z")
    editor.wait_for_edits(1)
    assert editor.state()["photo"] is None
    assert (editor.segmap() == segmap).all()
    editor.wait_for_picture("original", original)


def test_work_comes_back_when_the_server_has_forgotten_it(editor: EditorPage, photo: bytes) -> None:
    with editor.opening():
        editor.upload("photo-input", "me.png", photo)
    editor.test_id("faces").get_by_label("Dismiss").click()
    editor.test_id("region-skin").click()
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    editor.drag(*OTHER_STROKE)
    editor.wait_for_edits(2)
    editor.page.keyboard.press("Control+z")
    editor.wait_for_edits(1)
    editor.wait_until_kept()
    session, segmap, result = editor.session_url, editor.segmap(), editor.shown("result")
    editor.page.request.delete(session)
    editor.test_id("message-info").wait_for()
    assert "brought back" in editor.test_id("message-info").inner_text()
    editor.wait_for_edits(1)
    assert editor.session_url != session
    assert editor.state()["photo"]["name"] == "me.png" and editor.state()["can_redo"]
    assert (editor.segmap() == segmap).all()
    editor.test_id("faces").get_by_label("Dismiss").click()
    editor.away()
    editor.wait_for_picture("result", result)


def style_photos(editor: EditorPage) -> list[str]:
    return [source["source"] for source in editor.state()["sources"] if source["source"].startswith("photo:")]


def choose_hair_of_a_style_photo(editor: EditorPage) -> None:
    editor.test_id("region-hair").click()
    editor.test_id("source-photo:1").click()
    editor.wait_for_edits(1)


def test_style_photos_of_a_project_come_back_under_a_later_photo(editor: EditorPage, photo: bytes) -> None:
    style = {"file": {"name": "you.png", "mimeType": "image/png", "buffer": photo}}
    assert editor.page.request.post(f"{editor.session_url}/styles", multipart=style).ok
    project = editor.page.request.get(f"{editor.session_url}/project.zip").body()
    with editor.opening():
        editor.upload("project-input", "face.zip", project, "application/zip")
    with editor.opening():
        editor.upload("photo-input", "me.png", noise(100, 120))
    choose_hair_of_a_style_photo(editor)
    segmap = editor.segmap()
    editor.forget_and_bring_back()
    editor.wait_for_edits(1)
    assert editor.region("hair")["styles"] == [["photo:1", 1.0]] * 6
    assert editor.state()["photo"]["name"] == "me.png", "the picture is that of the last opening"
    assert (editor.segmap() == segmap).all()


def test_style_photos_that_a_drawn_face_has_left_do_not_come_back(editor: EditorPage, photo: bytes) -> None:
    editor.drop("region-hair", "you.png", photo)
    editor.wait_for_edits(1)
    editor.page.locator("#open-menu-button").click()
    with editor.opening():
        editor.page.locator("#open-drawing").click()
    with editor.opening():
        editor.upload("photo-input", "me.png", noise(100, 120))
    editor.drop("region-hair", "another.png", noise(120, 100))
    editor.wait_for_edits(1)
    assert style_photos(editor) == ["photo:1"]
    editor.forget_and_bring_back()
    editor.wait_for_edits(1)
    assert style_photos(editor) == ["photo:1"], "the name would mean the other photo"


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_the_work_of_a_closed_tab_is_offered(editor: EditorPage, is_forgotten: bool) -> None:
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    editor.wait_until_kept()
    session, segmap = editor.session_url, editor.segmap()
    context = editor.page.context
    other = reopened(context, editor)
    assert not other.test_id("offer").is_visible()  # the first tab has it open
    other.page.close()
    editor.page.close()
    if is_forgotten:
        context.request.delete(session)
    again = reopened(context, editor)
    assert "1 edit" in again.test_id("offer").inner_text()
    again.page.locator("#offer-take").click()
    again.wait_for_edits(1)
    assert (again.session_url == session) != is_forgotten
    assert (again.segmap() == segmap).all()
    assert again.problems == []


def test_visits_without_work_leave_kept_work_alone(editor: EditorPage) -> None:
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    editor.wait_until_kept()
    editor.page.evaluate(
        """() => new Promise((resolve) => {
            indexedDB.open('sean').onsuccess = ({ target }) => {
                const transaction = target.result.transaction('works', 'readwrite');
                const visit = { steps: {}, document: 0, script: null, edits: 0, name: '' };
                const works = transaction.objectStore('works');
                for (let number = 0; number < 9; number++)
                    works.put({ ...visit, id: `visit ${number}`, time: Date.now() + number });
                transaction.oncomplete = resolve;
            };
        })"""
    )
    context = editor.page.context
    editor.page.close()
    assert "1 edit" in reopened(context, editor).test_id("offer").inner_text()


def test_kept_work_can_be_deleted(editor: EditorPage) -> None:
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    editor.wait_until_kept()
    context = editor.page.context
    editor.page.close()
    again = reopened(context, editor)
    again.page.locator("#offer-drop").click()
    again.test_id("offer").wait_for(state="hidden")
    again.page.close()
    assert not reopened(context, editor).test_id("offer").is_visible()


def test_leaving_asks_where_nobody_can_keep_the_picture(editor: EditorPage, photo: bytes) -> None:
    upload = {"file": {"name": "me.png", "mimeType": "image/png", "buffer": photo}}
    with editor.opening():  # by another program
        assert editor.page.request.post(f"{editor.session_url}/photo", multipart=upload).ok
    editor.page.wait_for_timeout(2000)  # longer than it takes to keep what can be kept
    assert editor.page.evaluate(IS_ASKED_BEFORE_LEAVING)


def test_a_second_tab_follows_and_keeps_the_work(editor: EditorPage, photo: bytes) -> None:
    session = editor.page.evaluate("sessionStorage.getItem('sean-session')")
    page = editor.page.context.new_page()
    page.add_init_script(f"sessionStorage.setItem('sean-session', '{session}')")
    other = EditorPage(page, editor.address)
    other.open()
    with other.opening():
        editor.upload("photo-input", "me.png", photo)
    editor.wait_until_kept()
    editor.page.close()
    other.test_id("faces").get_by_label("Dismiss").click()
    other.test_id("region-skin").click()
    other.drag(*STROKE)
    other.wait_for_edits(1)
    other.wait_until_kept()
    assert not other.page.evaluate(IS_ASKED_BEFORE_LEAVING)


def test_a_failed_upload_says_so_and_the_next_one_works(editor: EditorPage, photo: bytes) -> None:
    def garbled(route: Route) -> None:
        route.fulfill(status=200, content_type="text/html", body="<html>a proxy's page</html>")

    editor.page.route(re.compile(r"/photo\?"), garbled)
    editor.upload("photo-input", "me.png", photo)
    editor.test_id("message-error").wait_for()
    assert "something else" in editor.test_id("message-error").inner_text()
    assert not editor.test_id("progress").is_visible()
    editor.page.unroute_all()
    with editor.opening():
        editor.upload("photo-input", "me.png", photo)


def test_an_upload_shows_how_far_it_is_and_strokes_meanwhile_are_kept(editor: EditorPage) -> None:
    network = editor.page.context.new_cdp_session(editor.page)
    network.send("Network.enable")

    def limit(bytes_per_second: int) -> None:
        values = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second}
        network.send("Network.emulateNetworkConditions", values)

    limit(6_000)
    editor.upload("photo-input", "me.png", noise(200, 500))
    editor.page.wait_for_function("() => /[1-9]\\d? %/.test(document.getElementById('progress-stage').textContent)")
    editor.test_id("progress-cancel").click()
    editor.page.wait_for_selector("#progress", state="hidden")
    editor.wait_until_told("Cancelled")
    with editor.opening():
        editor.upload("photo-input", "me.png", noise(200, 500))
        editor.page.wait_for_function("() => /[1-9]\\d? %/.test(document.getElementById('progress-stage').textContent)")
        editor.drag(*STROKE)
        limit(-1)
    assert editor.state()["photo"]["name"] == "me.png"
    with editor.opening():
        editor.page.keyboard.press("Control+z")
    editor.wait_for_edits(1)
    assert editor.state()["photo"] is None


def with_answers_to_uploads(editor: EditorPage, what: str) -> None:
    """Load the page again, with JavaScript in place of what it does when an upload is answered: `run(event)`."""
    editor.page.add_init_script(
        f"""const {{ set }} = Object.getOwnPropertyDescriptor(XMLHttpRequestEventTarget.prototype, 'onload');
        Object.defineProperty(XMLHttpRequest.prototype, 'onload', {{
            set(run) {{ set.call(this, (event) => {{ {what} }}); }},
        }});"""
    )
    editor.page.reload()
    editor.ready()


def test_what_has_arrived_cannot_be_cancelled(editor: EditorPage, photo: bytes) -> None:
    with_answers_to_uploads(editor, "window.answer = () => run(event);")
    editor.upload("photo-input", "me.png", photo)
    editor.page.wait_for_function("() => window.answer")  # and the page has not heard it
    assert editor.test_id("progress").is_visible()
    assert not editor.test_id("progress-cancel").is_visible()
    editor.page.evaluate("answer()")
    editor.page.wait_for_selector("#progress", state="hidden")
    assert editor.state()["photo"]


def test_a_photo_whose_answer_is_lost_is_kept(editor: EditorPage, photo: bytes) -> None:
    with_answers_to_uploads(editor, "window.isMended ? run(event) : this.onerror();")
    with editor.opening():
        editor.upload("photo-input", "me.png", photo)
    editor.test_id("message-error").wait_for()
    editor.page.evaluate("window.isMended = true")
    editor.test_id("faces").get_by_label("Dismiss").click()
    editor.test_id("region-skin").click()
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    editor.forget_and_bring_back()
    editor.wait_for_edits(1)
    assert editor.state()["photo"]["name"] == "me.png"


def test_a_style_photo_whose_answer_is_lost_is_kept(editor: EditorPage, photo: bytes) -> None:
    with_answers_to_uploads(editor, "window.isMended ? run(event) : this.onerror();")
    editor.upload("style-input", "you.png", photo)
    editor.test_id("message-error").wait_for()
    editor.page.evaluate("window.isMended = true")
    choose_hair_of_a_style_photo(editor)
    editor.forget_and_bring_back()
    editor.wait_for_edits(1)
    assert editor.region("hair")["styles"] == [["photo:1", 1.0]] * 6


def test_what_is_cancelled_too_late_is_told_and_kept(editor: EditorPage, photo: bytes) -> None:
    """A page hears only later that all has been sent, and the server has opened the photo by then."""
    editor.page.add_init_script(
        """for (const name of ['onload', 'onprogress'])
            Object.defineProperty(XMLHttpRequestUpload.prototype, name, { set() {} });
        XMLHttpRequest.prototype.abort = function () { this.onabort(); };"""
    )
    with_answers_to_uploads(editor, "")
    line = Line(editor)
    line.server_is_silent = True
    editor.upload("photo-input", "me.png", photo)
    editor.wait_until_opened()
    editor.test_id("progress-cancel").click()
    editor.page.wait_for_selector("#progress", state="hidden")
    assert "nothing" not in editor.test_id("message-info").inner_text()
    with editor.opening():
        line.cut()
        line.mend()
    editor.wait_until_told("too late")
    editor.wait_until_kept()


def test_the_picture_before_the_one_that_came_back_is_kept(editor: EditorPage, photo: bytes) -> None:
    with editor.opening():
        editor.upload("photo-input", "me.png", photo)
    editor.forget_and_bring_back()
    editor.wait_for_edits(0)
    with editor.opening():
        editor.page.keyboard.press("Control+z")
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    editor.wait_until_kept()


def test_a_session_is_kept_although_the_page_was_left_before_that(editor: EditorPage) -> None:
    editor.wait_until_kept()
    editor.page.evaluate(
        """() => new Promise((resolve) => {
            indexedDB.open('sean').onsuccess = ({ target }) => {
                target.result.transaction('works', 'readwrite').objectStore('works').clear().onsuccess = resolve;
            };
        })"""
    )
    editor.page.reload()
    editor.ready()
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    editor.wait_until_kept()


def test_a_browser_without_storage_is_enough(editor: EditorPage) -> None:
    editor.page.add_init_script(
        """for (const name of ['localStorage', 'sessionStorage', 'indexedDB'])
            Object.defineProperty(window, name, { get() { throw new DOMException('denied', 'SecurityError'); } });
        delete window.OffscreenCanvas;"""
    )
    editor.page.reload()
    editor.ready()
    result = editor.shown("result")
    editor.drag(*STROKE)
    editor.wait_for_change("result", result)
