"""Restyling on the fly: some samples, anew in every epoch, the same whatever the workers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils.data import DataLoader

import sean.data
from sean.augmentation.settings import AugmentSettings
from sean.data.folder import PairedFolder
from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError

ALWAYS = AugmentSettings(weakest=1.0, least=4)


def test_masks_stay_and_every_epoch_looks_different(pipeline: SEANPipeline, scenes: Path) -> None:
    restyle = sean.data.Restyle(scenes, pipeline, ALWAYS, probability=1.0)
    assert len(restyle) == 4
    pair = PairedFolder.open(scenes).pairs(["s0"]).read(0)
    first, second = restyle[0], restyle[(1, 0)]
    assert first["name"] == "s0" and np.array_equal(first["mask"], pair.segmap)
    assert pair.instances is not None and np.array_equal(first["instances"], pair.instances)
    images = [pair.image, first["image"], second["image"]]
    assert all((images[i] != images[j]).any() for i, j in ((0, 1), (0, 2), (1, 2)))
    restyle.set_epoch(1)
    assert np.array_equal(restyle[0]["image"], second["image"])


def test_only_some_samples_are_restyled(pipeline: SEANPipeline, scenes: Path) -> None:
    originals = [PairedFolder.open(scenes).pairs([f"s{number}"]).read(0).image for number in range(4)]

    def changed(probability: float) -> list[bool]:
        restyle = sean.data.Restyle(scenes, pipeline, ALWAYS, probability=probability)
        return [(restyle[(epoch, i)]["image"] != originals[i]).any() for epoch in range(3) for i in range(4)]

    assert not any(changed(0.0)) and all(changed(1.0))
    assert 0 < sum(changed(0.5)) < 12


def test_a_transform_comes_after(pipeline: SEANPipeline, scenes: Path) -> None:
    def cut(*, image: np.ndarray, mask: np.ndarray) -> dict[str, Any]:
        return {"image": image[:8, :8], "mask": mask[:8, :8]}

    sample = sean.data.Restyle(scenes, pipeline, transform=cut)[0]
    assert sample["image"].shape == (8, 8, 3) and sample["mask"].shape == (8, 8) and sample["name"] == "s0"


@pytest.mark.integration
def test_workers_change_nothing(pipeline: SEANPipeline, scenes: Path) -> None:
    restyle = sean.data.Restyle(scenes, pipeline, ALWAYS, probability=1.0)
    alone = [restyle[index]["image"] for index in range(4)]
    loader = DataLoader(restyle, batch_size=None, num_workers=1)
    assert all(np.array_equal(sample["image"], image) for sample, image in zip(loader, alone, strict=True))


def test_samples_of_another_source_are_restyled(pipeline: SEANPipeline, scenes: Path) -> None:
    restyle = sean.data.Restyle(scenes, pipeline, ALWAYS, probability=1.0)
    pair = PairedFolder.open(scenes).pairs(["s4"]).read(0)  # the held-out picture
    sample = restyle({"name": "elsewhere", "image": pair.image, "mask": pair.segmap, "url": "x"})
    assert sample["url"] == "x" and (sample["image"] != pair.image).any()
    assert np.array_equal(sample["mask"], pair.segmap)


def test_a_wrong_probability_is_refused(pipeline: SEANPipeline, scenes: Path) -> None:
    with pytest.raises(InputError, match="probability"):
        sean.data.Restyle(scenes, pipeline, probability=2.0)
