"""The commands that train and measure models: train, evaluate."""

import json
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor
from torch.utils.data import default_collate

from sean.commands.devices import best_device
from sean.commands.progress import tracked
from sean.data.paired import PairedDataset, PairedFolder
from sean.data.transforms import PairedTransform
from sean.editing.pipeline import DEFAULT_MODEL, SEANPipeline
from sean.errors import InputError
from sean.evaluation.reconstruction import exchange_locality, reconstruction_scores
from sean.files import write_text_atomic
from sean.training.config import TrainConfig
from sean.training.data import open_data
from sean.training.loop import train as run_training

EVALUATION_BATCH = 8


def train(
    *,
    output: Path,
    config: TrainConfig,
    preset: str = "mini-128",
    data: Path | None = None,
    resume: bool = False,
    start_from: Path | None = None,
) -> None:
    """Train a model.

    The run's folder gets the checkpoint, the logs (JSON lines, TensorBoard), sample sheets, and in model/ the model
    folder that all other commands take.

    Examples:
      sean train --preset synthetic --output runs/first
      sean train --preset mini-128 --data faces/ --output runs/faces
      sean train --preset mini-128 --data faces/ --output runs/faces --resume
      sean train --preset mini-256 --data faces/ --output runs/large --config.batch-size 8 --config.seed 1

    Args:
        output: the run's folder.
        config: single settings that differ from the preset's.
        preset: where the settings come from; --help shows those of the preset given before it.
        data: folder with images/, labels/ and classes.txt; without it, synthetic scenes.
        resume: continue the run in `output` from its last checkpoint.
        start_from: model folder whose weights a new run starts with, to fine-tune it.
    """
    if data is None and preset != "synthetic":
        raise InputError(f"the preset {preset!r} needs --data DIR (images/, labels/, classes.txt); or use synthetic")
    run_training(config, open_data(config, data), output, resume=resume, start_from=start_from)


def evaluate(
    *,
    model: str = DEFAULT_MODEL,
    data: Path,
    output: Path,
    validation: float | str = 0.1,
    region: str | None = None,
) -> None:
    """Score a model on held-out pairs: PSNR, SSIM and RMSE of reconstruction beside the flat-colour baseline.

    Examples:
      sean evaluate --data faces/ --output report.json
      sean evaluate --model runs/faces/model --data faces/ --region hair --output report.json

    Args:
        model: a bundled name, a model folder, or a hub id owner/name.
        data: folder with images/, labels/ and classes.txt.
        output: the report to write, .json.
        validation: which pairs: a fraction (the last ones by sorted name), or the prefix of their names.
        region: also measure how much exchanging this region's style changes it, and the rest of the picture.
    """
    if output.suffix != ".json":
        raise InputError(f"expected an --output that ends in .json, got {output}")
    pipeline = SEANPipeline.from_pretrained(model, best_device())
    region_id = None if region is None else pipeline.labels.id_of(region)
    folder = PairedFolder.open(data)
    if folder.labels.names != pipeline.labels.names:
        raise InputError(f"the labels of {data} ({folder.labels.name}) are not the model's ({pipeline.labels.name})")
    stems = folder.split(validation)[1]
    if not stems:
        raise InputError(f"expected a validation split with pictures, got {validation}; e.g. 0.1 for the last tenth")
    transform = PairedTransform(size=pipeline.image_size).evaluation()
    dataset = PairedDataset(folder, stems, transform)

    def batches(description: str) -> Iterator[tuple[Tensor, Tensor]]:
        starts = range(0, len(dataset), EVALUATION_BATCH)
        for start in tracked(starts, description, total=len(starts)):
            indices = range(start, min(start + EVALUATION_BATCH, len(dataset)))
            batch = default_collate([dataset[index] for index in indices])
            yield batch["image"].to(pipeline.device), batch["segmap"].to(pipeline.device)

    report: dict[str, object] = {
        "model": model,
        "data": folder.root.name,
        "validation": validation,
        "size": list(pipeline.image_size),
        "ssim": "Gaussian window 11, sigma 1.5, mean over RGB in [0, 1]",
        "reconstruction": reconstruction_scores(pipeline.model, batches("reconstructing")),
    }
    if region_id is not None:
        report[f"exchange_{region}"] = exchange_locality(pipeline.model, batches("exchanging"), region_id)
    write_text_atomic(output, json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
