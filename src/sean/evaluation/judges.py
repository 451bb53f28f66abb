"""The networks that judge rendered or real pictures: a segmenter, and an extractor with the training statistics."""

from dataclasses import asdict, dataclass
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from sean.errors import InputError
from sean.evaluation.distances import (
    FeatureStatistics,
    FeatureSums,
    frechet_inception_distance,
    kernel_inception_distance,
    statistics_of,
)
from sean.evaluation.extractors import FeatureExtractor
from sean.evaluation.metrics import PerceptualDistance, confusion_matrix, segmentation_scores
from sean.evaluation.settings import EvaluationSettings, Sums
from sean.labels import LabelSet
from sean.parsing.segmenter import Segmenter


@dataclass(frozen=True, kw_only=True, eq=False)
class Judges:
    """The judges of the pictures of a data set, the same for all models that are compared.

    Attributes:
        labels: label set of the data set.
        extractor: network for FID and KID; None leaves them out.
        training: statistics of the real training pictures by this extractor; None without an extractor.
        segmenter: network for mIoU and accuracy; None leaves them out.
        lpips: function for LPIPS; None leaves it out.
    """

    labels: LabelSet
    extractor: FeatureExtractor | None = None
    training: FeatureStatistics | None = None
    segmenter: Segmenter | None = None
    lpips: PerceptualDistance | None = None

    def __post_init__(self) -> None:
        wanted = None if self.extractor is None else self.extractor.name
        given = None if self.training is None else self.training.extractor
        if wanted != given:
            raise InputError(f"expected training statistics by the extractor {wanted}, got those by {given}")

    @property
    def identity(self) -> dict[str, Any]:
        """Labels and networks as JSON values, for fingerprints."""
        segmenter = self.segmenter
        return {
            "labels": list(self.labels.names),
            "extractor": None if self.extractor is None else self.extractor.name,
            "segmenter": None if segmenter is None else {"name": segmenter.name, **asdict(segmenter.match)},
            "lpips": self.lpips is not None,
        }

    def sums(
        self,
        picture: Float[Tensor, "b 3 h w"],
        segmap: Int[Tensor, "b h w"],
        indices: range,
        feature_sums: FeatureSums,
    ) -> Sums:
        """The contribution of the pictures of a batch whose label maps are `segmap`."""
        sums: Sums = {}
        if self.segmenter is not None:
            truth = self.segmenter.scored(segmap)
            sums["confusion"] = confusion_matrix(self.segmenter(picture), truth, self.labels.num_regions).cpu()
        if self.extractor is not None:
            sums |= feature_sums(self.extractor(picture), indices)
        return sums

    def scores(self, sums: Sums, count: int, settings: EvaluationSettings) -> dict[str, Any]:
        """The scores from the sums over `count` pictures: `segmentation` and `distances`, if judges exist for them."""
        scores: dict[str, Any] = {}
        if self.segmenter is not None:
            found = segmentation_scores(sums["confusion"], self.labels.names)
            scores["segmentation"] = {"segmenter": self.segmenter.name, **found}
        if self.extractor is not None and self.training is not None:
            statistics = statistics_of(sums, self.extractor.name, count)
            scores["distances"] = feature_distances(statistics, self.training, settings)
        return scores


def feature_distances(fake: FeatureStatistics, real: FeatureStatistics, settings: EvaluationSettings) -> dict[str, Any]:
    """FID and KID with everything that they depend on.

    Returns:
        JSON values: extractor, dim (numbers in a feature), pictures and training_pictures (sizes of the sets), fid,
        kid (None below two pictures), kid_spread (over the subsets; None for a single one), kid_subsets,
        kid_subset_size, and notes on the reliability of the values.
    """
    notes = [
        f"FID is biased: {count} {what} pictures are no more than the {fake.dim} numbers of a feature, so their "
        "covariance is singular; compare only FIDs of the same numbers of pictures"
        for what, count in (("validation", fake.count), ("training", real.count))
        if count <= fake.dim
    ]
    found = {
        "extractor": fake.extractor,
        "dim": fake.dim,
        "pictures": fake.count,
        "training_pictures": real.count,
        "fid": frechet_inception_distance(fake, real),
        "kid": None,
        "notes": notes,
    }
    if min(fake.count, real.count) < 2:
        notes.append("KID needs two pictures in either set")
        return found
    kid = kernel_inception_distance(
        fake, real, num_subsets=settings.num_subsets, subset_size=settings.subset_size, seed=settings.seed
    )
    subsets = {"kid_spread": kid.spread, "kid_subsets": kid.num_subsets, "kid_subset_size": kid.subset_size}
    return {**found, "kid": kid.mean, **subsets}
