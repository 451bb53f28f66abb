"""Files of earlier versions go on: a model and a parser folder, styles, a project, and runs of both trainings.

The files are written by today's code and taken back to what version 0.1.0 wrote: without the checksum, and without the
settings that are younger. What 0.1.0 wrote was read from files that it made.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from sean.cli import main
from sean.data.synthetic.scenes import SyntheticScenes, write_paired
from sean.editing.editor import Editor
from sean.editing.styles import StyleCodes
from sean.labels import CELEBAMASK_HQ
from sean.models.configs import UNetParserConfig
from sean.models.parsers import new_parser
from sean.models.weights import load_model, load_parser, save_model, save_parser
from sean.training.checkpoints import checkpoint_files, load_tree, save_tree

from .support.pipelines import random_pipeline, random_styles


def words(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


# Settings of a training and its model that 0.1.0 knew.
MODEL = words("""architecture num_regions image_size instance_edges style_dim base_channels max_channels mask_dim
encoder_channels encoders downsampling noise mask_branch""")
LOSSES = ["adversarial", "feature_matching", "perceptual", "l1", "kl", "gan"]
TRAINING = words("""model losses discriminator_channels batch_size accumulate steps decay_steps generator_rate
discriminator_rate beta1 beta2 init_gain ema_decay resize flip validation training_prefix seed precision num_workers
perceptual_network vgg_weights non_finite log_every sample_every checkpoint_every keep_last keep_best""")
AUGMENTATION = words("oversampling zoom shift rotation brightness contrast saturation hue grey blur")
PARSER_TRAINING = words("""model augmentation batch_size steps warmup_steps rate weight_decay dice largest_class_weight
gradient_norm ema_decay flip validation training_prefix seed precision num_workers log_every validate_every
checkpoint_every keep_last""")


def kept(values: dict[str, Any], names: list[str], **inner: list[str]) -> dict[str, Any]:
    """The settings of these names; of those that hold settings, the named ones."""
    assert set(names) <= values.keys()
    return {
        name: kept(value, inner[name]) if name in inner else value for name, value in values.items() if name in names
    }


def without_checksum(path: Path, *, without: tuple[str, ...] = ()) -> None:
    """A safetensors file as it was before there were checksums, and without some of its tensors."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys() if name not in without}  # noqa: SIM118
    del metadata["crc32"]
    save_file(tensors, path, metadata=metadata)


