"""The experiments by name; each trains and measures methods and returns a section of a report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sean.contact_sheet import sheet
from sean.data.splits import open_split
from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError
from sean.evaluation.settings import EvaluationRun, EvaluationSettings
from sean.experiments import figures, tables
from sean.experiments.augmentation import AugmentationTerms, run_augmentation
from sean.experiments.edit_benchmark import run_edit_benchmark
from sean.experiments.measuring import Networks, measure_runs, open_judges, train_missing_parser
from sean.experiments.photo_benchmark import run_photo_benchmark
from sean.experiments.runs import DataSet, Run, Terms, check_trained, runs_of, train_missing
from sean.experiments.style_fidelity import run_style_fidelity
from sean.images import write_image
from sean.pretrained import DEFAULT_MODEL
from sean.training.methods import METHODS

WHOLE_STYLE = "spade, whole style"
"""The row of SPADE, which can change a region only by taking the other picture's whole style."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """The models of an experiment, its data, and the settings of its measurements.

    Attributes:
        models: folder of the trained models, see `sean.experiments.runs`.
        data: the data sets.
        terms: of the trainings.
        seeds: of the trainings; each gives a separate model.
        networks: that measure the pictures.
        train: whether to train missing models.
        num_pairs: of scenes in the edit benchmark.
        copies, segmenters: of the augmentation, see `AugmentationTerms`.
        model: the model of figures 1, 2, 5 and 7.
        evaluation, run: of the measurements.
    """

    models: Path
    data: Sequence[DataSet] = ()
    terms: Terms = field(default_factory=Terms)
    seeds: Sequence[int] = (0,)
    networks: Networks = field(default_factory=Networks)
    train: bool = False
    num_pairs: int = 64
    copies: int = AugmentationTerms.copies
    segmenters: Sequence[str] = AugmentationTerms.segmenters
    model: str = DEFAULT_MODEL
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    run: EvaluationRun = field(default_factory=EvaluationRun)

    def runs(self, data: DataSet, methods: Sequence[str]) -> list[Run]:
        """The runs of some methods; missing ones are trained if `train` is set.

        Raises:
            InputError: a run is missing and `train` is not set, or its training fails.
        """
        found = runs_of(self.models, data, methods, self.seeds)
        if self.train:
            train_missing(found, self.terms, str(self.run.device))
        for run in found:
            check_trained(run, self.terms)
        return found

    def pipelines(self, data: DataSet, methods: Sequence[str]) -> dict[str, SEANPipeline]:
        """Pipelines of the first seed, by the methods' names in tables."""
        runs = self.runs(data, methods)[: len(methods)]
        return {METHODS[run.method][0]: SEANPipeline.from_pretrained(run.model, self.run.device) for run in runs}

    def __post_init__(self) -> None:
        names = [data.name for data in self.data]
        if len(set(names)) < len(names):
            raise InputError(f"expected data folders of different names, got {', '.join(names)}; rename one of them")

    def need_data(self) -> Sequence[DataSet]:
        """The data sets; InputError if there are none."""
        if not self.data:
            raise InputError("expected a data folder (images/, labels/, classes.txt), got none", setting="data")
        return self.data


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a report.

    Attributes:
        text: markdown.
        values: the numbers of the text, as JSON values.
    """

    text: str
    values: dict[str, Any] = field(default_factory=dict)


def measured(experiment: Experiment, data: DataSet, methods: Sequence[str]) -> dict[str, Any]:
    """The scores of some methods on a data set; see `measure_runs`."""
    runs = experiment.runs(data, methods)
    if experiment.train and None in (experiment.networks.segmenter, experiment.networks.extractor):
        train_missing_parser(experiment.models, data, experiment.terms, str(experiment.run.device))
    judges, opened = open_judges(
        experiment.models, data, experiment.terms, experiment.networks, experiment.run, experiment.evaluation
    )
    return measure_runs(runs, experiment.terms, judges, opened, experiment.run, experiment.evaluation)


def tables_1_and_2(experiment: Experiment, _pictures: Path, *, which: Sequence[int] = (1, 2)) -> Section:
    """The methods on every data set."""
    makers = {1: tables.table_1, 2: tables.table_2}
    values = {data.name: measured(experiment, data, tables.COMPARED) for data in experiment.need_data()}
    texts = [makers[number](name, results).as_markdown() for number in which for name, results in values.items()]
    return Section(text="\n".join(texts), values=values)


def table_1(experiment: Experiment, pictures: Path) -> Section:
    """Reconstruction."""
    return tables_1_and_2(experiment, pictures, which=(1,))


def table_2(experiment: Experiment, pictures: Path) -> Section:
    """Semantics and realism."""
    return tables_1_and_2(experiment, pictures, which=(2,))


def table_3(experiment: Experiment, _pictures: Path) -> Section:
    """The ablation, on the first data set."""
    data = experiment.need_data()[0]
    results = measured(experiment, data, tables.ABLATION)
    return Section(text=tables.table_3(data.name, results).as_markdown(), values={data.name: results})


def edit_benchmark(experiment: Experiment, pictures: Path) -> Section:
    """The edit benchmark, with a picture of some of its exchanges."""
    data = DataSet()
    values: dict[str, Any] = {"pairs": experiment.num_pairs, "names": {}, "methods": {}}
    for run in experiment.runs(data, tables.COMPARED):
        pipeline = SEANPipeline.from_pretrained(run.model, experiment.run.device)
        for name, title, whole in _ways(run.method):
            scores = run_edit_benchmark(
                pipeline, experiment.num_pairs, whole_style=whole, progress=experiment.run.progress
            )
            values["names"][name] = title
            values["methods"].setdefault(name, {})[str(run.seed)] = scores
            values["edits"] = scores["edits"]
    rows = figures.edit_benchmark_figure(experiment.pipelines(data, tables.COMPARED))
    picture = _write(rows, pictures, "edit-benchmark", "Edit benchmark: exchanges of one region's style")
    return Section(text=tables.edit_table(values).as_markdown() + "\n" + picture, values=values)


def style_fidelity(experiment: Experiment, _pictures: Path) -> Section:
    """Colours, detail and locality of one model, on held-out pairs of the first data set."""
    data = experiment.need_data()[0]
    pipeline = SEANPipeline.from_pretrained(experiment.model, experiment.run.device)
    pairs = figures.held_out(pipeline, data)
    pictures = [(pair.image, pair.segmap) for pair in map(pairs.read, range(len(pairs)))]
    values = run_style_fidelity(pipeline, pictures, progress=experiment.run.progress)
    values |= {"model": experiment.model, "pictures": len(pictures)}
    return Section(text=tables.style_fidelity_table(values).as_markdown(), values=values)


def photo_benchmark(experiment: Experiment, _pictures: Path) -> Section:
    """Edits of photos with known truth, on held-out pairs of the first data set."""
    data = experiment.need_data()[0]
    pipeline = SEANPipeline.from_pretrained(experiment.model, experiment.run.device)
    pairs = figures.held_out(pipeline, data)
    pictures = [(pair.image, pair.segmap) for pair in map(pairs.read, range(len(pairs)))]
    values = run_photo_benchmark(pipeline, pictures, progress=experiment.run.progress) | {"model": experiment.model}
    return Section(text=tables.photo_benchmark_table(values).as_markdown(), values=values)


def augmentation(experiment: Experiment, _pictures: Path) -> Section:
    """Segmentation networks trained without and with restyled copies, on every data set."""
    pipeline = SEANPipeline.from_pretrained(experiment.model, experiment.run.device)
    terms = AugmentationTerms(
        size=experiment.terms.config().model.image_size,
        steps=experiment.terms.budget,
        seeds=experiment.seeds,
        copies=experiment.copies,
        segmenters=experiment.segmenters,
    )
    values: dict[str, Any] = {}
    texts: list[str] = []
    for data in experiment.need_data():
        if data.folder is None:
            raise InputError("expected a data folder with photos, got synthetic scenes")
        split = open_split(
            data.folder, pipeline.labels, validation=data.validation, training_prefix=data.training_prefix
        )
        if split.training is None or split.validation is None:
            raise InputError(f"expected training and held-out pairs in {data.folder}; hold out some of both")
        memory = experiment.models / data.name / "augmentation.json"
        found = run_augmentation(pipeline, split.training, split.validation, terms, experiment.run.progress, memory)
        values[str(data)] = found
        texts += [f"### {data}: {found['held_out']} held-out pictures", ""]
        texts += [table.as_markdown() for table in tables.augmentation_tables(found)]
    return Section(text="\n".join(texts), values=values)


def _ways(method: str) -> list[tuple[str, str, bool]]:
    """Name, title and kind of the exchanges of a method."""
    title = METHODS[method][0]
    if method != "spade":
        return [(method, title, False)]
    return [
        (method, f"{title}: the region's share of the style", False),
        (WHOLE_STYLE, f"{title}: the whole style", True),
    ]


def figure_of_model(number: int, title: str) -> Callable[[Experiment, Path], Section]:
    """A figure that one model makes."""
    make = {1: figures.figure_1, 2: figures.figure_2, 5: figures.figure_5, 7: figures.figure_7}[number]

    def figure(experiment: Experiment, pictures: Path) -> Section:
        pipeline = SEANPipeline.from_pretrained(experiment.model, experiment.run.device)
        if pipeline.model.style_inputs == 1 and number == 7:
            raise InputError(f"expected a SEAN model for style crossover, got {pipeline.model.config.architecture}")
        data = experiment.data[0] if experiment.data else None
        rows = make(pipeline, figures.subjects(pipeline, data))
        return Section(text=_write(rows, pictures, f"figure{number}", f"Figure {number}: {title}"))

    return figure


def figure_6(experiment: Experiment, pictures: Path) -> Section:
    """The methods side by side, on the first data set, or on synthetic scenes."""
    data = experiment.data[0] if experiment.data else DataSet()
    rows = figures.figure_6(experiment.pipelines(data, tables.COMPARED), data)
    return Section(text=_write(rows, pictures, "figure6", f"Figure 6: methods side by side, {data.name}"))


EXPERIMENTS: dict[str, Callable[[Experiment, Path], Section]] = {
    "table1": table_1,
    "table2": table_2,
    "table3": table_3,
    "edit-benchmark": edit_benchmark,
    "style-fidelity": style_fidelity,
    "photo-benchmark": photo_benchmark,
    "augmentation": augmentation,
    "figure1": figure_of_model(1, "styles of one region after the other"),
    "figure2": figure_of_model(2, "label map, then styles"),
    "figure5": figure_of_model(5, "interpolation of styles"),
    "figure6": figure_6,
    "figure7": figure_of_model(7, "style crossover"),
}
"""Name -> function of an experiment and the folder for its pictures."""

OF_ONE_MODEL = ("style-fidelity", "photo-benchmark", "figure1", "figure2", "figure5", "figure7")
"""Experiments that show one model and train none."""


def _write(rows: figures.Rows, pictures: Path, name: str, title: str) -> str:
    """Write a sheet; returns markdown that shows it in a report beside the folder."""
    filled = {text: tiles for text, tiles in rows.items() if tiles}
    write_image(pictures / f"{name}.png", sheet(list(filled.values()), row_titles=list(filled), title=title))
    return f"![{title}]({pictures.name}/{name}.png)\n"
