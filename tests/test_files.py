"""Atomic writing: a reader sees the old file or the new one, and a failure is one line and leaves no litter."""

import codecs
import errno
import json
import os
import stat
from pathlib import Path

import pytest
from pydantic import BaseModel

from sean.errors import InputError
from sean.files import atomic_write, read_json, read_text, write_text_atomic


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "picture.png"
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        assert temporary.parent == path.parent and temporary.suffix == ".png"
        assert temporary.name.startswith(".")
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyboardInterrupt(), InputError("the user's mistake")])
def test_an_error_keeps_the_old_file_and_passes_through(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "config.json"
    path.write_text("old")
    with pytest.raises(type(error)) as caught, atomic_write(path) as temporary:
        temporary.write_text("half of the n")
        raise error
    assert caught.value is error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_replaces_text_as_utf8(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    write_text_atomic(path, "old")
    write_text_atomic(str(path), "Straße\n")
    assert path.read_bytes() == "Straße\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_readable_as_any_other(tmp_path: Path) -> None:
    """Not 0600, which temporary files have: a group that shares a folder could not read the model."""
    plain = tmp_path / "plain"
    plain.write_text("")
    write_text_atomic(tmp_path / "atomic", "")
    assert stat.S_IMODE((tmp_path / "atomic").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_the_data_is_on_the_disk_before_the_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    fsync, move = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append("flush"), fsync(handle))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("move"), move(a, b))[1])
    write_text_atomic(tmp_path / "file", "text")
    assert calls == ["flush", "move"]


@pytest.mark.parametrize("place", ["write_text", "chmod"])
def test_a_full_disk_is_one_line_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("old")

    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, place, full)
    with pytest.raises(InputError) as caught:
        write_text_atomic(path, "new")
    assert str(caught.value) == (
        f"cannot write {path}: No space left on device; free some space or choose another folder"
    )
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_fills_on_flush_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    path.write_text("old")

    def fail(handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(InputError, match="Input/output error"):
        write_text_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("sean.files.tempfile.mkstemp", refuse)
    with pytest.raises(InputError) as caught:
        write_text_atomic(tmp_path / "file", "text")
    assert str(caught.value) == f"cannot write {tmp_path / 'file'}: Permission denied; choose a writable folder"
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(InputError, match="choose a writable folder") as caught:
        write_text_atomic(tmp_path / "run" / "config.json", "text")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "run").read_text() == "mine"


def test_a_folder_in_the_place_of_the_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(InputError, match="choose another folder") as caught:
        write_text_atomic(tmp_path / "file", "text")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_text_with_any_byte_order_mark_is_read(tmp_path: Path, encoding: str) -> None:
    text = '{"label": "häir"}\n'
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    (tmp_path / "a.json").write_bytes(mark + text.encode(encoding))
    assert read_text(tmp_path / "a.json") == text


def test_what_is_no_text_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(InputError, match=r"a\.json is not UTF-8 text \(see byte 0\); save it as UTF-8"):
        read_text(tmp_path / "a.json")


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "old.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("store/old.txt")
    (tmp_path / "chain.txt").symlink_to("link.txt")
    (tmp_path / "dangling.txt").symlink_to("store/new.txt")
    (tmp_path / "folder").symlink_to("store")
    for name, target in (("chain.txt", "old.txt"), ("dangling.txt", "new.txt"), ("folder/third.txt", "third.txt")):
        write_text_atomic(tmp_path / name, name)
        assert (tmp_path / "store" / target).read_text() == name
    assert all((tmp_path / name).is_symlink() for name in ("link.txt", "chain.txt", "dangling.txt", "folder"))
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == ["new.txt", "old.txt", "third.txt"]


def test_a_failure_behind_a_link_keeps_the_target_and_names_the_link(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("old.txt")
    with pytest.raises(InputError, match=r"link\.txt"), atomic_write(tmp_path / "link.txt"):
        raise OSError("full")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "old.txt").read_text() == "old"


class Numbers(BaseModel):
    a: int


def test_json_is_checked_and_faults_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"
    path.write_text('\ufeff{"a": 1}', encoding="utf-8")
    assert read_json(path, Numbers, "numbers") == Numbers(a=1)
    for content, message in (
        (b"{", "numbers.json is not readable JSON ("),
        (b"\xff\xfe\xff", "numbers.json is not readable JSON (it is not UTF-8); expected numbers"),
        (b'{"a": "x"}', "numbers.json is not numbers (a: Input should be a valid integer"),
        (b"[]", "numbers.json is not numbers (Input should be an object)"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError) as error:
            read_json(path, Numbers, "numbers")
        assert message in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"expected numbers at .*, found no file; check the path"):
        read_json(tmp_path / "none.json", Numbers, "numbers")
    with pytest.raises(InputError, match=r"cannot read .*: Is a directory; expected numbers"):
        read_json(tmp_path, Numbers, "numbers")


@pytest.mark.parametrize(("name", "shown"), [("\r", "\\r"), ("a\nb", "a\\nb"), ("\u2028", "\\u2028"), ("ü", "ü")])
def test_names_from_a_file_break_no_line_of_a_message(tmp_path: Path, name: str, shown: str) -> None:
    class Closed(BaseModel, extra="forbid"):
        pass

    (tmp_path / "a.json").write_text(json.dumps({name: 1}))
    with pytest.raises(InputError) as error:
        read_json(tmp_path / "a.json", Closed, "a closed file")
    assert f"({shown}: Extra" in str(error.value) and len(str(error.value).splitlines()) == 1
