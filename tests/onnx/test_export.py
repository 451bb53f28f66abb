"""The folder of an export: its files, what they say of themselves, and refusals."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from sean.editing.styles import StyleCodes, save_style_codes
from sean.errors import InputError
from sean.labels import LabelSet
from sean.models.build import new_model
from sean.models.configs import SPADEConfig
from sean.models.weights import save_model
from sean.onnx import export as exporting
from sean.onnx.checking import Runner, generator_inputs, largest_difference, render, samples
from sean.onnx.export import export_model
from sean.onnx.generator import dense_generator
from sean.onnx.precision import in_eight_bits, in_fewer_bits, large_weights

from .conftest import LABELS, SIZE, Folders, K, tiny_model


def test_the_manifest_describes_the_files(folders: Folders) -> None:
    manifest = json.loads((folders.onnx / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["files"]) == {"encoder.onnx", "generator.onnx", "generator-dense.onnx", "parser.onnx"}
    for name, row in manifest["files"].items():
        data = (folders.onnx / name).read_bytes()
        assert (row["bytes"], row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert 0 < row["difference"] <= 1e-3
    assert (manifest["opset"], manifest["precision"]) == (17, "fp32")
    assert (manifest["image_size"], manifest["code_dim"], manifest["num_blocks"]) == (list(SIZE), 6, 6)
    assert manifest["parser_size"] == [32, 64]
    assert manifest["licence"] == "cc-by-4.0"
    assert LabelSet.from_dict(manifest["labels"]) == LABELS
    assert (folders.onnx / "README.md").read_text(encoding="utf-8").endswith("# tiny\n")


def test_an_export_leaves_nothing_of_the_one_before(folders: Folders, tmp_path: Path) -> None:
    """Here of a model with a parser, a style bank, a card and terms; then of one without any of them."""
    shutil.copytree(folders.model, tmp_path / "first")
    for name in ("README.md", "LICENSE"):
        (tmp_path / "first" / name).write_text("SPDX: cc-by-nc-4.0\n", encoding="utf-8")
    bank = [StyleCodes(codes=torch.ones(K, 6), present=torch.ones(K, dtype=torch.bool), labels=LABELS)]
    save_style_codes(tmp_path / "first" / "style_bank.safetensors", bank)
    output = tmp_path / "out"
    export_model(tmp_path / "first", output, parser=folders.parser, checks=1)
    optional = {"parser.onnx", "style_bank.safetensors", "README.md", "LICENSE"}
    assert optional < {path.name for path in output.iterdir()}
    save_model(tmp_path / "second", tiny_model(), LABELS)
    export_model(tmp_path / "second", output, checks=1)
    assert {path.name for path in output.iterdir()} == {
        "manifest.json",
        *json.loads((output / "manifest.json").read_text(encoding="utf-8"))["files"],
    }


def test_a_file_alone_says_what_it_is(folders: Folders) -> None:
    model = onnx.load(folders.onnx / "generator.onnx")
    said = {row.key: row.value for row in model.metadata_props}
    assert LabelSet.from_dict(json.loads(said["sean.labels"])) == LABELS
    assert json.loads(said["sean.image_size"]) == list(SIZE)
    assert (said["sean.licence"], said["sean.model"]) == ("cc-by-4.0", "tiny")
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 17)]


def test_a_wrong_network_is_not_written(folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = dense_generator(tiny_model(style_dim=6, mask_branch=False).generator)
    monkeypatch.setattr(exporting, "dense_generator", lambda generator: wrong)
    with pytest.raises(InputError, match=r"generator-dense\.onnx differs from PyTorch by .* expected at most 0\.001"):
        export_model(folders.model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_architectures_are_refused(tmp_path: Path) -> None:
    sizes = {"num_regions": K, "image_size": (32, 32), "base_channels": 1, "mask_dim": 2, "style": "none"}
    save_model(tmp_path / "spade", new_model(SPADEConfig(**sizes)), LABELS)
    with pytest.raises(InputError, match="expected a SEAN model to export, got spade in"):
        export_model(tmp_path / "spade", tmp_path / "out")


def test_a_parser_of_other_labels_is_refused(folders: Folders, tmp_path: Path) -> None:
    other = LabelSet(name="other", names=tuple(f"thing {number}" for number in range(3)))
    save_model(tmp_path / "three", tiny_model(3), other)
    with pytest.raises(InputError, match="the label set 'other' has no counterpart for 'sky'"):
        export_model(tmp_path / "three", tmp_path / "out", parser=folders.parser)


def test_unknown_precisions_are_refused(folders: Folders, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a precision of fp32, fp16, int8, got 'int4'"):
        export_model(folders.model, tmp_path, precision="int4")


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_fewer_bits_make_smaller_files_and_the_same_pictures(folders: Folders, tmp_path: Path, precision: str) -> None:
    files = export_model(folders.model, tmp_path, parser=folders.parser, precision=precision, checks=2)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    model = tiny_model()
    for file in files:
        assert file.measure == ("labels" if file.name == "parser.onnx" else "levels")
        assert file.difference <= (0.01 if file.measure == "labels" else 2)
        assert manifest["files"][file.name]["difference"] == file.difference
    smaller, larger = ((folder / "generator.onnx").stat().st_size for folder in (tmp_path, folders.onnx))
    assert smaller < larger
    runner = Runner(onnx.load(tmp_path / "generator.onnx"))
    for sample in samples(model, 2):
        (picture,) = runner(**generator_inputs(sample, K, fast=True))
        assert 0 < 127.5 * largest_difference(picture, render(model, sample)) <= 2


def weights_of(model: onnx.ModelProto) -> dict[str, np.dtype]:
    return {each.name: onnx.numpy_helper.to_array(each).dtype for each in model.graph.initializer}


def test_weights_that_cost_too_much_stay_in_16_bits() -> None:
    """The largest weight must not be touched here, which a bisection over the list has to find out."""
    model = dense_generator(tiny_model(base_channels=4).generator).model()
    large = large_weights(model)
    assert len(large) > 4
    tried = []

    def is_good(smaller: onnx.ModelProto) -> bool:
        tried.append(smaller)
        return f"{large[0]}.levels" not in weights_of(smaller)

    result = weights_of(in_eight_bits(model, is_good))
    assert {f"{name}.levels" for name in large[1:]} <= result.keys()
    assert result[f"{large[0]}.half"] == np.float16
    assert 1 < len(tried) < len(large)


def test_levels_belong_to_output_channels() -> None:
    """A channel of small numbers is as exact as one of large numbers."""
    dense = dense_generator(tiny_model(base_channels=4).generator).model()
    big = "blocks.1.conv_0.weight"
    (weight,) = (each for each in dense.graph.initializer if each.name == big)
    values = onnx.numpy_helper.to_array(weight)
    scaled = values * np.logspace(-4, 0, len(values), dtype=np.float32)[:, None, None, None]
    weight.CopyFrom(onnx.numpy_helper.from_array(scaled, big))
    smaller = {each.name: onnx.numpy_helper.to_array(each) for each in in_fewer_bits(dense, [big]).graph.initializer}
    restored = smaller[f"{big}.levels"] * smaller[f"{big}.scale"]
    largest = np.abs(scaled).max(axis=(1, 2, 3), keepdims=True)
    assert (np.abs(restored - scaled) <= largest / 254 * 1.001).all()
    assert smaller[f"{big}.levels"].dtype == np.int8


def test_vectors_keep_their_numbers() -> None:
    """Gains of a group normalization have no output channels to be scaled by."""
    dense = dense_generator(tiny_model(base_channels=4).generator).model()
    vector = np.linspace(0.5, 1.5, 2048, dtype=np.float32)
    dense.graph.initializer.append(onnx.numpy_helper.from_array(vector, "gain"))
    assert "gain" not in large_weights(dense)
    smaller = in_eight_bits(dense, lambda _: True)
    (kept,) = (each for each in smaller.graph.initializer if each.name == "gain")
    assert (onnx.numpy_helper.to_array(kept) == vector).all()
