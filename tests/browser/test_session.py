"""Files, sessions and the page itself in a real browser: photos, downloads, bad uploads, reload, phone."""

import io
import re
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Route, WebSocketRoute

from .conftest import SIZE
from .editor_page import EditorPage

pytestmark = pytest.mark.integration


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_zeros(width: int, height: int) -> bytes:
    """A black and white PNG of few bytes that says it is that large."""
    rows = zlib.compress(bytes(1000))
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


BAD_UPLOADS = {
    "notes.txt": b"this is no picture",
    "cut.png": png_of_zeros(64, 64)[:40],
    "empty.png": b"",
    "forty-megapixels.png": png_of_zeros(8000, 5000),
    "bomb.png": png_of_zeros(60_000, 60_000),
}


def test_a_first_visit_shows_a_face_and_a_hint_once(first_visit: EditorPage) -> None:
    assert len(first_visit.state()["regions"]) > 5
    assert first_visit.test_id("hint").is_visible()
    first_visit.close_hint()
    first_visit.page.reload()
    first_visit.ready()
    assert not first_visit.test_id("hint").is_visible()


def test_a_photo_becomes_the_picture_edited(editor: EditorPage, photo: bytes) -> None:
    with editor.opening():
        editor.upload("photo-input", "face.png", photo)
    state = editor.state()
    assert state["photo"]
    assert [region["label"] for region in state["regions"]] == ["hair"]  # as the test's parser has it
    editor.page.wait_for_selector("#progress", state="hidden")
    editor.wait_for_edits(0)


def test_a_photo_is_dropped_and_pasted(editor: EditorPage, photo: bytes) -> None:
    with editor.opening():
        editor.drop("result", "face.png", photo)
    assert editor.state()["photo"]
    editor.page.wait_for_selector("#progress", state="hidden")
    with editor.opening():
        editor.paste("turned.png", turned(photo))


def turned(picture: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture)).rotate(180).save(buffer, "PNG")
    return buffer.getvalue()


def test_picture_map_and_project_are_downloaded_and_the_project_opened(editor: EditorPage) -> None:
    editor.drag((0.4, 0.3), (0.6, 0.3))
    editor.wait_for_edits(1)
    result = editor.shown("result")
    picture = Image.open(io.BytesIO(editor.download("download-picture")))
    assert picture.size == (SIZE, SIZE)
    segmap = np.array(Image.open(io.BytesIO(editor.download("download-map"))))
    assert (segmap == editor.segmap()).all()
    project = editor.download("download-project")
    assert zipfile.ZipFile(io.BytesIO(project)).testzip() is None

    editor.page.locator("#undo").click()
    editor.wait_for_change("result", result)
    editor.upload("project-input", "face.zip", project, "application/zip")
    editor.wait_for_picture("result", result)
    assert (editor.segmap() == segmap).all()


def test_bad_uploads_give_a_message_each_and_the_session_lives_on(editor: EditorPage) -> None:
    message = editor.test_id("message-error")
    for name, data in BAD_UPLOADS.items():
        editor.upload("photo-input", name, data)
        message.wait_for()
        assert len(message.inner_text().strip()) > 20, name
        message.get_by_role("button").click()
        assert message.count() == 0
    editor.drag((0.4, 0.3), (0.6, 0.3))
    editor.wait_for_edits(1)
    assert not editor.state()["photo"]


def test_a_reload_restores_the_session(editor: EditorPage) -> None:
    editor.drag((0.4, 0.3), (0.6, 0.3))
    editor.wait_for_edits(1)
    address, segmap, result = editor.session_url, editor.shown("map"), editor.shown("result")
    editor.page.reload()
    editor.ready()
    assert editor.session_url == address
    editor.wait_for_picture("map", segmap)
    editor.wait_for_picture("result", result)
    editor.page.keyboard.press("Control+z")
    editor.wait_for_edits(0)


