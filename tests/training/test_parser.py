"""Training of a parser: augmentation, objective and scores by hand, then small trainings on the CPU."""

import json
import math
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from sean.data.synthetic import SyntheticScenes
from sean.errors import InputError, Interrupted
from sean.images import write_image
from sean.labels import LabelSet
from sean.models.parser import Parser, ParserConfig
from sean.models.parser_weights import load_parser
from sean.segmap import resize_segmap
from sean.training.checkpoints import checkpoint_files, checkpoint_path
from sean.training.data import TrainingData
from sean.training.parser import loop
from sean.training.parser.augmentation import Augmentation, augment
from sean.training.parser.config import ParserTrainConfig, config_from_json, config_to_json, mini, preset
from sean.training.parser.data import count_labels, label_pixels, open_parser_data, parser_batches
from sean.training.parser.loop import parser_step, train_parser
from sean.training.parser.objective import class_weights, parser_losses
from sean.training.parser.scores import parser_scores
from sean.training.parser.state import new_parser_state

from .conftest import assert_same, last_checkpoint, records

LABELS = LabelSet(name="three", names=("ground", "thing", "other"))
STILL = Augmentation(
    oversampling=1,
    zoom=0.0,
    shift=0.0,
    rotation=0.0,
    brightness=0.0,
    contrast=0.0,
    saturation=0.0,
    hue=0.0,
    grey=0.0,
    blur=0.0,
)
CONFIG = ParserTrainConfig(
    model=ParserConfig(num_regions=3, image_size=(32, 32), widths=(4, 4, 4, 4, 4, 4)),
    batch_size=2,
    rate=2e-3,
    steps=6,
    warmup_steps=2,
    log_every=1,
    validate_every=3,
    checkpoint_every=2,
)


@pytest.fixture
def scenes() -> TrainingData:
    """Five scenes at twice the size, so that epochs end inside batches, and three held out."""
    return TrainingData(
        training=SyntheticScenes(size=(64, 64), length=5, seed=0, labels=LABELS),
        validation=SyntheticScenes(size=(32, 32), length=3, seed=1, labels=LABELS),
        labels=LABELS,
    )


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "ACCELERATOR", "cpu")


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def assert_one_line(error: pytest.ExceptionInfo[InputError], *parts: object) -> None:
    message = str(error.value)
    assert len(message.splitlines()) == 1
    for part in parts:
        assert str(part) in message


# Augmentation


def test_no_augmentation_leaves_a_pair_as_it_is() -> None:
    image, ids = torch.rand(2, 3, 32, 64) * 2 - 1, torch.randint(0, 4, (2, 32, 64))
    changed, changed_ids = augment(image, ids, (32, 64), 3, generators(0, 1), STILL)
    assert torch.allclose(changed, image, atol=1e-4)
    assert torch.equal(changed_ids, ids)


def test_a_larger_pair_is_averaged_and_its_map_taken_as_resize_segmap_does() -> None:
    image, ids = torch.rand(1, 3, 64, 64) * 2 - 1, torch.randint(0, 4, (1, 64, 64))
    changed, changed_ids = augment(image, ids, (32, 32), 3, generators(0), replace(STILL, oversampling=2))
    assert torch.allclose(changed, torch.nn.functional.avg_pool2d(image, 2), atol=1e-4)
    assert torch.equal(changed_ids, ids[:, ::2, ::2])
    larger = torch.randint(0, 4, (1, 128, 96))
    _, found = augment(torch.zeros(1, 3, 128, 96), larger, (32, 24), 3, generators(0), replace(STILL, oversampling=4))
    assert torch.equal(found, resize_segmap(larger, (32, 24)))


