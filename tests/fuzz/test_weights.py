"""Damaged weights, style files and checkpoints: what was written, or one line; never other numbers."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sean.editing.styles import load_style_codes, save_style_codes
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.models.build import build_model
from sean.models.configs import SEANConfig, UNetParserConfig
from sean.models.parsers import new_parser
from sean.models.weights import load_model, load_parser, save_model, save_parser
from sean.training.checkpoints import load_tree, save_tree

from ..support.pipelines import random_styles
from .damage import changed, damaged_json, damaged_safetensors, few, read

MODEL = SEANConfig(image_size=(32, 32), style_dim=2, base_channels=1, mask_dim=2, encoder_channels=2)
PARSER = UNetParserConfig(image_size=(32, 32), widths=(2, 2, 2, 2, 2, 2))
TREE = {
    "step": 3,
    "networks": {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(2, dtype=torch.int64)},
    "optimizer": {"state": {0: {"exp_avg": torch.randn(3)}}, "groups": [{"lr": 1e-4, "betas": [0.0, 0.999]}]},
    "config": json.dumps({"steps": 5}),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("sound")
    save_model(root / "model", build_model(MODEL), CELEBAMASK_HQ)
    save_parser(root / "parser", new_parser(PARSER), CELEBAMASK_HQ)
    save_style_codes(root / "styles.safetensors", [random_styles(0), random_styles(1, 0.5)])
    save_tree(root / "tree.safetensors", TREE)
    return {name: root / name for name in ("model", "parser", "styles.safetensors", "tree.safetensors")}


@pytest.fixture(scope="module")
def sound(folders: dict[str, Path]) -> dict[str, tuple[Any, LabelSet]]:
    """Networks and labels of the undamaged folders."""
    return {"model": load_model(folders["model"]), "parser": load_parser(folders["parser"])}


def same(one: Any, other: Any) -> bool:
    """Whether two trees hold the same values, types and tensors; a list is a tuple."""
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and [*one] == [*other] and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("kind", ["model", "parser"])
@few
@given(data=st.data())
def test_weights_of_a_folder(
    folders: dict[str, Path], sound: dict[str, tuple[Any, LabelSet]], kind: str, data: st.DataObject
) -> None:
    load = load_model if kind == "model" else load_parser
    network, labels = sound[kind]
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.json").write_bytes((folders[kind] / "config.json").read_bytes())
        weights = data.draw(damaged_safetensors((folders[kind] / "model.safetensors").read_bytes()))
        (folder / "model.safetensors").write_bytes(weights)
        found = read(lambda: load(folder))
    if found is not None:
        assert found[0].config == network.config and found[1] == labels
        values = found[0].state_dict()
        assert all(torch.equal(values[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize("kind", ["model", "parser"])
@few
@given(data=st.data())
def test_config_of_a_folder(folders: dict[str, Path], kind: str, data: st.DataObject) -> None:
    load = load_model if kind == "model" else load_parser
    with TemporaryDirectory() as name:
        folder = Path(name)
        config = json.loads((folders[kind] / "config.json").read_text())
        (folder / "config.json").write_bytes(data.draw(damaged_json(config)))
        (folder / "model.safetensors").write_bytes((folders[kind] / "model.safetensors").read_bytes())
        found = read(lambda: load(folder))
    if found is not None:
        network, labels = found
        assert labels.num_regions == network.config.num_regions
        assert all(value.isfinite().all() and not value.is_meta for value in network.state_dict().values())


@given(data=st.data())
def test_style_files(folders: dict[str, Path], data: st.DataObject) -> None:
    sound = load_style_codes(folders["styles.safetensors"])
    with TemporaryDirectory() as name:
        path = Path(name) / "a.safetensors"
        path.write_bytes(data.draw(damaged_safetensors(folders["styles.safetensors"].read_bytes())))
        found = read(lambda: load_style_codes(path))
    if found is not None:
        assert all(torch.equal(one.codes, other.codes) for one, other in zip(found, sound, strict=True))


@given(data=st.data())
def test_checkpoints(folders: dict[str, Path], data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        path = Path(name) / "a.safetensors"
        path.write_bytes(data.draw(damaged_safetensors(folders["tree.safetensors"].read_bytes())))
        found = read(lambda: load_tree(path))
    assert found is None or same(TREE, found)


@given(tree=changed({"dict": [["a", {"list": [{"value": 1}, {"tensor": "a"}]}]]}))
def test_trees_of_checkpoints(tree: Any) -> None:
    from sean.models.weights import write_safetensors

    with TemporaryDirectory() as name:
        path = Path(name) / "a.safetensors"
        write_safetensors(path, {"a": torch.ones(2)}, {"tree": json.dumps(tree)})
        read(lambda: load_tree(path))
