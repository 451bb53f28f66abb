"""`sean data parse`: scores, what is kept and dropped, unlabelled pixels, linked files, and going on."""

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sean.data.folder import PairedFolder
from sean.data.pictures import find_pictures
from sean.errors import InputError
from sean.images import read_image, write_image
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.parsing import labelling
from sean.parsing.faces.crop import Crop
from sean.parsing.label_matching import LabelMatch
from sean.parsing.labelling import LabellingSettings, label_pictures, picture_score
from sean.parsing.segmenter import Segmenter

LABELS = LabelSet(name="light", names=("dark", "bright"))


class Brightness:
    """Sees `bright` the more, the brighter a pixel is: the probability is the sigmoid of six times the red channel."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, image: Tensor) -> Tensor:
        self.calls += 1
        return torch.stack([torch.zeros_like(image[:, 0]), 6 * image[:, 0]], dim=1)


def parser(labels: LabelSet = LABELS, ids: tuple[int, ...] = (0, 1)) -> tuple[Segmenter, Brightness]:
    network = Brightness()
    return Segmenter(network, labels, LabelMatch(ids=ids), size=(32, 32), name="brightness (1)"), network


def write(path: Path, *columns: int) -> None:
    """A picture of 64 x 64 in vertical bars of these grey levels."""
    bars = np.repeat(np.array(columns, dtype=np.uint8), 64 // len(columns))
    write_image(path, np.broadcast_to(bars[None, :, None], (64, 64, 3)).copy())


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    write(folder / "clear.png", 0, 255)
    write(folder / "grey.jpg", 130, 255)  # half of it may be either
    write(folder / "partly.png", 0, 0, 0, 100)
    (folder / "bad.png").write_bytes(b"no picture")
    return folder


def test_every_region_counts_alike_in_the_score() -> None:
    segmap = np.zeros((40, 50), dtype=np.int64)
    segmap[:, :5] = 1
    confidence = np.where(segmap == 1, 0.5, 0.9)
    assert picture_score(segmap, confidence, 2) == pytest.approx(0.7)
    segmap[0, -1] = 2  # a two-thousandth of the picture: its probability does not count
    confidence[0, -1] = 0.0
    assert picture_score(segmap, confidence, 3) == pytest.approx(0.7)


def test_sure_pictures_become_pairs_and_the_others_are_told(pictures: Path, tmp_path: Path) -> None:
    found, target = find_pictures(pictures), tmp_path / "pairs"
    report = label_pictures(found, parser()[0], target, LabellingSettings(least_score=0.97))
    assert set(report.kept) == {"clear"} and report.kept["clear"] > 0.97
    assert {name: why for name, (why, _) in report.dropped.items()} == {
        "bad": "not readable",
        "grey": "the parser is not sure",
        "partly": "the parser is not sure",
    }
    # sigmoid(6 x (130 / 127.5 - 1)) = 0.53 in one half, nearly 1 in the other; edges are blurred a little
    score = report.dropped["grey"][1]
    assert score == pytest.approx((0.53 + 1) / 2, abs=0.03)
    text = report.text()
    assert "1 pictures labelled, 3 left out" in text
    assert f"the parser is not sure: 2 (grey ({score:.3f}), partly" in text and "not readable: 1 (bad)" in text
    folder = PairedFolder.open(target)
    assert folder.stems == ("clear",) and folder.labels.names == LABELS.names and folder.labels.ignore_id is None
    pair = folder.pairs(folder.stems).read(0)
    assert (pair.segmap[:, :31] == 0).all() and (pair.segmap[:, 33:] == 1).all()
    assert (target / "images" / "clear.png").samefile(pictures / "clear.png")
    record = [json.loads(line) for line in (target / "parsing.jsonl").read_text().splitlines()]
    assert record[0]["parser"] == "brightness (1)" and record[0]["least_score"] == 0.97
    assert {entry["name"] for entry in record[1:]} == {"bad", "clear", "grey", "partly"}
    assert "bad.png" in next(entry["detail"] for entry in record[1:] if entry["name"] == "bad")


def test_unsure_pixels_are_left_unlabelled_where_that_is_asked_for(pictures: Path, tmp_path: Path) -> None:
    settings = LabellingSettings(least_score=0.0, ignore_below=0.9)
    report = label_pictures(find_pictures(pictures), parser()[0], tmp_path / "pairs", settings)
    assert set(report.kept) == {"clear", "grey", "partly"} and 0.2 < report.unlabelled_share < 0.4
    folder = PairedFolder.open(tmp_path / "pairs")
    assert folder.labels.ignore_id == 255
    grey = folder.pairs(("grey",)).read(0).segmap
    assert (grey[:, :28] == 2).all() and (grey[:, 36:] == 1).all()


def test_things_that_are_none_of_the_labels_are_unlabelled(pictures: Path, tmp_path: Path) -> None:
    label_pictures(
        find_pictures(pictures), parser(ids=(0, 2))[0], tmp_path / "pairs", LabellingSettings(least_score=0.0)
    )
    segmap = PairedFolder.open(tmp_path / "pairs").pairs(("clear",)).read(0).segmap
    assert (segmap[:, :31] == 0).all() and (segmap[:, 33:] == 2).all()


def test_an_interrupted_call_goes_on_and_a_later_one_adds_what_is_new(pictures: Path, tmp_path: Path) -> None:
    found, target, settings = find_pictures(pictures), tmp_path / "pairs", LabellingSettings(least_score=0.5)

    def stop(done: int, total: int) -> None:
        assert total == 4
        if done == 3:
            raise KeyboardInterrupt

    first, network = parser()
    with pytest.raises(KeyboardInterrupt):
        label_pictures(found, first, target, settings, stop)
    assert network.calls == 2 * 2, "two readable pictures, each in both directions"
    with pytest.raises(InputError):
        PairedFolder.open(target)
    with (target / "parsing.jsonl").open("a") as record:
        record.write('{"name": "partl')  # cut off by a crash
    again, network = parser()
    report = label_pictures(found, again, target, settings)
    assert network.calls == 2 and set(report.kept) == {"clear", "grey", "partly"}
    assert PairedFolder.open(target).stems == ("clear", "grey", "partly")
    write(pictures / "new.png", 255, 0)
    (target / "labels" / "grey.png").unlink()
    again, network = parser()
    report = label_pictures(find_pictures(pictures), again, target, settings)
    assert network.calls == 4 and PairedFolder.open(target).stems == ("clear", "grey", "new", "partly")
    assert label_pictures(find_pictures(pictures), parser()[0], target, settings) == report


def test_another_picture_of_the_same_name_is_told(pictures: Path, tmp_path: Path) -> None:
    target, settings = tmp_path / "pairs", LabellingSettings(least_score=0.5)
    label_pictures(find_pictures(pictures), parser()[0], target, settings)
    write(pictures / "bad.png", 0, 255)  # was left out as not readable
    assert set(label_pictures(find_pictures(pictures), parser()[0], target, settings).kept) >= {"bad", "clear"}
    before = {path: path.read_bytes() for path in sorted(target.rglob("*.*"))}
    (pictures / "clear.png").unlink()  # the pair keeps its own link
    write(pictures / "clear.png", *range(0, 256, 4))
    with pytest.raises(InputError, match=r"pairs has the label map of another picture named clear than .*clear\.png"):
        label_pictures(find_pictures(pictures), parser()[0], target, settings)
    assert {path: path.read_bytes() for path in sorted(target.rglob("*.*"))} == before


def test_faces_are_cut_out(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the labels are those of faces: a picture with a face inside, one that is a face, and one without."""
    crops = {
        0: Crop(left=32.0, top=16.0, size=32.0, photo_size=(64, 64)),
        130: Crop.whole((64, 64)),
    }
    monkeypatch.setattr(labelling, "find_face", lambda image, _: crops.get(int(image[0, 0, 0])))
    (pictures / "partly.png").unlink()
    write(pictures / "none.png", 77, 77)
    made, _ = parser(CELEBAMASK_HQ, ids=(0, 13))
    report = label_pictures(find_pictures(pictures), made, tmp_path / "pairs", LabellingSettings(least_score=0.0))
    assert {name: why for name, (why, _) in report.dropped.items()} == {"bad": "not readable", "none": "no face found"}
    images = tmp_path / "pairs" / "images"
    assert sorted(path.name for path in images.iterdir()) == ["clear.jpg", "grey.jpg"]
    assert read_image(images / "clear.jpg").shape == (32, 32, 3) and (read_image(images / "clear.jpg") > 250).all()
    assert (images / "grey.jpg").samefile(pictures / "grey.jpg")
    whole = LabellingSettings(least_score=0.0, crop="none")
    assert set(label_pictures(find_pictures(pictures), made, tmp_path / "whole", whole).kept) == {
        "clear",
        "grey",
        "none",
    }


