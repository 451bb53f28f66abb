"""The photo benchmark, on drawn faces with grain: composites keep the detail, renders of a small model do not."""

import numpy as np
import pytest

from sean.compositing.colour import srgb_to_lab
from sean.editing.demo import drawn_faces
from sean.editing.pipeline import SEANPipeline
from sean.errors import InputError
from sean.experiments.photo_benchmark import recoloured_by_code, run_photo_benchmark


@pytest.fixture(scope="module")
def pipeline() -> SEANPipeline:
    return SEANPipeline.from_pretrained(device="cpu")


def test_the_truth_is_made_in_lab(rng: np.random.Generator) -> None:
    photo = rng.integers(90, 130, (32, 32, 3), dtype=np.uint8)
    region = np.zeros((32, 32), bool)
    region[8:24, 8:24] = True
    truth = recoloured_by_code(photo, region, 1.2, (6.0, -8.0))
    before, after = srgb_to_lab(photo[10:22, 10:22]), srgb_to_lab(truth[10:22, 10:22])
    np.testing.assert_allclose(after[..., 0], 1.2 * before[..., 0], atol=0.7)
    np.testing.assert_allclose((after - before)[..., 1:].mean(axis=(0, 1)), (6, -8), atol=0.5)
    assert np.array_equal(truth[:7], photo[:7])


def test_composites_keep_what_renders_lose(pipeline: SEANPipeline, rng: np.random.Generator) -> None:
    pictures = []
    for subject in drawn_faces(pipeline)[:2]:
        grain = rng.normal(0, 10, (*subject.image.shape[:2], 1))
        pictures.append(((subject.image + grain).clip(0, 255).astype(np.uint8), subject.segmap))
    found = run_photo_benchmark(pipeline, pictures, regions=("hair", "background", "no such region"))
    assert found["pictures"] == 2 and found["self_edits"] == 0
    assert set(found["regions"]) == {"hair", "background"}
    for scores in found["regions"].values():
        assert scores["edits"] == 2
        assert scores["detail"]["error"] < 0.06 < scores["nothing"]["error"]
        assert scores["detail"]["detail"] > 0.8 > scores["render"]["detail"]
        assert scores["detail"]["leakage"] == 0 < scores["render"]["leakage"]
    again = run_photo_benchmark(pipeline, pictures[:1], regions=("hair",))
    assert again["regions"]["hair"] == run_photo_benchmark(pipeline, pictures[:1], regions=("hair",))["regions"]["hair"]


def test_photos_without_any_of_the_regions_are_refused(pipeline: SEANPipeline) -> None:
    picture = (np.zeros((64, 64, 3), np.uint8), np.full((64, 64), pipeline.labels.id_of("skin")))
    with pytest.raises(InputError, match="expected photos that show hair, found none"):
        run_photo_benchmark(pipeline, [picture], regions=("hair",))