def test_map_and_picture_move_together() -> None:
    """A picture that shows its own map still does after any move, but at edges and outside."""
    ids = torch.zeros(6, 64, 64, dtype=torch.int64)
    ids[:, 10:30, 20:60], ids[:, 40:60, 4:30] = 1, 2
    image = (ids.unsqueeze(1) - 1.0).expand(-1, 3, -1, -1).contiguous()
    amount = replace(STILL, zoom=0.4, shift=0.2, rotation=30.0)
    changed, changed_ids = augment(image, ids, (64, 64), 3, generators(*range(6)), amount)
    inside = changed_ids < 3
    agree = (changed[:, 0].round() + 1 == changed_ids) & inside
    assert agree.sum() > 0.97 * inside.sum()
    assert 0.1 < (~inside).float().mean() < 0.5, "what lies outside is unlabelled"
    assert (changed_ids != ids).float().mean() > 0.2


def test_zoom_scales_shift_moves_and_rotation_turns() -> None:
    bar = torch.zeros(6, 64, 96, dtype=torch.int64)
    bar[:, 30:34, 28:68] = 1

    def moved(**amounts: float) -> list[Tensor]:
        """Places (y, x) of the bar in each result, from the picture's centre."""
        amount = replace(STILL, **amounts)
        _, ids = augment(torch.zeros(6, 3, 64, 96), bar, (64, 96), 3, generators(*range(6)), amount)
        return [(picture == 1).nonzero() - torch.tensor([31.5, 47.5]) for picture in ids]

    lengths = [float(places[:, 1].amax() - places[:, 1].amin() + 1) for places in moved(zoom=0.4)]
    assert len(set(lengths)) > 3 and all(
        40 * math.exp(-0.4) - 2 < length < 40 * math.exp(0.4) + 2 for length in lengths
    )
    centres = torch.stack([places.mean(dim=0) for places in moved(shift=0.2)])
    assert (centres.abs().amax(dim=0) <= torch.tensor([0.2 * 64 + 1, 0.2 * 96 + 1])).all()
    assert (centres.abs().amax(dim=0) > torch.tensor([3.0, 5.0])).all()
    flat = moved(rotation=30.0)
    bar.zero_()[:, 12:52, 46:50] = 1
    for places in (*flat, *(upright.flip(1) for upright in moved(rotation=30.0))):
        assert abs(len(places) - 160) < 16, "nothing is stretched, though the picture is no square"
        slope = places[:, 1] @ places[:, 0] / (places[:, 1] @ places[:, 1])
        assert abs(slope) < math.tan(math.radians(31)) and abs(float(places.norm(dim=1).max()) - 20) < 1.5


def test_every_sample_follows_from_its_own_generator() -> None:
    image, ids = torch.rand(3, 3, 32, 32) * 2 - 1, torch.randint(0, 3, (3, 32, 32))
    together = augment(image, ids, (32, 32), 3, generators(7, 8, 9), Augmentation())
    alone = augment(image[1:2], ids[1:2], (32, 32), 3, generators(8), Augmentation())
    assert torch.allclose(together[0][1:2], alone[0], atol=1e-6) and torch.equal(together[1][1:2], alone[1])
    assert together[0].abs().max() <= 1
    other = augment(image[1:2], ids[1:2], (32, 32), 3, generators(9), Augmentation())
    assert not torch.allclose(other[0], alone[0], atol=0.05)


