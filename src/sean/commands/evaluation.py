"""The command that measures models: evaluate."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sean.errors import InputError, Interrupted
from sean.evaluation.report import report_remarks, report_table
from sean.files import write_text_atomic
from sean.pretrained import DEFAULT_MODEL
from sean.progress import tracked

if TYPE_CHECKING:
    import torch

    from sean.evaluation.settings import EvaluationRun, Sums

# a lightning_fabric.Fabric, or None for a single process, which does not need that package
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
    """Score a model, and the real pictures, on held-out pairs, as in the paper's Tables 1 and 2.

    The model reconstructs every held-out picture from its label map and its own styles: PSNR, RMSE and SSIM, and LPIPS
    where the package lpips works. A segmenter adds mIoU and pixel accuracy, an extractor FID and KID against the real
    training pictures. Both also score the real held-out pictures. After Ctrl-C the same command continues.

    A network of other label names needs --label-mapping with a file such as
    {"map": {"hair of head": "hair", "wall": null}, "ignore": ["hat"]}: "map" has the name in the data for each name of
    the network (null for none), "ignore" the names in the data that the network lacks, whose pixels are left out.

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
        region: also measure the change of this region, and of the rest of the picture, when its style is exchanged.
        validation: which pairs: a fraction (the last ones by sorted name), or the prefix of their names; without it,
            the split of a prepared folder or of shards, and the last tenth of any other. 1 is all pairs: a test set.
        training_prefix: only pairs with this prefix are training pictures, for data with a test set.
        count: use only this many held-out pictures and as many training pictures, for a quick estimate.
        batch_size: number of pictures per batch.
        seed: of the subsets of KID.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.devices import chosen_device
    from sean.evaluation.evaluate import evaluate as evaluate_model
    from sean.evaluation.streaming import remove_partial_states

    if output.suffix != ".json":
        raise InputError(f"expected an --output that ends in .json, got {output}")
    chosen = chosen_device(device)
    fabric = _processes(chosen)
    with _going_on_later(output), _together(fabric):
        report = evaluate_model(
            model,
            data,
            training_data=training_data,
            extractor=extractor,
            segmenter=segmenter,
            label_mapping=label_mapping,
            region=region,
            validation=validation,
            training_prefix=training_prefix,
            count=count,
            batch_size=batch_size,
            seed=seed,
            run=_run(fabric, chosen, output),
        )
    if not report:  # a process other than the first
        return
    write_text_atomic(output, json.dumps(report, indent=1, allow_nan=False) + "\n")
    remove_partial_states(output)
    _show(report, output)


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
    """The group of processes that torchrun started, or None; only a group needs lightning-fabric."""
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
    """Report after Ctrl-C that the partial results are kept."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise Interrupted(
            f"interrupted; what is done is kept beside {output}, and the same command goes on from there",
            signal.SIGINT,
        ) from interrupt
