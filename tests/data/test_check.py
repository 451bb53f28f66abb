"""The report on a folder: counts by hand, every problem at once, a readable text."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sean.data.check import SHOWN, check_folder
from sean.data.folder import PairedFolder
from sean.data.manifest import MANIFEST_NAME, UNFINISHED_NAME, Manifest, file_checksum, write_manifest
from sean.errors import InputError
from sean.images import write_image


def add_pair(root: Path, stem: str, ids: list[list[int]], size: tuple[int, int] | None = None) -> None:
    array = np.array(ids, dtype=np.uint8)
    height, width = size or array.shape
    write_image(root / "images" / f"{stem}.png", np.zeros((height, width, 3), dtype=np.uint8))
    (root / "labels").mkdir(exist_ok=True)
    Image.fromarray(array).save(root / "labels" / f"{stem}.png")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "classes.txt").write_text("0 sky\n1 sea\n2 ship\nignore 255\n")
    add_pair(tmp_path, "a", [[0, 0, 1]])
    add_pair(tmp_path, "b", [[0, 1, 1], [1, 1, 255]])
    return tmp_path


def test_a_sound_folder_is_counted(root: Path) -> None:
    calls: list[tuple[int, int]] = []
    report = check_folder(root, lambda done, total: calls.append((done, total)))
    assert report.ok and report.num_pairs == 2
    assert report.pixels == (3, 5, 0) and report.images == (2, 2, 0) and report.ignored_pixels == 1
    assert report.sizes == {(1, 3): 1, (2, 3): 1}
    assert (report.absent, report.rare) == (("ship",), ())
    assert calls == [(1, 2), (2, 2)]
    text = report.text()
    assert "2 pairs, 3 labels" in text and "1 x 3 (1), 2 x 3 (1)" in text
    assert ["1", "sea", "5", "55.56%", "2"] in [line.split() for line in text.splitlines()]
    assert ["255", "(unlabelled)", "1", "11.11%"] in [line.split() for line in text.splitlines()]
    assert "absent: ship" in text and text.endswith("no problems\n")


def test_a_label_in_less_than_a_hundredth_is_rare(root: Path) -> None:
    for index in range(99):
        add_pair(root, f"c{index}", [[0]])
    add_pair(root, "ship", [[2]])
    report = check_folder(root)
    assert report.images == (101, 2, 1)
    assert report.rare == ("ship",)
    for index in range(2):  # one in a hundred is not rare any more
        (root / "images" / f"c{index}.png").unlink()
        (root / "labels" / f"c{index}.png").unlink()
    assert check_folder(root).rare == ()


def test_every_problem_is_reported_at_once(root: Path) -> None:
    add_pair(root, "illegal", [[0, 7, 9]])
    add_pair(root, "mismatch", [[0, 1]], size=(2, 2))
    add_pair(root, "broken", [[0]])
    (root / "images" / "broken.png").write_bytes(b"nothing")
    add_pair(root, "halved", [[0]])
    (root / "labels" / "halved.png").write_bytes((root / "labels" / "a.png").read_bytes()[:40])
    add_pair(root, "lonely", [[0]])
    (root / "labels" / "lonely.png").unlink()
    (root / "images" / "a.jpg").write_bytes((root / "images" / "a.png").read_bytes())
    report = check_folder(root)
    assert not report.ok
    found = {problem.kind: problem.examples for problem in report.problems}
    assert found["files with the same stem"] == ("images/a.jpg and images/a.png",)
    assert found["files without a partner"] == ("images/lonely.png has no labels/lonely.png",)
    assert found["label maps with ids outside 0..2 or 255 (unlabelled)"] == ("illegal.png has id 7, 9",)
    assert len(found["pairs of different size"]) == 1 and "mismatch.png" in found["pairs of different size"][0]
    unreadable = found["files that cannot be read"]
    assert len(unreadable) == 2
    assert "images/broken.png is none" in unreadable[0] and "labels/halved.png" in unreadable[1]
    text = report.text()
    assert text.endswith("\n6 problems\n")
    for examples in found.values():
        assert all(f"  {example}\n" in text for example in examples)
    with pytest.raises(InputError):
        PairedFolder.open(root)


def test_of_many_problems_the_first_are_shown_and_all_counted(root: Path) -> None:
    for index in range(SHOWN + 5):
        add_pair(root, f"bad{index:02}", [[8]])
    report = check_folder(root)
    (problem,) = report.problems
    assert problem.count == SHOWN + 5 and len(problem.examples) == SHOWN
    assert "bad19.png" in report.text() and "bad20.png" not in report.text()
    assert "  ... and 5 more\n" in report.text()


def test_instances_are_checked_too(root: Path) -> None:
    (root / "instances").mkdir()
    Image.fromarray(np.zeros((5, 5), dtype=np.uint16)).save(root / "instances" / "a.png")
    (root / "instances" / "b.png").write_bytes(b"")
    report = check_folder(root)
    assert [problem.kind for problem in report.problems] == [
        "pairs of different size",
        "files that cannot be read",
    ]


def test_sizes_are_summed_up(root: Path) -> None:
    for width in range(1, 9):
        add_pair(root, f"w{width}", [[0] * width])
    sizes = next(line for line in check_folder(root).text().splitlines() if line.startswith("sizes"))
    assert sizes == "sizes (h x w): 1 x 3 (2), 1 x 1 (1), 1 x 2 (1), 1 x 4 (1), 1 x 5 (1), 4 other sizes (4)"


def test_a_folder_without_pairs_is_a_problem_and_one_without_layout_an_error(root: Path) -> None:
    for name in ("a", "b"):
        (root / "images" / f"{name}.png").unlink()
    report = check_folder(root)
    assert [problem.kind for problem in report.problems] == ["files without a partner", "missing pairs"]
    assert "0 pairs" in report.text() and report.rare == ()
    with pytest.raises(InputError, match="expected a data folder"):
        check_folder(root / "nowhere")
    (root / "classes.txt").unlink()
    with pytest.raises(InputError, match=r"classes\.txt"):
        check_folder(root)


def test_files_of_rare_labels_are_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sean.data.check.RARE_SHARE", 0.1)
    for index in range(40):
        add_pair(root, f"c{index:03}", [[2 if index in (7, 20, 21, 30) else 0]])
    report = check_folder(root)
    assert report.rare == ("sea", "ship")
    lines = report.text().splitlines()
    assert "rare (in less than 10% of the maps): sea, ship" in lines
    assert "  sea: labels/a.png, labels/b.png" in lines
    assert "  ship: labels/c007.png, labels/c020.png, labels/c021.png, ..." in lines


def with_manifest(root: Path) -> None:
    """Make the manifest of the folder as it is: a to train on, b for validation."""
    files = [path for path in root.rglob("*") if path.is_file()]
    checksums = {path.relative_to(root).as_posix(): file_checksum(path) for path in files}
    write_manifest(root, Manifest(source="ships", training=("a",), validation=("b",), checksums=checksums))


def test_a_folder_that_is_as_it_was_prepared_is_sound(root: Path) -> None:
    with_manifest(root)
    report = check_folder(root)
    assert report.ok and report.split == (1, 1)
    assert "split: 1 training, 1 validation\n" in report.text()


def test_every_difference_from_the_manifest_is_named(root: Path) -> None:
    (root / "instances").mkdir()
    for stem, shape in (("a", (1, 3)), ("b", (2, 3))):
        Image.fromarray(np.zeros(shape, dtype=np.uint8)).save(root / "instances" / f"{stem}.png")
    with_manifest(root)
    with (root / "classes.txt").open("a") as file:
        file.write("\n")
    add_pair(root, "a", [[1, 1, 1]])  # its picture stays the same, byte for byte
    Image.fromarray(np.ones((1, 3), dtype=np.uint8)).save(root / "instances" / "a.png")
    for folder in ("images", "labels", "instances"):
        (root / folder / "b.png").rename(root / folder / "c.png")
    found = {problem.kind: problem.examples for problem in check_folder(root).problems}
    assert found == {
        "files of manifest.json that are missing": ("images/b.png", "instances/b.png", "labels/b.png"),
        "files that are not in manifest.json": ("images/c.png", "instances/c.png", "labels/c.png"),
        "files that changed since they were prepared": ("classes.txt", "instances/a.png", "labels/a.png"),
        "names in the split of manifest.json that have no pair": ("b",),
        "pairs that are not in the split of manifest.json": ("c",),
    }


def test_a_damaged_manifest_or_an_unfinished_folder_is_an_error(root: Path) -> None:
    (root / MANIFEST_NAME).write_text("{}")
    with pytest.raises(InputError, match=r"manifest\.json is damaged"):
        check_folder(root)
    (root / UNFINISHED_NAME).touch()
    with pytest.raises(InputError, match="not prepared to the end"):
        check_folder(root)


def test_an_ignore_id_that_nobody_declared_is_explained(root: Path) -> None:
    (root / "classes.txt").write_text("0 a\n1 b\n2 c\n")
    add_pair(root, "voc", [[0, 255]])
    (problem,) = check_folder(root).problems
    advice = "voc.png has id 255; if 255 marks unlabelled pixels, add the line 'ignore 255' to classes.txt"
    assert problem.examples[-1] == advice