def test_colours_change_as_they_say() -> None:
    image = (torch.rand(4, 3, 32, 32) - 0.5) * 0.4  # so little that nothing is clamped
    ids = torch.zeros(4, 32, 32, dtype=torch.int64)

    def changed(**amounts: float) -> Tensor:
        return augment(image, ids, (32, 32), 3, generators(0, 1, 2, 3), replace(STILL, **amounts))[0]

    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    grey = changed(grey=1.0)
    assert torch.allclose(grey, (image * luma).sum(dim=1, keepdim=True).expand_as(image), atol=1e-3)
    brighter = changed(brightness=0.2) - image
    assert torch.allclose(brighter, brighter[:, :1, :1, :1].expand_as(brighter), atol=1e-4)
    assert brighter.abs().max() <= 0.2 + 1e-4 and len(brighter[:, 0, 0, 0].unique()) == 4
    for turned in (changed(hue=40.0), changed(saturation=0.5)):
        assert torch.allclose((turned * luma).sum(dim=1), (image * luma).sum(dim=1), atol=1e-3)
        assert (turned - image).abs().mean() > 0.005
    contrast = changed(contrast=0.5)
    assert not torch.allclose(contrast.std(dim=(1, 2, 3)), image.std(dim=(1, 2, 3)), rtol=0.02)
    assert torch.allclose((contrast * luma).sum(1).mean((1, 2)), (image * luma).sum(1).mean((1, 2)), atol=1e-4)
    blurred = changed(blur=1.0)
    assert (blurred.var(dim=(1, 2, 3)) < image.var(dim=(1, 2, 3))).all()


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"oversampling": 0}, "oversampling of at least 1"), ({"zoom": -1.0}, "expected zoom"), ({"grey": 1.5}, "grey")],
)
def test_bad_amounts_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Augmentation(**setting)


# Objective


def test_class_weights_of_a_worked_example() -> None:
    # frequencies 0.64, 0.32, 0.04 and none: roots 0.8, 0.5657, 0.2, sum 1.5657
    weights = class_weights(torch.tensor([6400, 3200, 400, 0]), 10.0)
    total = 0.8 + math.sqrt(0.32) + 0.2
    expected = [1 / (0.8 * total), 1 / (math.sqrt(0.32) * total), 1 / (0.2 * total), 0.0]
    assert torch.allclose(weights, torch.tensor(expected))
    assert math.isclose(float(weights @ torch.tensor([0.64, 0.32, 0.04, 0.0])), 1.0, abs_tol=1e-6)
    assert class_weights(torch.tensor([6400, 3200, 400, 0]), 2.0).tolist() == pytest.approx([*expected[:2], 2.0, 0.0])
    assert class_weights(torch.zeros(2, dtype=torch.int64), 5.0).tolist() == [0.0, 0.0]


def test_losses_of_a_worked_example() -> None:
    # two pixels: certain to 3/4 of the right label 0, and to 1/4 of the right label 1
    logits = torch.tensor([[[[math.log(3.0), math.log(3.0)]], [[0.0, 0.0]]]])
    losses = parser_losses(logits, torch.tensor([[[0, 1]]]), torch.tensor([1.0, 2.0]))
    assert losses["cross_entropy"].item() == pytest.approx((-math.log(0.75) - 2 * math.log(0.25)) / 2)
    dice = [1 - (2 * 0.75 + 1) / (1.5 + 1 + 1), 1 - (2 * 0.25 + 1) / (0.5 + 1 + 1)]
    assert losses["dice"].item() == pytest.approx(sum(dice) / 2)


def test_unlabelled_pixels_change_no_loss() -> None:
    logits, ids = torch.randn(2, 3, 8, 8), torch.randint(0, 3, (2, 8, 8))
    weights = torch.tensor([1.0, 2.0, 0.5])
    hidden = ids.clone()
    hidden[:, :, 4:] = 3
    left = parser_losses(logits[..., :4], ids[..., :4], weights)
    changed = logits.clone()
    changed[..., 4:] = 9 * torch.randn(2, 3, 8, 4)
    changed.requires_grad_()
    losses = parser_losses(changed, hidden, weights)
    for name, value in left.items():
        assert torch.allclose(losses[name], value, atol=1e-6), name
    sum(losses.values(), torch.zeros(())).backward()
    assert changed.grad is not None
    assert not changed.grad[..., 4:].any() and changed.grad[..., :4].any()
    nothing = parser_losses(logits, torch.full_like(ids, 3), weights)
    assert [value.item() for value in nothing.values()] == [0.0, 0.0]


