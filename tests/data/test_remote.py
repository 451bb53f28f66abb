"""Small files behind urls: read again where an answer breaks off, and known by their protocol."""

from pathlib import Path

import pytest

from sean.data import remote
from sean.data.remote import is_url, read_url
from sean.errors import InputError

from .shard_server import serving


def test_an_answer_that_breaks_off_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(remote, "PAUSES", [0.0])
    (tmp_path / "index.json").write_text("[1, 2, 3]")
    with serving(tmp_path) as server:
        server.faults["index.json"] = ["cut", "cut", "cut"]
        with pytest.raises(InputError, match=r"cannot read http://.*index\.json: got 4 of 9 bytes; check the network"):
            read_url(f"{server.url}/index.json")
        assert read_url(f"{server.url}/index.json") == b"[1, 2, 3]"
        assert server.asked["index.json"] == 4


def test_urls_are_known_by_their_protocol() -> None:
    assert all(map(is_url, ("http://x", "s3://bucket/x", "file:///x")))
    assert not any(map(is_url, ("x", "/x/y", Path("/x"), "C:\\x")))
