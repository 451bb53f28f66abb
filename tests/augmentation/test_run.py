"""Runs over a set: maps are copied, colours change where the record says so; seeds, restarts, processes, the filter."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sean.augmentation.run import HEADER_NAME, STYLES_NAME, Filter, augment
from sean.augmentation.settings import AugmentSettings
from sean.cli import main
from sean.data.check import check_folder
from sean.data.folder import PairedFolder
from sean.data.manifest import UNFINISHED_NAME
from sean.data.shards.writing import write_shards
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.parsing.label_matching import LabelMatch
from sean.parsing.segmenter import Segmenter
from sean.segmap import read_segmap, write_segmap

from .conftest import LABELS

SETTINGS = AugmentSettings(copies=2, weakest=1.0)


def files_of(root: Path) -> dict[str, bytes]:
    """The content of every file, by its path in the folder."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def records_of(root: Path) -> list[dict]:  # type: ignore[type-arg]
    """The records of the copies."""
    return [json.loads(line) for line in (root / STYLES_NAME).read_text().splitlines()]


@pytest.mark.parametrize("mode", ["photo", "render"])
def test_maps_stay_and_the_restyled_regions_change(
    mode: str, pipeline: SEANPipeline, scenes: Path, tmp_path: Path
) -> None:
    settings = AugmentSettings(copies=2, weakest=1.0, most=1, mode=mode)  # type: ignore[arg-type]
    report = augment(pipeline, scenes, tmp_path / "more", settings)
    assert (report.sources, report.kept, report.made, report.finished) == (4, 8, 8, True)
    assert check_folder(tmp_path / "more").ok
    before, after = PairedFolder.open(scenes), PairedFolder.open(tmp_path / "more")
    assert len(after.stems) == 8 and not any(stem.startswith("s4") for stem in after.stems)
    changed = 0
    for record in records_of(tmp_path / "more"):
        own = before.pairs([record["source"]]).read(0)
        copy = after.pairs([record["name"]]).read(0)
        assert np.array_equal(own.segmap, copy.segmap)
        assert own.instances is not None and copy.instances is not None
        assert np.array_equal(own.instances, copy.instances)
        (style,) = record["styles"]
        area = own.segmap == LABELS.id_of(style["region"])
        if style["instance"]:
            area &= own.instances == style["instance"]
        difference = np.abs(own.image.astype(int) - copy.image).mean(2)
        if mode == "photo":
            assert difference[~area].mean() < 12  # JPEG, and soft edges
            changed += difference[area].mean() > difference[~area].mean() + 1
    assert mode == "render" or changed > 4


def test_the_same_seed_gives_the_same_bytes(pipeline: SEANPipeline, scenes: Path, tmp_path: Path) -> None:
    augment(pipeline, scenes, tmp_path / "one", SETTINGS)
    augment(pipeline, scenes, tmp_path / "two", SETTINGS)
    augment(pipeline, scenes, tmp_path / "other", AugmentSettings(copies=2, weakest=1.0, seed=1))
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    images = {name: data for name, data in files_of(tmp_path / "one").items() if name.startswith("images")}
    assert all(files_of(tmp_path / "other")[name] != data for name, data in images.items())


