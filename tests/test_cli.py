"""The command line: every mistake of a user is one line and exit code 2, and leaves nothing half-written."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sean.cli import NEEDS, main
from sean.data.faces.drawing import FaceShape, draw_face
from sean.data.folder import PairedFolder
from sean.data.shards.writing import write_shards
from sean.data.synthetic.scenes import SyntheticScenes, write_paired
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.extras import EXTRAS
from sean.images import read_image, write_image
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.models.build import build_model
from sean.segmap import read_segmap, write_segmap

from .pictures import difference
from .support.pipelines import TINY


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model, two photos with label maps, and a data folder."""
    folder = tmp_path_factory.mktemp("cli")
    torch.manual_seed(0)
    model = build_model(TINY, init_gain=1.0)
    rng = np.random.default_rng(0)
    pipeline = SEANPipeline(model, CELEBAMASK_HQ)
    for name, shape in (("a", FaceShape()), ("b", FaceShape(hair_length=0.7))):
        write_image(folder / f"{name}.png", rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
        write_segmap(folder / f"{name}_map.png", draw_face(shape, (64, 64)), CELEBAMASK_HQ)
    everything = np.arange(64 * 64).reshape(64, 64) % 19
    bank = [pipeline.encode(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), everything) for _ in range(4)]
    SEANPipeline(model, CELEBAMASK_HQ, style_bank=bank).save_pretrained(folder / "model")
    write_paired(folder / "data", SyntheticScenes(size=(64, 64), length=6, seed=0, layouts=["faces"]))
    return folder


