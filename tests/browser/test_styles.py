"""Styles in a real browser: bank, mean, another region, photos, strength, crossover and interpolation."""

import pytest

from .editor_page import EditorPage

pytestmark = pytest.mark.integration

OWN = ["own", 1.0]


def test_a_style_of_the_bank_and_how_strong_it_is(editor: EditorPage) -> None:
    own = editor.shown("result")
    editor.test_id("region-hair").click()
    editor.test_id("look-5").click()
    editor.wait_for_edits(1)
    full = editor.shown("result")
    assert full != own
    assert editor.region("hair")["styles"] == [["bank:5", 1.0]] * 6
    assert editor.region("skin")["styles"] == [OWN] * 6
    assert "look 6" in editor.test_id("region-hair").inner_text()

    editor.page.locator("#strength").fill("40")
    editor.wait_for_edits(2)
    assert editor.region("hair")["styles"] == [["bank:5", 0.4]] * 6
    assert editor.shown("result") not in (own, full)
    editor.page.locator("#strength").fill("0")
    editor.wait_for_edits(3)
    editor.wait_until_near("result", own)


def test_the_slider_is_live_while_it_is_dragged(editor: EditorPage) -> None:
    editor.test_id("region-hair").click()
    editor.test_id("look-5").click()
    editor.wait_for_edits(1)
    full = editor.shown("result")
    box = editor.page.locator("#strength").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    editor.page.mouse.move(box["x"] + box["width"] - 8, middle)
    editor.page.mouse.down()
    editor.page.mouse.move(box["x"] + box["width"] / 2, middle, steps=5)
    editor.wait_for_change("result", full)
    assert editor.state()["edits"] == 1
    editor.page.mouse.up()
    editor.wait_for_edits(2)


def test_crossover_gives_single_blocks_the_other_style(editor: EditorPage) -> None:
    editor.test_id("region-hair").click()
    assert editor.test_id("block-0-other").is_disabled()
    editor.test_id("look-7").click()
    editor.wait_for_edits(1)
    full = editor.shown("result")
    editor.page.locator(".advanced summary").click()
    editor.test_id("block-0-own").click()
    editor.wait_for_edits(2)
    editor.test_id("block-4-own").click()
    editor.wait_for_edits(3)
    other = ["bank:7", 1.0]
    assert editor.region("hair")["styles"] == [OWN, other, other, other, OWN, other]
    editor.wait_for_change("result", full)
    assert editor.test_id("block-4-own").get_attribute("aria-pressed") == "true"
    editor.page.locator("#strength").fill("50")  # of the blocks that take it
    editor.wait_for_edits(4)
    half = ["bank:7", 0.5]
    assert editor.region("hair")["styles"] == [OWN, half, half, half, OWN, half]
    editor.page.locator("#undo").click()
    editor.wait_for_edits(3)
    editor.test_id("block-0-other").click()
    editor.wait_for_edits(4)
    editor.test_id("block-4-other").click()
    editor.wait_for_edits(5)
    editor.wait_until_near("result", full)


def test_all_regions_move_to_the_mean_and_back(editor: EditorPage) -> None:
    own = editor.shown("result")
    editor.test_id("source-mean").click()
    editor.wait_for_edits(1)
    editor.wait_for_change("result", own)
    editor.page.locator("#strength").fill("30")
    editor.wait_for_edits(2)
    assert {tuple(style) for region in editor.state()["regions"] for style in region["styles"]} == {("mean", 0.3)}
    editor.test_id("source-own").click()
    editor.wait_for_edits(3)
    editor.wait_until_near("result", own)


def test_the_look_of_another_region(editor: EditorPage) -> None:
    editor.test_id("region-hair").click()
    editor.page.locator(".advanced summary").click()
    editor.page.locator("#other-region").select_option("cloth")
    editor.wait_for_edits(1)
    assert editor.region("hair")["styles"] == [["region:cloth", 1.0]] * 6


def test_a_style_from_a_photo(editor: EditorPage, photo: bytes) -> None:
    before = editor.shown("result")
    editor.test_id("region-hair").click()
    editor.upload("style-input", "other.png", photo)
    editor.wait_for_edits(1)
    (source,) = {source for source, _ in editor.region("hair")["styles"]}
    assert source.startswith("photo:")
    editor.wait_for_change("result", before)
    assert editor.test_id(f"source-{source}").get_attribute("aria-pressed") == "true"


def test_a_photo_is_dropped_on_a_slot(editor: EditorPage, photo: bytes) -> None:
    editor.drop("region-hair", "other.png", photo)
    editor.wait_for_edits(1)
    assert editor.region("hair")["styles"][0][0].startswith("photo:")
    assert not editor.state()["photo"]
    # The test's parser finds hair everywhere, so this photo has no nose; the page says so and keeps the photo.
    editor.drop("region-nose", "other.png", photo)
    editor.test_id("message-error").wait_for()
    assert "No nose" in editor.test_id("message-error").inner_text()
    assert editor.state()["edits"] == 1
