"""`sean web` as a process: it starts on a free port, serves, and stops in good order."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError
from sean.web.app import create_app
from sean.web.limits import Limits
from sean.web.server import listen, server_config, url_of
from sean.web.service import Service

from .conftest import pixels

SOURCE = Path(__file__).resolve().parents[2] / "src"


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_and_stops(tmp_path: Path, pipeline: SEANPipeline, number: signal.Signals) -> None:
    pipeline.save_pretrained(tmp_path / "model")
    command = [sys.executable, "-W", "error", "-m", "sean", "web", "--model", str(tmp_path / "model")]
    process = subprocess.Popen(
        [*command, "--port", "0", "--no-open", "--threads", "1", "--limits.sessions", "3"],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    found = next(match for line in lines if (match := re.search(r"the editor is at (http://127\.0\.0\.1:\d+/) ", line)))
    url = found[1]
    with urllib.request.urlopen(f"{url}health") as answer:
        assert json.load(answer)["status"] == "ok"
    request = urllib.request.Request(f"{url}api/sessions", b'{"bank": 1}', {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        session = json.load(answer)["id"]
    with connect(f"ws{url.removeprefix('http')}api/sessions/{session}/live") as live:
        live.send('{"seq": 1, "render": true}')
        frame = live.recv(600)
        assert isinstance(frame, bytes)
        assert pixels(frame[4 + int.from_bytes(frame[:4], "big") :]).shape == (32, 32, 3)
        process.send_signal(number)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                live.recv(600)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0
    assert output.endswith("sean: stopped\n") and errors == ""


def test_a_port_that_is_taken_is_said_to_be() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener) == f"http://127.0.0.1:{port}/"
        with pytest.raises(InputError, match=rf"cannot listen on 127.0.0.1 port {port}: .*choose another port"):
            listen("127.0.0.1", port)
    with pytest.raises(InputError, match=r"cannot listen on no-such-host\.invalid"):
        listen("no-such-host.invalid", 0)


def test_a_client_behind_a_long_edit_is_not_taken_for_gone(service: Service) -> None:
    """The answer to a ping is read only when the edits before it have been done."""
    config = server_config(create_app(service), service.limits)
    service.close()
    assert config.ws_ping_timeout is not None and config.ws_ping_timeout >= 100


def test_limits_must_be_above_zero() -> None:
    with pytest.raises(InputError, match="above 0 for sessions, got 0"):
        Limits(sessions=0)
    with pytest.raises(InputError, match="above 0 for idle_seconds, got nan"):
        Limits(idle_seconds=np.nan)