def photo_options(folder: Path) -> list[str]:
    return ["--model", f"{folder}/model", "--image", f"{folder}/a.png", "--segmap", f"{folder}/a_map.png"]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command line that must fail; returns its one line."""
    assert main(list(arguments)) == 2
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("sean: ")
    assert "Traceback" not in captured.err
    return lines[0]


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def test_reconstruct(workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reconstruct", *photo_options(workplace), "--output", f"{tmp_path}/o.png"]) == 0
    assert "64 x 64" in capsys.readouterr().out
    pipeline = SEANPipeline.from_pretrained(workplace / "model")
    segmap = read_segmap(workplace / "a_map.png", CELEBAMASK_HQ)
    styles = pipeline.encode(np.asarray(Image.open(workplace / "a.png")), segmap)
    assert difference(picture(tmp_path / "o.png"), np.asarray(pipeline(segmap, styles))) <= 1


def test_edit_takes_styles_from_photo_bank_and_file(workplace: Path, tmp_path: Path) -> None:
    pipeline = SEANPipeline.from_pretrained(workplace / "model")
    pipeline.style_bank[2].save(tmp_path / "saved.safetensors")
    sources = {
        "hair": f"{workplace}/b.png,{workplace}/b_map.png",
        "skin": "bank:1",
        "nose+cloth": f"{tmp_path}/saved.safetensors",
    }
    options = [word for region, source in sources.items() for word in ("--style", f"{region}={source}")]
    options.append("--whole-render")
    assert main(["edit", *photo_options(workplace), *options, "--output", f"{tmp_path}/o.png"]) == 0
    segmap, other = (read_segmap(workplace / f"{name}_map.png", CELEBAMASK_HQ) for name in "ab")
    own, others = (
        pipeline.encode(np.asarray(Image.open(workplace / f"{name}.png")), ids)
        for name, ids in (("a", segmap), ("b", other))
    )
    styles = own.with_region("hair", others).with_region("skin", pipeline.style_bank[1])
    styles = styles.with_region(["nose", "cloth"], StyleCodes.load(tmp_path / "saved.safetensors"))
    assert difference(picture(tmp_path / "o.png"), np.asarray(pipeline(segmap, styles))) <= 1
    assert not np.array_equal(picture(tmp_path / "o.png"), np.asarray(pipeline(segmap, own)))


def test_edit_renders_another_map(workplace: Path, tmp_path: Path) -> None:
    new_map = ["--new-segmap", f"{workplace}/b_map.png"]
    assert main(["edit", *photo_options(workplace), *new_map, "--output", f"{tmp_path}/new.png"]) == 0
    old, new = picture(workplace / "a.png"), picture(tmp_path / "new.png")
    maps = [read_segmap(workplace / f"{name}_map.png", CELEBAMASK_HQ) for name in "ab"]
    changed = (old != new).any(axis=2)
    assert changed[maps[0] != maps[1]].mean() > 0.5 and changed[maps[0] == maps[1]].mean() < 0.5


@pytest.mark.parametrize("command", ["interpolate", "crossover"])
def test_strips(workplace: Path, tmp_path: Path, command: str) -> None:
    other = ["--style-image", f"{workplace}/b.png", "--style-segmap", f"{workplace}/b_map.png"]
    assert main([command, *photo_options(workplace), *other, "--output", f"{tmp_path}/strip.png"]) == 0
    height, width, _ = picture(tmp_path / "strip.png").shape
    assert width > 5 * height / 2


def test_demo_on_drawn_faces_and_on_a_photo(
    workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--model", f"{workplace}/model", "--output", f"{tmp_path}/drawn"]) == 0
    write_image(tmp_path / "large.png", np.zeros((96, 128, 3), np.uint8))
    write_segmap(tmp_path / "large_map.png", draw_face(FaceShape(), (96, 128)), CELEBAMASK_HQ)
    large = ["--image", f"{tmp_path}/large.png", "--segmap", f"{tmp_path}/large_map.png"]
    assert main(["demo", "--model", f"{workplace}/model", *large, "--output", f"{tmp_path}/own"]) == 0
    printed = capsys.readouterr().out
    for name in ("drawn", "own"):
        assert f"{tmp_path}/{name}/contact-sheet.png" in printed
        pictures = [path for path in (tmp_path / name).glob("*.png") if path.stem != "contact-sheet"]
        assert len(pictures) > 25
        assert {read_image(path).shape for path in pictures} == {(64, 64, 3)}


def test_style_bank(workplace: Path, tmp_path: Path) -> None:
    (tmp_path / "card.md").write_text("# terms")
    options = [
        "--data",
        f"{workplace}/data",
        "--output",
        f"{tmp_path}/m",
        "--count",
        "3",
        "--card",
        f"{tmp_path}/card.md",
    ]
    assert main(["style-bank", "--model", f"{workplace}/model", *options, "--half"]) == 0
    pipeline = SEANPipeline.from_pretrained(tmp_path / "m")
    assert len(pipeline.style_bank) == 3
    assert pipeline.card == "# terms"
    assert all(style.name and style.mean_colours is not None for style in pipeline.style_bank)
    again = [*options[:2], *options[4:6], "--output", f"{tmp_path}/again", "--names", "one, two,three"]
    assert main(["style-bank", "--model", f"{tmp_path}/m", *again, "--max-shard-size", "100KB"]) == 0
    assert len(list((tmp_path / "again").glob("model-*-of-*.safetensors"))) > 1
    renamed = SEANPipeline.from_pretrained(tmp_path / "again").style_bank
    assert [style.name for style in renamed] == ["one", "two", "three"]
    for new, old in zip(renamed, pipeline.style_bank, strict=True):  # of the same pictures, by weights in 16 bits
        torch.testing.assert_close(new.codes, old.codes, atol=0.02, rtol=0)


def test_style_bank_of_other_labels_is_refused(
    workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = SyntheticScenes(size=(32, 32), length=2, labels=LabelSet(name="roads", names=("road", "sky", "tree")))
    write_paired(tmp_path / "roads", scenes)
    options = ["--data", f"{tmp_path}/roads", "--output", f"{tmp_path}/m"]
    assert main(["style-bank", "--model", f"{workplace}/model", *options]) == 2
    assert "3 labels, the model 19" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_style_bank_of_shards_is_that_of_their_folder(workplace: Path, tmp_path: Path) -> None:
    write_shards(PairedFolder.open(workplace / "data"), tmp_path / "shards")
    for data in (workplace / "data", tmp_path / "shards"):
        options = ["--data", str(data), "--output", f"{tmp_path}/{data.name}-bank", "--count", "2"]
        assert main(["style-bank", "--model", f"{workplace}/model", *options]) == 0
    banks = [SEANPipeline.from_pretrained(tmp_path / f"{name}-bank").style_bank for name in ("data", "shards")]
    for ours, theirs in zip(*banks, strict=True):
        assert torch.equal(ours.codes, theirs.codes)


@pytest.mark.integration
def test_train_from_the_command_line(workplace: Path, tmp_path: Path) -> None:
    small = "--config.model.image-size 32 32 --config.model.base-channels 2 --config.model.style-dim 8"
    few = "--config.discriminator-channels 4 --config.steps 4 --config.decay-steps 2 --config.num-workers 0"
    options = ["train", "--preset", "mini-64", "--data", f"{workplace}/data", "--output", f"{tmp_path}/run"]
    options += f"{small} {few}".split()
    assert main(options) == 0
    assert SEANPipeline.from_pretrained(tmp_path / "run" / "model").image_size == (32, 32)
    assert main([*options, "--resume"]) == 0


@pytest.mark.parametrize("name", NEEDS)
def test_a_missing_extra_is_one_line(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packages = EXTRAS[NEEDS[name]]
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)
    options = {
        "web": ["--no-open"],
        "train": ["--preset", "synthetic", "--output", f"{tmp_path}/run"],
        "train-parser": ["--output", f"{tmp_path}/run"],
        "curves": [str(tmp_path), "--output", f"{tmp_path}/curves.png"],
        "data speed": ["--data", str(tmp_path)],
        "experiment": ["table1", "--output", f"{tmp_path}/results"],
        "evaluate": ["--data", str(tmp_path), "--output", f"{tmp_path}/report.json"],
        "export": ["--model", str(tmp_path), "--output", f"{tmp_path}/onnx"],
    }
    line = refused(capsys, *name.split(), *options[name])
    assert f"sean {name} needs" in line
    assert f"pip install 'seankit[{NEEDS[name]}]'" in line
    assert all(package in line for package in packages)
    assert not list(tmp_path.iterdir())


def test_a_package_missed_on_the_way_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str, extra: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("sean.cli.keep_freed_memory", lambda: None)
    monkeypatch.setattr("sean.cli._parse", lambda arguments: lambda: missing("tensorboard.compat", "train"))
    assert "needs tensorboard, which is not installed; pip install 'seankit[train]'" in refused(capsys, "train")
    monkeypatch.setattr("sean.cli._parse", lambda arguments: lambda: missing("sean.nix", "train"))
    with pytest.raises(ModuleNotFoundError):  # a fault of ours is not the user's
        main(["train"])


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
def test_a_console_of_few_characters_stops_no_command(encoding: str, tmp_path: Path) -> None:
    """File names and signs that the console lacks are escaped; a Windows console has cp1252 or cp437."""
    folder = tmp_path / "写真 ↑"
    folder.mkdir()
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}

    def sean(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([sys.executable, "-m", "sean", *arguments], env=environment, capture_output=True)

    write_paired(folder / "data", SyntheticScenes(size=(64, 64), length=2, seed=0, layouts=["faces"]))
    for arguments, code in ((["edit", "--help"], 0), (["data", "check", f"{folder}/data"], 0), (["data"], 0)):
        result = sean(*arguments)
        assert result.returncode == code, result.stderr
        assert b"Traceback" not in result.stderr
    refusal = sean("data", "check", f"{folder}/none")
    assert refusal.returncode == 2 and b"\\u5199" in refusal.stderr
    assert len(refusal.stderr.splitlines()) == 1


def test_unknown_names(workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = ["--output", f"{tmp_path}/o.png"]
    assert "unknown command 'paint'" in refused(capsys, "paint")
    assert "unknown command 'data nix'" in refused(capsys, "data", "nix")
    assert "unknown model 'nix'" in refused(capsys, "demo", "--model", "nix", *output)
    assert "unknown preset 'nix'" in refused(capsys, "train", "--preset", "nix", "--output", f"{tmp_path}/run")
    beard = ["--style", "beard=bank:0"]
    assert "'beard'" in refused(capsys, "edit", *photo_options(workplace), *beard, *output)
    assert "bank has 4 styles" in refused(capsys, "edit", *photo_options(workplace), "--style", "hair=bank:9", *output)
    assert "REGION=SOURCE" in refused(capsys, "edit", *photo_options(workplace), "--style", "hair", *output)
    assert not list(tmp_path.iterdir())


def test_missing_and_malformed_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "reconstruct", "--segmap", "x.png")
    assert "--image" in line
    assert "--output" in line
    line = refused(capsys, "train", "--preset", "synthetic", "--output", f"{tmp_path}/r", "--config.batch-size", "few")
    assert "--config.batch-size" in line


def test_bad_pictures(workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = (workplace / "a.png").read_bytes()
    contents = {"missing": None, "empty": b"", "truncated": whole[: len(whole) // 2], "text": b"no picture"}
    for name, content in contents.items():
        if content is not None:
            (tmp_path / f"{name}.png").write_bytes(content)
        for option in ("--image", "--segmap"):
            line = refused(
                capsys,
                "reconstruct",
                *photo_options(workplace),
                option,
                f"{tmp_path}/{name}.png",
                "--output",
                f"{tmp_path}/o.png",
            )
            assert f"{name}.png" in line
    assert not (tmp_path / "o.png").exists()


def test_bad_label_maps(workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.full((64, 64), 77, np.uint8)).save(tmp_path / "range.png")
    Image.fromarray(np.full((64, 64, 3), (1, 2, 3), np.uint8)).save(tmp_path / "colour.png")
    Image.fromarray(np.zeros((32, 64), np.uint8)).save(tmp_path / "size.png")
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "lossy.jpg")

    def line(name: str) -> str:
        options = [*photo_options(workplace), "--segmap", f"{tmp_path}/{name}", "--output", f"{tmp_path}/o.png"]
        return refused(capsys, "reconstruct", *options)

    for word in ("range.png", "77", "0..18"):
        assert word in line("range.png")
    assert "colour.png" in line("colour.png")
    for word in ("size.png", "a.png", "32 x 64", "64 x 64"):
        assert word in line("size.png")
    assert "PNG" in line("lossy.jpg")
    assert not (tmp_path / "o.png").exists()


def test_output_that_cannot_be_written(workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "suffix" in refused(capsys, "reconstruct", *photo_options(workplace), "--output", f"{tmp_path}/o.txt")
    (tmp_path / "file").write_text("in the way")
    line = refused(capsys, "reconstruct", *photo_options(workplace), "--output", f"{tmp_path}/file/o.png")
    assert "cannot write" in line
    assert (tmp_path / "file").read_text() == "in the way"


def test_bench_refuses_before_it_measures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = ["--output", f"{tmp_path}/o.json"]
    assert "at least 1 round, got 0" in refused(capsys, "bench", "--rounds", "0", *output)
    small = ["--base-channels", "1", "--size", "32"]
    assert "cannot render faces" in refused(capsys, "bench", *small, "--labels", "3", *output)
    assert "found none" in refused(capsys, "bench", *small, "--labels", "3", "--data", f"{tmp_path}/none", *output)
    assert "multiples of 32" in refused(capsys, "bench", "--size", "33", *output)
    assert not list(tmp_path.iterdir())


def test_bad_data_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bare" / "images").mkdir(parents=True)
    (tmp_path / "bare" / "labels").mkdir()
    (tmp_path / "bare" / "classes.txt").write_text("0 sky\n1 sea\n")
    run = ["--output", f"{tmp_path}/run"]
    assert "no pairs" in refused(capsys, "train", "--data", f"{tmp_path}/bare", *run)
    assert "found none" in refused(capsys, "train", "--data", f"{tmp_path}/none", *run)
    write_image(tmp_path / "bare" / "images" / "lonely.png", np.zeros((64, 64, 3), np.uint8))
    assert "lonely" in refused(capsys, "train", "--data", f"{tmp_path}/bare", *run)
    assert "needs --data" in refused(capsys, "train", *run)
    assert not (tmp_path / "run").exists()


def test_data_check(workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", f"{workplace}/data"]) == 0
    assert "hair" in capsys.readouterr().out
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    (tmp_path / "classes.txt").write_text("0 sky\n1 sea\n")
    write_image(tmp_path / "images" / "x.png", np.zeros((8, 8, 3), np.uint8))
    Image.fromarray(np.full((8, 8), 5, np.uint8)).save(tmp_path / "labels" / "x.png")
    assert main(["data", "check", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert "x.png" in captured.out
    assert len(captured.err.splitlines()) == 1


class Trap:
    """A pickle of this runs code that leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_bad_checkpoints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "garbage.pth").write_bytes(b"\x00garbage" * 100)
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "trap.pth").write_bytes(pickle.dumps({"fc.weight": Trap(tmp_path / "sprung")}))
    torch.save({"fc.weight": Trap(tmp_path / "sprung")}, tmp_path / "trap-zip.pth")
    torch.save({"something.weight": torch.zeros(3)}, tmp_path / "other.pth")
    for name in ("garbage", "empty", "trap", "trap-zip", "other", "missing"):
        line = refused(capsys, "import-official", f"{tmp_path}/{name}.pth", "--output", f"{tmp_path}/model")
        assert f"{name}.pth" in line
    assert not (tmp_path / "sprung").exists()
    assert not (tmp_path / "model").exists()


