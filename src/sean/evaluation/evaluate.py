"""The paper's evaluation (Tables 1 and 2): a model's reconstructions of held-out pictures, and real ones beside them.

The protocol is the paper's: a model gets the label map and the true picture as its only style picture. FID and KID
hold held-out pictures, rendered or real, against the real *training* pictures.
"""

from typing import Any

import numpy as np
import torch

from sean.evaluation.distances import FeatureSums
from sean.evaluation.judges import Judges
from sean.evaluation.metrics import picture_scores
from sean.evaluation.settings import EvaluationRun, EvaluationSettings, Sums
from sean.evaluation.streaming import Batch, accumulate
from sean.models.base import StyledModel
from sean.models.weights import network_digest

_RECONSTRUCTION = "reconstruction."


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
        model: in evaluation mode, on the run's device.
        validation: the held-out pairs, at the model's size, with a transform without chance.
        judges, settings, run: see there.

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
    """Score the real held-out pictures as `evaluate_model` scores rendered ones, but for their reconstruction.

    Returns:
        pictures, segmentation and distances as there.
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
    """Noise of one picture: the same in whatever batch and process it is rendered."""
    # the CPU's generator takes the low 32 bits of a seed only: hashed into them
    hashed = np.random.SeedSequence((seed, index)).generate_state(1)[0]
    return torch.Generator(device).manual_seed(int(hashed))
