"""The paper's evaluation (Tables 1 and 2): reconstructions of held-out pictures, compared with the real pictures.

The protocol is the paper's: a model gets the label map, and the true picture as its only style picture. FID and KID
compare held-out pictures, rendered or real, with the real *training* pictures.
"""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

import sean
from sean.data.paired import PairedDataset
from sean.data.splits import first_pairs, open_split
from sean.data.transforms import PairedTransform
from sean.devices import AUTO, chosen_device
from sean.errors import InputError
from sean.evaluation.distances import FeatureSums, feature_statistics
from sean.evaluation.extractors import load_extractor
from sean.evaluation.judges import Judges
from sean.evaluation.metrics import SSIM_KIND, exchange_locality, load_lpips, picture_scores
from sean.evaluation.settings import EvaluationRun, EvaluationSettings, Sums
from sean.evaluation.streaming import Batch, accumulate, collated_batches
from sean.labels import LabelSet
from sean.models.base import StyledModel
from sean.models.weights import load_model, network_digest
from sean.parsing.label_matching import read_label_mapping
from sean.parsing.segmenter import Segmenter
from sean.pretrained import find_model

_RECONSTRUCTION = "reconstruction."


@runtime_checkable
class LoadedModel(Protocol):
    """A model with its labels, as `sean.SEANPipeline`."""

    model: StyledModel
    labels: LabelSet


