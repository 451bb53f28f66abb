"""The model card of a run."""

from dataclasses import replace
from pathlib import Path

import yaml

from sean.pretrained import CARD_NAME, LICENCE_NAME
from sean.training.config import TrainConfig
from sean.training.data import TrainingData
from sean.training.loop import train
from sean.training.parser.config import mini
from sean.training.parser.loop import train_parser

from .conftest import SIZE, records


def head_of(card: str) -> dict[str, object]:
    head = yaml.safe_load(card.split("---\n")[1])
    assert isinstance(head, dict)
    return head


def test_it_names_data_settings_and_scores(config: TrainConfig, data: TrainingData, tmp_path: Path) -> None:
    model = train(config, replace(data, location="/somewhere/of/mine/streets"), tmp_path / "city")
    card = (model / CARD_NAME).read_text()
    (scores,) = (record for record in records(tmp_path / "city") if record["kind"] == "validation")
    head = head_of(card)
    assert head["tags"] == ["sean", "semantic-image-synthesis", "three"]
    (result,) = head["model-index"][0]["results"]  # type: ignore[index]
    assert result["dataset"]["name"] == "streets"
    assert {metric["type"]: metric["value"] for metric in result["metrics"]} == {
        name: round(scores[name], 4) for name in ("psnr", "ssim", "rmse")
    }
    assert "# city\n" in card and "| labels | ground, thing, other |" in card and f"| {scores['psnr']:.4f} |" in card
    assert "| data | streets: 5 for training, 3 held out |" in card and "/somewhere" not in card
    assert "4 steps of 2 pictures, seed 0" in card


def test_it_follows_the_run_until_it_is_edited(config: TrainConfig, data: TrainingData, tmp_path: Path) -> None:
    run = tmp_path / "run"
    model = train(config, data, run)
    (model / LICENCE_NAME).write_text("SPDX: cc-by-4.0")
    train(replace(config, steps=5), data, run, resume=True)
    card = (model / CARD_NAME).read_text()
    assert "5 steps" in card
    own = "\n".join(line for line in card.splitlines() if not line.startswith("<!--")) + "\nMine.\n"
    (model / CARD_NAME).write_text(own)
    train(replace(config, steps=6), data, run, resume=True)
    assert (model / CARD_NAME).read_text() == own and (model / LICENCE_NAME).read_text() == "SPDX: cc-by-4.0"


def test_of_a_parser_whose_pictures_are_not_held_out(data: TrainingData, tmp_path: Path) -> None:
    model = replace(mini(64).model, num_regions=3, image_size=SIZE, widths=(2, 2, 2, 2, 2, 3))
    config = replace(mini(64), model=model, steps=1, warmup_steps=1, batch_size=2, num_workers=0)
    card = (train_parser(config, replace(data, held_out=False), tmp_path / "run") / CARD_NAME).read_text()
    assert head_of(card)["pipeline_tag"] == "image-segmentation"
    assert "A parser of 3 labels at 32 x 32 pixels" in card and "5, none held out" in card
    assert "On training pictures" in card and "| miou | accuracy |" in card
