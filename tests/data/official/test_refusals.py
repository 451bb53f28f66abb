"""What cannot be prepared: everything wrong in one list, or one line; never a manifest, never a file of the user's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sean.cli import main
from sean.data.check import SHOWN
from sean.data.manifest import MANIFEST_NAME, UNFINISHED_NAME
from sean.data.official.prepare import prepare
from sean.errors import InputError
from sean.labels import ADE20K, CELEBAMASK_HQ, CITYSCAPES, CMP_FACADES

from .miniature import MINIATURES, cmp_facades

ADE_MAP = "annotations/training/ADE_train_00000001.png"
CITY = "aachen/aachen_000001_000019"


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def fill(value: int) -> Callable[[Path], None]:
    """Overwrite a map with one id, of the same size."""

    def apply(path: Path) -> None:
        with Image.open(path) as image:
            shape = image.size[::-1]
        Image.fromarray(np.full(shape, value, dtype=np.uint8 if value < 256 else np.uint16)).save(path)

    return apply


def crop(path: Path) -> None:
    with Image.open(path) as image:
        cropped = image.crop((0, 0, 32, 16))
    cropped.save(path)


def corrupt(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(bytes(content))


def as_jpeg(path: Path) -> None:
    with Image.open(path) as image:
        grey = image.convert("L")
    grey.save(path, format="JPEG")


def in_colors(path: Path) -> None:
    with Image.open(path) as image:
        colors = image.convert("RGB")
    colors.save(path)


def grey(path: Path) -> None:
    with Image.open(path) as image:
        levels = image.convert("L")
    levels.save(path)


# (data set, file, what is done to it, kind of the problem, part of the line), found when the files are opened
DAMAGES = [
    (CELEBAMASK_HQ.name, "CelebA-HQ-img/1999.jpg", halve, "files that cannot be read", "damaged or truncated"),
    (CELEBAMASK_HQ.name, "CelebAMask-HQ-mask-anno/2/04000_skin.png", corrupt, "files that cannot be read", "damaged"),
    (ADE20K.name, ADE_MAP, fill(151), "label maps with ids that are not among those of ade20k, 0..150", "has id 151"),
    (ADE20K.name, ADE_MAP, in_colors, "files that cannot be read", "has mode RGB; take it from the download again"),
    (ADE20K.name, ADE_MAP, crop, "pairs of different size", "64 x 64 in"),
    (ADE20K.name, ADE_MAP.replace("annotations", "annotations_instance"), grey, "files that cannot be read", "mode L"),
    (ADE20K.name, ADE_MAP.replace("annotations", "annotations_instance"), crop, "pairs of different size", "16 x 32"),
    (
        CITYSCAPES.name,
        f"gtFine/train/{CITY}_gtFine_labelIds.png",
        fill(34),
        "label maps with ids that are not among those of cityscapes, 0..33, 255",
        "has id 34",
    ),
    (CITYSCAPES.name, f"gtFine/train/{CITY}_gtFine_instanceIds.png", halve, "files that cannot be read", "damaged"),
    (CITYSCAPES.name, f"leftImg8bit/train/{CITY}_leftImg8bit.png", halve, "files that cannot be read", "damaged"),
    (
        CMP_FACADES.name,
        "base/cmp_b0002.png",
        fill(0),
        "label maps with ids that are not among those of cmp-facades, 1..12",
        "has id 0",
    ),
    (CMP_FACADES.name, "base/cmp_b0002.png", fill(300), "cmp-facades, 1..12", "has id 300"),
    (CMP_FACADES.name, "base/cmp_b0002.png", as_jpeg, "files that cannot be read", "is a JPEG"),
]


@pytest.mark.parametrize(("name", "file", "damage", "kind", "line"), DAMAGES)
def test_a_bad_file_is_named_with_the_reason(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    file: str,
    damage: Callable[[Path], None],
    kind: str,
    line: str,
) -> None:
    source = MINIATURES[name](tmp_path / "download")
    damage(source / file)
    root = tmp_path / "pairs"
    assert main(["data", "prepare", name, str(source), str(root), "--workers", "1"]) == 2
    said = capsys.readouterr()
    first, second, *_ = said.out.splitlines()
    assert first.startswith("1 ") and kind in first and first.endswith(":")
    assert str(source / file) in second and line in second
    assert f"7 of 8 pairs are made in {root}" in said.out
    assert said.err.splitlines() == [
        f"sean: {source} has problems, listed above; mend or remove these files, then run the same command again"
    ]
    assert not (root / MANIFEST_NAME).exists() and not (root / "classes.txt").exists()
    assert (root / UNFINISHED_NAME).is_file() and len(list((root / "labels").iterdir())) == 7


@pytest.mark.parametrize(
    ("name", "file", "line"),
    [
        (ADE20K.name, ADE_MAP, "images/training/ADE_train_00000001.jpg has no label map in annotations/training/"),
        (ADE20K.name, "images/validation/ADE_val_00000001.jpg", "ADE_val_00000001.png has no picture"),
        (
            ADE20K.name,
            "annotations_instance/validation/ADE_val_00000001.png",
            "images/validation/ADE_val_00000001.jpg has no instance map in annotations_instance/validation/",
        ),
        (
            CITYSCAPES.name,
            f"gtFine/train/{CITY}_gtFine_labelIds.png",
            f"leftImg8bit/train/{CITY}_leftImg8bit.png has no label map (*_labelIds.png) in gtFine/train/",
        ),
        (
            CITYSCAPES.name,
            f"gtFine/train/{CITY}_gtFine_instanceIds.png",
            f"leftImg8bit/train/{CITY}_leftImg8bit.png has no instance map (*_instanceIds.png) in gtFine/train/",
        ),
        (CITYSCAPES.name, f"leftImg8bit/train/{CITY}_leftImg8bit.png", f"{CITY}_gtFine_labelIds.png has no picture"),
        (CMP_FACADES.name, "extended/cmp_x0002.png", "extended/cmp_x0002.jpg has no label map (.png) in extended/"),
        (CMP_FACADES.name, "base/cmp_b0005.jpg", "base/cmp_b0005.png has no picture"),
        (CELEBAMASK_HQ.name, "CelebA-HQ-img/2.jpg", "lists 2, but there is no CelebA-HQ-img/2.jpg"),
    ],
)
def test_a_missing_partner_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, file: str, line: str
) -> None:
    source = MINIATURES[name](tmp_path / "download")
    (source / file).unlink()
    assert main(["data", "prepare", name, str(source), str(tmp_path / "pairs"), "--workers", "1"]) == 2
    said = capsys.readouterr()
    assert line in said.out and said.out.endswith("\nnothing was written\n")
    assert len(said.err.splitlines()) == 1 and str(source) in said.err
    assert not (tmp_path / "pairs").exists()


def test_everything_wrong_is_in_one_list(tmp_path: Path) -> None:
    source = cmp_facades(tmp_path / "download")
    halve(source / "base" / "cmp_b0001.jpg")
    fill(13)(source / "base" / "cmp_b0001.png")
    fill(99)(source / "extended" / "cmp_x0003.png")
    result = prepare("cmp-facades", source, tmp_path / "pairs", workers=1)
    assert [(problem.kind.partition(" that")[0], problem.count) for problem in result.problems] == [
        ("files", 1),
        ("label maps with ids", 2),
    ]
    assert "6 of 8 pairs are made" in result.text()


def test_of_many_problems_the_first_are_shown(tmp_path: Path) -> None:
    source = cmp_facades(tmp_path / "download")
    for number in range(100, 105 + SHOWN):
        (source / "base" / f"cmp_b{number:04}.jpg").touch()
    (problem,) = prepare("cmp-facades", source, tmp_path / "pairs", workers=1).problems
    assert problem.count == SHOWN + 5 and len(problem.examples) == SHOWN


def test_pictures_of_the_same_stem_are_refused(tmp_path: Path) -> None:
    source = cmp_facades(tmp_path / "download")
    for suffix in (".jpg", ".png"):
        (source / "extended" / f"cmp_b0001{suffix}").write_bytes((source / "base" / f"cmp_b0001{suffix}").read_bytes())
    (problem,) = prepare("cmp-facades", source, tmp_path / "pairs", workers=1).problems
    assert problem.kind == "files with the same stem"
    assert problem.examples == tuple(
        f"{part}/cmp_b0001.jpg is one of 2 pictures cmp_b0001" for part in ("base", "extended")
    )


@pytest.mark.parametrize("name", list(MINIATURES))
def test_a_folder_of_something_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    source = tmp_path / "download"
    for folder in ("photos", "images", "more"):
        (source / folder).mkdir(parents=True)
    assert main(["data", "prepare", name, str(source), str(tmp_path / "pairs")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"sean: {source} is no download of {name}: expected the folders ")
    assert "found images/, more/, photos/" in error and error.count("\n") == 1
    assert main(["data", "prepare", name, str(tmp_path / "nowhere"), str(tmp_path / "pairs")]) == 2
    assert f"expected the download of {name} at {tmp_path / 'nowhere'}, found no folder" in capsys.readouterr().err
    assert not (tmp_path / "pairs").exists()


def test_a_download_without_pairs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "download" / "base").mkdir(parents=True)
    (problem,) = prepare("cmp-facades", tmp_path / "download", tmp_path / "pairs", workers=1).problems
    assert problem.kind == "missing pairs"


def test_both_forms_of_one_part_of_the_facades_are_refused(tmp_path: Path) -> None:
    source = cmp_facades(tmp_path / "download")
    (source / "CMP_facade_DB_base" / "base").mkdir(parents=True)
    with pytest.raises(InputError, match="holds both base/ and CMP_facade_DB_base/base/; keep one"):
        prepare("cmp-facades", source, tmp_path / "pairs", workers=1)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line with which `sean data prepare` refuses."""
    assert main(["data", "prepare", *map(str, arguments), "--workers", "1"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    return said.err


def test_bad_arguments_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, root = cmp_facades(tmp_path / "download"), tmp_path / "pairs"
    error = refused(capsys, "imagenet", source, root)
    assert (
        "unknown data set 'imagenet'; those that can be prepared: celebamask-hq, ade20k, cityscapes, cmp-facades"
        in (error)
    )
    assert "size of at least 1 pixel, got 0" in refused(capsys, "cmp-facades", source, root, "--size", "0")
    with pytest.raises(InputError, match="at least 1 worker, got 0"):
        prepare("cmp-facades", source, root, workers=0)
    for inner in (source, source / "pairs", tmp_path):
        assert "expected two folders apart from each other" in refused(capsys, "cmp-facades", source, inner)
    assert not root.exists() and not (source / "pairs").exists()


def test_a_destination_of_other_origin_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, root = cmp_facades(tmp_path / "download"), tmp_path / "pairs"
    root.mkdir()
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        (root / name).write_text("mine")
    error = refused(capsys, "cmp-facades", source, root)
    assert f"expected a new or empty folder, but {root} holds a.txt, b.txt, c.txt, ... and neither" in error
    assert sorted(path.name for path in root.iterdir()) == ["a.txt", "b.txt", "c.txt", "d.txt"]
    error = refused(capsys, "cmp-facades", source, root / "a.txt")
    assert f"expected a folder to prepare into, but {root / 'a.txt'} is a file" in error


def test_other_settings_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, root = cmp_facades(tmp_path / "download"), tmp_path / "pairs"

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare("cmp-facades", source, root, size=32, workers=1, progress=interrupt)
    begun = f"{root} was begun as cmp-facades of shorter side 32 from {source.resolve()}, not "
    assert f"{begun}cmp-facades of full size from" in refused(capsys, "cmp-facades", source, root)
    other = cmp_facades(tmp_path / "other")
    assert begun in refused(capsys, "cmp-facades", other, root, "--size", "32")
    (root / "labels" / "mine.png").write_bytes(b"mine")
    (root / "labels" / ".hidden").write_bytes(b"mine too")
    error = refused(capsys, "cmp-facades", source, root, "--size", "32")
    assert f"{root} holds 1 files that the download has no pair for (labels/mine.png)" in error
    assert (root / "labels" / "mine.png").read_bytes() == b"mine"
    (root / "labels" / "mine.png").unlink()
    assert prepare("cmp-facades", source, root, size=32, workers=1).ok
    assert (root / "labels" / ".hidden").read_bytes() == b"mine too"
    error = refused(capsys, "cmp-facades", source, root)
    assert "is prepared already, as cmp-facades of shorter side 32, not cmp-facades of full size" in error
    assert "is prepared already" in refused(capsys, "ade20k", source, root, "--size", "32")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"source": "cmp-facades", "size": "x", "download": "y"}'])
def test_a_damaged_marker_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    source, root = cmp_facades(tmp_path / "download"), tmp_path / "pairs"
    root.mkdir()
    (root / UNFINISHED_NAME).write_text(text)
    error = refused(capsys, "cmp-facades", source, root)
    assert f"{root / UNFINISHED_NAME} is damaged (" in error and "remove the folder and prepare it anew" in error


def test_files_that_vanish_or_appear_meanwhile_are_noticed(tmp_path: Path) -> None:
    source, root = cmp_facades(tmp_path / "download"), tmp_path / "pairs"

    def meddle(done: int, total: int) -> None:
        if done == total:
            (root / "labels" / "aaa.png").touch()

    with pytest.raises(InputError, match=r"expected 16 files in .*, found 17 \(the first that differs: labels/aaa.png"):
        prepare("cmp-facades", source, root, workers=1, progress=meddle)
    assert not (root / MANIFEST_NAME).exists()