def evaluate(
    model: str | os.PathLike[str] | LoadedModel,
    data: str | os.PathLike[str],
    *,
    training_data: str | os.PathLike[str] | None = None,
    extractor: str | None = None,
    segmenter: str | None = None,
    label_mapping: str | os.PathLike[str] | None = None,
    region: str | int | None = None,
    validation: float | str | None = None,
    training_prefix: str = "",
    count: int | None = None,
    batch_size: int = 8,
    seed: int = 0,
    device: str | torch.device = AUTO,
    run: EvaluationRun | None = None,
) -> dict[str, Any]:
    """Score a model and the real pictures on held-out pairs, as `sean evaluate` does.

    The model reconstructs every held-out picture from its label map and its own styles: PSNR, RMSE and SSIM, and LPIPS
    if the package lpips works. A segmenter adds mIoU and pixel accuracy, an extractor FID and KID against the real
    training pictures; both also score the real held-out pictures.

    Args:
        model: a pipeline; or a bundled name, a model folder, or a hub id owner/name.
        data: folder with images/, labels/ and classes.txt, or folder or url of shards.
        training_data: data in the same form, with the training pictures for FID and KID; None takes those of `data`.
        extractor: network for FID and KID, see `sean.evaluation.extractors.load_extractor`.
        segmenter: network for mIoU and accuracy, see `sean.Segmenter.from_pretrained`.
        label_mapping: JSON file that matches differing label names of the segmenter with those of the data.
        region: also measure the change of this region, and of the rest of the picture, when its style is exchanged.
        validation: the held-out pairs: a fraction (the last by sorted name) or the prefix of their names; None takes
            the split of a prepared folder or of shards, and the last tenth of any other data. 1 takes all pairs.
        training_prefix: prefix of the names of training pictures, for data that include a test set.
        count: number of held-out pictures, and of training pictures, for a quick look.
        batch_size: pictures per batch.
        seed: seed of the subsets of KID.
        device: "auto" (a CUDA card if there is one, else the CPU), cpu, cuda or cuda:1; unused with `run`.
        run: processes, progress and partial results.

    Returns:
        JSON values. "rows" has the scores of "model" and, with a segmenter or an extractor, of "real pictures" (see
        `evaluate_model` and `evaluate_real`), "exchange_REGION" the scores of the exchange; the other keys describe
        what the scores depend on and which are missing. Empty on processes of another rank than 0.

    Raises:
        InputError: the model or network does not exist, the data is malformed, or nothing is held out.
    """
    if count is not None and count < 1:
        raise InputError(f"expected a count of at least 1, got {count}")
    settings = EvaluationSettings(seed=seed, batch_size=batch_size)
    run = run or EvaluationRun(device=chosen_device(device))
    if isinstance(model, str | os.PathLike):
        name = os.fspath(model)
        network, labels = load_model(find_model(name))
    else:
        name, network, labels = model.model.config.architecture, model.model, model.labels
    region_id = None if region is None else labels.id_of(region)
    reference = None if training_data is None else os.fspath(training_data)
    sets = _open_sets(os.fspath(data), network, labels, (validation, training_prefix), count, reference)
    if extractor is not None and sets.training is None:
        raise InputError(
            f"FID and KID compare with training pictures, and all of {data} is held out; name the data that the model "
            "was trained on as the training data"
        )
    mapping = None if label_mapping is None else read_label_mapping(Path(label_mapping))
    features = None if extractor is None else load_extractor(extractor, run.device)
    segmentation = None if segmenter is None else Segmenter.from_pretrained(segmenter, labels, run.device, mapping)
    lpips, lpips_kind = load_lpips(run.device)
    network = network.to(run.device)
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
        return {}
    return {
        "model": _public_name(name),
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


def evaluate_model(
    model: StyledModel,
    validation: Any,
    judges: Judges,
    *,
    settings: EvaluationSettings | None = None,
    run: EvaluationRun | None = None,
) -> dict[str, Any]:
    """Score a model on held-out pairs.

    Args:
        model: model in evaluation mode, on the run's device.
        validation: the held-out pairs, at the model's size, with a deterministic transform.
        judges, settings, run: see `Judges`, `EvaluationSettings` and `EvaluationRun`.

    Returns:
        JSON values: pictures, their number; reconstruction with psnr (dB), ssim, rmse (on [0, 1]), psnr_of_flat_colors
        (every region in its mean colour) and perhaps lpips, means over the pictures (None where not finite: a picture
        that is exact); segmentation and distances where there are judges for them, see `segmentation_scores` and
        `feature_distances`.

    Raises:
        InputError: see `accumulate`.
    """
    settings, run = settings or EvaluationSettings(), run or EvaluationRun()
    feature_sums = FeatureSums(len(validation), settings)
    num_regions = judges.labels.num_regions

    def measure(batch: Batch, indices: range) -> Sums:
        image, segmap, edges = batch
        rng = [_generator(settings.seed, index, run.device) for index in indices] if settings.noise else None
        fake = model(image, segmap, edges=edges, noise=settings.noise, rng=rng).float()
        scores = picture_scores(fake, image, segmap, num_regions)
        if judges.lpips is not None:
            scores["lpips"] = judges.lpips(fake, image)
        sums = {f"{_RECONSTRUCTION}{name}": values.double().sum().cpu() for name, values in scores.items()}
        return {**sums, **judges.sums(fake, segmap, indices, feature_sums)}

    sums = accumulate(
        validation,
        measure,
        stage="model",
        description="reconstructing",
        identity={"weights": network_digest(model), "config": repr(model.config), **judges.identity},
        settings=settings,
        run=run,
        with_edges=model.config.instance_edges,
    )
    count = len(validation)
    means = {name: value / count for name, value in sums.items() if name.startswith(_RECONSTRUCTION)}
    reconstruction = {
        name.removeprefix(_RECONSTRUCTION): mean.item() if mean.isfinite() else None for name, mean in means.items()
    }
    return {"pictures": count, "reconstruction": reconstruction, **judges.scores(sums, count, settings)}


def evaluate_real(
    validation: Any,
    judges: Judges,
    *,
    settings: EvaluationSettings | None = None,
    run: EvaluationRun | None = None,
) -> dict[str, Any]:
    """Score the real held-out pictures like `evaluate_model`, without reconstruction.

    Returns:
        pictures, segmentation and distances, see `evaluate_model`.
    """
    settings, run = settings or EvaluationSettings(), run or EvaluationRun()
    count = len(validation)
    if judges.segmenter is None and judges.extractor is None:
        return {"pictures": count}
    feature_sums = FeatureSums(count, settings)
    sums = accumulate(
        validation,
        lambda batch, indices: judges.sums(batch[0], batch[1], indices, feature_sums),
        stage="real",
        description="scoring real pictures",
        identity=judges.identity,
        settings=settings,
        run=run,
    )
    return {"pictures": count, **judges.scores(sums, count, settings)}


def _generator(seed: int, index: int, device: torch.device) -> torch.Generator:
    """Noise of one picture, independent of batch and process."""
    # hashed, as the CPU's generator uses only the low 32 bits of a seed
    hashed = np.random.SeedSequence((seed, index)).generate_state(1)[0]
    return torch.Generator(device).manual_seed(int(hashed))


@dataclass(frozen=True, kw_only=True)
class _Sets:
    """Both parts of the data for evaluations, and their names; training is None if all pairs are held out."""

    name: str
    training_name: str
    training: PairedDataset | None
    validation: PairedDataset


def _open_sets(
    data: str,
    model: StyledModel,
    labels: LabelSet,
    split: tuple[float | str | None, str],
    count: int | None,
    training_data: str | None,
) -> _Sets:
    """The parts of a split (validation, prefix of the training pairs; see `open_split`), or the first pairs of each.

    Raises:
        InputError: the data is malformed, does not fit the model, or holds nothing out.
    """
    validation, prefix = split
    parts = open_split(data, labels, validation=validation, training_prefix="" if training_data else prefix)
    reference = parts if training_data is None else open_split(training_data, labels, training_prefix=prefix)
    if parts.validation is None:
        raise InputError(
            f"no pair of {data} is held out (validation {validation}); give validation 0.1 for the last tenth, or 1 "
            "for all pairs"
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
    model: StyledModel, dataset: PairedDataset, region: int, run: EvaluationRun, settings: EvaluationSettings
) -> dict[str, float]:
    size = settings.batch_size
    batches = collated_batches(dataset, size, run.device, with_edges=model.config.instance_edges)
    return exchange_locality(model, run.progress(batches, "exchanging", -(-len(dataset) // size)), region)


def _circumstances(judges: Judges, settings: EvaluationSettings, run: EvaluationRun, lpips_kind: str) -> dict[str, Any]:
    """The other settings that the figures depend on."""
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


def _left_out(judges: Judges, lpips_kind: str) -> dict[str, str]:
    """The metrics missing from the report, with reasons."""
    left_out = {}
    if judges.lpips is None:
        left_out["LPIPS"] = lpips_kind
    if judges.extractor is None:
        left_out["FID and KID"] = "no extractor was given"
    if judges.segmenter is None:
        left_out["mIoU and accuracy"] = "no segmenter was given"
    return left_out


def _public_name(model: str) -> str:
    """The name of a model for a report, without a path of this machine."""
    return Path(model).resolve().name if Path(model).is_dir() else model
