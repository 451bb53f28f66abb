"""A web server on this machine that serves a folder, counts what is asked for, and fails when it is told to."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class ShardServer:
    """Serves `folder` at `url`.

    Attributes:
        asked: how often each file was asked for.
        faults: per file what is wrong with the next answers, in order: a status such as 503, "cut" (half of the
            content under its whole length), "wrong" (other bytes), "hang" (half of it, and nothing more).
        hanging: set when an answer hangs.
        delay: seconds before each answer.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}/data"
        self.asked: Counter[str] = Counter()
        self.faults: dict[str, list[int | str]] = defaultdict(list)
        self.hanging, self.released = threading.Event(), threading.Event()
        self.delay = 0.0

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.removeprefix("/data/")
        self.asked[name] += 1
        if self.delay:
            time.sleep(self.delay)
        fault = self.faults[name].pop(0) if self.faults[name] else None
        path = self.folder / name
        if isinstance(fault, int) or not path.is_file():
            handler.send_error(fault if isinstance(fault, int) else 404)
            return
        content = path.read_bytes()
        if fault == "wrong":
            content = bytes(len(content))
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: len(content) // 2] if fault in ("cut", "hang") else content)
        if fault == "hang":
            handler.wfile.flush()
            self.hanging.set()
            self.released.wait(20)


@contextmanager
def serving(folder: Path) -> Iterator[ShardServer]:
    """A server for the time of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shard_server.answer(self)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        shard_server = ShardServer(folder, server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield shard_server
        finally:
            shard_server.released.set()
            server.shutdown()
            thread.join()