def test_model_folders(tmp_path: Path) -> None:
    model = random_pipeline().model
    save_model(tmp_path, model, CELEBAMASK_HQ)
    config = json.loads((tmp_path / "config.json").read_text())
    config["model"] = kept(config["model"], MODEL[1:])
    (tmp_path / "config.json").write_text(json.dumps(config))
    without_checksum(tmp_path / "model.safetensors")
    loaded, labels = load_model(tmp_path)
    assert labels == CELEBAMASK_HQ and loaded.config == model.config
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_parser_folders(tmp_path: Path) -> None:
    parser = new_parser(UNetParserConfig(image_size=(32, 32), widths=(2, 2, 2, 2, 2, 2)))
    save_parser(tmp_path, parser, CELEBAMASK_HQ)
    config = json.loads((tmp_path / "config.json").read_text())
    config["model"] = kept(config["model"], ["num_regions", "image_size", "widths"])
    (tmp_path / "config.json").write_text(json.dumps({**config, "architecture": "parser"}))
    without_checksum(tmp_path / "model.safetensors")
    loaded, _ = load_parser(tmp_path)
    assert all(torch.equal(value, parser.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_styles_without_colours(tmp_path: Path) -> None:
    styles = random_styles(0)
    styles.save(tmp_path / "a.safetensors")
    without_checksum(tmp_path / "a.safetensors", without=("mean_colours",))
    assert StyleCodes.load(tmp_path / "a.safetensors") == styles


def test_projects(tmp_path: Path) -> None:
    pipeline = random_pipeline()
    editor = Editor(pipeline, parser=None)
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    editor.set_image(photo, np.arange(64 * 64).reshape(64, 64) // 256, crop="none")
    editor.paint([(0.1, 0.2), (0.5, 0.5)], radius=0.1, label="skin")
    editor.set_style("skin", "region:background")
    editor.save(tmp_path / "project")
    (styles,) = (tmp_path / "project").glob("styles-*.safetensors")
    without_checksum(styles, without=("mean_colours",))
    index = json.loads((tmp_path / "project/project.json").read_text())
    for edit in index["edits"]:
        edit.pop("keep", None)
    # the index as 0.1.0 wrote it
    keys = words("format model crop style_photos begun_styles edits undone files")
    assert [*index] == keys and index["format"] == "sean project 1"
    (tmp_path / "project/project.json").write_text(json.dumps(index))
    again = Editor.load(tmp_path / "project", pipeline, parser=None)
    assert again.num_edits == 2 and np.array_equal(again.state.segmap, editor.state.segmap)
    assert np.array_equal(np.asarray(again.render()), np.asarray(editor.render()))


def older(run: Path, change: Callable[[Any], None]) -> None:
    """Take a run's checkpoints and settings back; its history is younger, too."""
    (run / "history.jsonl").unlink(missing_ok=True)
    for path in checkpoint_files(run):
        tree = load_tree(path)
        change(tree)
        key = "config" if "config" in tree else "parser_config"
        (run / "config.json").write_text(tree[key])
        save_tree(path, tree)
        without_checksum(path)


@pytest.mark.integration
def test_runs_of_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("lightning_fabric")
    write_paired(tmp_path / "pairs", SyntheticScenes(size=(32, 32), length=6, seed=0, layouts=["faces"]))
    run = ["train", "--data", str(tmp_path / "pairs"), "--output", str(tmp_path / "run")]
    small = """--preset mini-64 --config.steps 2 --config.decay-steps 1 --config.batch-size 2 --config.num-workers 0
    --config.model.image-size 32 32 --config.model.base-channels 1 --config.model.style-dim 2 --config.model.mask-dim 2
    --config.model.encoder-channels 2 --config.model.max-channels 4 --config.discriminator-channels 1"""
    assert main([*run, *small.split()]) == 0

    def change(tree: Any) -> None:
        tree["config"] = json.dumps(kept(json.loads(tree["config"]), TRAINING, model=MODEL, losses=LOSSES))

    older(tmp_path / "run", change)
    capsys.readouterr()
    resumed = ["--resume", "--config.steps", "3"]
    assert main(["train", "--output", str(tmp_path / "run"), *resumed]) == 2
    assert "was started by a version that did not note its data; name it (--data)" in capsys.readouterr().err
    assert main([*run, *resumed]) == 0
    assert load_tree(checkpoint_files(tmp_path / "run")[0])["step"] == 3


@pytest.mark.integration
def test_runs_of_parsers(tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric")
    write_paired(tmp_path / "pairs", SyntheticScenes(size=(32, 32), length=6, seed=0, layouts=["faces"]))
    run = ["train-parser", "--data", str(tmp_path / "pairs"), "--output", str(tmp_path / "run")]
    small = """--preset mini-64 --config.steps 2 --config.warmup-steps 1 --config.batch-size 2 --config.num-workers 0
    --config.model.image-size 32 32 --config.model.widths 2 2 2 2 2 2"""
    assert main([*run, *small.split()]) == 0

    def change(tree: Any) -> None:
        config = json.loads(tree["parser_config"])
        model = ["num_regions", "image_size", "widths"]
        tree["parser_config"] = json.dumps(kept(config, PARSER_TRAINING, model=model, augmentation=AUGMENTATION))
        for group in tree["optimizer"]["param_groups"]:
            del group["rate_factor"]

    older(tmp_path / "run", change)
    assert main([*run, "--resume", "--config.steps", "3"]) == 0
    assert load_tree(checkpoint_files(tmp_path / "run")[0])["step"] == 3
