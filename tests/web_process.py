"""`sean web` as a process of its own, as users run it."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class WebProcess:
    """A server that runs.

    Attributes:
        address: of its page, with a slash at the end.
        pid: its process.
    """

    address: str
    pid: int


@contextmanager
def web_process(*options: str) -> Iterator[WebProcess]:
    """Run `sean web` with options on any free port; afterwards it must have stopped in order, without a traceback."""
    command = [sys.executable, "-m", "sean", "web", "--port", "0", "--no-open", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:  # ends when the process does
            lines.append(line)
            if found := re.search(r"the editor is at (http://\S+)", line):
                break
        else:
            pytest.fail(f"the server did not start: {''.join(lines)}")
        # It goes on writing; unread, it would stop once the pipe is full.
        draining = threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True)
        draining.start()
        try:
            yield WebProcess(found[1], process.pid)
        finally:
            process.terminate()
            code = process.wait(timeout=600)
            draining.join()
    assert code == 0
    output = "".join(lines)
    assert "Traceback" not in output, output
