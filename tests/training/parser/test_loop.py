"""Small trainings on the CPU: learnt by heart, interrupted, resumed, refused."""

import json
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from sean.data.synthetic.scenes import SyntheticScenes
from sean.errors import InputError, Interrupted
from sean.images import write_image
from sean.labels import LabelSet
from sean.models.configs import UNetParserConfig
from sean.models.weights import load_parser
from sean.training.checkpoints import checkpoint_files, checkpoint_path, load_tree, save_tree
from sean.training.data import TrainingData
from sean.training.parser import loop
from sean.training.parser.config import ParserTrainConfig
from sean.training.parser.data import open_parser_data, parser_batches
from sean.training.parser.loop import parser_step, train_parser
from sean.training.parser.objective import parser_scores
from sean.training.parser.state import new_parser_state

from ..conftest import assert_same, last_checkpoint, records
from .conftest import CONFIG, LABELS, STILL, assert_one_line, halves, write_pairs


def overfit(config: ParserTrainConfig, data: TrainingData, steps: int) -> tuple[list[float], dict[str, Any]]:
    """The total loss of every step, and the scores of the averaged network on the training samples."""
    fabric = Fabric(accelerator="cpu", devices=1)
    config = replace(config, model=replace(config.model, num_regions=data.labels.num_regions))
    state = new_parser_state(config, fabric)
    stream = parser_batches(data, config, 0, fabric)
    weights = torch.ones(config.model.num_regions)
    totals = [parser_step(state, next(stream), weights, config, fabric)["total"] for _ in range(steps)]
    return totals, parser_scores(state.average, [next(stream)], data.labels.names)


def test_four_scenes_are_learnt_by_heart() -> None:
    four = SyntheticScenes(size=(32, 32), length=4, labels=LABELS)
    data = TrainingData(training=four, validation=four, labels=LABELS)
    model = UNetParserConfig(image_size=(32, 32), widths=(8, 8, 16, 16, 16, 16))
    config = replace(
        CONFIG, model=model, augmentation=STILL, batch_size=4, steps=40, rate=1e-2, warmup_steps=5, ema_decay=0.5
    )
    totals, scores = overfit(config, data, 40)
    assert totals[-1] < 0.4 * totals[0]
    assert scores["accuracy"] > 0.9 and scores["miou"] > 0.8


def test_left_and_right_are_learnt_from_the_side_they_are_on(tmp_path: Path) -> None:
    """Grey pictures of a lower half: only the place says which eye it is, and mirroring must not mix them up."""
    root = write_pairs(tmp_path / "pairs", halves(), 10)
    for number in range(10):
        pixels = (halves() > 0).astype(np.uint8) * 200
        write_image(root / "images" / f"{number}.png", np.repeat(pixels[..., None], 3, axis=2))
    config = replace(
        CONFIG,
        model=replace(CONFIG.model, widths=(8, 8, 16, 16, 16, 16)),
        augmentation=STILL,
        batch_size=4,
        steps=40,
        rate=1e-2,
        ema_decay=0.5,
    )
    _, scores = overfit(config, open_parser_data(config, root), 40)
    assert scores["miou"] > 0.8