def test_a_record_that_cannot_be_written_is_one_line(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, settings = find_pictures(pictures), LabellingSettings(least_score=0.5)
    opened = Path.open

    def full(path: Path, mode: str = "r", **options: Any) -> Any:
        if mode == "a":
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(path, mode, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(InputError, match=r"cannot write .*parsing\.jsonl: No space left on device"):
        label_pictures(found, parser()[0], tmp_path / "pairs", settings)
    monkeypatch.undo()
    assert set(label_pictures(found, parser()[0], tmp_path / "pairs", settings).kept) == {"clear", "grey", "partly"}


def test_what_cannot_be_written_into_is_refused(pictures: Path, tmp_path: Path) -> None:
    found, target, settings = find_pictures(pictures), tmp_path / "pairs", LabellingSettings(least_score=0.5)
    with pytest.raises(InputError, match="expected a new or empty folder"):
        label_pictures(found, parser()[0], pictures, settings)
    label_pictures(found, parser()[0], target, settings)
    with pytest.raises(InputError, match=r"begun with other settings \(least_score\)"):
        label_pictures(found, parser()[0], target, LabellingSettings(least_score=0.6))
    (target / "parsing.jsonl").write_text("junk\n")
    with pytest.raises(InputError, match=r"parsing\.jsonl is damaged"):
        label_pictures(found, parser()[0], target, settings)
    with pytest.raises(InputError, match=r"no picture is left to label; left out, .*not sure: 3 \(clear"):
        label_pictures(found, parser()[0], tmp_path / "none", LabellingSettings(least_score=1.0))
    for wrong in ({"least_score": 1.1}, {"ignore_below": 1.0}):
        with pytest.raises(InputError, match="expected a least score"):
            LabellingSettings(**wrong)  # type: ignore[arg-type]
