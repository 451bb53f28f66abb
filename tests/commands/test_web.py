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
    assert "choose another port" in capsys.readouterr().err


def test_limits_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "--limits.sessions", "0"]) == 2
    assert "above 0 for sessions" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["65536", "99999999999999999999", "-1"])
def test_a_port_that_is_none_is_one_line(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "--port", port, "--no-open"]) == 2
    line = capsys.readouterr().err
    assert f"expected a port of 1 to 65535, or 0 for any free one, got {port}" in line
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize("host", ["no such host", "a" * 300, "a..b"])
def test_an_address_that_is_none_is_one_line(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "--host", host, "--no-open"]) == 2
    assert "choose another port or host (--port)" in capsys.readouterr().err


def test_names_proxies_and_threads_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    for options, said in (
        (["--public-name", "https://example.org"], "expected a host name"),
        (["--trusted-proxy", "nginx"], "expected the address of a proxy"),
        (["--threads", "0"], "expected at least 1 thread, got 0"),
    ):
        assert main(["web", "--no-open", *options]) == 2
        assert said in capsys.readouterr().err
