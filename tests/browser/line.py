"""The page's WebSockets in the hands of a test."""

import re
from collections.abc import Callable
from functools import partial

from playwright.sync_api import WebSocketRoute

from .editor_page import EditorPage

LIVE = re.compile(r"/live\?")


class Line:
    """The page's WebSockets in the test's hands: cut, or silent in one direction."""

    def __init__(self, editor: EditorPage) -> None:
        self.is_cut = self.server_is_silent = self.page_is_late = False
        self.sockets: list[WebSocketRoute] = []
        self._late: list[Callable[[], None]] = []
        self._editor = editor
        editor.page.route_web_socket(LIVE, self._through)
        editor.page.reload()
        editor.ready()

    def _through(self, socket: WebSocketRoute) -> None:
        if self.is_cut:
            socket.close()
            return
        self.sockets.append(socket)
        server = socket.connect_to_server()
        socket.on_message(self._leaving(server))
        server.on_message(self._passing(socket))

    def _leaving(self, server: WebSocketRoute) -> Callable[[str | bytes], None]:
        def send(message: str | bytes) -> None:
            if self.page_is_late:
                self._late.append(partial(server.send, message))
            else:
                server.send(message)

        return send

    def deliver(self) -> None:
        """Send what a late page has sent."""
        self.page_is_late = False
        while self._late:
            self._late.pop(0)()

    def _passing(self, socket: WebSocketRoute) -> Callable[[str | bytes], None]:
        def receive(message: str | bytes) -> None:
            if not self.server_is_silent:
                socket.send(message)

        return receive

    def cut(self) -> None:
        self.is_cut = True
        self.sockets[-1].close()
        self._editor.page.wait_for_selector('#connection[data-status="reconnecting"]')

    def mend(self) -> None:
        self.is_cut = self.server_is_silent = False
        self._editor.page.evaluate("window.dispatchEvent(new Event('online'))")
        self._editor.page.wait_for_selector('#connection[data-status="connected"]')
