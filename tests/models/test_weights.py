"""Model folders: what is written is read back, and every bad folder gives one clear line."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from sean.errors import InputError
from sean.labels import LabelSet
from sean.models.build import channels_last
from sean.models.configs import CONFIGS, SEANConfig, config_from_dict
from sean.models.sean.model import SEANModel
from sean.models.weights import load_model, read_config, read_content, read_safetensors, save_model

from .reference import randomize

CONFIG = SEANConfig(
    num_regions=3, image_size=(32, 64), style_dim=4, base_channels=1, max_channels=8, mask_dim=4, encoder_channels=2
)
LABELS = LabelSet(
    name="shapes",
    names=("sky", "left eye", "right eye"),
    palette=((1, 2, 3), (4, 5, 6), (7, 8, 9)),
    ignore_id=255,
    flip_pairs=((1, 2),),
)


@pytest.fixture
def model() -> SEANModel:
    return channels_last(randomize(SEANModel(CONFIG)).float())


@pytest.fixture
def folder(model: SEANModel, tmp_path: Path) -> Path:
    save_model(tmp_path / "model", model, LABELS)
    return tmp_path / "model"


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_one_line(error: pytest.ExceptionInfo[InputError], *parts: object) -> None:
    message = str(error.value)
    assert message
    assert len(message.splitlines()) == 1
    for part in parts:
        assert str(part) in message


def change_config(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


@torch.no_grad()
def test_float32_is_read_back_exactly(model: SEANModel, folder: Path) -> None:
    loaded, labels = load_model(folder)
    assert labels == LABELS
    assert loaded.config == CONFIG
    assert not any(module.training for module in loaded.modules())
    expected = model.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    for key, value in loaded.state_dict().items():
        assert value.dtype == expected[key].dtype, key
        assert torch.equal(value, expected[key]), key
    image, segmap = torch.randn(1, 3, 32, 64), torch.randint(4, (1, 32, 64))
    # the loaded weights lie otherwise in memory, for which a processor may have another kernel
    torch.testing.assert_close(loaded(image, segmap), model(image, segmap), atol=1e-4, rtol=0)


@torch.no_grad()
def test_float16_is_half_as_large_and_near(model: SEANModel, folder: Path, tmp_path: Path) -> None:
    model.generator.blocks[0].norm_0.norm.num_batches_tracked.fill_(100_001)  # no float16 holds this number
    save_model(tmp_path / "half", model, LABELS, dtype=torch.float16)
    on_disk = load_file(tmp_path / "half" / "model.safetensors")
    assert {value.dtype for value in on_disk.values()} == {torch.float16, torch.int64}
    full_bytes, half_bytes = (
        sum(
            v.numel() * v.element_size()
            for v in load_file(path / "model.safetensors").values()
            if v.is_floating_point()
        )
        for path in (folder, tmp_path / "half")
    )
    assert half_bytes * 2 == full_bytes
    loaded, _ = load_model(tmp_path / "half")
    expected = model.state_dict()
    for key, value in loaded.state_dict().items():
        assert value.dtype == expected[key].dtype, key
        torch.testing.assert_close(value, expected[key], rtol=2**-11, atol=1e-7, msg=lambda m, k=key: f"{k}: {m}")
    image, segmap = torch.randn(1, 3, 32, 64), torch.randint(4, (1, 32, 64))
    torch.testing.assert_close(loaded(image, segmap), model(image, segmap), atol=0.05, rtol=0)


def test_folder_holds_two_files_and_a_readable_config(folder: Path) -> None:
    assert sorted(files_in(folder)) == ["config.json", "model.safetensors"]
    config = json.loads((folder / "config.json").read_text())
    assert config["architecture"] == "sean"
    assert config["model"] == {**dataclasses.asdict(CONFIG), "image_size": [32, 64]}
    assert config["labels"] == LABELS.to_dict()


def test_a_config_from_before_instance_edges_is_one_without(folder: Path) -> None:
    change_config(folder, lambda config: config["model"].pop("instance_edges"))
    loaded, _ = load_model(folder)
    assert loaded.config == CONFIG
    assert not loaded.generator.instance_edges


@torch.no_grad()
def test_a_model_with_instance_edges_is_read_back(tmp_path: Path) -> None:
    model = SEANModel(dataclasses.replace(CONFIG, instance_edges=True))
    save_model(tmp_path, model, LABELS)
    loaded, _ = load_model(tmp_path)
    assert loaded.config == model.config
    image, segmap = torch.randn(1, 3, 32, 64), torch.randint(4, (1, 32, 64))
    edges = torch.rand(segmap.shape) < 0.3
    want = model.eval()(image, segmap, edges=edges)
    torch.testing.assert_close(loaded(image, segmap, edges=edges), want, atol=1e-4, rtol=0)
    change_config(tmp_path, lambda config: config["model"].update(instance_edges=False))
    with pytest.raises(InputError) as error:
        load_model(tmp_path)
    assert_one_line(error, tmp_path / "model.safetensors", "do not fit config.json")


def test_loaded_model_can_be_trained(folder: Path) -> None:
    loaded, _ = load_model(folder)
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    loaded(torch.randn(1, 3, 32, 64), torch.randint(3, (1, 32, 64))).sum().backward()
    assert loaded.generator.stem.weight.grad is not None


def test_saving_over_a_model_replaces_it(model: SEANModel, folder: Path) -> None:
    with torch.no_grad():
        model.generator.stem.bias.fill_(0.5)
    save_model(folder, model, dataclasses.replace(LABELS, name="other"))
    loaded, labels = load_model(folder)
    assert (loaded.generator.stem.bias == 0.5).all()
    assert labels.name == "other"


SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
INDEX = "model.safetensors.index.json"


@pytest.fixture
def sharded(model: SEANModel, folder: Path, tmp_path: Path) -> Path:
    size = (folder / "model.safetensors").stat().st_size
    save_model(tmp_path / "sharded", model, LABELS, max_shard_size=size * 3 // 5)
    return tmp_path / "sharded"


def test_weights_in_several_files_are_read_back_exactly(model: SEANModel, folder: Path, sharded: Path) -> None:
    assert sorted(files_in(sharded)) == ["config.json", *SHARDS, INDEX]
    size = (folder / "model.safetensors").stat().st_size
    contents = [load_file(sharded / name).values() for name in SHARDS]
    assert all(sum(v.numel() * v.element_size() for v in values) <= size * 3 // 5 for values in contents)
    loaded, _ = load_model(sharded)
    for key, value in loaded.state_dict().items():
        assert torch.equal(value, model.state_dict()[key]), key
    weight_map = json.loads((sharded / INDEX).read_text())["weight_map"]
    assert weight_map == {key: name for name in SHARDS for key in load_file(sharded / name)}


def test_saving_in_one_file_or_several_leaves_no_old_weights(model: SEANModel, folder: Path, sharded: Path) -> None:
    size = (folder / "model.safetensors").stat().st_size
    save_model(sharded, model, LABELS)
    assert sorted(files_in(sharded)) == ["config.json", "model.safetensors"]
    save_model(folder, model, LABELS, max_shard_size=size * 3 // 5)
    assert sorted(files_in(folder)) == ["config.json", *SHARDS, INDEX]
    load_model(folder)


def test_saving_over_a_model_removes_its_style_bank(model: SEANModel, folder: Path) -> None:
    (folder / "style_bank.safetensors").write_bytes(b"styles of other weights")
    save_model(folder, model, LABELS)
    assert not (folder / "style_bank.safetensors").exists()


def test_a_failed_save_of_several_files_leaves_those_that_were_there(
    model: SEANModel, folder: Path, sharded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, size = files_in(sharded), (folder / "model.safetensors").stat().st_size
    calls = []

    def fail_at_the_second(state: dict[str, torch.Tensor], path: Path, **options: Any) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise OSError("No space left on device")
        save_file(state, path, **options)

    monkeypatch.setattr("sean.models.weights.save_file", fail_at_the_second)
    with torch.no_grad():
        model.generator.stem.bias.fill_(0.5)
    with pytest.raises(InputError) as error:
        save_model(sharded, model, LABELS, max_shard_size=size * 3 // 5)
    assert_one_line(error, SHARDS[1], "No space left")
    assert files_in(sharded) == before


@pytest.mark.parametrize("size", ["much", -1, 0])
def test_a_size_that_is_none(model: SEANModel, tmp_path: Path, size: int | str) -> None:
    with pytest.raises(InputError) as error:
        save_model(tmp_path / "new", model, LABELS, max_shard_size=size)
    assert_one_line(error, "expected a size", repr(size))
    assert not (tmp_path / "new").exists()


def test_a_file_of_other_weights_beside_an_index(model: SEANModel, folder: Path, sharded: Path, tmp_path: Path) -> None:
    size = (folder / "model.safetensors").stat().st_size
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5)
    save_model(tmp_path / "other", model, LABELS, max_shard_size=size * 3 // 5)
    (sharded / SHARDS[1]).write_bytes((tmp_path / "other" / SHARDS[1]).read_bytes())
    with pytest.raises(InputError) as error:
        load_model(sharded)
    assert_one_line(error, sharded / SHARDS[1], "is not the file", INDEX)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"weight_map": 3}', b'{"weight_map": {}, "metadata": 3}', b'{"weight_map": {"a": "../b"}}'],
)
def test_an_index_of_weights_that_is_none(sharded: Path, content: bytes) -> None:
    (sharded / INDEX).write_bytes(content)
    with pytest.raises(InputError) as error:
        load_model(sharded)
    assert_one_line(error, sharded / INDEX)


def test_a_missing_file_of_several(sharded: Path) -> None:
    (sharded / SHARDS[0]).unlink()
    with pytest.raises(InputError) as error:
        load_model(sharded)
    assert_one_line(error, sharded / SHARDS[0])


@pytest.mark.parametrize("kind", [OSError, SafetensorError])
def test_failed_save_leaves_what_was_there(
    model: SEANModel, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    before = files_in(folder)

    def fail(_state: object, path: Path, **_options: object) -> None:
        Path(path).write_bytes(b"half")
        raise kind("No space left on device")

    monkeypatch.setattr("sean.models.weights.save_file", fail)
    for target in (folder, tmp_path / "new"):
        with pytest.raises(InputError) as error:
            save_model(target, model, LABELS)
        assert_one_line(error, target / "model.safetensors", "No space left")
    assert files_in(folder) == before
    assert not files_in(tmp_path / "new")


def test_save_into_what_is_no_folder(model: SEANModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(InputError) as error:
        save_model(tmp_path / "file", model, LABELS)
    assert_one_line(error, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "text"


def test_missing_files(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        load_model(tmp_path / "nothing")
    assert_one_line(error, tmp_path / "nothing" / "config.json")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError) as error:
        load_model(folder)
    assert_one_line(error, folder / "model.safetensors")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe\x00", b"null", b"3", b"[]", b'"sean"', b"{}", b'{"architecture": "sean"}']
    + [b'{"architecture": "sean", "model": %s}' % model for model in (b"3", b"[1, 2]", b"{}", b'"a"')],
)
def test_config_that_is_none(folder: Path, content: bytes) -> None:
    (folder / "config.json").write_bytes(content)
    with pytest.raises(InputError) as error:
        load_model(folder)
    assert_one_line(error, folder / "config.json")


def test_config_that_is_a_folder(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()
    with pytest.raises(InputError) as error:
        load_model(folder)
    assert_one_line(error, folder / "config.json")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c.update(architecture="cyclegan"), "'cyclegan'"),
        (lambda c: c.update(architecture="spade"), "unknown model settings"),
        (lambda c: c.pop("labels"), "labels"),
        (lambda c: c.update(labels=[]), ""),
        (lambda c: c["labels"].update(names=["a", "a", "b"]), "'a'"),
        (lambda c: c["labels"].update(names=["a", "b"], palette=None, flip_pairs=[]), "2 labels for a model of 3"),
        (lambda c: c["model"].update(colour=1, size=2), "colour, size"),
        (lambda c: c["model"].pop("image_size"), "image_size"),
        (lambda c: c["model"].update(image_size=32), "whole numbers"),
        (lambda c: c["model"].update(image_size=[32]), "not a model configuration"),
        (lambda c: c["model"].update(image_size=[32, 33]), "multiples of 32"),
        (lambda c: c["model"].update(image_size=[32.0, 64]), "whole numbers"),
        (lambda c: c["model"].update(style_dim=4.0), "whole numbers"),
        (lambda c: c["model"].update(style_dim="4"), "whole numbers"),
        (lambda c: c["model"].update(style_dim=None), "whole numbers"),
        (lambda c: c["model"].update(style_dim=True), "whole numbers"),
        (lambda c: c["model"].update(max_channels=2.5), "whole numbers"),
        (lambda c: c["model"].update(style_dim=0), "positive"),
        (lambda c: c["model"].update(instance_edges=1), "true or false as instance_edges, got 1"),
        (lambda c: c["model"].update(instance_edges=None), "true or false as instance_edges, got None"),
    ],
)
def test_config_with_wrong_values(folder: Path, change: Callable[[dict[str, Any]], object], reason: str) -> None:
    change_config(folder, change)
    for read in (lambda: load_model(folder), lambda: read_config(folder / "config.json", "model", CONFIGS)):
        with pytest.raises(InputError) as error:
            read()
        assert_one_line(error, folder / "config.json", reason)


@pytest.mark.parametrize("content", [b"", b"abc", b"\0" * 1000, b"\x08" + b"\0" * 7 + b"{}      garbage"])
def test_weights_that_are_garbage(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError) as error:
        load_model(folder)
    assert_one_line(error, folder / "model.safetensors")


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_truncated_weights(folder: Path, kept: float) -> None:
    path = folder / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(InputError) as error:
        read_safetensors(path)
    assert_one_line(error, path)


@pytest.mark.parametrize("field", ["style_dim", "base_channels", "mask_dim", "encoder_channels", "max_channels"])
@pytest.mark.parametrize("size", [3, 2**16])
def test_weights_of_another_size(folder: Path, field: str, size: int) -> None:
    change_config(folder, lambda config: config["model"].update({field: size}))
    if (field, size) == ("max_channels", 2**16):
        change_config(folder, lambda config: config["model"].update(base_channels=2))
    with pytest.raises(InputError) as error:
        load_model(folder)
    assert_one_line(error, folder / "model.safetensors", "do not fit config.json")


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("generator.stem.weight"),
        lambda state: state.update({"generator.extra": torch.zeros(1)}),
        lambda state: state.update({"generator.stem.bias": torch.zeros(1)}),
        lambda state: state.update({"generator.stem.weight": torch.zeros(8, 3, 3, 3, dtype=torch.int64)}),
        lambda state: state.clear(),
    ],
)
def test_weights_with_wrong_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    path = folder / "model.safetensors"
    state = load_file(path)
    change(state)
    save_file(state, path)
    with pytest.raises(InputError) as error:
        load_model(folder)
    assert_one_line(error, path, "do not fit config.json")


def test_reading_changes_nothing(folder: Path) -> None:
    before = files_in(folder)
    load_model(folder)
    (folder / "model.safetensors").write_bytes(b"abc")
    with pytest.raises(InputError):
        load_model(folder)
    assert files_in(folder) == {**before, "model.safetensors": b"abc"}


def test_settings_younger_than_the_file_take_their_defaults() -> None:
    assert config_from_dict(SEANConfig, {"num_regions": 3, "image_size": [32, 64], "style_dim": 4}) == SEANConfig(
        num_regions=3, image_size=(32, 64), style_dim=4
    )


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("noise", 1, "true or false"),
        ("downsampling", None, "true or false"),
        ("encoders", 6, "a word"),
        ("encoders", None, "a word"),
        ("style_dim", True, "whole numbers"),
        ("max_channels", "8", "whole numbers"),
    ],
)
def test_settings_of_another_kind_are_named(name: str, value: object, kind: str) -> None:
    values = {"num_regions": 3, "image_size": [32, 64], name: value}
    with pytest.raises(InputError) as error:
        config_from_dict(SEANConfig, values)
    assert str(error.value) == f"expected {kind} as {name}, got {value!r}"


def test_a_folder_of_one_architecture_with_the_weights_of_another(folder: Path) -> None:
    change_config(folder, lambda config: config.update(architecture="pix2pixhd"))
    keep = ("num_regions", "image_size", "base_channels")
    change_config(folder, lambda config: config.update(model={name: config["model"][name] for name in keep}))
    with pytest.raises(InputError) as error:
        load_model(folder)
    assert_one_line(error, folder, "do not fit")


def test_files_of_different_processes_are_the_same(tmp_path: Path) -> None:
    code = """
import sys, torch
from sean.models.weights import write_safetensors
write_safetensors(sys.argv[1], {"b": torch.arange(3.0), "a": torch.ones(2)}, {name: "\u00fc/x" for name in "edcba"})
"""
    paths = [tmp_path / f"{number}.safetensors" for number in range(2)]
    for path in paths:
        subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert len({path.read_bytes() for path in paths}) == 1
    tensors, metadata = read_content(paths[0])
    assert tensors["b"].tolist() == [0, 1, 2] and metadata == {name: "ü/x" for name in "abcde"}
