"""The export at work without torch, beside the pipeline with torch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sean
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ
from sean.models.weights import save_model
from sean.onnx import Pipeline, StyleCodes
from sean.onnx.export import export_model
from sean.parsing.segmenter import Segmenter
from sean.pretrained import find_model, find_parser
from sean.segmap import write_segmap

from .conftest import LABELS, SIZE, Folders, K, tiny_model

LOADED_PACKAGES = (
    "print(*[name for name in ('torch', 'jaxtyping', 'scipy', 'safetensors', 'onnx') if name in sys.modules])"
)


@pytest.fixture(scope="module")
def pipe(folders: Folders) -> Pipeline:
    return Pipeline(folders.onnx)


@pytest.fixture(scope="module")
def torch_pipe(folders: Folders) -> sean.SEANPipeline:
    return sean.SEANPipeline.from_pretrained(folders.model)


def photo(rng: np.random.Generator, size: tuple[int, int] = SIZE) -> np.ndarray:
    small = rng.integers(256, size=(size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
    return small.repeat(8, axis=0).repeat(8, axis=1)


def segmap(rng: np.random.Generator, size: tuple[int, int] = SIZE) -> np.ndarray:
    return rng.integers(K + 1, size=(size[0] // 16, size[1] // 16)).repeat(16, axis=0).repeat(16, axis=1)


def assert_same_picture(one: Image.Image, other: Image.Image) -> None:
    difference = np.asarray(one).astype(int) - np.asarray(other).astype(int)
    assert np.abs(difference).max() <= 1
    assert np.asarray(one).std() > 1


@pytest.mark.parametrize("form", ["fast", "dense"])
def test_pictures_are_those_of_the_pipeline_with_torch(
    folders: Folders, torch_pipe: sean.SEANPipeline, rng: np.random.Generator, form: str
) -> None:
    """Photo and map of other sizes than the model's, and a map with pixels of no region."""
    pipe = Pipeline(folders.onnx, form=form, threads=1)
    pictures, maps = photo(rng, (128, 192)), segmap(rng, (128, 192))
    styles, expected = pipe.encode(pictures, maps), torch_pipe.encode(pictures, maps)
    np.testing.assert_allclose(styles.codes, expected.codes.numpy(), atol=1e-3)
    assert styles.regions == expected.regions
    assert_same_picture(pipe(maps, styles), torch_pipe(maps, expected))


def test_files_are_read_as_everywhere(pipe: Pipeline, rng: np.random.Generator, tmp_path: Path) -> None:
    pictures, maps = photo(rng), segmap(rng)
    Image.fromarray(pictures).save(tmp_path / "photo.png")
    write_segmap(tmp_path / "map.png", maps, LABELS)
    styles = pipe.encode(tmp_path / "photo.png", tmp_path / "map.png")
    np.testing.assert_array_equal(styles.codes, pipe.encode(pictures, maps).codes)
    assert_same_picture(pipe(tmp_path / "map.png", styles), pipe(maps, styles))


def test_the_algebra_of_styles_is_that_of_torch(
    pipe: Pipeline, torch_pipe: sean.SEANPipeline, rng: np.random.Generator
) -> None:
    everything = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) * K // (SIZE[0] * SIZE[1])
    some = np.where(everything < 4, everything, 4)
    given = [(photo(rng), everything), (photo(rng), some)]
    a, b = (pipe.encode(*each) for each in given)
    torch_a, torch_b = (torch_pipe.encode(*each) for each in given)
    pairs = [
        (a.with_region(["sky", 3], b), torch_a.with_region(["sky", 3], torch_b)),
        (a.with_region("eyes", b), torch_a.with_region("eyes", torch_b)),
        (b.lerp(a, 0.25), torch_b.lerp(torch_a, 0.25)),
        (b.lerp(a, 0.25, "label 7"), torch_b.lerp(torch_a, 0.25, "label 7")),
        (b.completed(a), torch_b.completed(torch_a)),
    ]
    for own, expected in pairs:
        np.testing.assert_allclose(own.codes, expected.codes.numpy(), atol=1e-4)
        assert own.regions == expected.regions
    with pytest.raises(InputError, match="the style source has no label 7; it has sky, l_eye, r_eye, label 3"):
        a.with_region("label 7", b)


def test_crossover_gives_the_fine_blocks_to_the_other(
    pipe: Pipeline, torch_pipe: sean.SEANPipeline, rng: np.random.Generator
) -> None:
    maps = segmap(rng)
    pictures = [photo(rng), photo(rng)]
    a, b = (pipe.encode(each, maps) for each in pictures)
    torch_a, torch_b = (torch_pipe.encode(each, maps) for each in pictures)
    assert_same_picture(pipe(maps, a.crossover(b, 2)), torch_pipe(maps, [torch_a] * 2 + [torch_b] * 4))
    with pytest.raises(InputError, match=r"expected a number of blocks in 0\.\.6, got 7"):
        a.crossover(b, 7)
    with pytest.raises(InputError, match=r"expected one StyleCodes, or 6 \(one per SEAN ResBlk\), got 2"):
        pipe(maps, [a, b])


