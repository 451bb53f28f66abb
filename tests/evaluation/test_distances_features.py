"""Feature statistics: which features are kept, and the file that several evaluations share."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sean.errors import InputError
from sean.evaluation.distances import FeatureSums, feature_statistics, load_statistics, save_statistics
from sean.evaluation.settings import EvaluationSettings
from sean.models.weights import write_safetensors

from .stand_ins import ColorFeatures, scenes

SETTINGS = EvaluationSettings(batch_size=2, kept_features=4)


def test_kept_features_are_a_seeded_choice() -> None:
    features = torch.arange(1.0, 11.0).unsqueeze(1)
    kept = FeatureSums(10, SETTINGS)(features, range(10))["features.kept"].flatten().tolist()
    assert len(kept) == len(set(kept)) == 4 and sorted(kept) == kept
    parts = [FeatureSums(10, SETTINGS)(features[i : i + 5], range(i, i + 5))["features.kept"] for i in (0, 5)]
    assert (parts[0] + parts[1]).flatten().tolist() == kept
    other = FeatureSums(10, replace(SETTINGS, seed=5))(features, range(10))["features.kept"].flatten().tolist()
    assert other != kept
    everything = FeatureSums(10, replace(SETTINGS, kept_features=99))(features, range(10))
    assert torch.equal(everything["features.kept"], features.double())
    assert everything["features.total"].item() == 55
    assert everything["features.outer"].item() == 385


class CountedFeatures(ColorFeatures):
    """Counts the batches that it sees."""

    calls = 0

    def __call__(self, image: Tensor) -> Tensor:
        self.calls += 1
        return super().__call__(image)


def test_the_cache_is_read_where_it_fits(tmp_path: Path) -> None:
    cache = tmp_path / "training.safetensors"
    first = feature_statistics(scenes(5), ColorFeatures(), settings=SETTINGS, cache=cache)
    counted = CountedFeatures()
    again = feature_statistics(scenes(5), counted, settings=SETTINGS, cache=cache)
    assert (counted.calls, again.extractor, again.count) == (0, "colors", 5)
    for name in ("total", "outer", "kept"):
        assert torch.equal(getattr(again, name), getattr(first, name))
    feature_statistics(scenes(5, seed=1), counted, settings=SETTINGS, cache=cache)
    assert counted.calls == 3
    feature_statistics(scenes(5), counted, settings=replace(SETTINGS, seed=1), cache=cache)
    assert counted.calls == 6
    counted.name = "others"
    assert feature_statistics(scenes(5), counted, settings=replace(SETTINGS, seed=1), cache=cache).extractor == "others"
    assert counted.calls == 9


def test_files_that_hold_no_statistics(tmp_path: Path) -> None:
    statistics = feature_statistics(scenes(3), ColorFeatures())
    save_statistics(tmp_path / "s.safetensors", statistics, "of these")
    found, fingerprint = load_statistics(tmp_path / "s.safetensors")
    assert (found.count, fingerprint) == (3, "of these")
    assert torch.equal(found.outer, statistics.outer)
    write_safetensors(tmp_path / "other.safetensors", {"count": torch.tensor(3)})
    (tmp_path / "bad.safetensors").write_bytes(b"garbage")
    for name, message in (("other", "no feature statistics"), ("bad", "not a readable"), ("none", "found none")):
        with pytest.raises(InputError, match=message):
            load_statistics(tmp_path / f"{name}.safetensors")
