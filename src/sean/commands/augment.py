"""The command that makes restyled copies of labelled pictures: augment."""

import os
import signal
from pathlib import Path

from sean.augmentation.settings import AugmentSettings
from sean.errors import InputError, Interrupted
from sean.progress import reporting

_DEFAULTS = AugmentSettings()


def augment(
    *,
    model: str,
    data: str,
    output: Path,
    augmentation: AugmentSettings = _DEFAULTS,
    originals: bool = False,
    segmenter: str | None = None,
    least_miou: float = 0.5,
    shards: Path | None = None,
    validation: float | str | None = None,
    training_prefix: str = "",
    device: str = "auto",
) -> None:
    """Make restyled copies of labelled pictures: more varied data for segmentation networks, with the same labels.

    In every copy some regions take the style of the same label in other pictures of the set (or of the model's style
    bank); label and instance maps are copied. --mode photo keeps the photo's detail and changes its colours, --mode
    render gives the model's own picture. Only the training part is restyled and gives styles. styles.jsonl in the
    output lists the styles of each copy.

    After an interrupt the same command continues. torchrun shares the work among processes and machines that see the
    same folder; the last process finishes it.

    Examples:
      sean augment --model runs/city/model --data city/ --output more/ --copies 4
      sean augment --model runs/city/model --data city/ --output more/ --regions road sky --strongest 0.8 --originals
      sean augment --model M --data faces/ --output more/ --mode render --mirror 0.5 --warp 0.03
      sean augment --model M --data faces/ --output more/ --segmenter runs/parser/model --least-miou 0.6
      torchrun --nproc-per-node 4 -m sean augment --model M --data city/ --output more/ --shards more-shards/

    Args:
        model: a model folder, a bundled model or a hub id, of the labels of the data.
        data: a data folder, or a folder or url of shards.
        output: the data folder to make.
        augmentation: settings of the augmentation.
        originals: link the pictures themselves too, and the held-out ones as the held-out part.
        segmenter: a parser's folder, "bundled" (faces), or segformer:owner/name; drops copies whose map by it disagrees
            with the labels.
        least_miou: with a segmenter: mIoU of its map and the labels, below which a copy is dropped.
        shards: also write the finished folder as webdataset shards there.
        validation: held-out pairs: a fraction of the sorted names, or the prefix of their names.
        training_prefix: only files with this prefix are for training.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.augmentation.run import Filter
    from sean.augmentation.run import augment as augment_set
    from sean.data.folder import PairedFolder
    from sean.data.shards.writing import write_shards
    from sean.devices import process_device
    from sean.editing.pipeline import SEANPipeline
    from sean.parsing.segmenter import Segmenter

    rank, world_size = _place()
    pipeline = SEANPipeline.from_pretrained(model, process_device(device))
    if not 0.0 <= least_miou <= 1.0:
        raise InputError(f"expected a least mIoU in 0..1, got {least_miou}")
    check = None
    if segmenter is not None:
        network = Segmenter.from_pretrained(segmenter, pipeline.labels, process_device(device))
        check = Filter(segmenter=network, least_miou=least_miou)
    try:
        with reporting("augmenting") as report_progress:
            report = augment_set(
                pipeline,
                data,
                output,
                augmentation,
                originals=originals,
                check=check,
                validation=validation,
                training_prefix=training_prefix,
                rank=rank,
                world_size=world_size,
                progress=report_progress if rank == 0 else None,
            )
    except KeyboardInterrupt as interrupt:
        raise Interrupted(
            f"interrupted; what is done is in {output}, and the same command goes on from there", signal.SIGINT
        ) from interrupt
    print(report.text())
    if shards is not None and report.finished and report.kept:
        index = write_shards(PairedFolder.open(output), shards, validation=None if originals else 0.0)
        print(f"{shards}: {len(index.shards)} shards")


def _place() -> tuple[int, int]:
    """The rank of this process and the number of processes that torchrun has started."""
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
