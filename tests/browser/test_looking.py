"""What is seen is what is saved: the edited photo, before and after, its faces; regions and looks; phones."""

import io
import json
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import WebSocketRoute

from sean.labels import CELEBAMASK_HQ

from .editor_page import EditorPage

pytestmark = pytest.mark.integration

HAIR, SKIN = (CELEBAMASK_HQ.id_of(name) for name in ("hair", "skin"))
STROKE = ((0.4, 0.3), (0.6, 0.3))


def opened_photo(editor: EditorPage, photo: bytes, name: str = "me at home.jpeg") -> None:
    with editor.opening():
        editor.upload("photo-input", name, photo)
    editor.wait_for_edits(0)


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def test_the_result_is_the_photo_and_the_first_download_is_what_it_shows(editor: EditorPage, photo: bytes) -> None:
    wide = np.concatenate([pixels(photo)] * 3, axis=1)
    buffer = io.BytesIO()
    Image.fromarray(wide).save(buffer, "PNG")
    opened_photo(editor, buffer.getvalue(), "me at home.png")
    editor.test_id("faces").get_by_label("Dismiss").click()
    editor.away()
    editor.page.wait_for_function(
        "() => document.getElementById('zoom-value').textContent === '100 %'"
    )  # all of it is shown
    editor.page.locator("#download-menu-button").click()
    first = editor.page.locator("#download-menu [role=menuitem]").first
    with editor.page.expect_download() as download:
        first.click()
    assert download.value.suggested_filename == "me at home-edited.png"
    with open(download.value.path(), "rb") as file:
        assert np.array_equal(pixels(file.read()), wide)


def test_a_jpeg_is_downloaded_as_a_jpeg(editor: EditorPage, photo: bytes) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels(photo)).save(buffer, "JPEG")
    opened_photo(editor, buffer.getvalue())
    editor.test_id("faces").get_by_label("Dismiss").click()
    editor.page.locator("#download-menu-button").click()
    with editor.page.expect_download() as download:
        editor.page.locator("#download-menu [role=menuitem]").first.click()
    assert download.value.suggested_filename == "me at home-edited.jpg"
    with Image.open(download.value.path()) as image:
        assert (image.format, image.size) == ("JPEG", (128, 128))


def test_before_and_after_and_the_models_view(editor: EditorPage, photo: bytes) -> None:
    opened_photo(editor, photo)
    editor.test_id("faces").get_by_label("Dismiss").click()
    editor.page.wait_for_function(
        "() => document.getElementById('result').toDataURL() === document.getElementById('original').toDataURL()"
    )
    unedited = editor.shown("result")
    editor.test_id("model-view").check()
    editor.wait_for_change("result", unedited)
    editor.test_id("model-view").uncheck()
    editor.wait_for_picture("result", unedited)
    editor.test_id("region-skin").click()
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    edited = editor.shown("result")
    assert edited != unedited

    box = editor.test_id("peek").bounding_box()
    assert box is not None
    editor.page.mouse.move(box["x"] + 5, box["y"] + 5)
    editor.page.mouse.down()
    editor.wait_for_picture("result", unedited)
    editor.page.mouse.up()
    editor.away()
    editor.wait_for_picture("result", edited)
    editor.page.keyboard.down("c")
    editor.wait_for_picture("result", unedited)
    editor.page.keyboard.up("c")
    editor.wait_for_picture("result", edited)

    editor.test_id("compare-toggle").click()
    editor.wait_for_change("result", edited)
    shown, before, after = (editor.canvas_pixels(data) for data in (editor.shown("result"), unedited, edited))
    middle = shown.shape[1] // 2
    assert np.array_equal(shown[:, : middle - 4], before[:, : middle - 4])
    assert np.array_equal(shown[:, middle + 4 :], after[:, middle + 4 :])
    editor.test_id("compare").fill("100")
    editor.page.wait_for_function("shown => document.getElementById('result').toDataURL() !== shown", arg=edited)
    editor.test_id("compare-toggle").click()
    editor.wait_for_picture("result", edited)


