"""The manifest of a prepared folder: written and read back, and refused where it is damaged."""

import hashlib
import json
from pathlib import Path

import pytest

from sean.data.manifest import MANIFEST_NAME, UNFINISHED_NAME, Manifest, file_checksum, read_manifest, write_manifest
from sean.errors import InputError


@pytest.mark.parametrize("size", [None, 256])
def test_a_manifest_is_read_back(tmp_path: Path, size: int | None) -> None:
    manifest = Manifest(
        source="ade20k",
        training=("b", "c"),
        validation=("a",),
        checksums={"labels/a.png": "00ff"},
        size=size,
        origin=None if size is None else "0123",
    )
    assert manifest.stems == ("a", "b", "c")
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest


def test_a_folder_made_by_hand_has_none(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "nowhere") is None


def test_an_unfinished_folder_is_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path, Manifest(source="x", training=("a",), validation=(), checksums={}))
    (tmp_path / UNFINISHED_NAME).touch()
    with pytest.raises(InputError, match="is not prepared to the end; run the same `sean data prepare` again"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"training": "abc"},
        {"training": None},
        {"validation": 3},
        {"checksums": ["a"]},
        {"size": "large"},
        {"size": [1]},
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    sound = {"source": "ade20k", "training": ["a"], "validation": [], "checksums": {}, "size": None}
    path = tmp_path / MANIFEST_NAME
    path.write_text(json.dumps(sound | change))
    with pytest.raises(InputError, match=r"manifest\.json is damaged \(.*; prepare the folder again"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b"\xff"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / MANIFEST_NAME).write_bytes(text)
    with pytest.raises(InputError, match=r"manifest\.json is damaged"):
        read_manifest(tmp_path)


def test_checksums_are_sha_256(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert file_checksum(path) == hashlib.sha256(b"content").hexdigest()
    with pytest.raises(InputError, match=r"cannot read .*file2: No such file"):
        file_checksum(tmp_path / "file2")
