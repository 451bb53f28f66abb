"""The trained models of an experiment: their folders, their configs, and the training of missing ones.

A folder of experiments holds one training run per data set, method and seed: DIR/DATASET/METHOD/seed-N/.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from sean.devices import AUTO
from sean.errors import InputError
from sean.files import is_folder
from sean.training.checkpoints import newest_step
from sean.training.config import TrainConfig, listed
from sean.training.data import TrainingData, open_data
from sean.training.equal_size import with_parameters_of
from sean.training.loop import train
from sean.training.methods import with_method
from sean.training.parser.config import ParserTrainConfig
from sean.training.presets import preset as find_preset
from sean.training.resume import last_entry
from sean.training.training import MODEL_FOLDER

Config = TypeVar("Config", TrainConfig, ParserTrainConfig)

SYNTHETIC = "synthetic"
"""The name of the synthetic data set, which needs no folder."""


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A data set for training and measurements.

    Attributes:
        folder: a paired folder; None for synthetic scenes.
        validation: held-out pairs, see `TrainConfig.validation`.
        training_prefix: see `TrainConfig.training_prefix`.
    """

    folder: Path | None = None
    validation: float | str | None = None
    training_prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> "DataSet":
        """From DIR, or DIR:VALIDATION:TRAINING where the pairs are split by prefixes of their names; or `synthetic`.

        Raises:
            InputError: another number of parts, or no such folder.
        """
        if text == SYNTHETIC:
            return cls()
        folder, *split = text.split(":")
        if len(split) not in (0, 2):
            raise InputError(f"expected DIR or DIR:VALIDATION:TRAINING (prefixes of names), got {text!r}")
        if not Path(folder).is_dir():
            raise InputError(f"expected a folder of training pairs, found none at {folder}")
        if not split:
            return cls(folder=Path(folder))
        return cls(folder=Path(folder), validation=split[0], training_prefix=split[1])

    def __str__(self) -> str:
        """The text that `parse` reads, with the folder's name instead of its path."""
        split = "" if self.validation is None else f":{self.validation}:{self.training_prefix}"
        return f"{self.name}{split}"

    @property
    def name(self) -> str:
        """The data set's name in an experiment's folder: the name of its own folder."""
        return SYNTHETIC if self.folder is None else self.folder.resolve().name

    def of(self, config: Config) -> Config:
        """A config with the split of this data set."""
        return replace(config, validation=self.validation, training_prefix=self.training_prefix)

    def open(self, config: TrainConfig) -> TrainingData:
        """The training data for a config."""
        return open_data(config, self.folder)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The terms that all methods of an experiment are trained on.

    Attributes:
        preset: the base config; each method changes only its own settings in it.
        budget: optimizer steps of every training.
        rate: learning rate of generator and discriminator; None takes the preset's.
    """

    preset: str = "mini-64"
    budget: int = 1000
    rate: float | None = None

    def __post_init__(self) -> None:
        if self.budget < 2:
            raise InputError(f"expected a budget of at least 2 steps, got {self.budget}")
        if self.rate is not None and not 0 < self.rate < 1:
            raise InputError(f"expected a learning rate between 0 and 1, got {self.rate}")

    def config(self) -> TrainConfig:
        """The preset at these terms."""
        config = find_preset(self.preset)
        config = replace(config, steps=self.budget, decay_steps=self.budget // 2)
        if self.rate is None:
            return config
        return replace(config, generator_rate=self.rate, discriminator_rate=self.rate)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training of an experiment.

    Attributes:
        folder: of the run.
        data: what it is trained on.
        method: see `sean.training.methods`.
        seed: of the training.
    """

    folder: Path
    data: DataSet
    method: str
    seed: int

    @property
    def model(self) -> Path:
        """The model folder: the averaged weights after the last step."""
        return self.folder / MODEL_FOLDER


def runs_of(models: Path, data: DataSet, methods: Sequence[str], seeds: Sequence[int]) -> list[Run]:
    """The runs of some methods on one data set; those of the first seed come first."""
    return [
        Run(folder=models / data.name / method / f"seed-{seed}", data=data, method=method, seed=seed)
        for seed in seeds
        for method in methods
    ]


def run_config(run: Run, terms: Terms) -> TrainConfig:
    """The config of a run: the terms' preset with the method, and as many parameters as SEAN has."""
    base = run.data.of(
        replace(
            terms.config(),
            seed=run.seed,
            sample_every=max(1, terms.budget // 4),
            checkpoint_every=100,
            keep_last=1,
            num_workers=0,
        )
    )
    if run.data.folder is None:  # scenes are drawn at their size
        base = replace(base, resize=1.0, shrink=1.0, recolor=0.0)
    labels = run.data.open(base).labels
    base = replace(base, model=replace(base.model, num_regions=labels.num_regions))
    return with_parameters_of(with_method(base, run.method), base.model)


def is_trained(run: Run, terms: Terms) -> bool:
    """Whether a run has done all its steps."""
    return newest_step(run.folder) == terms.budget and run.model.is_dir()


def check_trained(run: Run, terms: Terms) -> TrainConfig:
    """The config that a run was trained with; InputError unless it has done all its steps, on these terms and data."""
    if not is_trained(run, terms):
        raise InputError(
            f"no {run.method} of {terms.budget} steps on {run.data.name} in {run.folder}; train it, or give the budget "
            "that it was trained with",
            setting="train",
        )
    return _check_same_terms(run, run_config(run, terms))


def train_missing(runs: Sequence[Run], terms: Terms, device: str = AUTO) -> None:
    """Train every unfinished run, one after the other; interrupted ones continue.

    Raises:
        InputError: a run was begun on other terms or other data, finished or not; see `train`, too.
    """
    for run in runs:
        config = run_config(run, terms)
        _check_same_terms(run, config)
        if not is_trained(run, terms):
            train(config, run.data.open(config), run.folder, resume=True, device=device)


def _check_same_terms(run: Run, config: TrainConfig) -> TrainConfig:
    """The config that a run was begun with, or `config` for a new run.

    Raises:
        InputError: the run was begun on other terms or other data, so it would not be comparable with the others.
    """
    begun = TrainConfig.of_run(run.folder)
    if begun is None:
        return config
    same_labels = replace(config, model=replace(config.model, num_regions=begun.model.num_regions))
    try:
        changes = same_labels.changes_of(begun)
    except InputError as error:
        raise InputError(f"cannot take {run.folder} for these terms: {error}") from error
    if changes:
        raise InputError(
            f"{run.folder} was trained on other terms ({listed(changes)}); choose another folder of models"
        )
    check_same_folder(run.folder, run.data)
    return begun


def check_same_folder(run: Path, data: DataSet) -> None:
    """Raise InputError if the data that a run was trained on is there and is another folder of the same name."""
    location = (last_entry(run) or {}).get("data")  # an older run has no history
    if location is None or data.folder is None or not is_folder(location):  # a folder may have been moved
        return
    if not os.path.samefile(location, data.folder):
        raise InputError(
            f"{run} was trained on {location}, and the pictures of {data.folder} are to be measured; choose another "
            "folder of models"
        )