def test_no_face_is_said_and_the_frame_moved(editor: EditorPage, photo: bytes) -> None:
    opened_photo(editor, photo)
    assert "No face was found" in editor.test_id("faces").inner_text()
    before = editor.state()["photo"]["crop"]
    editor.drag((0.5, 0.5), (0.6, 0.55))
    with editor.opening():
        editor.test_id("frame-apply").click()
    editor.page.wait_for_function("() => document.getElementById('faces').hidden")
    editor.wait_for_edits(0)
    assert not editor.test_id("faces").is_visible()  # the frame was chosen: nothing is said again
    after = editor.state()["photo"]["crop"]
    assert after["left"] > before["left"] + 8 and after["top"] > before["top"] + 3
    assert after["size"] == pytest.approx(before["size"])
    with editor.opening():
        editor.page.keyboard.press("Control+z")
    editor.wait_for_edits(0)
    assert editor.state()["photo"]["crop"] == before


@pytest.mark.parametrize("shrunk", [False, True])  # of a frame around all of the photo, the handle lies inside
def test_the_round_handle_turns_the_frame(editor: EditorPage, photo: bytes, shrunk: bool) -> None:
    opened_photo(editor, photo)
    assert "No face was found" in editor.test_id("faces").inner_text()
    editor.wait_for_layout()
    left, top = editor.at(0, 0)
    right, bottom = editor.at(1, 1)
    side, low = right - left, 0.5
    if shrunk:  # the lower right corner stays
        editor.drag((0, 0), (0.4, 0.4))
        side, low = 0.6 * side, 0.7
    handle = low * (bottom - top) - side / 2 + (-24 if shrunk else 24)  # CSS pixels from the upper border
    start = (low, handle / (bottom - top))
    away = low - start[1]
    editor.drag(start, (low + away * np.sin(0.6), low - away * np.cos(0.6)))
    with editor.opening(), editor.page.expect_request(re.compile(r"/crop\?")) as request:
        editor.test_id("frame-apply").click()
    sent = json.loads(request.value.post_data or "")
    assert sent["angle"] == pytest.approx(np.degrees(0.6), abs=3)
    assert sent["size"] == pytest.approx(128 * (0.6 if shrunk else 1), abs=3)
    editor.page.wait_for_function("() => document.getElementById('faces').hidden")
    editor.wait_for_edits(0)
    crop = editor.state()["photo"]["crop"]
    assert crop["angle"] == pytest.approx(sent["angle"])
    # strokes lie under the pointer: the turned crop's left half is not its upper left one
    editor.test_id("region-skin").click()
    before = editor.segmap()
    angle, across = np.radians(crop["angle"]), -0.3 * crop["size"]
    middle = (crop["left"] + crop["size"] / 2, crop["top"] + crop["size"] / 2)
    editor.click((middle[0] + across * np.cos(angle)) / 128, (middle[1] + across * np.sin(angle)) / 128)
    editor.wait_for_edits(1)
    rows, columns = np.nonzero(editor.segmap() != before)
    assert rows.mean() / len(before) == pytest.approx(0.5, abs=0.05)
    assert columns.mean() / len(before) == pytest.approx(0.2, abs=0.05)


