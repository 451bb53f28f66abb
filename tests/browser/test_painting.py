"""The map in a real browser: brush, eraser, fill, polygon, replace, split, undo, and the live result."""

import numpy as np
import pytest

from sean.labels import CELEBAMASK_HQ

from .editor_page import EditorPage

pytestmark = pytest.mark.integration

HAIR, SKIN, HAT = (CELEBAMASK_HQ.id_of(name) for name in ("hair", "skin", "hat"))
FOREHEAD = ((0.4, 0.3), (0.6, 0.3))
CHEEK = (0.36, 0.6)


def test_a_stroke_changes_map_and_result_and_can_be_undone_and_redone(editor: EditorPage) -> None:
    first_map, first_result, first_ids = editor.shown("map"), editor.shown("result"), editor.segmap()
    assert editor.label_at(first_ids, 0.5, 0.3) == SKIN

    editor.drag(*FOREHEAD)
    editor.wait_for_edits(1)
    painted_map, painted_result, painted_ids = editor.shown("map"), editor.shown("result"), editor.segmap()
    assert painted_map != first_map
    assert painted_result != first_result
    assert editor.label_at(painted_ids, 0.5, 0.3) == HAIR
    above = len(first_ids) // 8
    assert (painted_ids[:above] == first_ids[:above]).all()

    editor.page.keyboard.press("Control+z")
    editor.wait_for_picture("result", first_result)
    editor.wait_for_picture("map", first_map)
    assert (editor.segmap() == first_ids).all()

    editor.page.keyboard.press("Control+Shift+z")
    editor.wait_for_picture("result", painted_result)
    editor.wait_for_picture("map", painted_map)
    assert (editor.segmap() == painted_ids).all()
    editor.page.locator("#undo").click()
    editor.wait_for_picture("result", first_result)
    editor.page.locator("#redo").click()
    editor.wait_for_picture("result", painted_result)


def test_the_result_follows_while_the_pointer_is_still_down(editor: EditorPage) -> None:
    before = editor.shown("result")
    editor.page.mouse.move(*editor.at(*FOREHEAD[0]))
    editor.page.mouse.down()
    editor.page.mouse.move(*editor.at(*FOREHEAD[1]), steps=6)
    editor.wait_for_change("result", before)
    assert editor.state()["edits"] == 0
    editor.page.keyboard.press("Escape")  # gives the stroke up
    editor.page.mouse.up()
    editor.wait_for_picture("result", before)
    assert editor.state()["edits"] == 0


def test_the_stroke_is_drawn_at_once_as_the_server_paints_it(editor: EditorPage) -> None:
    editor.page.mouse.move(*editor.at(0.4, 0.3))
    editor.page.mouse.down()
    editor.page.mouse.move(*editor.at(0.6, 0.4), steps=3)
    local = editor.page.evaluate(
        """async () => {
            const { canvas } = (await import(new URL('panes.js', document.baseURI))).stroke;
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return Array.from({ length: data.length / 4 }, (_, i) => data[4 * i + 3] > 0);
        }"""
    )
    before = editor.segmap()
    editor.page.mouse.up()
    editor.away()
    editor.wait_for_edits(1)
    stroke = np.array(local).reshape(before.shape)
    assert stroke.sum() > 100
    assert (editor.segmap() == np.where(stroke, HAIR, before)).all()


def test_the_eraser_brings_the_first_map_back(editor: EditorPage) -> None:
    first = editor.segmap()
    editor.drag(*FOREHEAD)
    editor.wait_for_edits(1)
    editor.page.keyboard.press("e")
    editor.page.locator("#brush-size").fill("80")
    editor.drag(*FOREHEAD)
    editor.wait_for_edits(2)
    assert (editor.segmap() == first).all()


def test_fill_replace_and_reset(editor: EditorPage) -> None:
    first = editor.segmap()
    editor.test_id("region-hat").click()
    editor.page.keyboard.press("f")
    editor.click(*CHEEK)
    editor.wait_for_edits(1)
    filled = editor.segmap()
    assert editor.label_at(filled, *CHEEK) == HAT
    assert (filled[first == HAIR] == HAIR).all()

    editor.test_id("tool-replace").click()
    editor.test_id("region-skin").click()
    editor.click(*CHEEK)
    editor.wait_for_edits(2)
    assert (editor.segmap() == np.where(filled == HAT, SKIN, filled)).all()

    editor.page.locator("#reset-segmap").click()
    editor.wait_for_edits(3)
    assert (editor.segmap() == first).all()


def test_a_polygon_is_filled_when_it_is_closed(editor: EditorPage) -> None:
    editor.page.keyboard.press("p")
    for corner in ((0.4, 0.25), (0.6, 0.25), (0.6, 0.35)):
        editor.page.mouse.click(*editor.at(*corner))
    assert editor.state()["edits"] == 0
    editor.page.locator("#polygon-finish").click()
    editor.wait_for_edits(1)
    ids = editor.segmap()
    assert editor.label_at(ids, 0.58, 0.27) == HAIR  # inside, beside the right corner
    assert editor.label_at(ids, 0.425, 0.34) == SKIN  # the other side of the diagonal


def test_a_split_area_gets_a_style_of_its_own(editor: EditorPage) -> None:
    editor.page.keyboard.press("s")
    editor.click(*CHEEK)
    editor.wait_for_edits(1)
    assert editor.region("skin", 1) is not None
    editor.test_id("region-skin-1").wait_for()
    assert editor.test_id("region-skin-1").get_attribute("aria-checked") == "true"
    before = editor.shown("result")
    editor.test_id("look-3").click()
    editor.wait_for_edits(2)
    editor.wait_for_change("result", before)
    assert {source for source, _ in editor.region("skin", 1)["styles"]} == {"bank:3"}


def test_the_keyboard_alone_paints(editor: EditorPage) -> None:
    editor.page.locator("#map").focus()
    for _ in range(4):
        editor.page.keyboard.press("ArrowUp")  # a 32nd of the picture each, from its middle
    editor.page.keyboard.press("Enter")
    editor.wait_for_edits(1)
    assert editor.label_at(editor.segmap(), 0.5, 0.375) == HAIR


def test_a_point_is_painted_where_it_is_seen_also_when_zoomed(editor: EditorPage) -> None:
    first = editor.segmap()
    x, y = editor.at(0.4, 0.3)
    editor.page.mouse.move(x, y)
    editor.page.mouse.wheel(0, -400)
    editor.page.wait_for_function("() => document.getElementById('zoom-value').textContent !== '100 %'")
    editor.page.locator("#brush-size").fill("20")
    editor.page.mouse.click(x, y)  # what was under the pointer is still there
    editor.away()
    editor.wait_for_edits(1)
    rows, columns = np.nonzero(editor.segmap() != first)
    assert abs(rows.mean() + 0.5 - 0.3 * len(first)) < 1
    assert abs(columns.mean() + 0.5 - 0.4 * len(first)) < 1