def test_an_expired_session_begins_anew_and_says_so(editor: EditorPage) -> None:
    first = editor.session_url
    assert editor.page.request.delete(first).status == 204
    assert "expired" in editor.test_id("message-info").inner_text()
    second = editor.session_url
    assert second != first
    editor.page.goto("about:blank")  # and the same when the page is not open meanwhile
    assert editor.page.request.delete(second).status == 204
    editor.open()
    assert "expired" in editor.test_id("message-info").inner_text()
    assert editor.session_url not in (first, second)


def reloaded_with_socket(editor: EditorPage) -> WebSocketRoute:
    """Load the page again, with its WebSocket in the test's hands."""
    sockets: list[WebSocketRoute] = []

    def through(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    editor.page.route_web_socket(re.compile(r"/live\?"), through)
    editor.page.reload()
    editor.ready()
    return sockets[0]


def test_a_lost_connection_is_told_and_made_again(editor: EditorPage) -> None:
    reloaded_with_socket(editor).close()
    editor.page.wait_for_selector('#connection[data-status="reconnecting"]')
    editor.page.wait_for_selector('#connection[data-status="connected"]')
    editor.wait_until_told("Connected again")
    editor.drag((0.4, 0.3), (0.6, 0.3))
    editor.wait_for_edits(1)


def test_help_lists_the_keys_and_every_control_has_a_name(editor: EditorPage) -> None:
    editor.page.keyboard.press("?")
    assert "Ctrl+Z" in editor.page.locator("#help-dialog").inner_text()
    editor.page.keyboard.press("Escape")
    assert not editor.page.locator("#help-dialog").is_visible()
    unnamed = editor.page.evaluate(
        """() => [...document.querySelectorAll('button, select, input:not([type=file])')].filter((control) =>
            !control.textContent.trim() && !control.ariaLabel && !control.labels?.length).map((c) => c.outerHTML)"""
    )
    assert unnamed == []


def test_long_label_lists_can_be_searched(editor: EditorPage) -> None:
    assert not editor.page.locator("#label-search").is_visible()  # not for 19 labels

    def answer(route: Route) -> None:
        model = route.fetch().json()
        model["labels"] += [{"id": number, "name": f"thing {number}", "color": "#102030"} for number in range(19, 150)]
        route.fulfill(json=model)

    editor.page.route(re.compile("/api/model$"), answer)
    editor.page.reload()
    editor.ready()
    editor.page.locator("#label-search").fill("ear")
    found = [
        name.strip() for name in editor.page.locator("#regions [role=radio]:visible .region-name").all_inner_texts()
    ]
    assert found == ["left ear", "right ear", "earring"]
    editor.page.locator("#label-search").fill("thing 14")
    assert editor.page.locator("#regions [role=radio]:visible").count() == 10  # 140 to 149


def test_a_server_without_a_parser_asks_for_the_label_map(editor: EditorPage, photo: bytes) -> None:
    def answer(route: Route) -> None:
        route.fulfill(json={**route.fetch().json(), "parses": False})

    editor.page.route(re.compile("/api/model$"), answer)
    editor.page.reload()
    editor.ready()
    segmap = editor.page.request.get(f"{editor.session_url}/map.png").body()
    editor.upload("photo-input", "face.png", photo)
    assert "face.png" in editor.page.locator("#segmap-dialog").inner_text()
    editor.page.locator("#segmap-dialog").get_by_label("Close").click()  # gives up
    assert not editor.state()["photo"]
    editor.upload("photo-input", "face.png", photo)
    with editor.opening():
        editor.upload("photo-segmap-input", "map.png", segmap)
    assert editor.state()["photo"]
    assert len(editor.state()["regions"]) > 5  # the parser of the tests would have found hair only


def test_a_finger_paints_on_a_phone(phone: EditorPage) -> None:
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360
    before = phone.shown("result")
    phone.page.touchscreen.tap(*phone.at(0.5, 0.3))
    phone.wait_for_edits(1)
    phone.wait_for_change("result", before)
    for name in ("tool-brush", "region-hair", "block-5-own", "region-hair"):
        phone.test_id(name).scroll_into_view_if_needed()
        box = phone.test_id(name).bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 360, name
