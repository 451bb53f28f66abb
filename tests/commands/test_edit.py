"""`sean edit` as a session of the editor: scripts, style photos, projects, and the photo kept where nothing changed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sean
from sean.cli import main
from sean.editing.pipeline import SEANPipeline
from sean.images import read_image, read_photo, write_image
from sean.labels import CELEBAMASK_HQ
from sean.models.build import build_model
from sean.models.configs import UNetParserConfig
from sean.models.parsers import new_parser
from sean.models.weights import save_parser
from sean.segmap import read_segmap, write_segmap

from ..pictures import difference
from ..profiles import WIDE_GAMUT
from ..support.pipelines import TINY

SCRIPT = [
    {"kind": "paint", "points": [[0.1, 0.1], [0.4, 0.1]], "radius": 0.08, "label": "hat"},
    {"kind": "set_style", "source": "photo:you", "regions": ["skin"], "strength": 0.6, "blocks": [0, 1]},
    {"kind": "set_style", "source": "bank:1", "regions": ["hat"]},
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model and two photos with maps: left half skin, right half hair."""
    folder = tmp_path_factory.mktemp("edit")
    torch.manual_seed(0)
    pipeline = SEANPipeline(build_model(TINY, init_gain=1.0), CELEBAMASK_HQ)
    generator = np.random.default_rng(0)
    everything = np.arange(64 * 64).reshape(64, 64) % 19
    bank = [pipeline.encode(generator.integers(0, 256, (64, 64, 3), dtype=np.uint8), everything) for _ in range(2)]
    SEANPipeline(pipeline.model, CELEBAMASK_HQ, style_bank=bank).save_pretrained(folder / "model")
    ids = np.full((96, 128), CELEBAMASK_HQ.id_of("skin"))
    ids[:, 64:] = CELEBAMASK_HQ.id_of("hair")
    for name in ("me", "you"):
        write_image(folder / f"{name}.png", generator.integers(0, 256, (96, 128, 3), dtype=np.uint8))
        write_segmap(folder / f"{name}_map.png", ids, CELEBAMASK_HQ)
    (folder / "edits.json").write_text(json.dumps(SCRIPT))
    return folder


def me(folder: Path) -> list[str]:
    return ["--image", f"{folder}/me.png", "--segmap", f"{folder}/me_map.png"]


def scripted(folder: Path) -> list[str]:
    return ["--script", f"{folder}/edits.json", "--style-photo", f"you={folder}/you.png,{folder}/you_map.png"]


def run(folder: Path, *options: str) -> None:
    assert main(["edit", "--model", f"{folder}/model", *options]) == 0


