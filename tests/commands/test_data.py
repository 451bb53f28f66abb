"""`sean data prepare` and `sean data check`: what they say, and the exit codes."""

from pathlib import Path

import pytest

from sean.cli import main

from ..data.official.miniature import cityscapes, cmp_facades


def test_a_download_becomes_a_checked_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, root = cityscapes(tmp_path / "download"), tmp_path / "pairs"
    command = ["data", "prepare", "cityscapes", str(source), str(root), "--size", "16", "--workers", "1"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.splitlines() == [
        f"{root}: cityscapes, 8 pairs: 6 training, 2 validation",
        "labels that occur: 23 of 35",
    ]
    assert main(command) == 0
    assert capsys.readouterr().out == (
        f"{root} is prepared already as cityscapes, 8 pairs: 6 training, 2 validation; "
        f"to verify it: sean data check {root}\n"
    )
    assert main(["data", "check", str(root)]) == 0
    said = capsys.readouterr()
    assert said.err == "" and "sizes (h x w): 16 x 32 (8)\nsplit: 6 training, 2 validation\n" in said.out
    assert said.out.rstrip().endswith("no problems")


def test_what_changed_in_a_prepared_folder_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, root = cmp_facades(tmp_path / "download"), tmp_path / "pairs"
    assert main(["data", "prepare", "cmp-facades", str(source), str(root), "--workers", "1"]) == 0
    capsys.readouterr()
    (root / "images" / "cmp_b0001.jpg").write_bytes((root / "images" / "cmp_b0002.jpg").read_bytes())
    (root / "labels" / "cmp_x0001.png").unlink()
    assert main(["data", "check", str(root)]) == 2
    said = capsys.readouterr()
    assert said.err == (f"sean: {root} has problems, listed above; mend or remove these files before training\n")
    assert "1 files of manifest.json that are missing:\n  labels/cmp_x0001.png\n" in said.out
    assert "1 files that changed since they were prepared:\n  images/cmp_b0001.jpg\n" in said.out
    assert "1 names in the split of manifest.json that have no pair:\n  cmp_x0001\n" in said.out


def test_an_unfinished_folder_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, root = cmp_facades(tmp_path / "download"), tmp_path / "pairs"
    (source / "base" / "cmp_b0001.jpg").write_bytes(b"nothing")
    assert main(["data", "prepare", "cmp-facades", str(source), str(root), "--workers", "1"]) == 2
    assert f"  expected a picture (PNG, JPEG, ...), but {source / 'base' / 'cmp_b0001.jpg'} is none" in (
        capsys.readouterr().out
    )
    assert main(["data", "check", str(root)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        f"sean: {root} is not prepared to the end; run the same `sean data prepare` again to finish it\n"
    )
