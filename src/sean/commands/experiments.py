"""The command that reruns the paper: experiment."""

from pathlib import Path
from typing import Literal

from sean.errors import InputError
from sean.pretrained import DEFAULT_MODEL
from sean.progress import tracked

Name = Literal[
    "table1",
    "table2",
    "table3",
    "edit-benchmark",
    "style-fidelity",
    "photo-benchmark",
    "augmentation",
    "figure1",
    "figure2",
    "figure5",
    "figure6",
    "figure7",
    "results",
]


def experiment(
    name: Name,
    /,
    *,
    output: Path,
    models: Path = Path("runs/experiments"),
    data: tuple[str, ...] = (),
    train: bool = False,
    budget: int = 1000,
    preset: str = "mini-64",
    rate: float | None = None,
    seed: tuple[int, ...] = (),
    segmenter: str | None = None,
    extractor: str | None = None,
    model: str = DEFAULT_MODEL,
    pairs: int = 64,
    network: tuple[Literal["unet", "pyramid", "segformer"], ...] = (),
    copies: int = 4,
    remarks: Path | None = None,
    device: str = "auto",
) -> None:
    """Rerun the paper's tables and figures from trained models, or train them first.

    table1: reconstruction by Pix2PixHD, SPADE and SEAN. table2: mIoU, accuracy, FID, KID. table3: the ablation, on the
    first data set. edit-benchmark: exchanges of styles on synthetic scenes, whose true pictures are known.
    style-fidelity: colours, detail and locality of one model's edits, on held-out photos. photo-benchmark: edits of
    held-out photos with known truth, as whole renders, pasted renders and composites. augmentation: segmentation
    networks trained on parts of a set with and without restyled copies, also under shifts. figure1, 2: successive
    edits; figure5: interpolation; figure6: methods side by side; figure7: crossover. results: the tables, the
    edit benchmark and the figures.

    The models lie in MODELS/DATASET/METHOD/seed-N/, one training run each, and MODELS/DATASET/parser/, which measures
    the pictures. With --train, missing models are trained; an interrupted training continues. Finished trainings of
    augmentation are kept in MODELS/DATASET/augmentation.json.

    Examples:
      sean experiment table1 --data faces/ --train --budget 3000 --output results
      sean experiment table3 --data faces/ --train --seed 0 --seed 1 --output results
      sean experiment edit-benchmark --train --output results
      sean experiment table2 --data faces/ --data camvid/:val_:train_ --train --output results
      sean experiment style-fidelity --model runs/faces/model --data faces/ --output results
      sean experiment photo-benchmark --data faces/ --output results
      sean experiment augmentation --model M --data city/ --preset mini-128 --seed 0 --seed 1 --output results
      sean experiment figure5 --model runs/faces/model --data faces/ --output results

    Args:
        name: of the experiment.
        output: folder; NAME.md goes there, values and pictures into NAME/ beside it.
        models: folder of the trained models.
        data: folder with images/, labels/ and classes.txt; repeat the option for more. DIR:VALIDATION:TRAINING splits
            by prefixes of the names.
        train: train the models that are missing.
        budget: steps of every training.
        preset: settings of every training; see sean train.
        rate: learning rate of every training, instead of the preset's.
        seed: of the trainings; repeat the option for several models of each method. Without it, 0.
        segmenter: for mIoU and accuracy, as for sean evaluate; without it, the data set's own parser.
        extractor: for FID and KID, as for sean evaluate; without it, the data set's own parser.
        model: of style-fidelity, photo-benchmark, augmentation and figures 1, 2, 5 and 7: a bundled name, a model
            folder, or a hub id.
        pairs: of scenes in the edit benchmark.
        network: that augmentation trains: unet, pyramid (ImageNet weights), or segformer; repeat the option for more.
            Without it, unet.
        copies: restyled copies of every picture in augmentation.
        remarks: a markdown file to insert after the tables.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.devices import chosen_device
    from sean.evaluation.settings import EvaluationRun
    from sean.experiments.measuring import Networks
    from sean.experiments.report import write_experiment
    from sean.experiments.runner import Experiment
    from sean.experiments.runs import DataSet, Terms

    if pairs < 1:
        raise InputError(f"expected at least 1 pair of scenes, got {pairs}")
    if len(set(seed)) < len(seed) or any(each < 0 for each in seed):
        raise InputError(f"expected different seeds of at least 0, got {', '.join(map(str, seed))}")
    if remarks is not None and not remarks.is_file():
        raise InputError(f"expected a markdown file of remarks, found none at {remarks}")
    settings = Experiment(
        models=models,
        data=[DataSet.parse(text) for text in data],
        terms=Terms(preset=preset, budget=budget, rate=rate),
        seeds=seed or (0,),
        networks=Networks(segmenter=segmenter, extractor=extractor),
        train=train,
        num_pairs=pairs,
        copies=copies,
        segmenters=network or Experiment.segmenters,
        model=model,
        run=EvaluationRun(device=chosen_device(device), progress=tracked),
    )
    print(f"written: {write_experiment(name, settings, output, remarks)}")