def test_scores_leave_unlabelled_pixels_out() -> None:
    parser = Parser(CONFIG.model).eval()
    truths = [torch.randint(0, 2, (2, 32, 32)), torch.full((1, 32, 32), 3)]
    truths[0][:, :8] = 3
    truths[0][0, 8, 0] = 1
    parser.predict = lambda image: torch.zeros(len(image), 32, 32, dtype=torch.int64)  # type: ignore[method-assign]
    scores = parser_scores(parser, [(torch.zeros(len(ids), 3, 32, 32), ids) for ids in truths], LABELS.names)
    share = (truths[0] == 0).sum().item() / (2 * 24 * 32)
    assert scores["pixels"] == 2 * 24 * 32
    assert (scores["miou"], scores["accuracy"]) == (pytest.approx(share / 2), pytest.approx(share))
    assert scores["iou"] == {"ground": pytest.approx(share), "thing": 0.0, "other": None}


# Config


def test_presets_and_json() -> None:
    for size in (64, 128, 256):
        config = preset(f"mini-{size}")
        assert config.model.image_size == (size, size)
        assert config_from_json(config_to_json(config)) == config
    with pytest.raises(InputError) as error:
        preset("huge")
    assert_one_line(error, "unknown preset 'huge'", "mini-64, mini-128, mini-256")


def test_the_rate_rises_and_falls() -> None:
    config = replace(mini(64), rate=0.1, warmup_steps=10, steps=110)
    assert [config.rate_at(step) for step in (0, 4, 9, 10, 60, 110)] == pytest.approx([0.01, 0.05, 0.1, 0.1, 0.05, 0])


@pytest.mark.parametrize(
    "setting",
    [{"steps": 0}, {"warmup_steps": 9}, {"rate": -1.0}, {"precision": "8"}, {"ema_decay": 1.0}, {"gradient_norm": 0.0}],
)
def test_bad_settings_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(InputError) as error:
        replace(CONFIG, **setting)
    assert_one_line(error, "expected", next(iter(setting)))


# Data


def write_pairs(root: Path, ids: np.ndarray, count: int) -> Path:
    (root / "labels").mkdir(parents=True)
    (root / "classes.txt").write_text("0 back\n1 l_eye\n2 r_eye\n")
    for number in range(count):
        write_image(root / "images" / f"{number}.png", np.repeat(ids[..., None], 3, axis=2).astype(np.uint8) * 100)
        Image.fromarray(ids.astype(np.uint8)).save(root / "labels" / f"{number}.png")
    return root


def halves() -> np.ndarray:
    """Label 1 on the left of the picture and 2 on the right, below label 0."""
    ids = np.zeros((64, 64), dtype=np.int64)
    ids[32:, :32], ids[32:, 32:] = 1, 2
    return ids


def test_a_folder_is_split_and_read(tmp_path: Path) -> None:
    data = open_parser_data(CONFIG, write_pairs(tmp_path / "pairs", halves(), 10))
    assert len(data.training) == 9 and len(data.validation) == 1  # type: ignore[arg-type]
    assert data.training[0]["image"].shape == (3, 64, 64) and data.validation[0]["image"].shape == (3, 32, 32)
    counts = label_pixels(tmp_path, data)
    assert counts.tolist() == [9 * 2048, 9 * 1024, 9 * 1024]
    assert json.loads((tmp_path / "label_pixels.json").read_text()) == {"back": 18432, "l_eye": 9216, "r_eye": 9216}
    (tmp_path / "label_pixels.json").write_text('{"back": 1, "l_eye": 2, "r_eye": 3}')
    assert label_pixels(tmp_path, data).tolist() == [1, 2, 3], "counted once"
    (tmp_path / "label_pixels.json").write_text('{"back": 1}')
    with pytest.raises(InputError) as error:
        label_pixels(tmp_path, data)
    assert_one_line(error, "label_pixels.json is damaged", "delete it")


def test_unlabelled_pixels_are_not_counted() -> None:
    class Maps(Dataset[Any]):
        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> Any:
            return {"segmap": torch.tensor([[[0, 2], [3, 3]], [[2, 2], [2, 3]]])[index]}

    assert count_labels(Maps(), 3).tolist() == [1, 0, 4]


