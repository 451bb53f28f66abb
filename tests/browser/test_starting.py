"""Starts that fail: kept work that cannot be opened, busy servers, parts that do not load; the page goes on."""

import dataclasses
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route

from ..support.pipelines import TINY, random_pipeline
from ..web_process import web_process
from .browser_page import PATIENCE
from .conftest import SIZE
from .editor_page import IS_ASKED_BEFORE_LEAVING, EditorPage

pytestmark = pytest.mark.integration

STROKE = ((0.4, 0.3), (0.6, 0.3))
OTHER_STROKE = ((0.4, 0.7), (0.6, 0.7))  # not even under three messages


def spoil_kept_work(editor: EditorPage) -> None:
    """Let the kept work name a style that the server's model does not have."""
    editor.page.wait_for_function(f"() => !({IS_ASKED_BEFORE_LEAVING})()")  # nothing will be kept over it
    editor.page.evaluate(
        """() => new Promise((resolve) => {
            indexedDB.open('sean').onsuccess = ({ target }) => {
                const works = target.result.transaction('works', 'readwrite').objectStore('works');
                works.openCursor().onsuccess = ({ target: { result: found } }) => {
                    if (!found) return resolve();
                    for (const [step] of Object.values(found.value.steps)) step.bank = 99;
                    found.update(found.value);
                    found.continue();
                };
            };
        })"""
    )


def wait_for_message(editor: EditorPage, text: str) -> None:
    editor.test_id("message-error").filter(has_text=text).wait_for()


@pytest.mark.parametrize("is_open", [True, False])
def test_work_that_cannot_be_brought_back_is_told_and_stays(editor: EditorPage, is_open: bool) -> None:
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    spoil_kept_work(editor)
    session = editor.session_url
    if not is_open:
        editor.page.goto("about:blank")
    editor.page.request.delete(session)
    if not is_open:
        editor.open()
    wait_for_message(editor, "stays kept")
    editor.test_id("offer").wait_for()
    assert editor.session_url != session
    assert "1 edit" in editor.test_id("offer").inner_text()
    editor.page.locator("#offer-take").click()  # and once more
    editor.page.wait_for_selector("#offer", state="hidden")
    editor.test_id("offer").wait_for()
    editor.wait_for_edits(0)
    editor.drag(*OTHER_STROKE)
    editor.wait_for_edits(1)
    editor.wait_until_kept()


def test_a_busy_server_is_asked_again_for_kept_work(editor: EditorPage) -> None:
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    answers = iter([429, 503, None])

    def answer(route: Route) -> None:
        status = next(answers, 200)
        if status is None:
            route.abort()
        elif status == 200:
            route.continue_()
        else:
            route.fulfill(status=status, json={"detail": "the server is busy"})

    editor.page.route(re.compile("/drawing$"), answer)
    editor.forget_and_bring_back()
    editor.wait_for_edits(1)
    assert "busy" in editor.test_id("messages").inner_text()
    editor.page.wait_for_selector("#progress", state="hidden")
    editor.problems.clear()  # the browser's console tells of the answers too


def test_kept_work_that_is_never_answered_stays_and_the_page_goes_on(editor: EditorPage) -> None:
    editor.drag(*STROKE)
    editor.wait_for_edits(1)
    editor.page.route(re.compile("/drawing$"), lambda route: route.abort())
    editor.forget_and_bring_back()
    wait_for_message(editor, "stays kept")
    editor.wait_for_edits(0)
    editor.drag(*OTHER_STROKE)
    editor.wait_for_edits(1)
    editor.problems.clear()


def test_a_page_that_can_begin_no_session_tries_again(editor: EditorPage) -> None:
    refused: list[Route] = []

    def answer(route: Route) -> None:
        if len(refused) < 2:  # to bring the work back, and to begin anew
            refused.append(route)
            route.fulfill(status=403, json={"detail": "not at present"})
        else:
            route.continue_()

    editor.page.route(re.compile("/api/sessions$"), answer)
    editor.forget_and_bring_back()
    editor.page.locator('[data-text="Not at present."]').wait_for()
    assert editor.test_id("message-error").filter(has_text="stays kept").count() == 0, "there was nothing to keep"
    editor.wait_for_edits(0)
    editor.drag(*OTHER_STROKE)
    editor.wait_for_edits(1)
    editor.problems.clear()  # the browser's console tells of the connection to the session that is gone


def test_the_page_takes_no_input_before_there_is_a_session(editor: EditorPage, photo: bytes) -> None:
    waiting: list[Route] = []
    editor.page.route(re.compile("/api/sessions/[^/]+$"), lambda route: waiting.append(route))
    editor.page.reload()
    end = time.monotonic() + PATIENCE
    while not waiting:
        assert time.monotonic() < end, "the page does not ask for its session"
        editor.page.wait_for_timeout(20)
    editor.paste("me.png", photo)
    assert "still starting" in editor.test_id("messages").inner_text()
    assert editor.page.locator("[inert] #open-photo").count() == editor.page.locator("[inert] #map").count() == 1
    waiting[0].continue_()
    editor.ready()
    assert editor.page.locator("[inert]").count() == 0


def test_another_model_at_the_same_address(
    browser: Browser, model_folder: Path, parser_folder: Path, tmp_path: Path
) -> None:
    """An open page is loaded again for it, says what cannot be brought back, and goes on."""
    random_pipeline(dataclasses.replace(TINY, image_size=(SIZE, SIZE))).save_pretrained(tmp_path)  # without a bank
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    with web_process("--model", str(model_folder), "--parser", str(parser_folder), "--threads", "1") as process:
        editor = EditorPage(context.new_page(), process.address)
        editor.open()
        editor.close_hint()
        editor.drag(*STROKE)
        editor.wait_for_edits(1)
        editor.wait_until_kept()
        port = process.address.rstrip("/").rpartition(":")[2]
    editor.page.wait_for_selector('#connection[data-status="reconnecting"]')
    with web_process("--model", str(tmp_path), "--threads", "1", "--port", port):
        wait_for_message(editor, "stays kept")
        editor.ready()
        assert "1 edit" in editor.test_id("offer").inner_text()
        editor.wait_for_edits(0)
        editor.drag(*OTHER_STROKE)
        editor.wait_for_edits(1)
        editor.page.close()
    context.close()


def broken_start(editor: EditorPage, pattern: str, answer: Callable[[Route], Any]) -> str:
    """What the page says where it gets another answer for a part."""
    editor.page.route(re.compile(pattern), answer)
    editor.page.reload()
    line = editor.page.locator("#boot[role=alert]")
    line.wait_for()
    editor.problems.clear()  # the browser's console tells of it too
    return str(line.inner_text())


@pytest.mark.parametrize("part", ["looks.js$", "main.js$"])
def test_a_part_that_does_not_load_is_told(editor: EditorPage, part: str) -> None:
    assert "did not load" in broken_start(editor, part, lambda route: route.abort())


def test_a_proxys_page_in_place_of_the_model_is_told(editor: EditorPage) -> None:
    html = broken_start(editor, "/api/model$", lambda route: route.fulfill(content_type="text/html", body="<html>"))
    assert "something else" in html
