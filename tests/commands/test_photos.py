"""Photos without label maps on the command line: cropped to the face, parsed, edited, pasted back, or refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sean import pretrained
from sean.cli import main
from sean.editing.pipeline import SEANPipeline
from sean.images import read_image, write_image
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.models.build import build_model
from sean.parsing.faces import Crop, cut, paste, search
from sean.parsing.faces.detection import FaceBox
from sean.parsing.segmenter import Segmenter
from sean.segmap import resize_segmap, write_segmap

from ..parsing.faces.stand_ins import color_parser, photo_of
from ..pictures import difference
from ..support.pipelines import TINY

SQUARE = Crop(top=30.0, left=150.0, size=128.0, photo_size=(200, 300))


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model, a photo with one face, one with two, one with none, and a model of no faces."""
    folder = tmp_path_factory.mktemp("photos")
    torch.manual_seed(0)
    pipeline = SEANPipeline(build_model(TINY, init_gain=1.0), CELEBAMASK_HQ)
    everything = np.arange(64 * 64).reshape(64, 64) % 19
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    bank = [pipeline.encode(picture, everything) for picture in pictures]
    SEANPipeline(pipeline.model, CELEBAMASK_HQ, style_bank=bank).save_pretrained(folder / "model")
    things = LabelSet(name="streets", names=tuple(f"thing {index}" for index in range(19)))
    SEANPipeline(pipeline.model, things).save_pretrained(folder / "streets")
    write_image(folder / "one.png", photo_of((30, 150, 128)))
    write_image(folder / "two.png", photo_of((30, 150, 128), (10, 10, 64)))
    write_image(folder / "none.png", photo_of())
    return folder


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser that reads colours, and a detector that names both places of faces in any photo."""
    monkeypatch.setattr(Segmenter, "from_pretrained", lambda *_: color_parser())
    boxes = [FaceBox(y=100.8, x=214.0, size=82.0, support=30), FaceBox(y=45.4, x=42.0, size=41.0, support=20)]
    monkeypatch.setattr(search, "detect_faces", lambda image, side: boxes)


def run(folder: Path, command: str, *options: str) -> None:
    assert main([command, "--model", f"{folder}/model", *options]) == 0


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_an_edited_face_returns_into_its_photo(
    workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--image", f"{workplace}/one.png", "--style", f"hair={workplace}/two.png", "--style", "skin=bank:1"]
    run(workplace, "edit", *options, "--whole-render", "--output", f"{tmp_path}/o.png")
    photo, edited = read_image(workplace / "one.png"), read_image(tmp_path / "o.png")
    printed = capsys.readouterr().out
    assert (
        "two.png: 2 faces, the largest one is taken (--face 1 is the next)" in printed and "one.png: 2" not in printed
    )
    assert "o.png: 300 x 200; the model sees the square of" in printed
    pipeline = SEANPipeline.from_pretrained(workplace / "model")
    crop = search.find_face(photo, color_parser())
    assert crop is not None and crop.overlap(SQUARE) > 0.88
    seen = cut(photo, crop, 64)
    ids = resize_segmap(color_parser().segmap(cut(photo, crop, 256)), (64, 64))
    own = pipeline.encode(seen, ids)
    other = search.find_face(read_image(workplace / "two.png"), color_parser())
    assert other is not None
    seen = cut(read_image(workplace / "two.png"), other, 64)
    hair = pipeline.encode(
        seen, resize_segmap(color_parser().segmap(cut(read_image(workplace / "two.png"), other, 256)), (64, 64))
    )
    picture = pipeline(ids, own.with_region("hair", hair).with_region("skin", pipeline.style_bank[1]))
    assert difference(edited, paste(photo, crop, np.asarray(picture))) <= 1
    outside = np.ones((200, 300), bool)
    outside[25:165, 145:285] = False
    assert np.array_equal(edited[outside], photo[outside])
    assert not np.array_equal(edited, photo)


def test_without_cropping(workplace: Path, tmp_path: Path) -> None:
    options = ["--image", f"{workplace}/none.png", "--crop", "none"]
    run(workplace, "reconstruct", *options, "--output", f"{tmp_path}/o.png")
    assert read_image(tmp_path / "o.png").shape == (64, 64, 3)


def test_another_map_is_of_the_whole_photo(workplace: Path, tmp_path: Path) -> None:
    whole = np.zeros((200, 300), np.int64)
    whole[:, 214:] = CELEBAMASK_HQ.id_of("hair")
    write_segmap(tmp_path / "new.png", whole, CELEBAMASK_HQ)
    options = ["--image", f"{workplace}/one.png", "--new-segmap", f"{tmp_path}/new.png", "--whole-render"]
    run(workplace, "edit", *options, "--output", f"{tmp_path}/o.png")
    pipeline = SEANPipeline.from_pretrained(workplace / "model")
    photo = read_image(workplace / "one.png")
    crop = search.find_face(photo, color_parser())
    assert crop is not None
    own = pipeline.encode(cut(photo, crop, 64), resize_segmap(color_parser().segmap(cut(photo, crop, 256)), (64, 64)))
    halves = np.zeros((64, 64), np.int64)
    halves[:, round((214 - crop.left) / crop.size * 64) :] = CELEBAMASK_HQ.id_of("hair")
    assert difference(read_image(tmp_path / "o.png"), paste(photo, crop, np.asarray(pipeline(halves, own)))) <= 1


def test_a_square_of_a_photo_with_a_map(workplace: Path, tmp_path: Path) -> None:
    whole = np.zeros((200, 300), np.int64)
    whole[:, 214:] = CELEBAMASK_HQ.id_of("hair")
    write_segmap(tmp_path / "map.png", whole, CELEBAMASK_HQ)
    options = ["--image", f"{workplace}/one.png", "--segmap", f"{tmp_path}/map.png", "--crop", "150,30,128"]
    run(workplace, "edit", *options, "--style", "hair=bank:1", "--whole-render", "--output", f"{tmp_path}/o.png")
    pipeline = SEANPipeline.from_pretrained(workplace / "model")
    photo, crop = read_image(workplace / "one.png"), Crop(left=150, top=30, size=128, photo_size=(200, 300))
    halves = np.zeros((64, 64), np.int64)
    halves[:, 32:] = CELEBAMASK_HQ.id_of("hair")
    styles = pipeline.encode(cut(photo, crop, 64), halves).with_region("hair", pipeline.style_bank[1])
    assert difference(read_image(tmp_path / "o.png"), paste(photo, crop, np.asarray(pipeline(halves, styles)))) <= 1


@pytest.mark.parametrize("command", ["interpolate", "crossover"])
def test_strips(workplace: Path, tmp_path: Path, command: str) -> None:
    both = ["--image", f"{workplace}/one.png", "--style-image", f"{workplace}/two.png"]
    run(workplace, command, *both, "--output", f"{tmp_path}/strip.png")
    height, width, _ = read_image(tmp_path / "strip.png").shape
    assert width > 5 * height / 2


def test_demo(workplace: Path, tmp_path: Path) -> None:
    run(workplace, "demo", "--image", f"{workplace}/one.png", "--output", f"{tmp_path}/demo")
    assert (tmp_path / "demo" / "contact-sheet.png").is_file()


def test_what_cannot_be_opened(
    workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = ["--output", f"{tmp_path}/o.png"]

    def line(model: str, image: str, *options: str) -> str:
        arguments = ["--model", f"{workplace}/{model}", "--image", f"{workplace}/{image}", *options, *output]
        return refused(capsys, "reconstruct", *arguments)

    message = line("model", "none.png")
    assert "expected a face in" in message and "none.png" in message and "(crop 'none')" in message
    message = line("streets", "one.png")
    assert "expected a label map for" in message and "streets" in message
    assert "--label-mapping" not in message and "found no file" in line(
        "model", "one.png", "--label-mapping", "nix.json"
    )
    assert "--crop" in line("model", "one.png", "--crop", "some")
    assert "give it as --image" in refused(capsys, "demo", "--segmap", "map.png", *output)
    monkeypatch.undo()
    monkeypatch.setattr(pretrained, "_bundled_folder", lambda: tmp_path)
    assert "no bundled face parser" in line("model", "one.png")
    assert "unknown parser 'nix'" in line("model", "one.png", "--parser", "nix")
    assert not list(tmp_path.iterdir())
