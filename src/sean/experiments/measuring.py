"""Measurement of trained methods on a data set's held-out pairs, all by the same networks."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sean.data.paired import PairedDataset
from sean.devices import AUTO
from sean.errors import InputError
from sean.evaluation.distances import feature_statistics
from sean.evaluation.evaluate import evaluate_model, evaluate_real
from sean.evaluation.extractors import load_extractor
from sean.evaluation.judges import Judges
from sean.evaluation.settings import EvaluationRun, EvaluationSettings
from sean.experiments.runs import DataSet, Run, Terms, check_same_folder, check_trained
from sean.models.weights import load_model
from sean.parsing.segmenter import Segmenter
from sean.training.checkpoints import newest_step
from sean.training.data import TrainingData
from sean.training.equal_size import num_parameters
from sean.training.parser.config import PRESETS as PARSER_PRESETS
from sean.training.parser.config import ParserTrainConfig
from sean.training.parser.data import open_parser_data
from sean.training.parser.loop import train_parser
from sean.training.presets import preset as find_preset
from sean.training.training import MODEL_FOLDER

PARSER_FOLDER = "parser"


@dataclass(frozen=True, kw_only=True)
class Networks:
    """The networks that measure the pictures of one data set.

    Attributes:
        segmenter: see `load_segmenter`; None takes the data set's own parser.
        extractor: see `load_extractor`; None takes the data set's own parser.
    """

    segmenter: str | None = None
    extractor: str | None = None


def parser_run(models: Path, data: DataSet) -> Path:
    """The training run of a data set's own parser."""
    return models / data.name / PARSER_FOLDER


def train_missing_parser(models: Path, data: DataSet, terms: Terms, device: str = AUTO) -> None:
    """Train the data set's own parser if it is missing, with the parser preset nearest to the terms' size.

    A parser whose training was begun on other settings, by `sean train-parser`, is taken, or trained to its end.

    Raises:
        InputError: it was trained on other pairs, and may know the held-out ones.
    """
    run = parser_run(models, data)
    config = _begun(run, data) or data.of(parser_config(find_preset(terms.preset).model.image_size))
    if newest_step(run) < config.steps:
        train_parser(config, open_parser_data(config, data.folder), run, resume=True, device=device)


def _begun(run: Path, data: DataSet) -> ParserTrainConfig | None:
    """The config that a data set's own parser was trained with; None if there is no such run.

    Raises:
        InputError: it was trained on other data, or on other parts of it, and may know the held-out pairs.
    """
    begun = ParserTrainConfig.of_run(run)
    if begun is None:
        return None
    if data.of(begun) != begun:
        raise InputError(f"{run} was trained on other parts of {data.name} than are measured; move it away")
    check_same_folder(run, data)
    return begun


def parser_config(image_size: tuple[int, int]) -> ParserTrainConfig:
    """The config of a data set's own parser: the preset nearest to a size, at that size."""
    side = min(image_size)
    name = min(PARSER_PRESETS, key=lambda name: abs(PARSER_PRESETS[name]().model.image_size[0] - side))
    config = PARSER_PRESETS[name]()
    return replace(config, model=replace(config.model, image_size=image_size))


def open_judges(
    models: Path, data: DataSet, terms: Terms, networks: Networks, run: EvaluationRun, settings: EvaluationSettings
) -> tuple[Judges, TrainingData]:
    """The networks for a data set, and its two parts as they are measured: without crops and mirrors.

    Raises:
        InputError: there is no parser for the data set, or the data cannot be opened.
    """
    opened = data.open(data.of(find_preset(terms.preset)))
    own = parser_run(models, data) / MODEL_FOLDER
    names = [networks.segmenter or str(own), networks.extractor or str(own)]
    if str(own) in names and not own.is_dir():
        raise InputError(
            f"no parser for {data.name} at {own}; train it, or give a segmenter and an extractor", setting="train"
        )
    if str(own) in names:
        _begun(own.parent, data)
    extractor = load_extractor(names[1], run.device)
    training = _without_chance(opened.training)
    statistics = feature_statistics(
        training, extractor, settings=settings, run=run, cache=own.parent / "training-statistics.safetensors"
    )
    judges = Judges(
        labels=opened.labels,
        extractor=extractor,
        training=statistics,
        segmenter=Segmenter.from_pretrained(names[0], opened.labels, run.device),
    )
    return judges, opened


def measure_runs(
    runs: list[Run], terms: Terms, judges: Judges, data: TrainingData, run: EvaluationRun, settings: EvaluationSettings
) -> dict[str, Any]:
    """The scores of all runs, and of the real pictures, as `evaluate_model` and `evaluate_real` give them.

    Returns:
        JSON values: "real", and for every method its parameters, its config (of the first seed) and the scores of
        every seed.

    Raises:
        InputError: a run is missing or not finished.
    """
    results: dict[str, Any] = {"real": evaluate_real(data.validation, judges, settings=settings, run=run), "runs": {}}
    for each in runs:
        config = check_trained(each, terms)
        model, _ = load_model(each.model)
        scores = evaluate_model(model.to(run.device), data.validation, judges, settings=settings, run=run)
        described = {
            "parameters": num_parameters(config.model),
            "config": json.loads(config.to_json()),
            "seeds": {},
        }
        results["runs"].setdefault(each.method, described)["seeds"][str(each.seed)] = scores
    return results


def _without_chance(dataset: Any) -> Any:
    """A training set without crops and mirrors; synthetic scenes have none."""
    if not isinstance(dataset, PairedDataset):
        return dataset
    return PairedDataset(dataset.source, dataset.transform.evaluation())