def test_resuming_from_a_garbage_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "step-0000100.safetensors").write_bytes(b"garbage" * 100)
    options = ["train", "--preset", "synthetic", "--output", str(tmp_path), "--config.model.image-size", "32", "32"]
    assert "step-0000100.safetensors" in refused(capsys, *options, "--resume")
    assert "--resume" in refused(capsys, *options)


@pytest.mark.parametrize(
    "line",
    [
        "edit {} --style hair=bank:0 -o o.png",
        "edit a.png --segmap a_map.png --style hair={} -o o.png",
        "edit a.png --segmap {} --style hair=bank:0 -o o.png",
        "reconstruct --image a.png --segmap a_map.png --model {} -o o.png",
        "parse {} -o o.png",
        "parse a.png --parser {} -o o.png",
        "train --data {} --output run",
        "data check {}",
        "data convert {} pairs",
        "evaluate --data {} --output o.json",
        "web --model {}",
    ],
)
def test_a_name_longer_than_a_files_is_one_line(
    workplace: Path, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workplace)
    assert "x" * 20 in refused(capsys, *line.format("x" * 300).split())
    assert not Path("o.png").exists() and not Path("run").exists() and not Path("pairs").exists()


def test_quiet_prints_nothing(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = workplace / "quiet.png"
    assert main(["reconstruct", *photo_options(workplace), "-o", str(output), "-q"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "") and output.is_file()
    assert main(["reconstruct", *photo_options(workplace), "-o", str(output)]) == 0
    assert "quiet.png: 64 x 64" in capsys.readouterr().out, "the next command speaks again"


@pytest.mark.integration
def test_a_quiet_training_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = "--config.model.image-size 32 32 --config.model.base-channels 2 --config.model.style-dim 4"
    options = f"{sizes} --config.steps 1 --config.batch-size 1 --config.num-workers 0".split()
    command = ["train", "--preset", "synthetic", "--device", "cpu", *options]
    assert main([*command, "--output", str(tmp_path / "quiet"), "--quiet"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "") and (tmp_path / "quiet" / "model").is_dir()


def test_threads_of_a_command(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # puts the present one back afterwards
    try:
        assert main(["reconstruct", *photo_options(workplace), "-o", f"{workplace}/one.png", "--threads", "3"]) == 0
        assert torch.get_num_threads() == 3
        assert os.environ["OMP_NUM_THREADS"] == "3", "of processes that it starts"
    finally:
        torch.set_num_threads(before)


def test_no_threads(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [*photo_options(workplace), "--output", f"{workplace}/none.png", "--threads", "0"]
    assert "expected at least 1 thread, got 0" in refused(capsys, "reconstruct", *options)
    assert not (workplace / "none.png").exists()