def refused(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> str:
    assert main(["edit", "--model", f"{folder}/model", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def edited_by_hand(folder: Path) -> sean.Editor:
    """What the script does, done by the editor's methods."""
    editor = sean.Editor(SEANPipeline.from_pretrained(folder / "model"))
    maps = [read_segmap(folder / f"{name}_map.png", CELEBAMASK_HQ) for name in ("me", "you")]
    editor.set_image(read_image(folder / "me.png"), maps[0])
    editor.add_style_photo("you", read_image(folder / "you.png"), maps[1])
    editor.paint([(0.1, 0.1), (0.4, 0.1)], radius=0.08, label="hat")
    editor.set_style("photo:you", "skin", strength=0.6, blocks=[0, 1])
    editor.set_style("bank:1", "hat")
    return editor


def test_a_script_does_what_the_editor_does(
    workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(workplace, *me(workplace), *scripted(workplace), "--output", f"{tmp_path}/o.png")
    editor = edited_by_hand(workplace)
    assert difference(read_image(tmp_path / "o.png"), np.asarray(editor.composite())) <= 1
    assert "o.png: 128 x 96\n" in capsys.readouterr().out
    render = ["--whole-render", "--output", f"{tmp_path}/render.png"]
    run(workplace, *me(workplace), *scripted(workplace), *render)
    assert difference(read_image(tmp_path / "render.png"), np.asarray(editor.render())) <= 1
    assert "render.png: 64 x 64, the model's size (the photo is 128 x 96)" in capsys.readouterr().out
    (tmp_path / "again.json").write_text(json.dumps([edit.to_json() for edit in editor.edits]))
    photo = scripted(workplace)[2:]
    run(workplace, *me(workplace), "--script", f"{tmp_path}/again.json", *photo, "--output", f"{tmp_path}/again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "o.png").read_bytes()


def test_the_original_is_kept_where_nothing_was_done(workplace: Path, tmp_path: Path) -> None:
    run(workplace, *me(workplace), "--style", "hair=#10c040", "--output", f"{tmp_path}/o.png")
    photo, edited = read_image(workplace / "me.png"), read_image(tmp_path / "o.png")
    assert edited.shape == photo.shape
    assert np.array_equal(edited[:, :56], photo[:, :56]), "the skin is on the left"
    red, green, blue = edited[:, 70:].mean(axis=(0, 1))
    assert green > 2 * max(red, blue), "and the hair is green"


def test_styles_of_no_strength_and_of_the_photo_itself_are_the_photo(workplace: Path, tmp_path: Path) -> None:
    own = f"hair={workplace}/me.png,{workplace}/me_map.png"
    for name, options in {
        "weak": ["--style", "hair=#10c040", "--strength", "0"],
        "own": ["--style", own],
        "project": ["--save-project", f"{tmp_path}/p.zip"],
    }.items():
        run(workplace, *me(workplace), *options, "--output", f"{tmp_path}/{name}.png")
        assert np.array_equal(read_image(tmp_path / f"{name}.png"), read_image(workplace / "me.png")), name


def test_several_photos_and_folders(workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    for name in ("b.png", "a.png"):
        (tmp_path / "in" / name).write_bytes((workplace / "me.png").read_bytes())
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    (tmp_path / "in" / "c.png").write_bytes(b"damaged")
    (tmp_path / "in" / "d.HEIC").write_bytes((workplace / "me.png").read_bytes())
    parser = ["--parser", str(whole_photo_parser(tmp_path)), "--crop", "none"]
    options = [*parser, "--style", "hair=#10c040", "-o", f"{tmp_path}/out"]
    line = refused_after(capsys, workplace, f"{tmp_path}/in", *options)
    assert line == "sean: 1 of 4 photos failed, see above"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.png", "d.jpg"]
    run(workplace, f"{tmp_path}/in/a.png", f"{tmp_path}/in/b.png", *options[:-1], f"{tmp_path}/two")
    for name in ("a.png", "b.png"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        patch.setenv("RANK", "1")
        run(workplace, f"{tmp_path}/in/a.png", f"{tmp_path}/in/b.png", *options[:-1], f"{tmp_path}/shared")
    assert [path.name for path in (tmp_path / "shared").iterdir()] == ["b.png"]


def refused_after(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> str:
    """The last line of a command that must fail after having told of some photos."""
    assert main(["edit", "--model", f"{folder}/model", *options]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "c.png" in lines[0] and "picture" in lines[0]
    return lines[1]


def whole_photo_parser(folder: Path) -> Path:
    """The folder of a tiny untrained parser of faces."""
    torch.manual_seed(1)
    config = UNetParserConfig(num_regions=19, image_size=(64, 64), widths=(4, 4, 4, 4, 4, 4))
    save_parser(folder / "parser", new_parser(config), CELEBAMASK_HQ)
    return folder / "parser"


def test_a_photo_is_not_overwritten(workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = tmp_path / "me.png"
    photo.write_bytes((workplace / "me.png").read_bytes())
    options = [str(photo), "--segmap", f"{workplace}/me_map.png", "--style", "hair=#10c040", "-o", str(photo)]
    assert "--overwrite replaces it" in refused(capsys, workplace, *options)
    assert photo.read_bytes() == (workplace / "me.png").read_bytes()
    run(workplace, *options, "--overwrite")
    assert not np.array_equal(read_image(photo), read_image(workplace / "me.png"))


def test_a_project_is_saved_and_gone_on_with(
    workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project, picture = f"{tmp_path}/p.zip", f"{tmp_path}/o.png"
    run(workplace, *me(workplace), *scripted(workplace), "--save-project", project, "--output", picture)
    assert "p.zip: project with 3 edits" in capsys.readouterr().out
    run(workplace, "--project", project, "--output", f"{tmp_path}/same.png")
    assert (tmp_path / "same.png").read_bytes() == (tmp_path / "o.png").read_bytes()
    run(workplace, "--project", project, "--style", "hair=region:skin", "--output", f"{tmp_path}/more.png")
    editor = edited_by_hand(workplace)
    editor.set_style("region:skin", "hair")
    assert difference(read_image(tmp_path / "more.png"), np.asarray(editor.composite())) <= 1


def test_style_files_are_named_apart(workplace: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    write_image(tmp_path / "other" / "you.png", np.zeros((96, 128, 3), np.uint8))
    maps = f"{workplace}/you_map.png"
    options = ["--style", f"hair={workplace}/you.png,{maps}", "--style", f"skin={tmp_path}/other/you.png,{maps}"]
    again = ["--style", f"skin={workplace}/you.png,{maps}"]
    project = ["--save-project", f"{tmp_path}/p", "--output", f"{tmp_path}/o.png"]
    run(workplace, *me(workplace), *options, *again, *project)
    editor = sean.Editor.load(tmp_path / "p", SEANPipeline.from_pretrained(workplace / "model"))
    assert [edit.to_json()["source"] for edit in editor.edits] == ["photo:you", "photo:you 2", "photo:you"]


def test_what_is_refused(workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = ["--output", f"{tmp_path}/out/o.png"]
    photo = me(workplace)
    assert "got neither" in refused(capsys, workplace, *output)
    assert "got both" in refused(capsys, workplace, *photo, "--project", "p.zip", *output)
    line = refused(capsys, workplace, "--project", "p.zip", "--new-segmap", "map.png", *output)
    assert "expected --new-segmap with a photo only" in line
    line = refused(capsys, workplace, *photo, *output)
    assert "expected an edit (--style, --new-segmap or --script), got none" in line
    style = ["--style", "hair=#102030"]
    line = refused(capsys, workplace, f"{workplace}/me.png", f"{workplace}/you.png", *photo[2:], *style, *output)
    assert "expected --segmap with one photo, got several" in line
    assert "expected --crop as auto, none, X,Y,SIZE in pixels, or X,Y,SIZE,ANGLE" in refused(
        capsys, workplace, *photo[:2], *style, "--crop", "1,2", *output
    )
    assert "expected pictures in the folder" in refused(capsys, workplace, f"{tmp_path}", *style, *output)
    assert "expected a project" in refused(capsys, workplace, "--project", f"{tmp_path}/p.zip", *output)
    line = refused(capsys, workplace, *photo, "--script", f"{tmp_path}/none.json", *output)
    assert "none.json: No such file" in line
    (tmp_path / "bad.json").write_text('[{"kind": "fill", "point": [0.5, 0.5], "label": "hair"}, {"kind": "smudge"}]')
    line = refused(capsys, workplace, *photo, "--script", f"{tmp_path}/bad.json", *output)
    assert 'bad.json, edit 2: unknown kind of edit "smudge"' in line
    line = refused(capsys, workplace, *photo, "--script", f"{workplace}/edits.json", *output)
    assert "edits.json, edit 2: there is no style 'photo:you'; style photos here: none" in line
    assert "NAME=PHOTO" in refused(capsys, workplace, *photo, *style, "--style-photo", "you.png", *output)
    assert not (tmp_path / "out").exists()


def test_scripts_of_windows_programs_are_read(workplace: Path, tmp_path: Path) -> None:
    pictures = []
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        script = tmp_path / f"{encoding}.json"
        script.write_text(json.dumps(SCRIPT), encoding=encoding)
        you = f"you={workplace}/you.png,{workplace}/you_map.png"
        output = tmp_path / f"{encoding}.png"
        run(workplace, *me(workplace), "--script", str(script), "--style-photo", you, "--output", str(output))
        pictures.append(output.read_bytes())
    assert pictures[0] == pictures[1] == pictures[2]


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_photo_keeps_its_profile_its_size_and_its_exif(workplace: Path, tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    photo = np.rot90(read_image(workplace / "me.png"))
    Image.fromarray(photo).save(tmp_path / f"me.{suffix}", quality=97, icc_profile=WIDE_GAMUT, exif=exif)
    output = tmp_path / f"out.{suffix}"
    options = ["--image", str(tmp_path / f"me.{suffix}"), "--segmap", f"{workplace}/me_map.png"]
    run(workplace, *options, "--style", "hair=bank:1", "--output", str(output))
    before, after = read_photo(tmp_path / f"me.{suffix}"), read_photo(output)
    assert after.size == before.size == (96, 128) and after.profile == WIDE_GAMUT
    with Image.open(output) as image:
        assert image.getexif()[0x010F] == "a camera" and image.getexif().get(0x0112, 1) == 1
    assert before.own is not None and after.own is not None
    left = np.abs(before.own[:, :50].astype(int) - after.own[:, :50])  # the hair is on the right
    assert left.max() == 0 if suffix == "png" else left.mean() < 8


def test_a_map_of_another_shape_is_refused_and_one_of_another_size_is_not(
    workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = read_segmap(workplace / "me_map.png", CELEBAMASK_HQ)
    image, output = ["--image", f"{workplace}/me.png"], ["--style", "hair=bank:1", "--output", f"{tmp_path}/a.png"]
    write_segmap(tmp_path / "half.png", ids[::2, ::2], CELEBAMASK_HQ)
    run(workplace, *image, "--segmap", f"{tmp_path}/half.png", *output)
    write_segmap(tmp_path / "side.png", ids.T, CELEBAMASK_HQ)
    for options in (["--segmap"], ["--segmap", f"{workplace}/me_map.png", "--new-segmap"]):
        line = refused(capsys, workplace, *image, *options, f"{tmp_path}/side.png", *output)
        assert "got 96 x 128 in" in line and "128 x 96 in" in line and "side.png; it lies on its side; turn it" in line


def test_a_map_that_may_lie_sideways_is_told_of(
    workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down, which no shape tells
    Image.fromarray(read_image(workplace / "me.png")).save(tmp_path / "me.png", exif=exif)
    options = ["--image", f"{tmp_path}/me.png", "--segmap", f"{workplace}/me_map.png"]
    run(workplace, *options, "--style", "hair=bank:1", "--output", f"{tmp_path}/a.png")
    first, _ = capsys.readouterr().out.splitlines()
    assert "turned upright as its EXIF orientation 3 says" in first and "me_map.png is taken to be upright" in first


def test_names_with_commas(workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for source, copy in (("you.png", "Doe, Jane.png"), ("you_map.png", "Doe, Jane, map.png")):
        (tmp_path / copy).write_bytes((workplace / source).read_bytes())
    plain, commas = (
        f"{workplace}/you.png,{workplace}/you_map.png",
        f"{tmp_path}/Doe, Jane.png,{tmp_path}/Doe, Jane, map.png",
    )
    for name, source in (("plain", plain), ("commas", commas)):
        run(workplace, *me(workplace), "--style", f"hair={source}", "--output", f"{tmp_path}/{name}.png")
    assert np.array_equal(read_image(tmp_path / "plain.png"), read_image(tmp_path / "commas.png"))
    run(
        workplace,
        *me(workplace),
        *scripted(workplace)[:2],
        "--style-photo",
        f"you={commas}",
        "--output",
        f"{tmp_path}/o.png",
    )
    # a name that is nowhere is refused as it was given, up to where a map's name may begin
    missing = refused(
        capsys, workplace, *me(workplace), "--style", "hair=nix.png,map.png", "--output", f"{tmp_path}/o.png"
    )
    assert "nix.png, found no file" in missing


def test_a_link_as_output_stays(workplace: Path, tmp_path: Path) -> None:
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to("real.png")
    run(workplace, *me(workplace), "--style", "hair=bank:1", "--output", f"{tmp_path}/link.png")
    assert (tmp_path / "link.png").is_symlink()
    assert read_image(tmp_path / "real.png").shape == (96, 128, 3)
