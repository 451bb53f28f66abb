"""The pipeline with every architecture: styles, edits of them, pictures and folders."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.images import image_to_tensor, tensor_to_image
from sean.labels import LabelSet
from sean.models.configs import SPADEConfig

from ..models.architectures import ARCHITECTURES, SEAN_VARIANTS, SIZE, K, random_model
from ..pictures import difference

LABELS = LabelSet(name="three", names=("sky", "tree", "road"))

SEGMAP = np.zeros(SIZE, np.int64)
SEGMAP[:, 32:] = 1
SEGMAP[16:, 32:] = 2


@pytest.fixture(params=ARCHITECTURES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def pipeline(name: str) -> SEANPipeline:
    return SEANPipeline(random_model(ARCHITECTURES[name]).float(), LABELS)


def photo(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def test_a_picture_is_the_models(pipeline: SEANPipeline) -> None:
    styles = pipeline.encode(photo(0), SEGMAP)
    assert styles.codes.shape == (K, pipeline.model.code_dim)
    assert styles.regions == LABELS.names
    with torch.no_grad():
        want = pipeline.model(image_to_tensor(photo(0)).unsqueeze(0), torch.from_numpy(SEGMAP).unsqueeze(0))
    picture = pipeline(SEGMAP, styles)
    assert picture.size == SIZE[::-1]
    assert difference(picture, Image.fromarray(tensor_to_image(want[0]))) <= 1
    assert difference(picture, pipeline(SEGMAP, styles)) == 0


def test_edits_of_styles(pipeline: SEANPipeline, name: str) -> None:
    """Where there are styles they show: of one region, interpolated, and all exchanged."""
    a, b = pipeline.encode(photo(0), SEGMAP), pipeline.encode(photo(1) // 3, SEGMAP)
    # features of untrained encoders are alike, whatever the photo
    b = StyleCodes(-b.codes, b.present, LABELS)
    one = pipeline(SEGMAP, a.with_region("sky", b))
    between = pipeline(SEGMAP, a.lerp(b, 0.5))
    assert difference(pipeline(SEGMAP, a.lerp(b, 0.0)), pipeline(SEGMAP, a)) == 0
    assert difference(pipeline(SEGMAP, a.lerp(b, 1.0)), pipeline(SEGMAP, a.with_region(LABELS.names, b))) == 0
    if name == "spade without styles":
        assert a.codes.shape == (K, 0)
        assert difference(one, pipeline(SEGMAP, a)) == difference(between, pipeline(SEGMAP, a)) == 0
    else:
        assert difference(one, pipeline(SEGMAP, a)) > 0
        assert difference(between, pipeline(SEGMAP, a)) > 0


def test_exchanging_half_of_the_picture_moves_a_vaes_picture_half_way() -> None:
    pipeline = SEANPipeline(random_model(ARCHITECTURES["spade with vae"]).float(), LABELS)
    a, b = pipeline.encode(photo(0), SEGMAP), pipeline.encode(photo(1) // 3, SEGMAP)
    assert (a.codes - b.codes).abs().max() > 0.01
    half, middle = pipeline(SEGMAP, a.with_region("sky", b)), pipeline(SEGMAP, a.lerp(b, 0.5))
    assert difference(half, middle) <= 1


def test_as_many_styles_as_the_model_takes(pipeline: SEANPipeline, name: str) -> None:
    styles = pipeline.encode(photo(0), SEGMAP)
    if name in SEAN_VARIANTS:
        assert difference(pipeline(SEGMAP, [styles] * 6), pipeline(SEGMAP, styles)) == 0
    else:
        assert difference(pipeline(SEGMAP, [styles]), pipeline(SEGMAP, styles)) == 0
        with pytest.raises(InputError) as error:
            pipeline(SEGMAP, [styles] * 6)
        assert str(error.value) == "expected one StyleCodes for this architecture, got 6"


def test_a_folder_gives_pipeline_and_styles_back(pipeline: SEANPipeline, name: str, tmp_path: Path) -> None:
    styles = pipeline.encode(photo(0), SEGMAP)
    full = SEANPipeline(pipeline.model, LABELS, style_bank=[styles, styles], card="# card")
    full.save_pretrained(tmp_path / "model")
    back = SEANPipeline.from_pretrained(tmp_path / "model")
    assert back.model.config == ARCHITECTURES[name]
    assert len(back.style_bank) == 2 and torch.equal(back.style_bank[0].codes, styles.codes)
    # read weights lie in memory otherwise than built ones, for which a processor may have another kernel
    assert difference(back(SEGMAP, styles), pipeline(SEGMAP, styles)) <= 1
    again = SEANPipeline.from_pretrained(tmp_path / "model")
    assert difference(again(SEGMAP, styles), back(SEGMAP, styles)) == 0
    styles.save(tmp_path / "styles.safetensors")
    assert torch.equal(StyleCodes.load(tmp_path / "styles.safetensors").codes, styles.codes)


def test_styles_of_another_architecture_are_refused(pipeline: SEANPipeline) -> None:
    codes = torch.zeros(K, 5)
    with pytest.raises(InputError, match=rf"style codes \[3, {pipeline.model.code_dim}\] of this model, got \[3, 5\]"):
        pipeline(SEGMAP, StyleCodes(codes, torch.ones(K, dtype=torch.bool), LABELS))


def test_a_bank_completes_regions_that_a_photo_lacks(pipeline: SEANPipeline) -> None:
    """A VAE's vector is of the whole photo, so that no region lacks it."""
    bank = pipeline.encode(photo(1), SEGMAP)
    styles = pipeline.encode(photo(0), SEGMAP * (SEGMAP == 1))
    whole_picture = isinstance(pipeline.model.config, SPADEConfig) and pipeline.model.config.style != "regions"
    assert styles.regions == (LABELS.names if whole_picture else LABELS.names[:2])
    with_bank = SEANPipeline(pipeline.model, LABELS, style_bank=[bank])
    assert difference(with_bank(SEGMAP, styles), pipeline(SEGMAP, styles.completed(bank))) <= 1
