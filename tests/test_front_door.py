"""The public names, used as a user of diffusers or segment-anything would guess: each line, and what it does."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import sean
from sean.images import image_to_tensor, write_image

from .support.forks import OUTPUT, fork, run_code, wait

# A line as pasted, and what is true afterwards; `_` is the line's value. The photo has one face, that of an astronaut.
LINES = [
    # a model
    ("sean.SEANPipeline.from_pretrained()", "_.image_size == (256, 256) and len(_.style_bank) == 56"),
    ("sean.SEANPipeline.from_pretrained('portraits-256', dtype='bfloat16')", "_.dtype == torch.bfloat16"),
    ("sean.SEANPipeline.from_pretrained(device='auto').to(torch.bfloat16).to('cpu')", "_.dtype == torch.bfloat16"),
    ("repr(pipe)", "'256 x 256 pixels' in _ and '19 labels' in _ and 'float32 on cpu' in _"),
    # styles of photos in any form, with the map that the parser makes or a given one
    ("pipe.encode('me.png')", "_ == styles and 'hair' in _.regions and 'hat' not in _.regions"),
    ("pipe.encode(Path('me.png'))", "_ == styles"),
    ("pipe.encode(Image.open('me.png'))", "_ == styles"),
    ("pipe.encode(photo)", "_ == styles"),
    ("pipe.encode(tensor)", "_ == styles"),
    ("pipe.encode([photo, 'me.png'])", "_ == [styles, styles]"),
    ("pipe.encode(photo, sean.parse(photo))", "'cloth' in _.regions and _ != styles"),
    ("styles.colours['hair']", "re.fullmatch('#[0-9a-f]{6}', _)"),
    ("styles.with_region('face', bank[3])", "(_.codes[1] == bank[3].codes[1]).all() and _ != styles"),
    ("repr(styles)", "_.startswith('StyleCodes(background, skin, nose')"),
    # pictures, one or many
    ("pipe(segmap, styles)", "_.size == (256, 256)"),
    ("pipe(segmap, styles, output_type='np')", "_.shape == (256, 256, 3) and _.dtype == np.uint8"),
    ("pipe(segmap, styles, output_type='pt')", "_.shape == (3, 256, 256) and -1 <= _.min() < _.max() <= 1"),
    ("pipe([segmap, segmap], [styles, bank[1]])", "close(_[0], before) and close(_[1], pipe(segmap, bank[1]))"),
    ("pipe([segmap] * 3, styles, output_type='pt')", "_.shape == (3, 3, 256, 256)"),
    ("pipe(segmap, [styles] * 3 + [bank[0]] * 3)", "not close(_, pipe(segmap, styles))"),
    ("pipe(segmap, [[styles] * 3 + [bank[0]] * 3, [styles] * 6])", "len(_) == 2 and close(_[1], pipe(segmap, styles))"),
    ("pipe(segmap, styles, seed=1)", "close(_, pipe(segmap, styles, generator=torch.Generator().manual_seed(1)))"),
    ("pipe([segmap] * 2, styles, seed=1)", "close(_[1], pipe(segmap, styles, seed=1)) and not close(_[0], before)"),
    # label maps
    ("sean.parse('me.png')", "_.shape == (256, 256) and {1, 13, 17} <= set(np.unique(_)) <= set(range(19))"),
    ("sean.parse(photo, crop=(0, 0, 256))", "_.shape == (256, 256) and not np.array_equal(_, sean.parse(photo))"),
    ("sean.LabelSet('mine', ('sky', 'sea')).num_regions", "_ == 2"),
    ("sean.LabelSet.from_file('classes.txt').names", "_ == ('sky', 'sea')"),
    ("sean.Segmenter.from_pretrained().labels.groups['lips']", "_ == (11, 12)"),
    # the editor
    ("sean.Editor.from_pretrained().set_image('me.png')", "_ is None"),
    ("editor.set_image(photo)", "len(editor.photo.faces) == 1 and editor.photo.crop == editor.photo.faces[0]"),
    ("editor.set_image(photo, face=0, crop='auto')", "editor.photo.crop.size < 200"),
    ("editor.set_image(photo, crop=(40, 20, 170))", "(editor.photo.crop.left, editor.photo.crop.size) == (40, 170)"),
    ("editor.set_image(photo, crop=None)", "editor.photo.crop is None"),
    ("editor.set_image(np.zeros((90, 70, 3), np.uint8), on_no_face='whole')", "editor.photo.crop.size == 90"),
    ("editor.set_style('hair', 'bank:3')", "edit.source == 'bank:3' and edit.regions == ('hair',)"),
    ("editor.set_style('hair', 'mean', strength=0.5)", "edit.source == 'mean' and edit.strength == 0.5"),
    ("editor.set_style('bank:3', 'hair')", "edit.source == 'bank:3' and edit.regions == ('hair',)"),
    ("editor.set_style('own')", "edit.source == 'own' and edit.regions is None"),
    ("editor.set_style(['face', 'lips'], bank[2])", "not close(editor.render(), before)"),
    ("editor.set_style('brows', 'me.png')", "edit.source == 'photo:me'"),
    ("editor.set_style('eyes', photo, blocks=[4, 5])", "edit.blocks == (4, 5) and edit.regions == ('eyes',)"),
    ("editor.set_style('hair', styles)", "close(editor.render(), before)"),
    ("editor.set_style('hair', 'saved.safetensors')", "close(editor.render(), before)"),
    ("editor.composite()", "np.array_equal(_, photo)"),
]  # fmt: skip


@pytest.fixture(scope="module")
def session() -> dict[str, Any]:
    """The names of a user's session."""
    data = pytest.importorskip("skimage.data")
    photo = np.ascontiguousarray(data.astronaut()[:256, 96:352])
    pipe = sean.SEANPipeline.from_pretrained()
    editor = sean.Editor(pipe)
    editor.set_image(photo)

    def close(one: Image.Image, other: Image.Image) -> bool:
        return int(np.abs(np.asarray(one).astype(int) - np.asarray(other)).max()) <= 1

    return {
        **{"sean": sean, "torch": torch, "np": np, "Image": Image, "Path": Path, "re": re, "close": close},
        **{"pipe": pipe, "bank": pipe.style_bank, "photo": photo, "tensor": image_to_tensor(photo)},
        **{"styles": editor.styles, "segmap": editor.state.segmap, "before": editor.render(), "opened": editor},
    }


