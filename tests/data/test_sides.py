"""Left and right in maps of drawn faces: found by geometry, exchanged, written to a folder of their own."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sean.cli import main
from sean.data.folder import PairedFolder
from sean.data.manifest import Manifest, file_checksum, write_manifest
from sean.data.sides import mend_folder, mend_sides
from sean.errors import InputError
from sean.files import link_or_copy
from sean.images import write_image
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.segmap import write_segmap

# (y, x) of the parts of an upright face about its middle; the subject's left is at the right
PARTS = {
    "nose": (0, 0),
    "l_eye": (-10, 12),
    "r_eye": (-10, -12),
    "l_brow": (-18, 12),
    "r_brow": (-18, -12),
    "l_ear": (-4, 26),
    "r_ear": (-4, -26),
    "mouth": (14, 0),
}
EXCHANGED = {name: {"l": "r", "r": "l"}.get(name[0], "") + name[1:] for name in PARTS if name[1] == "_"}
EYES_BROWS_EARS = ("l_eye, r_eye", "l_brow, r_brow", "l_ear, r_ear")


def face(*, turned: float = 0.0, without: tuple[str, ...] = (), wrong: tuple[str, ...] = ()) -> np.ndarray:
    """A map of a face turned by so many degrees, without some parts, and with some under their partner's name."""
    segmap = np.full((96, 96), CELEBAMASK_HQ.id_of("skin"))
    angle = math.radians(turned)
    for name, (y, x) in PARTS.items():
        if name in without:
            continue
        row = round(48 + y * math.cos(angle) + x * math.sin(angle))
        column = round(48 + x * math.cos(angle) - y * math.sin(angle))
        called = EXCHANGED[name] if name in wrong else name
        segmap[row - 2 : row + 3, column - 2 : column + 3] = CELEBAMASK_HQ.id_of(called)
    return segmap


@pytest.mark.parametrize("turned", [0.0, 30.0, -75.0, 90.0, 180.0])
def test_faces_are_mended_however_they_are_turned(turned: float) -> None:
    right = face(turned=turned)
    mended, exchanged = mend_sides(right, CELEBAMASK_HQ)
    assert exchanged == () and np.array_equal(mended, right)
    mended, exchanged = mend_sides(face(turned=turned, wrong=tuple(EXCHANGED)), CELEBAMASK_HQ)
    assert exchanged == EYES_BROWS_EARS
    assert np.array_equal(mended, right)


def test_each_kind_is_mended_by_itself() -> None:
    mended, exchanged = mend_sides(face(wrong=("l_ear", "r_ear")), CELEBAMASK_HQ)
    assert exchanged == ("l_ear, r_ear",) and np.array_equal(mended, face())
    # a profile with one eye and one ear
    profile = ("r_eye", "r_brow", "r_ear")
    mended, exchanged = mend_sides(face(without=profile, wrong=("l_ear",)), CELEBAMASK_HQ)
    assert exchanged == ("l_ear, r_ear",) and np.array_equal(mended, face(without=profile))


def test_a_single_part_near_the_middle_goes_with_the_others() -> None:
    near, there = face(without=("l_ear", "r_ear")), CELEBAMASK_HQ.id_of("l_ear")
    near[46:51, 47:52] = there  # one pixel right of the nose
    assert mend_sides(near, CELEBAMASK_HQ)[1] == ()
    wrong = face(without=("l_ear", "r_ear"), wrong=("l_eye", "r_eye", "l_brow", "r_brow"))
    wrong[46:51, 47:52] = there
    assert mend_sides(wrong, CELEBAMASK_HQ)[1] == EYES_BROWS_EARS


def test_what_tells_nothing_stays() -> None:
    wrong = tuple(EXCHANGED)
    for without in (("mouth",), ("l_eye", "r_eye", "l_brow", "r_brow")):
        segmap = face(wrong=wrong, without=without)
        assert mend_sides(segmap, CELEBAMASK_HQ) == (segmap, ())
    with pytest.raises(InputError, match=r"'two' lacks l_brow, l_ear"):
        mend_sides(face(), LabelSet(name="two", names=("sky", "sea")))


def write_faces(root: Path) -> PairedFolder:
    for name, wrong in (("a", ()), ("b", tuple(EXCHANGED)), ("c", ())):
        write_image(root / "images" / f"{name}.png", np.zeros((96, 96, 3), dtype=np.uint8))
        write_segmap(root / "labels" / f"{name}.png", face(wrong=wrong), CELEBAMASK_HQ)
    (root / "classes.txt").write_text(CELEBAMASK_HQ.to_classes_txt())
    return PairedFolder.open(root)


def test_a_folder_is_mended_beside_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_faces(tmp_path / "faces")
    before = {path: (path.read_bytes(), path.stat().st_mode) for path in source.root.rglob("*.png")}
    target = tmp_path / "mended"
    assert main(["data", "mend-sides", str(source.root), "--output", str(target)]) == 0
    printed = capsys.readouterr().out
    assert "b: exchanged l_eye, r_eye; l_brow, r_brow; l_ear, r_ear" in printed
    assert "3 pairs, left and right exchanged in 1" in printed
    mended = PairedFolder.open(target)
    assert mended.stems == ("a", "b", "c") and mended.labels == CELEBAMASK_HQ
    for pair in (mended.pairs(("a",)).read(0), mended.pairs(("b",)).read(0)):
        assert np.array_equal(pair.segmap, face())
    assert {path: (path.read_bytes(), path.stat().st_mode) for path in source.root.rglob("*.png")} == before
    assert main(["data", "mend-sides", str(source.root), "--output", str(target)]) == 2
    assert "is a data folder already" in capsys.readouterr().err


def test_an_interrupted_folder_is_finished_and_a_manifest_goes_along(tmp_path: Path) -> None:
    source = write_faces(tmp_path / "faces")
    names = [path.relative_to(source.root).as_posix() for path in source.root.rglob("*.*")]
    checksums = {name: file_checksum(source.root / name) for name in names}
    manifest = Manifest(source="drawn", training=("a", "b"), validation=("c",), checksums=checksums)
    write_manifest(source.root, manifest)
    source, target = PairedFolder.open(source.root), tmp_path / "mended"

    def stop(done: int, total: int) -> None:
        assert total == 3
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mend_folder(source, target, stop)
    assert not (target / "classes.txt").exists()
    mend_folder(source, target)
    mended = PairedFolder.open(target)
    assert mended.split() == (("a", "b"), ("c",))
    assert mended.manifest is not None
    assert {name: file_checksum(target / name) for name in names} == dict(mended.manifest.checksums)
    assert mended.manifest.checksums != checksums
    assert json.loads((source.root / "manifest.json").read_text())["checksums"] == checksums


def test_links_and_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a.png"
    Image.new("L", (2, 2)).save(source)
    link_or_copy(source, tmp_path / "there" / "a.png")
    assert (tmp_path / "there" / "a.png").samefile(source)

    def refuse(*_: object) -> None:
        raise OSError("another file system")

    monkeypatch.setattr("os.link", refuse)
    link_or_copy(source, tmp_path / "there" / "a.png")
    assert not (tmp_path / "there" / "a.png").samefile(source)
    assert (tmp_path / "there" / "a.png").read_bytes() == source.read_bytes()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="choose a writable folder"):
        link_or_copy(source, tmp_path / "file" / "a.png")
