"""The command that measures models: evaluate."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sean
from sean.commands.progress import tracked
from sean.errors import InputError, Interrupted
from sean.evaluation.report import report_remarks, report_table
from sean.files import write_text_atomic
from sean.pretrained import DEFAULT_MODEL, find_model

if TYPE_CHECKING:
    import torch

    from sean.data.paired import PairedDataset
    from sean.evaluation.judges import Judges
    from sean.evaluation.settings import EvaluationRun, EvaluationSettings, Sums
    from sean.labels import LabelSet
    from sean.models.base import StyledModel

# a lightning_fabric.Fabric, or None for a single process, which does without that package
Processes = Any


def evaluate(
    *,
    model: str = DEFAULT_MODEL,
    data: str,
    output: Path,
    training_data: str | None = None,
    extractor: str | None = None,
    segmenter: str | None = None,
    label_mapping: Path | None = None,
    region: str | None = None,
    validation: float | str | None = None,
    training_prefix: str = "",
    count: int | None = None,
    batch_size: int = 8,
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Score a model on held-out pairs, beside the real pictures, as the paper's Tables 1 and 2 do.

    The model reconstructs every held-out picture from its label map and its own styles: PSNR, RMSE and SSIM, and LPIPS
    where the package lpips works. A segmenter adds mIoU and pixel accuracy, an extractor FID and KID against the real
    training pictures. Both also score the real held-out pictures. Ctrl-C keeps what is done: the same command goes on.

    A network of other label names needs --label-mapping with a file such as
    {"map": {"hair of head": "hair", "wall": null}, "ignore": ["hat"]}: network names to names of the data (null: to
    none), and names of the data that the network does not know, whose pixels are then left out.

    Examples:
      sean evaluate --data faces/ --output report.json
      sean evaluate --model runs/faces/model --data faces/ --region hair --output report.json
      sean evaluate --model runs/faces/model --data faces/ --extractor parser/ --segmenter parser/ --output report.json
      sean evaluate --data faces/ --extractor efficientnet-lite1 --segmenter bundled --output report.json
      sean evaluate --data faces/ --extractor inception --segmenter segformer:owner/name --output report.json
      sean evaluate --data test/ --validation 1 --training-data faces/ --extractor parser/ --output report.json
      torchrun --nproc-per-node 4 -m sean evaluate --data faces/ --extractor parser/ --output report.json

    Args:
        model: a bundled name, a model folder, or a hub id owner/name.
        data: folder with images/, labels/ and classes.txt, or folder or url of shards.
        output: the report to write, .json.
        training_data: likewise, whose training pictures FID and KID compare with; without it, those of `data`.
        extractor: for FID and KID: efficientnet-lite1 or -lite0 (needs seankit[imagenet]), inception (needs torchvision
            and torch-fidelity), bundled (the face parser that comes with the package), or a parser's folder.
        segmenter: for mIoU and accuracy: bundled (faces), a parser's folder, or segformer: and a hub id or folder
            (needs transformers).
        label_mapping: JSON file that matches the segmenter's label names with the data's where they differ.
        region: also measure how much exchanging this region's style changes it, and the rest of the picture.
        validation: which pairs: a fraction (the last ones by sorted name), or the prefix of their names; without it,
            the split of a prepared folder or of shards, and the last tenth of any other. 1 is all pairs: a test set.
        training_prefix: only pairs whose names begin so are training pictures, where there is a test set too.
        count: only the first so many held-out pictures, and as many training pictures, for a quick look.
        batch_size: pictures at a time.
        seed: of the subsets of KID.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.devices import chosen_device
    from sean.evaluation.distances import feature_statistics
    from sean.evaluation.evaluate import evaluate_model, evaluate_real
    from sean.evaluation.extractors import load_extractor
    from sean.evaluation.judges import Judges
    from sean.evaluation.metrics import load_lpips
    from sean.evaluation.settings import EvaluationSettings
    from sean.evaluation.streaming import remove_partial_states
    from sean.models.weights import load_model
    from sean.parsing.label_matching import read_label_mapping
    from sean.parsing.segmenter import Segmenter

    if output.suffix != ".json":
        raise InputError(f"expected an --output that ends in .json, got {output}")
    if count is not None and count < 1:
        raise InputError(f"expected a --count of at least 1, got {count}")
    settings = EvaluationSettings(seed=seed, batch_size=batch_size)
    chosen = chosen_device(device)
    fabric = _processes(chosen)
    run = _run(fabric, chosen, output)
    network, labels = load_model(find_model(model))
    region_id = None if region is None else labels.id_of(region)
    sets = _open_sets(data, network, labels, (validation, training_prefix), count, training_data)
    if extractor is not None and sets.training is None:
        raise InputError(
            f"FID and KID compare with training pictures, and all of {data} is held out; name the data that the model "
            "was trained on by --training-data"
        )
    mapping = None if label_mapping is None else read_label_mapping(label_mapping)
    features = None if extractor is None else load_extractor(extractor, run.device)
    segmentation = None if segmenter is None else Segmenter.from_pretrained(segmenter, labels, run.device, mapping)
    lpips, lpips_kind = load_lpips(run.device)
    network = network.to(run.device)
    with _going_on_later(output), _together(fabric):
        statistics = None
        if features is not None and sets.training is not None:
            statistics = feature_statistics(sets.training, features, settings=settings, run=run)
        judges = Judges(labels=labels, extractor=features, training=statistics, segmenter=segmentation, lpips=lpips)
        rows = {"model": evaluate_model(network, sets.validation, judges, settings=settings, run=run)}
        if features is not None or segmentation is not None:
            rows["real pictures"] = evaluate_real(sets.validation, judges, settings=settings, run=run)
        exchange = {}
        if region_id is not None and run.rank == 0:
            exchange[f"exchange_{region}"] = _exchange(network, sets.validation, region_id, run, settings)
    if run.rank > 0:
        return
    report = {
        "model": _public_name(model),
        "architecture": network.config.architecture,
        "size": list(network.config.image_size),
        "data": sets.name,
        "labels": labels.name,
        "split": {
            "validation": validation,
            "training_prefix": training_prefix,
            "count": count,
            "validation_pictures": len(sets.validation),
            "training_data": None if sets.training is None else sets.training_name,
            "training_pictures": 0 if sets.training is None else len(sets.training),
        },
        **_circumstances(judges, settings, run, lpips_kind),
        "rows": rows,
        **exchange,
        "left_out": _left_out(judges, lpips_kind),
    }
    write_text_atomic(output, json.dumps(report, indent=1, allow_nan=False) + "\n")
    remove_partial_states(output)
    _show(report, output)


@dataclass(frozen=True, kw_only=True)
class _Sets:
    """The two parts of the data, as evaluations see them, and their names; training is None where all is held out."""

    name: str
    training_name: str
    training: "PairedDataset | None"
    validation: "PairedDataset"


def _open_sets(
    data: str,
    model: "StyledModel",
    labels: "LabelSet",
    split: tuple[float | str | None, str],
    count: int | None,
    training_data: str | None,
) -> _Sets:
    """The parts of a split (validation, prefix of the training pairs; see `open_split`), or the first pairs of each.

    Raises:
        InputError: the data is malformed, does not fit the model, or holds nothing out.
    """
    from sean.data.paired import PairedDataset
    from sean.data.splits import first_pairs, open_split
    from sean.data.transforms import PairedTransform

    validation, prefix = split
    parts = open_split(data, labels, validation=validation, training_prefix="" if training_data else prefix)
    reference = parts if training_data is None else open_split(training_data, labels, training_prefix=prefix)
    if parts.validation is None:
        raise InputError(
            f"no pair of {data} is held out (validation {validation}); give --validation 0.1 for the last tenth, or "
            "--validation 1 for all pairs"
        )
    if model.config.instance_edges and not parts.validation.has_instances:
        raise InputError(f"the model takes instance maps; expected instances/ in {data}, found none")
    transform = PairedTransform(size=model.config.image_size).evaluation()
    training = reference.training
    return _Sets(
        name=parts.name,
        training_name=reference.name,
        training=None if training is None else PairedDataset(first_pairs(training, count), transform),
        validation=PairedDataset(first_pairs(parts.validation, count), transform),
    )


def _exchange(
    model: "StyledModel", dataset: "PairedDataset", region: int, run: "EvaluationRun", settings: "EvaluationSettings"
) -> dict[str, float]:
    from sean.evaluation.metrics import exchange_locality
    from sean.evaluation.streaming import collated_batches

    size = settings.batch_size
    batches = collated_batches(dataset, size, run.device, with_edges=model.config.instance_edges)
    return exchange_locality(model, tracked(batches, "exchanging", -(-len(dataset) // size)), region)


def _circumstances(
    judges: "Judges", settings: "EvaluationSettings", run: "EvaluationRun", lpips_kind: str
) -> dict[str, Any]:
    """What else the figures depend on."""
    import torch

    from sean.evaluation.metrics import SSIM_KIND

    return {
        "extractor": None if judges.extractor is None else judges.extractor.name,
        "segmenter": None if judges.segmenter is None else judges.segmenter.name,
        "ssim": SSIM_KIND,
        "lpips": None if judges.lpips is None else lpips_kind,
        "settings": asdict(settings),
        "processes": run.world_size,
        "device": run.device.type,
        "sean": sean.__version__,
        "torch": torch.__version__,
    }


def _left_out(judges: "Judges", lpips_kind: str) -> dict[str, str]:
    """Metrics that the report has not, and why."""
    left_out = {}
    if judges.lpips is None:
        left_out["LPIPS"] = lpips_kind
    if judges.extractor is None:
        left_out["FID and KID"] = "no --extractor was given"
    if judges.segmenter is None:
        left_out["mIoU and accuracy"] = "no --segmenter was given"
    return left_out


def _show(report: dict[str, Any], output: Path) -> None:
    from rich.console import Console

    console = Console(width=None if os.isatty(1) else 160, highlight=False)
    console.print(report_table(report["rows"]))
    for remark in report_remarks(report["rows"]):
        console.print(remark, markup=False)
    for name, values in report.items():
        if name.startswith("exchange_"):
            shown = ", ".join(f"{key} {value:.4g}" for key, value in values.items())
            console.print(f"exchange of {name.removeprefix('exchange_')}: {shown}", markup=False)
    for name, reason in report["left_out"].items():
        console.print(f"left out: {name} ({reason})", markup=False)
    console.print(f"written: {output}", markup=False)


def _public_name(model: str) -> str:
    """The name of a model for a report: without the path of this machine."""
    return Path(model).resolve().name if Path(model).is_dir() else model


def _run(fabric: Processes, device: "torch.device", output: Path) -> "EvaluationRun":
    from sean.evaluation.settings import EvaluationRun

    if fabric is None:
        return EvaluationRun(device=device, partial=output, progress=tracked)
    return EvaluationRun(
        device=fabric.device,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
        add_up=lambda sums: _added_up(sums, fabric),
        partial=output,
        progress=tracked,
    )


def _processes(device: "torch.device") -> Processes:
    """The other processes, where torchrun started such; only then lightning-fabric is needed."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return None
    from sean.training.distributed import start_processes

    return start_processes("32-true", device.type)


def _together(fabric: Processes) -> AbstractContextManager[None]:
    if fabric is None:
        return nullcontext()
    from sean.training.distributed import lost_processes_as_input_errors

    return lost_processes_as_input_errors(fabric)


def _added_up(sums: "Sums", fabric: Processes) -> "Sums":
    import torch

    return {
        name: torch.as_tensor(fabric.all_reduce(value.to(fabric.device), reduce_op="sum")).cpu()
        for name, value in sums.items()
    }


@contextmanager
def _going_on_later(output: Path) -> Iterator[None]:
    """Say after Ctrl-C that the work is kept."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise Interrupted(
            f"interrupted; what is done is kept beside {output}, and the same command goes on from there",
            signal.SIGINT,
        ) from interrupt