def test_of_several_faces_one_is_chosen(editor: EditorPage, photo: bytes) -> None:
    faces = [{"left": 4, "top": 8, "size": 60}, {"left": 70, "top": 66, "size": 50}]

    def with_faces(state: Any) -> Any:
        """The state as the server would tell it of a photo with two faces."""
        if state.get("photo"):
            state["photo"] |= {"faces": faces, "crop": faces[0]}
        return state

    def live(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        socket.on_message(server.send)
        server.on_message(
            lambda line: socket.send(json.dumps(with_faces(json.loads(line))) if isinstance(line, str) else line)
        )

    editor.page.route(re.compile(r"/photo\?"), lambda route: route.fulfill(json=with_faces(route.fetch().json())))
    editor.page.route_web_socket(re.compile(r"/live\?"), live)
    editor.page.reload()
    editor.ready()
    with editor.opening():
        editor.upload("photo-input", "us.png", photo)
    assert "2 faces were found" in editor.test_id("faces").inner_text()
    with editor.page.expect_request(re.compile(r"/crop\?")) as request:
        editor.page.keyboard.press("0")  # the whole photo
        editor.page.wait_for_function("() => document.getElementById('zoom-value').textContent === '100 %'")
        editor.wait_for_layout()
        editor.click(95 / 128, 91 / 128)
        editor.test_id("frame-apply").click()
    sent = json.loads(request.value.post_data or "")
    assert {key: round(value) for key, value in sent.items()} == {**faces[1], "angle": 0}


def test_one_choice_says_what_is_painted_and_whose_look_is_changed(editor: EditorPage) -> None:
    editor.test_id("region-skin").click()
    assert editor.page.locator("#mixer-title").inner_text() == "skin"
    assert "Paint skin" in editor.page.locator("#tool-hint").inner_text()
    editor.test_id("region-hat").click()  # not in the picture yet
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    assert editor.region("hat") is not None
    assert "own look" in editor.test_id("region-hat").inner_text()


def test_every_pane_takes_the_tools_and_the_map_is_seen_through(editor: EditorPage) -> None:
    assert int(editor.page.locator("#opacity").input_value()) < 100
    first = editor.segmap()
    for count, pane in enumerate(("original", "result"), start=1):
        box = editor.page.locator(f"#{pane}").bounding_box()
        assert box is not None
        editor.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * (0.3 + 0.3 * (count - 1)))
        editor.away()
        editor.wait_for_edits(count)
    changed = editor.segmap() != first
    assert editor.label_at(changed, 0.5, 0.3) and editor.label_at(changed, 0.5, 0.6)


def test_looks_are_tried_on_the_picture_and_named(editor: EditorPage) -> None:
    editor.test_id("region-hair").click()
    editor.page.wait_for_function(
        "() => [...document.querySelectorAll('.look-name')].every((name) => !name.textContent.startsWith('Look'))"
    )
    names = editor.page.locator(".look-name").all_inner_texts()
    assert len(names) == len(set(names)) and len({re.sub(r" \d+$", "", name) for name in names}) > 1
    editor.test_id("preset-black").click()
    editor.wait_for_edits(1)
    assert {source for source, _ in editor.region("hair")["styles"]} == {"#1b1715"}
    editor.test_id("colour").fill("#d8bd8c")
    editor.wait_for_edits(2)
    assert {source for source, _ in editor.region("hair")["styles"]} == {"#d8bd8c"}


def test_the_keyboards_steps_of_the_slider_are_one_edit(editor: EditorPage) -> None:
    editor.test_id("region-hair").click()
    editor.test_id("look-5").click()
    editor.wait_for_edits(1)
    editor.page.locator("#strength").focus()
    # at once, as the pause that ends the edit may also come between two keys of a driver that is slow
    editor.page.evaluate(
        """() => {
            const slider = document.activeElement;
            for (let step = 0; step < 8; step++) {
                slider.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }));
                slider.stepDown();
                for (const kind of ['input', 'change']) slider.dispatchEvent(new Event(kind, { bubbles: true }));
            }
        }"""
    )
    editor.wait_for_edits(2)
    assert editor.region("hair")["styles"][0] == ["bank:5", 0.92]
    assert editor.page.locator("#strength").input_value() == "92"


def test_undo_works_while_a_list_has_the_focus(editor: EditorPage) -> None:
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    editor.page.locator("#underlay").focus()
    editor.page.keyboard.press("Control+z")
    editor.wait_for_edits(0)


def test_a_small_polygon_is_drawn_when_zoomed(editor: EditorPage) -> None:
    first = editor.segmap()
    editor.page.keyboard.press("p")
    x, y = editor.at(0.5, 0.3)
    editor.page.mouse.move(x, y)
    for _ in range(10):
        editor.page.mouse.wheel(0, -150)
    editor.page.wait_for_function("() => parseInt(document.getElementById('zoom-value').textContent) > 1500")
    for dx, dy in ((0, 0), (60, 0), (60, 60), (0, 60)):
        editor.page.mouse.click(x + dx, y + dy)
    editor.page.locator("#polygon-finish").click()
    editor.wait_for_edits(1)
    assert 0 < (editor.segmap() != first).sum() < 80