def test_bad_folders_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        open_parser_data(CONFIG, tmp_path / "missing")
    assert_one_line(error, "missing")
    for part in ("images", "labels"):
        (tmp_path / "empty" / part).mkdir(parents=True)
    (tmp_path / "empty" / "classes.txt").write_text("0 back\n1 eye\n")
    with pytest.raises(InputError) as error:
        open_parser_data(CONFIG, tmp_path / "empty")
    assert_one_line(error, "holds no pairs")
    pairs = write_pairs(tmp_path / "pairs", halves(), 3)
    with pytest.raises(InputError) as error:
        open_parser_data(replace(CONFIG, validation=0.0), pairs)
    assert_one_line(error, "held out")


def test_a_mirrored_picture_exchanges_left_and_right(tmp_path: Path) -> None:
    """In every picture, label 1 is on the left: in half of the batches it must be so, in no picture the other way."""
    config = replace(CONFIG, augmentation=STILL, batch_size=9)
    data = open_parser_data(config, write_pairs(tmp_path / "pairs", halves(), 10))
    fabric = Fabric(accelerator="cpu", devices=1)
    image, ids = next(parser_batches(data, config, 0, fabric))
    mirrored = image[:, 0, 31, 0] > image[:, 0, 31, 31]  # label 2 is the brighter one
    assert 0 < mirrored.sum() < 9
    assert (ids[:, 31, 0] == 1).all() and (ids[:, 31, 31] == 2).all()


# Training


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
    model = ParserConfig(image_size=(32, 32), widths=(8, 8, 16, 16, 16, 16))
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
    assert config_from_json((run / "config.json").read_text()) == CONFIG
    assert any((run / "tensorboard").iterdir())
    with pytest.raises(InputError) as error:
        train_parser(CONFIG, scenes, run)
    assert_one_line(error, "already holds a training", "--resume")


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


def test_an_interrupted_run_ends_as_the_straight_one(
    scenes: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_parser(CONFIG, scenes, tmp_path / "straight")
    step = loop.parser_step

    def signalled(state: Any, *args: Any) -> dict[str, float]:
        values = step(state, *args)
        if state.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return values

    run = tmp_path / "stopped"
    monkeypatch.setattr(loop, "parser_step", signalled)
    with pytest.raises(Interrupted, match="stopped at step 3, which is saved") as stop:
        train_parser(CONFIG, scenes, run)
    assert stop.value.exit_code == 128 + signal.SIGTERM
    assert last_checkpoint(run)["step"] == 3
    monkeypatch.setattr(loop, "parser_step", step)
    torch.rand(17)  # the global generator is elsewhere now
    train_parser(CONFIG, scenes, run, resume=True)
    assert_same(last_checkpoint(tmp_path / "straight"), last_checkpoint(run))
    for name in ("model/model.safetensors", "samples/step-0000006.png", "config.json", "label_pixels.json"):
        assert (run / name).read_bytes() == (tmp_path / "straight" / name).read_bytes(), name


def test_what_cannot_be_continued_says_why(scenes: TrainingData, tmp_path: Path) -> None:
    run = tmp_path / "run"
    short = replace(CONFIG, steps=2, keep_last=1)
    train_parser(short, scenes, run, resume=True)
    with pytest.raises(InputError) as error:
        train_parser(replace(short, rate=1.0, log_every=7), scenes, run, resume=True)
    assert_one_line(error, "other settings (rate: 0.002 then, 1.0 now)")
    path = checkpoint_path(run, 2)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError) as error:
        train_parser(short, scenes, run, resume=True)
    assert_one_line(error, "no checkpoint", path)
    path.write_bytes(content.replace(b"parser_config", b"other__config"))
    with pytest.raises(InputError) as error:
        train_parser(short, scenes, run, resume=True)
    assert_one_line(error, "not a checkpoint of a parser's training", path)


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