@pytest.fixture
def names(session: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An editor of the photo without edits, in a folder with the user's files."""
    monkeypatch.chdir(tmp_path)
    write_image("me.png", session["photo"])
    session["styles"].save("saved.safetensors")
    Path("classes.txt").write_text("0 sky\n1 sea\n")
    return {**session, "editor": session["opened"].branch()}


@pytest.mark.parametrize(("line", "what"), LINES, ids=[line for line, _ in LINES])
def test_a_line_does_what_one_would_guess(names: dict[str, Any], line: str, what: str) -> None:
    value = eval(line, names)
    edits = list(names["editor"].edits)
    assert eval(what, {**names, "_": value, "edit": edits[-1] if edits else None})


WRONG = [
    ("sean.SEANPipeline.from_pretrained('celebamask')", "unknown model 'celebamask'; expected a bundled one"),
    ("sean.SEANPipeline.from_pretrained(dtype='int8')", "expected a dtype of float32, bfloat16, float16, got 'int8'"),
    ("pipe.encode('you.png')", "expected a picture at you.png, found no file"),
    ("pipe.encode(None)", "expected a picture as uint8 [h, w, 3], got NoneType"),
    ("pipe.encode(photo / 255.0)", "expected a picture as uint8 [h, w, 3], got float64 [256, 256, 3]"),
    ("pipe.encode(127.5 * (tensor + 1))", "expected a photo as a float tensor with values in [-1, 1], got"),
    ("pipe.encode(tensor[None])", "expected a photo as a tensor [3, h, w], uint8 or float, got torch.float32 [1, 3"),
    ("pipe.encode([photo, photo], [segmap])", "expected a list of 2 label maps with a list of 2 photos"),
    ("pipe(segmap, None)", "expected StyleCodes, or a list of them, got NoneType"),
    ("pipe(segmap, 'bank:3')", "expected StyleCodes, or a list of them, got str"),
    ("pipe(segmap, ['bank:3'] * 6)", "expected StyleCodes, as `encode` makes them, got str"),
    ("pipe(segmap, [styles] * 2)", "expected one StyleCodes, or 6 (one per SEAN ResBlk), got 2"),
    ("pipe([segmap] * 3, [styles] * 6)", "expected one StyleCodes, or one for each of 3 label maps, got 6"),
    ("pipe([], styles)", "expected one StyleCodes, or one for each of 0 label maps"),
    ("pipe(segmap, styles, output_type='numpy')", "expected output_type as one of pil, np, pt, got 'numpy'"),
    ("pipe(segmap, styles, seed=1, generator=torch.Generator())", "expected a seed or a generator for the noise"),
    ("pipe([segmap] * 3, styles, generator=[torch.Generator()] * 2)", "expected one generator on cpu, or one for each"),
    ("pipe(None, styles)", "expected a map of label ids, integers [h, w], in the segmap, got object []"),
    ("sean.parse(np.zeros((99, 99, 3), np.uint8))", "expected a face in the photo, found none; take the whole picture"),
    ("sean.parse('me.png', face=1)", "expected face 0..0, as me.png shows 1 face, got face 1"),
    ("sean.parse('me.png', crop='face')", "expected a crop as auto, none, (left, top, size) in pixels"),
    ("sean.parse('me.png', parser='mine')", "unknown parser 'mine'; expected bundled, the folder of a parser"),
    ("sean.Editor(pipe, parser=3)", "expected a parser or its name, got int"),
    ("sean.Editor(pipe, parser=None).set_image(photo)", "expected a label map with the photo, as there is no parser"),
    ("editor.set_image(photo, np.zeros((256, 256), int), face=1)", "expected face 0 where no face is searched for"),
    ("editor.set_style('hair', 'blond')", "there is no style 'blond'; expected own, mean, bank:N"),
    ("editor.set_style('hair', 'bank:99')", "there is no style 'bank:99'; the model's bank has 56 styles"),
    ("editor.set_style('hair', '#12')", "there is no style '#12'; expected own, mean"),
    ("editor.set_style('hare', 'bank:3')", "unknown region 'hare' in labels 'celebamask-hq'; close: hair"),
    ("editor.set_style('hat', styles)", "photo:style has no hat; it has background, skin"),
    ("editor.set_style('hair', 3)", "expected a picture as uint8 [h, w, 3], got int"),
    ("editor.set_style('eyes', 'bank:3', instance=1)", "set_style: expected one region with the instance 1, got"),
    ("editor.set_style(3.5, 'bank:3')", "expected regions as names or ids of labels, got float"),
    ("styles.with_region('hair', 'bank:3')", "expected StyleCodes, got str; encode a photo with the pipeline"),
    ("sean.parse('x' * 300)", "expected a picture at xxxx"),
    ("sean.SEANPipeline.from_pretrained('x' * 300)", "unknown model 'xxxx"),
    ("sean.Segmenter.from_pretrained('x' * 300)", "unknown parser 'xxxx"),
    ("sean.StyleCodes.load('x' * 300)", "expected a style file, found none at xxxx"),
    ("sean.data.convert('x' * 300, 'pairs')", "expected a folder with pictures and labels at xxxx"),
    ("sean.LabelSet.from_file('none.json')", "none.json is not readable as the labels of a model"),
]  # fmt: skip


# As a user runs it: without the run-time type checks of the tests.
SCRIPT = """
import json
from pathlib import Path
import numpy as np, torch
from PIL import Image
import sean
from sean.images import image_to_tensor

photo = np.asarray(Image.open("me.png"))
tensor, pipe = image_to_tensor(photo), sean.SEANPipeline.from_pretrained()
editor = sean.Editor(pipe)
editor.set_image(photo)
styles, segmap = editor.styles, editor.state.segmap
said = {}
for line in json.loads(Path("lines.json").read_text()):
    try:
        eval(line)
        said[line] = "nothing"
    except Exception as error:
        said[line] = f"{type(error).__name__}: {error}"
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(session: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What every wrong line raises."""
    folder = tmp_path_factory.mktemp("user")
    write_image(folder / "me.png", session["photo"])
    (folder / "lines.json").write_text(json.dumps([line for line, _ in WRONG]))
    wait(fork(run_code, SCRIPT, folder))
    return json.loads((folder / OUTPUT).read_text())


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line for line, _ in WRONG])
def test_what_is_wrong_is_one_line(said: dict[str, str], line: str, message: str) -> None:
    assert said[line].startswith(f"InputError: {message}") and "\n" not in said[line]


def test_a_colour_takes_the_nearest_style_of_the_bank(names: dict[str, Any]) -> None:
    """Told by the pictures: hair asked for in black and in a light blond."""
    editor, means = names["editor"], []
    hair = editor.state.segmap == 13
    for colour in ("#101010", "#d8c090"):
        editor.set_style("hair", colour)
        means.append(np.asarray(editor.render())[hair].mean())
        assert editor._sources.get(colour).colours["hair"] == colour
    assert means[1] - means[0] > 60
    assert [edit.to_json()["source"] for edit in editor.edits] == ["#101010", "#d8c090"]
