"""The networks that measure pictures: a data set's own parser."""

from dataclasses import replace
from pathlib import Path

import pytest

from sean.errors import InputError
from sean.evaluation.settings import EvaluationRun, EvaluationSettings
from sean.experiments.measuring import Networks, open_judges, parser_config, parser_run, train_missing_parser
from sean.experiments.runs import DataSet, Terms
from sean.training.checkpoints import newest_step
from sean.training.parser.config import ParserTrainConfig
from sean.training.parser.data import open_parser_data
from sean.training.parser.loop import train_parser

from .conftest import BUDGET, PRESET

TERMS = Terms(preset=PRESET, budget=BUDGET)


def train_other(models: Path, data: DataSet, **settings: object) -> ParserTrainConfig:
    """Train another parser than the experiments would, in its place; returns its settings."""
    config = replace(parser_config((64, 64)), steps=3, **settings)  # type: ignore[arg-type]
    train_parser(config, open_parser_data(config, data.folder), parser_run(models, data), resume=False)
    return config


@pytest.mark.integration
def test_a_parser_that_is_there_is_taken(tmp_path: Path, data: Path) -> None:
    faces = DataSet(folder=data)
    other = train_other(tmp_path, faces)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    train_missing_parser(tmp_path, faces, TERMS)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == files
    assert ParserTrainConfig.of_run(parser_run(tmp_path, faces)) == other
    assert newest_step(parser_run(tmp_path, faces)) == 3


@pytest.mark.integration
def test_a_parser_that_may_know_the_held_out_pairs_is_refused(tmp_path: Path, data: Path) -> None:
    faces = DataSet(folder=data)
    train_other(tmp_path, faces, validation=0.5)
    for use in (
        lambda: train_missing_parser(tmp_path, faces, TERMS),
        lambda: open_judges(tmp_path, faces, TERMS, Networks(), EvaluationRun(), EvaluationSettings()),
    ):
        with pytest.raises(InputError, match="parser was trained on other parts of celebamask_drawn than are measured"):
            use()