def test_a_killed_run_goes_on_and_gives_the_same_set(pipeline: SEANPipeline, scenes: Path, tmp_path: Path) -> None:
    augment(pipeline, scenes, tmp_path / "whole", SETTINGS)

    def kill(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        augment(pipeline, scenes, tmp_path / "more", SETTINGS, progress=kill)
    with pytest.raises(InputError, match="not prepared to the end"):
        PairedFolder.open(tmp_path / "more")
    (tmp_path / "more" / "images" / "s0_r01.jpg").unlink()
    (tmp_path / "more" / ".records" / "s1_r02.json").unlink()
    report = augment(pipeline, scenes, tmp_path / "more", SETTINGS)
    assert report.made == 8 - 4 + 2
    assert files_of(tmp_path / "more") == files_of(tmp_path / "whole")
    assert augment(pipeline, scenes, tmp_path / "more", SETTINGS).made == 0


def test_a_folder_of_another_split_is_refused(pipeline: SEANPipeline, scenes: Path, tmp_path: Path) -> None:
    """Both splits train on four pictures."""
    settings = AugmentSettings(copies=1)
    augment(pipeline, scenes, tmp_path / "done", settings, validation="s4")
    before = files_of(tmp_path / "done")

    def kill(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        augment(pipeline, scenes, tmp_path / "begun", settings, validation="s4", progress=kill)
    for folder in ("done", "begun"):
        with pytest.raises(InputError, match="was made with other split"):
            augment(pipeline, scenes, tmp_path / folder, settings, validation="s0")
    assert files_of(tmp_path / "done") == before
    assert augment(pipeline, scenes, tmp_path / "done", settings, validation="s4").made == 0
    assert augment(pipeline, scenes, tmp_path / "begun", settings, validation="s4").made == 3


def test_held_out_pictures_are_part_of_the_split_if_they_are_linked(
    pipeline: SEANPipeline, scenes: Path, tmp_path: Path
) -> None:
    for path in list(scenes.glob("*/s3.png")) + list(scenes.glob("*/s4.png")):
        path.rename(path.with_name(path.name.replace("s3", "v3").replace("s4", "w4")))

    def restyle(output: str, held_out: str, originals: bool) -> int:
        settings = AugmentSettings(copies=1)
        split = {"validation": held_out, "training_prefix": "s"}
        return augment(pipeline, scenes, tmp_path / output, settings, originals=originals, **split).made

    assert restyle("linked", "v", True) == restyle("copies", "v", False) == 3
    assert restyle("copies", "w", False) == 0, "the copies are the same"
    with pytest.raises(InputError, match="was made with other split"):
        restyle("linked", "w", True)


def test_a_folder_whose_labels_have_changed_is_refused(pipeline: SEANPipeline, scenes: Path, tmp_path: Path) -> None:
    augment(pipeline, scenes, tmp_path / "more", AugmentSettings(copies=1))
    (scenes / "classes.txt").write_text(replace(LABELS, ignore_id=4).to_classes_txt())
    with pytest.raises(InputError, match="was made with other labels"):
        augment(pipeline, scenes, tmp_path / "more", AugmentSettings(copies=1))


@pytest.mark.parametrize("text", ["[]", '{"download": "/x"}', "older"])
def test_a_folder_that_does_not_tell_its_split_is_refused(
    text: str, pipeline: SEANPipeline, scenes: Path, tmp_path: Path
) -> None:
    augment(pipeline, scenes, tmp_path / "more", AugmentSettings(copies=1))
    header = json.loads((tmp_path / "more" / HEADER_NAME).read_text())
    older = json.dumps({key: value for key, value in header.items() if key not in ("split", "labels")})
    (tmp_path / "more" / HEADER_NAME).write_text(older if text == "older" else text)
    before = files_of(tmp_path / "more")
    with pytest.raises(InputError, match=r"is damaged|does not say with which .*split, labels") as caught:
        augment(pipeline, scenes, tmp_path / "more", AugmentSettings(copies=1))
    assert "\n" not in str(caught.value) and files_of(tmp_path / "more") == before


def test_two_processes_make_the_set_of_one(pipeline: SEANPipeline, scenes: Path, tmp_path: Path) -> None:
    augment(pipeline, scenes, tmp_path / "one", SETTINGS)
    first = augment(pipeline, scenes, tmp_path / "two", SETTINGS, rank=1, world_size=2)
    assert not first.finished and first.made == 4 and (tmp_path / "two" / UNFINISHED_NAME).exists()
    assert "when the other processes are" in first.text()
    assert augment(pipeline, scenes, tmp_path / "two", SETTINGS, rank=0, world_size=2).finished
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_originals_make_a_folder_to_train_on(pipeline: SEANPipeline, scenes: Path, tmp_path: Path) -> None:
    augment(pipeline, scenes, tmp_path / "more", AugmentSettings(copies=1), originals=True)
    folder = PairedFolder.open(tmp_path / "more")
    training, validation = folder.split()
    assert validation == ("s4",) and len(training) == 8 and check_folder(tmp_path / "more").ok
    assert (tmp_path / "more" / "images" / "s0.png").read_bytes() == (scenes / "images" / "s0.png").read_bytes()


def rename(scenes: Path, old: str, new: str) -> None:
    """Give a pair another name."""
    for path in list(scenes.glob(f"*/{old}.png")):
        path.rename(path.with_stem(new))


def test_originals_with_names_in_another_unicode_form_are_listed_too(
    pipeline: SEANPipeline, scenes: Path, tmp_path: Path
) -> None:
    rename(scenes, "s0", "u\u0308ber")
    augment(pipeline, scenes, tmp_path / "more", AugmentSettings(copies=1), originals=True)
    manifest = PairedFolder.open(tmp_path / "more").manifest
    assert manifest is not None
    files = {name for name in files_of(tmp_path / "more") if name.startswith(("images/", "labels/", "instances/"))}
    assert files == {*manifest.checksums} - {"classes.txt"} and any("u\u0308ber" in name for name in files)


def test_a_copy_that_would_replace_an_original_is_refused(
    pipeline: SEANPipeline, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names as those of copies, held out or not, are what a set of copies has."""
    for taken in ("s0_r02", "z0_r01"):
        rename(scenes, "s4", taken)
        rename(scenes, "s3", "z0")
        augment(pipeline, scenes, tmp_path / "copies", AugmentSettings(copies=1), validation=taken)
        with pytest.raises(InputError, match=rf"but .*scenes has {taken}; rename"):
            augment(pipeline, scenes, tmp_path / "more", SETTINGS, originals=True, validation=taken)
        rename(scenes, taken, "s4")
        rename(scenes, "z0", "s3")
        shutil.rmtree(tmp_path / "copies")
    rename(scenes, "s1", "s0_r01")
    pipeline.save_pretrained(tmp_path / "model")
    arguments = ["--model", str(tmp_path / "model"), "--data", str(scenes), "--device", "cpu"]
    assert main(["augment", *arguments, "--output", str(tmp_path / "more"), "--copies", "1", "--originals"]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and line.endswith("without the originals (--originals)\n")
    assert not (tmp_path / "more").exists()


def test_a_picture_may_have_the_name_of_the_bank(pipeline: SEANPipeline, scenes: Path, tmp_path: Path) -> None:
    """The styles of a renamed picture are its own, whatever the model's bank holds."""
    rng = torch.Generator().manual_seed(7)
    style = StyleCodes(torch.rand(4, 8, generator=rng) * 9, torch.ones(4, dtype=torch.bool), LABELS)
    model = SEANPipeline(pipeline.model, LABELS, style_bank=[style, style])
    for name in ("s1", "s2", "s3"):  # the sky of s0 then comes from the renamed picture
        path = scenes / "labels" / f"{name}.png"
        segmap = read_segmap(path, LABELS)
        write_segmap(path, np.where(segmap == 0, 3, segmap) if name != "s1" else segmap, LABELS)
    rename(scenes, "s1", "bank")
    settings = AugmentSettings(copies=1, weakest=1.0, regions=("sky",), mode="render")
    augment(model, scenes, tmp_path / "named", settings)
    rename(scenes, "bank", "a")
    augment(model, scenes, tmp_path / "other", settings)
    (record,) = [each for each in records_of(tmp_path / "named") if each["source"] == "s0"]
    assert record["styles"][0]["from"] == [{"picture": "bank", "instance": 0}]
    copies = [tmp_path / root / "images" / "s0_r01.jpg" for root in ("named", "other")]
    assert copies[0].read_bytes() == copies[1].read_bytes()


def test_the_folder_has_the_labels_of_the_data(pipeline: SEANPipeline, scenes: Path, tmp_path: Path) -> None:
    """A model may know no unlabelled pixels, and have other colours, where the data has both."""
    palette = ((9, 9, 9), (20, 0, 0), (0, 30, 0), (0, 0, 40))
    (scenes / "classes.txt").write_text(replace(LABELS, palette=palette).to_classes_txt())
    for number in range(4):  # the held-out map alone keeps its unlabelled pixels
        path = scenes / "labels" / f"s{number}.png"
        segmap = read_segmap(path, LABELS)
        write_segmap(path, np.where(segmap == LABELS.num_regions, 0, segmap), LABELS)
    own = PairedFolder.open(scenes)
    model = SEANPipeline(pipeline.model, replace(LABELS, ignore_id=None))
    augment(model, scenes, tmp_path / "more", AugmentSettings(copies=1), originals=True)
    folder = PairedFolder.open(tmp_path / "more")
    assert (folder.labels.names, folder.labels.ignore_id, folder.labels.palette) == (LABELS.names, 255, palette)
    assert check_folder(tmp_path / "more").ok
    held_out = own.pairs(["s4"]).read(0).segmap
    assert (held_out == 4).any() and np.array_equal(folder.pairs(["s4"]).read(0).segmap, held_out)


def test_unlabelled_pixels_of_the_data_stay_unlabelled(pipeline: SEANPipeline, scenes: Path, tmp_path: Path) -> None:
    model = SEANPipeline(pipeline.model, replace(LABELS, ignore_id=None))
    augment(model, scenes, tmp_path / "more", AugmentSettings(copies=1))
    before, after = PairedFolder.open(scenes), PairedFolder.open(tmp_path / "more")
    segmap = before.pairs(["s0"]).read(0).segmap
    assert (segmap == 4).any() and np.array_equal(after.pairs(["s0_r01"]).read(0).segmap, segmap)


def test_shards_are_a_source_too(pipeline: SEANPipeline, scenes: Path, tmp_path: Path) -> None:
    write_shards(PairedFolder.open(scenes), tmp_path / "shards")
    augment(pipeline, scenes, tmp_path / "one", SETTINGS)
    augment(pipeline, tmp_path / "shards", tmp_path / "two", SETTINGS)
    one, two = files_of(tmp_path / "one"), files_of(tmp_path / "two")
    differing = {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)}
    assert differing == {HEADER_NAME, "manifest.json"}
    with pytest.raises(InputError, match="expected a paired folder"):
        augment(pipeline, tmp_path / "shards", tmp_path / "three", SETTINGS, originals=True)


class BrightIsSky(torch.nn.Module):
    """A segmenter that takes bright pixels for sky and the others for road."""

    def forward(self, image: Tensor) -> Tensor:
        bright = image.mean(1, keepdim=True)
        never = torch.full_like(bright, -9.0)
        return torch.cat([bright, never, never, -bright], 1)


def test_copies_in_which_the_labels_are_not_found_are_dropped(
    pipeline: SEANPipeline, scenes: Path, tmp_path: Path
) -> None:
    match = LabelMatch(ids=(0, 1, 2, 3))
    segmenter = Segmenter(BrightIsSky(), LABELS, match, size=(48, 64), name="bright is sky")
    everything = augment(
        pipeline, scenes, tmp_path / "all", SETTINGS, check=Filter(segmenter=segmenter, least_miou=0.0)
    )
    scores = sorted(record["miou"] for record in records_of(tmp_path / "all"))
    assert everything.kept == 8 and scores[0] < scores[-1]
    bound = (scores[3] + scores[4]) / 2
    some = augment(pipeline, scenes, tmp_path / "some", SETTINGS, check=Filter(segmenter=segmenter, least_miou=bound))
    assert some.kept == sum(score >= bound for score in scores) < 8 and some.kept + some.dropped == 8
    assert some.miou_before == pytest.approx(np.mean(scores)) and some.miou_after is not None
    assert some.miou_after > some.miou_before
    assert len(PairedFolder.open(tmp_path / "some").stems) == some.kept
    assert "dropped" in some.text() and f"{some.miou_after:.3f} in those kept" in some.text()
    assert "does not reach" not in everything.text()
    none = augment(pipeline, scenes, tmp_path / "none", SETTINGS, check=Filter(segmenter=segmenter, least_miou=0.99))
    assert none.kept == 0 and "none is left" in none.text()
    assert (
        none.text()
        .splitlines()[-1]
        .startswith(
            "the segmenter does not reach the bound of 0.99 in the pictures themselves: take a lower bound or a better"
        )
    )


def test_the_command_and_its_refusals(
    pipeline: SEANPipeline, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.save_pretrained(tmp_path / "model")
    arguments = ["augment", "--model", str(tmp_path / "model"), "--data", str(scenes), "--device", "cpu"]
    more = ["--output", str(tmp_path / "more"), "--copies", "1"]
    assert main([*arguments, *more, "--shards", str(tmp_path / "shards")]) == 0, capsys.readouterr().err
    assert "4 copies of 4 pictures" in capsys.readouterr().out
    assert (tmp_path / "shards" / "index.json").is_file()
    for options, said in (
        ([*more, "--seed", "4"], "made with other settings"),
        (["--output", str(scenes)], "expected a new or empty folder"),
        ([*more, "--regions", "roof"], "made with other settings"),
        (["--output", str(tmp_path / "x"), "--regions", "roof"], "unknown region 'roof'"),
        (["--output", str(tmp_path / "x"), "--styles", "bank"], "no style bank"),
        (["--output", str(tmp_path / "x"), "--copies", "0"], "at least 1 copy"),
        (["--output", str(tmp_path / "x"), "--segmenter", "nowhere"], "nowhere"),
    ):
        assert main([*arguments, *options]) == 2
        line = capsys.readouterr().err
        assert line.count("\n") == 1 and said in line, line
    assert not (tmp_path / "x").exists()
