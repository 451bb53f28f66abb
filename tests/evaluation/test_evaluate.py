"""The evaluation of a model and of real pictures: by hand, the same over processes and after interruptions."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sean.errors import InputError
from sean.evaluation.distances import feature_statistics
from sean.evaluation.evaluate import evaluate_model, evaluate_real
from sean.evaluation.judges import Judges
from sean.evaluation.metrics import reconstruction_scores
from sean.evaluation.settings import EvaluationRun, EvaluationSettings, Sums
from sean.evaluation.streaming import collated_batches, remove_partial_states
from sean.parsing.label_matching import LabelMatch

from .stand_ins import LABELS, ColorFeatures, MeanPainter, added, brightness_segmenter, scenes

CPU = torch.device("cpu")
SETTINGS = EvaluationSettings(batch_size=2, kept_features=7, num_subsets=5, subset_size=4)
TRAINING, VALIDATION = scenes(9), scenes(13, seed=1)


def judges(**others: Any) -> Judges:
    statistics = feature_statistics(TRAINING, ColorFeatures(), settings=SETTINGS)
    given = {"extractor": ColorFeatures(), "training": statistics, "segmenter": brightness_segmenter(), **others}
    return Judges(labels=LABELS, **given)


def flat(scores: Any, place: str = "") -> dict[str, Any]:
    """All leaves of nested scores by their place."""
    if not isinstance(scores, dict):
        return {place: scores}
    return {key: leaf for name, value in scores.items() for key, leaf in flat(value, f"{place}/{name}").items()}


def assert_close(ours: dict[str, Any], wanted: dict[str, Any], tolerance: float = 1e-9) -> None:
    """Equal, numbers within a tolerance."""
    ours, wanted = flat(ours), flat(wanted)
    assert ours.keys() == wanted.keys()
    for place, value in wanted.items():
        assert ours[place] == (
            pytest.approx(value, rel=tolerance, abs=tolerance) if isinstance(value, float) else value
        ), place


def sharded(evaluate: Callable[[EvaluationRun], Any], count: int) -> Any:
    """What the last of `count` processes finds when the sums of all are added up."""
    parts: list[Sums] = []

    def add_up(sums: Sums) -> Sums:
        parts.append(sums)
        return added(parts)

    runs = [EvaluationRun(rank=rank, world_size=count, add_up=add_up) for rank in range(count)]
    return [evaluate(run) for run in runs][-1]


def test_scores_of_a_model() -> None:
    found = evaluate_model(MeanPainter(), VALIDATION, judges(), settings=SETTINGS)
    assert found["pictures"] == 13
    wanted = reconstruction_scores(MeanPainter(), collated_batches(VALIDATION, 13, CPU, with_edges=False))
    assert wanted.pop("images") == 13
    assert found["reconstruction"] == pytest.approx(wanted, rel=1e-5)
    # the painter paints what the baseline paints
    assert found["reconstruction"]["psnr"] == pytest.approx(found["reconstruction"]["psnr_of_flat_colors"], rel=1e-5)
    assert found["distances"]["fid"] > 0
    assert found["distances"]["pictures"] == 13 and found["distances"]["training_pictures"] == 9
    assert found["distances"]["kid_subsets"] == 5 and found["distances"]["kid_subset_size"] == 4


def test_segmentation_of_real_pictures_by_hand() -> None:
    samples = [VALIDATION[index] for index in range(13)]
    right = pixels = 0
    for sample in samples:
        small = torch.nn.functional.interpolate(sample["image"][None], size=(16, 16), mode="bilinear", antialias=True)
        grey = small.mean(dim=1)[0].repeat_interleave(2, dim=0).repeat_interleave(2, dim=1)
        predicted = torch.stack([(grey - level).abs() for level in (-0.5, 0.0, 0.5)]).argmin(dim=0)
        counted = sample["segmap"] != 1
        right += int((predicted == sample["segmap"])[counted].sum())
        pixels += int(counted.sum())
    segmenter = brightness_segmenter()
    segmenter.match = LabelMatch(ids=(0, 1, 2), ignored=(1,))
    found = evaluate_real(VALIDATION, judges(segmenter=segmenter), settings=SETTINGS)["segmentation"]
    assert (found["segmenter"], found["pixels"]) == ("brightness", pixels)
    assert found["accuracy"] == pytest.approx(right / pixels)
    assert evaluate_real(VALIDATION, Judges(labels=LABELS)) == {"pictures": 13}


@torch.no_grad()
def test_rendered_pictures_are_judged_as_real_ones_are() -> None:
    model = MeanPainter(0.2)
    samples = [VALIDATION[index] for index in range(13)]
    rendered = [{**sample, "image": model(sample["image"][None], sample["segmap"][None])[0]} for sample in samples]
    of_model = evaluate_model(model, VALIDATION, judges(), settings=SETTINGS)
    of_rendered = evaluate_real(rendered, judges(), settings=SETTINGS)
    for part in ("segmentation", "distances"):
        assert_close(of_model[part], of_rendered[part], 1e-5)
    assert of_model["segmentation"]["miou"] != evaluate_real(VALIDATION, judges())["segmentation"]["miou"]


def test_real_training_pictures_are_no_distance_from_themselves() -> None:
    found = evaluate_real(TRAINING, judges(), settings=SETTINGS)["distances"]
    assert found["fid"] == pytest.approx(0, abs=1e-6)
    assert found["notes"] == []


@pytest.mark.parametrize("count", [2, 3])
def test_processes_together_find_what_one_finds(count: int) -> None:
    one = judges()
    statistics = sharded(lambda run: feature_statistics(TRAINING, ColorFeatures(), settings=SETTINGS, run=run), count)
    assert one.training is not None
    for name in ("mean", "covariance", "kept"):
        torch.testing.assert_close(getattr(statistics, name), getattr(one.training, name), rtol=1e-12, atol=1e-12)
    model = MeanPainter(0.1)
    noisy = replace(SETTINGS, noise=True)
    several = sharded(lambda run: evaluate_model(model, VALIDATION, one, settings=noisy, run=run), count)
    assert_close(several, evaluate_model(model, VALIDATION, one, settings=noisy))
    several = sharded(lambda run: evaluate_real(VALIDATION, one, settings=SETTINGS, run=run), count)
    assert_close(several, evaluate_real(VALIDATION, one, settings=SETTINGS))


def test_noise_follows_seed_and_picture() -> None:
    def psnr(**changes: Any) -> float:
        settings = replace(SETTINGS, noise=True, **changes)
        return evaluate_model(MeanPainter(), VALIDATION, Judges(labels=LABELS), settings=settings)["reconstruction"][
            "psnr"
        ]

    assert psnr() == psnr()
    assert psnr(batch_size=5) == pytest.approx(psnr(), rel=1e-6)
    assert psnr(seed=1) != psnr()


class Stops(MeanPainter):
    """Is interrupted at one of its calls, and counts them."""

    def __init__(self, at: int) -> None:
        super().__init__(0.1)
        self.calls = 0
        self.at = at

    def forward(self, *inputs: Any, **options: Any) -> Tensor:
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt
        return super().forward(*inputs, **options)


@pytest.mark.parametrize("write_every", [1, 50])
def test_an_interrupted_evaluation_goes_on(tmp_path: Path, write_every: int) -> None:
    run = EvaluationRun(partial=tmp_path / "report.json", write_every=write_every)
    whole = evaluate_model(Stops(0), VALIDATION, judges(), settings=SETTINGS)
    for at in (4, 2):
        with pytest.raises(KeyboardInterrupt):
            evaluate_model(Stops(at), VALIDATION, judges(), settings=SETTINGS, run=run)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json.model.part-0-of-1.safetensors"]
    last = Stops(0)
    assert evaluate_model(last, VALIDATION, judges(), settings=SETTINGS, run=run) == whole
    assert last.calls == 7 - 3 - 1
    again = Stops(0)
    assert evaluate_model(again, VALIDATION, judges(), settings=SETTINGS, run=run) == whole
    assert again.calls == 0
    (tmp_path / "report.json").touch()
    (tmp_path / "other.json.model.part-0-of-1.safetensors").touch()
    remove_partial_states(tmp_path / "report.json")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"report.json", "other.json.model.part-0-of-1.safetensors"}


def test_a_killed_process_goes_on_from_its_last_write(tmp_path: Path) -> None:
    """Without the write that an interruption makes: the files of every second batch."""
    run = EvaluationRun(partial=tmp_path / "report.json", write_every=2)
    part = tmp_path / "report.json.model.part-0-of-1.safetensors"
    kept: list[bytes] = []

    def watched(items: Iterable[Any], description: str, total: int) -> Iterable[Any]:
        for item in items:
            kept.append(part.read_bytes() if part.exists() else b"")
            yield item

    whole = evaluate_model(MeanPainter(), VALIDATION, judges(), settings=SETTINGS, run=replace(run, progress=watched))
    assert kept[1] == b"" and kept[2] == kept[3] != kept[4]
    part.write_bytes(kept[5])
    totals: list[int] = []

    def counted(items: Iterable[Any], description: str, total: int) -> Iterable[Any]:
        totals.append(total)
        return items

    again = replace(run, progress=counted)
    assert evaluate_model(MeanPainter(), VALIDATION, judges(), settings=SETTINGS, run=again) == whole
    assert totals == [3]


def test_a_foreign_partial_state_is_not_gone_on_with(tmp_path: Path) -> None:
    run = EvaluationRun(partial=tmp_path / "report.json")
    evaluate_model(MeanPainter(), VALIDATION, judges(), settings=SETTINGS, run=run)
    changed = [
        (MeanPainter(0.1), VALIDATION, judges(), SETTINGS),
        (MeanPainter(), scenes(13, seed=2), judges(), SETTINGS),
        (MeanPainter(), VALIDATION, judges(segmenter=None), SETTINGS),
        (MeanPainter(), VALIDATION, judges(), replace(SETTINGS, seed=1)),
    ]
    for model, data, others, settings in changed:
        wanted = evaluate_model(model, data, others, settings=settings)
        assert evaluate_model(model, data, others, settings=settings, run=run) == wanted


def test_a_damaged_partial_state_is_one_line(tmp_path: Path) -> None:
    run = EvaluationRun(partial=tmp_path / "report.json")
    part = tmp_path / "report.json.model.part-0-of-1.safetensors"
    evaluate_model(MeanPainter(), VALIDATION, Judges(labels=LABELS), settings=SETTINGS, run=run)
    for content in (b"", b"garbage" * 100, part.read_bytes()[:-9]):
        part.write_bytes(content)
        with pytest.raises(InputError, match=r"part-0-of-1\.safetensors is a damaged .*; delete it") as caught:
            evaluate_model(MeanPainter(), VALIDATION, Judges(labels=LABELS), settings=SETTINGS, run=run)
        assert "\n" not in str(caught.value)


def test_lpips_where_it_is_given() -> None:
    distance = judges(lpips=lambda fake, real: (fake - real).abs().mean(dim=(1, 2, 3)))
    model = MeanPainter(0.1)
    found = evaluate_model(model, VALIDATION, distance, settings=SETTINGS)["reconstruction"]["lpips"]
    with torch.no_grad():
        image, segmap, _ = next(iter(collated_batches(VALIDATION, 13, CPU, with_edges=False)))
        assert found == pytest.approx((model(image, segmap) - image).abs().mean().item(), rel=1e-5)


def test_small_sets_are_said_to_be_small() -> None:
    statistics = feature_statistics(scenes(1), ColorFeatures())
    found = evaluate_real(scenes(5), judges(training=statistics))["distances"]
    assert found["kid"] is None and found["fid"] > 0
    assert "5 validation pictures are no more than the 6 numbers" in found["notes"][0]
    assert "1 training pictures" in found["notes"][1]
    assert "KID needs two" in found["notes"][2]


def test_exact_pictures_have_no_psnr() -> None:
    class Exact(MeanPainter):
        def forward(self, image: Tensor, *inputs: Any, **options: Any) -> Tensor:
            return image

    found = evaluate_model(Exact(), scenes(2), Judges(labels=LABELS))["reconstruction"]
    assert (found["psnr"], found["rmse"]) == (None, 0.0)


def test_refusals() -> None:
    with pytest.raises(InputError, match="at least one batch for each of 4 processes, got 5 pictures in batches of 2"):
        run = EvaluationRun(rank=1, world_size=4, add_up=lambda sums: sums)
        evaluate_real(scenes(5), judges(), settings=SETTINGS, run=run)
    with pytest.raises(InputError, match="statistics by the extractor None, got those by colors"):
        judges(extractor=None)
    with pytest.raises(InputError, match="add_up for 2 processes"):
        EvaluationRun(world_size=2)
    with pytest.raises(InputError, match="rank"):
        EvaluationRun(rank=1)
    with pytest.raises(InputError, match="positive sizes"):
        EvaluationSettings(batch_size=0)
    with pytest.raises(InputError, match="seed"):
        EvaluationSettings(seed=-1)
