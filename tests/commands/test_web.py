"""The options of `sean web`, and what it says where it cannot start."""

import pytest

from sean.cli import main
from sean.web.limits import Limits
from sean.web.server import listen


def test_help_names_the_limits(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["web", "--help"])
    printed = capsys.readouterr().out
    for option in ("--model", "--parser", "--host", "--port", "--no-open", "--threads", "--limits.memory-bytes"):
        assert option in printed
    assert str(Limits().picture_pixels) in printed


def test_a_taken_port_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with listen("127.0.0.1", 0) as listener:
        assert main(["web", "--port", str(listener.getsockname()[1]), "--no-open"]) == 2
    assert "choose another --port" in capsys.readouterr().err


def test_limits_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "--limits.sessions", "0"]) == 2
    assert "above 0 for sessions" in capsys.readouterr().err