def test_a_training_writes_what_it_says(scenes: TrainingData, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train_parser(CONFIG, scenes, run) == run / "model"
    kinds = [(record["kind"], record["step"]) for record in records(run)]
    assert kinds == [
        (kind, s) for s in range(1, 7) for kind in ("train", "validation", "iou")[: 3 if s % 3 == 0 else 1]
    ]
    assert set(records(run)[0]) == {"kind", "step", "cross_entropy", "dice", "total"}
    first = records(run)[0]
    assert first["total"] == pytest.approx(first["cross_entropy"] + CONFIG.dice * first["dice"])
    groups = last_checkpoint(run)["optimizer"]["param_groups"]
    assert [group["lr"] for group in groups] == [CONFIG.rate_at(5)] * 2
    assert [group["weight_decay"] for group in groups] == [CONFIG.weight_decay, 0.0]
    parser, labels = load_parser(run / "model")
    assert labels == LABELS
    assert_same(dict(parser.state_dict()), last_checkpoint(run)["average"])
    held_out = [tuple(scenes.validation[i][name][None] for name in ("image", "segmap")) for i in range(3)]
    scores = parser_scores(parser, held_out, LABELS.names)
    for name in ("miou", "accuracy"):
        assert records(run)[-2][name] == pytest.approx(scores[name])
    assert records(run)[-1]["ground"] == pytest.approx(scores["iou"]["ground"])
    assert [path.name for path in checkpoint_files(run)] == ["step-0000006.safetensors", "step-0000004.safetensors"]
    assert sorted(path.name for path in (run / "samples").iterdir()) == ["step-0000003.png", "step-0000006.png"]
    assert ParserTrainConfig.from_json((run / "config.json").read_text()) == CONFIG
    assert any((run / "tensorboard").iterdir())
    with pytest.raises(InputError) as error:
        train_parser(CONFIG, scenes, run)
    assert_one_line(error, "already holds a training", "resume it or choose another folder")


def test_rare_labels_weigh_more_in_the_loss(scenes: TrainingData, tmp_path: Path) -> None:
    terms = []
    for counts in ([9, 0, 0], [9, 9, 9]):  # weights 1, 0, 0 and 1, 1, 1
        run = tmp_path / str(counts[1])
        run.mkdir()
        (run / "label_pixels.json").write_text(json.dumps(dict(zip(LABELS.names, counts, strict=True))))
        train_parser(replace(CONFIG, steps=1, warmup_steps=0), scenes, run)
        terms.append(records(run)[0])
    assert terms[0]["cross_entropy"] < 0.8 * terms[1]["cross_entropy"]
    assert terms[0]["dice"] == terms[1]["dice"]


def test_the_loss_looks_at_another_phase_in_each_step(scenes: TrainingData) -> None:
    """Labels that only the pixels of one phase have: they are seen in their own step alone."""
    fabric = Fabric(accelerator="cpu", devices=1)
    config = replace(CONFIG, loss_stride=2)
    state = new_parser_state(config, fabric)
    losses = []
    for step in range(5):
        segmap = torch.full((2, 32, 32), 3)
        segmap[:, 1::2, ::2] = 1  # the phase of step 2: the second row, the first column
        assert state.step == step
        losses.append(parser_step(state, (torch.zeros(2, 3, 32, 32), segmap), torch.ones(3), config, fabric))
    assert [step for step, terms in enumerate(losses) if terms["cross_entropy"] > 0] == [2]


@pytest.mark.parametrize(
    ("number", "last", "said"),
    [(signal.SIGTERM, 3, "no parser folder yet"), (signal.SIGHUP, 4, "the parser folder is of an earlier step")],
)
def test_an_interrupted_run_ends_as_the_straight_one(
    scenes: TrainingData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    last: int,
    said: str,
    attended: None,
) -> None:
    train_parser(CONFIG, scenes, tmp_path / "straight")
    step = loop.parser_step

    def signalled(state: Any, *args: Any) -> dict[str, float]:
        values = step(state, *args)
        if state.step == last:
            os.kill(os.getpid(), number)
        return values

    run = tmp_path / "stopped"
    monkeypatch.setattr(loop, "parser_step", signalled)
    with pytest.raises(Interrupted, match=f"stopped at step {last}, which is saved; {said}; resume") as stop:
        train_parser(CONFIG, scenes, run)
    assert stop.value.exit_code == 128 + number
    assert last_checkpoint(run)["step"] == last
    monkeypatch.setattr(loop, "parser_step", step)
    torch.rand(17)  # the global generator is elsewhere now
    train_parser(CONFIG, scenes, run, resume=True)
    assert_same(last_checkpoint(tmp_path / "straight"), last_checkpoint(run))
    for name in ("model/model.safetensors", "samples/step-0000006.png", "config.json", "label_pixels.json"):
        assert (run / name).read_bytes() == (tmp_path / "straight" / name).read_bytes(), name


def test_a_run_goes_on_with_more_steps_and_another_rate(scenes: TrainingData, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_parser(CONFIG, scenes, run)
    more = replace(CONFIG.with_steps(12), rate=1e-3, batch_size=3)
    assert more.warmup_steps == 4
    train_parser(more, scenes, run, resume=True)
    checkpoint = last_checkpoint(run)
    assert checkpoint["step"] == 12
    assert [group["lr"] for group in checkpoint["optimizer"]["param_groups"]] == [more.rate_at(11)] * 2
    assert ParserTrainConfig.from_json((run / "config.json").read_text()) == more
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert [(entry["step"], entry["changes"]) for entry in history] == [
        (0, {}),
        (6, {"batch_size": [2, 3], "steps": [6, 12], "warmup_steps": [2, 4], "rate": [0.002, 0.001]}),
    ]


def test_a_dead_loader_process_is_one_line(
    scenes: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = loop.parser_step

    def killing(state: Any, *args: Any) -> dict[str, float]:
        values = step(state, *args)
        if state.step == 3:
            for child in multiprocessing.active_children():
                os.kill(child.pid or 0, signal.SIGKILL)
        return values

    monkeypatch.setattr(loop, "parser_step", killing)
    with pytest.raises(InputError) as error:
        train_parser(replace(CONFIG, steps=200, num_workers=2), scenes, tmp_path / "run")
    assert_one_line(error, "a process that reads data is gone", "fewer num_workers")
    assert multiprocessing.active_children() == []


def test_what_cannot_be_continued_says_why(scenes: TrainingData, tmp_path: Path) -> None:
    run = tmp_path / "run"
    short = replace(CONFIG, steps=2, keep_last=1)
    train_parser(short, scenes, run, resume=True)
    with pytest.raises(InputError) as error:
        train_parser(replace(short, dice=0.5, rate=1.0, log_every=7), scenes, run, resume=True)
    assert_one_line(error, "other settings (dice: 1.0 then, 0.5 now)")
    with pytest.raises(InputError) as error:
        train_parser(replace(short, steps=1, warmup_steps=0), scenes, run, resume=True)
    assert_one_line(error, "at least 2 steps")
    others = LabelSet(name="others", names=("road", "sky", "tree"))
    data = TrainingData(
        training=SyntheticScenes(size=(64, 64), length=5, labels=others),
        validation=SyntheticScenes(size=(32, 32), length=3, labels=others),
        labels=others,
    )
    with pytest.raises(InputError) as error:
        train_parser(short, data, run, resume=True)
    assert_one_line(error, "the data has 'road' as label 0", "the model 'ground'")
    path = checkpoint_path(run, 2)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError) as error:
        train_parser(short, scenes, run, resume=True)
    assert_one_line(error, "no checkpoint", path)
    path.write_bytes(content)
    tree = load_tree(path)
    tree["other_config"] = tree.pop("parser_config")
    save_tree(path, tree)
    with pytest.raises(InputError) as error:
        train_parser(short, scenes, run, resume=True)
    assert_one_line(error, "not a checkpoint of this kind of training", path)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(scenes: TrainingData, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_parser(CONFIG, scenes, run)
    straight = last_checkpoint(run)
    checkpoint_path(run, 6).unlink()  # a new file: `straight` may be mapped from the old one
    checkpoint_path(run, 6).write_bytes(b"junk")
    train_parser(CONFIG, scenes, run, resume=True)
    assert_same(last_checkpoint(run), straight)


def test_a_loss_that_is_not_finite_stops(scenes: TrainingData) -> None:
    fabric = Fabric(accelerator="cpu", devices=1)
    state = new_parser_state(CONFIG, fabric)
    batch = torch.full((2, 3, 32, 32), torch.nan), torch.zeros(2, 32, 32, dtype=torch.int64)
    with pytest.raises(InputError) as error:
        parser_step(state, batch, torch.ones(3), CONFIG, fabric)
    assert_one_line(error, "step 1: the term cross_entropy is nan")
    assert state.step == 0


def test_torchrun_is_refused(scenes: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError) as error:
        train_parser(CONFIG, scenes, tmp_path / "run")
    assert_one_line(error, "one process")