def test_variants_give_two_styles_to_one_label(
    pipe: Pipeline, torch_pipe: sean.SEANPipeline, rng: np.random.Generator
) -> None:
    maps, numbers = segmap(rng), np.indices(SIZE)[1] // (SIZE[1] // 2)
    pictures = [photo(rng), photo(rng)]
    styles = [pipe.encode(each, maps) for each in pictures]
    expected = torch_pipe(maps, [torch_pipe.encode(each, maps) for each in pictures], variants=numbers)
    assert_same_picture(pipe(maps, styles, variants=numbers), expected)
    with pytest.raises(InputError, match=r"expected variants in 0\.\.0, numbers of styles, got 0\.\.1"):
        pipe(maps, styles[:1], variants=numbers)


def test_photos_are_parsed_as_by_the_segmenter(folders: Folders, pipe: Pipeline, rng: np.random.Generator) -> None:
    picture = photo(rng, (104, 200))
    expected = Segmenter.from_pretrained(str(folders.parser), LABELS, "cpu").segmap(picture)
    found = pipe.parse(picture)
    assert found.shape == expected.shape
    assert len(np.unique(expected)) > 1
    assert (found == expected).mean() > 0.999  # equal logits may fall to either side
    assert pipe.encode(picture).regions == pipe.encode(picture, found).regions


def test_regions_without_a_style_take_the_bank(folders: Folders, tmp_path: Path, rng: np.random.Generator) -> None:
    """As with torch; the bank in 16 bits."""
    source = sean.SEANPipeline.from_pretrained(folders.model)
    maps = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) * K // (SIZE[0] * SIZE[1])
    bank = [source.encode(photo(rng), maps) for _ in range(2)]
    with_bank = sean.SEANPipeline(source.model, source.labels, style_bank=bank)
    with_bank.save_pretrained(tmp_path / "model", dtype=torch.float16)
    shutil.copytree(folders.onnx, tmp_path / "onnx")
    shutil.copy(tmp_path / "model" / "style_bank.safetensors", tmp_path / "onnx")
    pipe = Pipeline(tmp_path / "onnx")
    assert len(pipe.style_bank) == 2
    few, picture = np.zeros(SIZE, int), photo(rng)
    assert_same_picture(pipe(maps, pipe.encode(picture, few)), with_bank(maps, with_bank.encode(picture, few)))
    (tmp_path / "onnx" / "style_bank.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(InputError, match="is no style bank of this model or is damaged"):
        Pipeline(tmp_path / "onnx")


def test_damaged_exports_are_refused_in_one_line(folders: Folders, tmp_path: Path, rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="expected a folder that sean export has written, found no"):
        Pipeline(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(folders.onnx, copy)
    data = bytearray((copy / "encoder.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "encoder.onnx").write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"encoder\.onnx is damaged or is not the file that manifest\.json speaks of"):
        Pipeline(copy).encode(photo(rng), segmap(rng))
    (copy / "parser.onnx").unlink()
    with pytest.raises(InputError, match=r"expected parser\.onnx in the export"):
        Pipeline(copy).parse(photo(rng))
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    for change, message in (({"format": 2}, "expected 1; update sean"), ({"image_size": 3}, "is damaged")):
        (copy / "manifest.json").write_text(json.dumps({**manifest, **change}), encoding="utf-8")
        with pytest.raises(InputError, match=message):
            Pipeline(copy)


def test_other_styles_are_refused(pipe: Pipeline, rng: np.random.Generator) -> None:
    other = StyleCodes(np.zeros((K, 3), np.float32), np.ones(K, bool), LABELS)
    with pytest.raises(InputError, match=r"expected style codes \[12, 6\] of this model, got \[12, 3\]"):
        pipe(segmap(rng), other)
    with pytest.raises(InputError, match="expected no instances for a model without instance edges"):
        pipe(segmap(rng), pipe.encode(photo(rng), segmap(rng)), instances=segmap(rng))


def test_nothing_but_numpy_onnxruntime_and_pillow_is_loaded(folders: Folders) -> None:
    code = f"""
import sys, numpy as np
from sean.onnx import Pipeline
pipe = Pipeline({str(folders.onnx)!r})
ids = np.zeros({SIZE}, int)
styles = pipe.encode(np.zeros((*{SIZE}, 3), np.uint8), ids)
pipe(ids, styles), pipe.parse(np.zeros((*{SIZE}, 3), np.uint8))
{LOADED_PACKAGES}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_the_example_of_the_docs_runs(tmp_path: Path) -> None:
    """With a tiny model of faces, the bundled parser, and the one photo that comes with scikit-image."""
    from skimage import data

    torch.manual_seed(0)
    save_model(tmp_path / "model", tiny_model(19, image_size=(32, 32)), CELEBAMASK_HQ)
    export_model(tmp_path / "model", tmp_path / "onnx", parser=find_parser("bundled", other=""), checks=1)
    face = Image.fromarray(data.astronaut()[0:256, 96:352])
    for name in ("me.jpg", "you.jpg"):
        face.save(tmp_path / name)
    text = (Path(__file__).parents[2] / "docs" / "onnx.md").read_text(encoding="utf-8")
    example = text.split("```python\n")[1].split("```")[0]
    assert len(example.splitlines()) <= 20
    done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*.png"))) == 9


@pytest.mark.slow
def test_the_bundled_model_is_exported_exactly(tmp_path: Path) -> None:
    """20 pairs of styles and maps, dense and fast."""
    files = export_model(find_model("portraits-256"), tmp_path, checks=20)
    assert {file.name for file in files} >= {"generator.onnx", "generator-dense.onnx"}
    assert all(file.difference <= 1e-3 for file in files)