def test_a_split_area_is_marked_on_the_map(editor: EditorPage) -> None:
    before = editor.shown("map")
    editor.page.keyboard.press("s")
    editor.click(0.36, 0.6)
    editor.wait_for_edits(1)
    x, y = editor.region("skin", 1)["at"]
    assert editor.label_at(editor.segmap(), x, y) == SKIN
    editor.page.keyboard.press("b")
    editor.away()
    editor.wait_for_change("map", before)


def test_the_hint_goes_when_a_photo_is_opened(first_visit: EditorPage, photo: bytes) -> None:
    assert "drawn by code" in first_visit.test_id("hint").inner_text()
    first_visit.upload("photo-input", "me.png", photo)
    first_visit.page.wait_for_selector("[data-testid=hint]", state="hidden")


def test_eyes_and_brows_are_protected(editor: EditorPage) -> None:
    first = editor.segmap()
    eyes = np.isin(first, [CELEBAMASK_HQ.id_of(name) for name in ("l_eye", "r_eye", "l_brow", "r_brow")])
    editor.test_id("protect").check()
    editor.test_id("region-hair").click()
    editor.page.locator("#brush-size").fill("90")
    editor.drag((0.3, 0.45), (0.7, 0.45))
    editor.wait_for_edits(1)
    after = editor.segmap()
    assert eyes.sum() > 50 and (after[eyes] == first[eyes]).all()
    assert (after != first).sum() > 500


def test_the_sample_photo_opens(editor: EditorPage) -> None:
    editor.page.locator("#open-menu-button").click()
    with editor.opening():
        editor.page.locator("#open-sample").click()
    state = editor.state()["photo"]
    assert (state["name"], state["width"], state["height"]) == ("astronaut.png", 512, 512)


def test_tab_closes_a_menu(editor: EditorPage) -> None:
    editor.page.locator("#download-menu-button").click()
    assert editor.page.locator("#download-menu").is_visible()
    editor.page.keyboard.press("Tab")
    assert not editor.page.locator("#download-menu").is_visible()


def test_a_screen_reader_hears_what_happens(editor: EditorPage) -> None:
    editor.test_id("region-skin").click()
    editor.page.locator("#map").focus()
    editor.page.keyboard.press("ArrowDown")
    assert editor.test_id("announce").inner_text() in CELEBAMASK_HQ.names
    editor.page.keyboard.press("Enter")
    assert editor.test_id("announce").inner_text() == "Painted skin"
    assert "%" in (editor.page.locator("#brush-size").get_attribute("aria-valuetext") or "")


def test_on_a_phone_the_picture_stays_in_sight_and_the_panels_scroll(phone: EditorPage) -> None:
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360
    phone.test_id("region-hair").tap()
    phone.test_id("colour").scroll_into_view_if_needed()
    phone.page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    for name in ("result", "tool-brush"):
        box = phone.test_id(name).bounding_box()
        assert box is not None and box["y"] >= 0 and box["y"] + box["height"] <= 740, name
    assert phone.page.evaluate("scrollY") > 100
    # a finger on a panel scrolls
    touch = phone.page.context.new_cdp_session(phone.page)
    scrolled = phone.page.evaluate("scrollY")
    title = phone.page.locator("#mixer-title").bounding_box()
    assert title is not None
    x, y = title["x"] + 5, title["y"] + 5
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 11):
        moved = [{"x": x, "y": y + 12 * step}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": moved})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    phone.page.wait_for_function("before => scrollY < before", arg=scrolled)
    assert phone.state()["edits"] == 0


def test_on_a_phone_one_gets_back_to_the_whole_picture(phone: EditorPage) -> None:
    fit = phone.page.locator("#tab-zoom-fit")
    assert not fit.is_visible()
    touch = phone.page.context.new_cdp_session(phone.page)
    x, y = phone.at(0.5, 0.5)
    touch.send("Input.synthesizePinchGesture", {"x": x, "y": y, "scaleFactor": 2.5, "gestureSourceType": "touch"})
    fit.wait_for()
    assert phone.state()["edits"] == 0
    fit.tap()
    phone.page.wait_for_function("() => document.getElementById('zoom-value').textContent === '100 %'")
