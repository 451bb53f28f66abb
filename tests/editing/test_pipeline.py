"""The pipeline: exactness, determinism, sizes, folders, and the errors of its callers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sean.data.faces.drawing import FaceShape, draw_face
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes, mean_style
from sean.errors import InputError
from sean.images import image_to_tensor, tensor_to_image
from sean.labels import CELEBAMASK_HQ
from sean.plan import planner
from sean.plan.planner import Planner
from sean.pretrained import DEFAULT_MODEL, bundled_models
from sean.segmap import colorize, instance_edges

from ..support.pipelines import TINY, random_pipeline, random_styles

FACE = draw_face(FaceShape(), (64, 64))


def photo(seed: int = 0, size: tuple[int, int] = (64, 64)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def difference(a: Image.Image, b: Image.Image) -> np.ndarray:
    return np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max(axis=2)


def test_same_as_the_networks(pipeline: SEANPipeline) -> None:
    image, ids = image_to_tensor(photo()).unsqueeze(0), torch.from_numpy(FACE).unsqueeze(0)
    with torch.no_grad():
        expected = tensor_to_image(pipeline.model(image, ids)[0])
    picture = pipeline(FACE, pipeline.encode(photo(), FACE))
    # sums are taken in another order, so that a value may round to its neighbour
    assert difference(picture, Image.fromarray(expected)).max() <= 1


def test_pil_and_arrays_are_the_same(pipeline: SEANPipeline) -> None:
    a = pipeline.encode(photo(), FACE)
    b = pipeline.encode(Image.fromarray(photo()), Image.fromarray(FACE.astype(np.uint8)))
    assert torch.equal(a.codes, b.codes)
    assert np.array_equal(
        np.asarray(pipeline(FACE, a)), np.asarray(pipeline(Image.fromarray(FACE.astype(np.uint8)), a))
    )


def test_deterministic_unless_noise_is_asked_for(pipeline: SEANPipeline) -> None:
    styles = random_styles(0)
    assert difference(pipeline(FACE, styles), pipeline(FACE, styles)).max() == 0
    noisy = pipeline(FACE, styles, noise=True, seed=1)
    assert difference(noisy, pipeline(FACE, styles, noise=True, seed=1)).max() == 0
    assert difference(noisy, pipeline(FACE, styles, noise=True, seed=2)).max() > 0
    assert difference(noisy, pipeline(FACE, styles)).max() > 0


def test_another_size_is_resized_and_said(pipeline: SEANPipeline) -> None:
    styles = random_styles(0)
    large = FACE.repeat(2, axis=0).repeat(3, axis=1)
    picture = pipeline(large, styles)
    assert picture.size == (64, 64)
    assert picture.info["resized_from"] == (128, 192)
    assert difference(picture, pipeline(FACE, styles)).max() == 0
    assert "resized_from" not in pipeline(FACE, styles).info


def test_styles_of_absent_regions_change_nothing(pipeline: SEANPipeline) -> None:
    ids = np.where(CELEBAMASK_HQ.id_of("hair") == FACE, 0, FACE)
    a = random_styles(0)
    assert difference(pipeline(ids, a), pipeline(ids, a.with_region("hair", random_styles(1)))).max() == 0
    assert difference(pipeline(FACE, a), pipeline(FACE, a.with_region("hair", random_styles(1)))).max() > 0


def test_six_equal_styles_are_one_style(pipeline: SEANPipeline) -> None:
    a, b = random_styles(0), random_styles(1)
    assert difference(pipeline(FACE, [a] * 6), pipeline(FACE, a)).max() == 0
    crossed = pipeline(FACE, [a] * 3 + [b] * 3)
    assert difference(crossed, pipeline(FACE, a)).max() > 0
    assert difference(crossed, pipeline(FACE, b)).max() > 0


def test_missing_regions_take_the_mean_of_the_bank(pipeline: SEANPipeline) -> None:
    bank = [random_styles(5), random_styles(6)]
    with_bank = SEANPipeline(pipeline.model, pipeline.labels, style_bank=bank)
    bare = random_styles(0)
    present = bare.present.clone()
    present[CELEBAMASK_HQ.id_of("hair")] = False
    bald = StyleCodes(bare.codes * present.unsqueeze(1), present, CELEBAMASK_HQ)
    assert difference(with_bank(FACE, bald), pipeline(FACE, bald.completed(mean_style(bank)))).max() == 0
    assert difference(with_bank(FACE, bald), pipeline(FACE, bald)).max() > 0


def test_folder_round_trip(pipeline: SEANPipeline, tmp_path: Path) -> None:
    full = SEANPipeline(pipeline.model, pipeline.labels, style_bank=[random_styles(1)], card="# card")
    full.save_pretrained(tmp_path / "model")
    back = SEANPipeline.from_pretrained(tmp_path / "model")
    assert back.labels == full.labels
    assert back.card == "# card"
    assert torch.equal(back.style_bank[0].codes, full.style_bank[0].codes)
    # read weights lie in memory otherwise than built ones, for which a processor may have another kernel
    assert difference(back(FACE, random_styles(0)), full(FACE, random_styles(0))).max() <= 1
    again = SEANPipeline.from_pretrained(tmp_path / "model")
    assert difference(again(FACE, random_styles(0)), back(FACE, random_styles(0))).max() == 0


def test_half_precision_on_disk(pipeline: SEANPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path / "full")
    pipeline.save_pretrained(tmp_path / "half", dtype=torch.float16)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.6 * sizes[1]
    back = SEANPipeline.from_pretrained(tmp_path / "half")
    assert difference(back(FACE, random_styles(0)), pipeline(FACE, random_styles(0))).max() <= 4


@pytest.mark.parametrize("name", ["no-such-model", "./nowhere", "a/b/c"])
def test_unknown_model(name: str) -> None:
    with pytest.raises(InputError, match="unknown model"):
        SEANPipeline.from_pretrained(name)


def test_hub_id_offline_is_one_line() -> None:
    with pytest.raises(InputError, match="the hub did not give it") as error:
        SEANPipeline.from_pretrained("nobody/nothing")
    assert "\n" not in str(error.value)


def test_ids_out_of_range_are_named(pipeline: SEANPipeline) -> None:
    bad = FACE.copy()
    bad[3, 4] = 77
    with pytest.raises(InputError, match=r"0\.\.18.*77"):
        pipeline(bad, random_styles(0))


@pytest.mark.parametrize(
    "image", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_picture_is_refused(pipeline: SEANPipeline, image: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected a picture"):
        pipeline.encode(image, FACE)


def test_wrong_number_of_styles(pipeline: SEANPipeline) -> None:
    with pytest.raises(InputError, match="got 2"):
        pipeline(FACE, [random_styles(0)] * 2)


def test_styles_of_another_width(pipeline: SEANPipeline) -> None:
    wide = StyleCodes(torch.zeros(19, 16), torch.ones(19, dtype=torch.bool), CELEBAMASK_HQ)
    with pytest.raises(InputError, match=r"\[19, 8\]"):
        pipeline(FACE, wide)


def test_every_bundled_model_loads_and_renders() -> None:
    assert "portraits-256" in bundled_models()
    for name in bundled_models():
        bundled = SEANPipeline.from_pretrained(name)
        assert "non-commercial" in bundled.card
        picture = bundled(draw_face(FaceShape(), bundled.image_size), bundled.style_bank[0])
        assert colorize(draw_face(FaceShape(), bundled.image_size), bundled.labels).shape[:2] == bundled.image_size
        assert np.asarray(picture).std() > 10


def test_a_segmap_is_planned_once_and_an_edit_of_it_in_part(
    pipeline: SEANPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[object] = []
    monkeypatch.setattr(planner, "Planner", lambda *args, **options: planned.append(args) or Planner(*args, **options))
    edited = FACE.copy()
    edited[10:14, 20:26] = 17
    for segmap in (FACE, FACE, edited, FACE):
        pipeline(segmap, random_styles(0))
    assert len(planned) == 1
    pipeline(1 - np.minimum(FACE, 1), random_styles(0))
    assert len(planned) == 2


@pytest.fixture
def edge_pipeline() -> SEANPipeline:
    """Of a model with instance edges."""
    return random_pipeline(replace(TINY, instance_edges=True))


@torch.no_grad()
def test_instances_are_the_label_regions_unless_given(edge_pipeline: SEANPipeline) -> None:
    styles, instances = random_styles(0), np.arange(64)[:, None] // 16 * 2 + np.arange(64) // 32
    for given, of in ((None, FACE), (instances, instances), (Image.fromarray(instances.astype(np.uint8)), instances)):
        edges = instance_edges(torch.from_numpy(of)[None])[:, 0].bool()
        expected = edge_pipeline.model.render(torch.from_numpy(FACE)[None], styles.codes[None], edges=edges)
        picture = edge_pipeline(FACE, styles, given)
        assert difference(picture, Image.fromarray(tensor_to_image(expected[0]))).max() <= 1
    assert difference(picture, edge_pipeline(FACE, styles)).max() > 10
    assert difference(picture, edge_pipeline(FACE, styles, 7 * instances + 1)).max() == 0


def test_instances_are_resized_with_the_segmap(edge_pipeline: SEANPipeline) -> None:
    styles, instances = random_styles(0), (np.arange(64)[:, None] + np.arange(64)) // 32
    large, large_instances = (each.repeat(2, axis=0).repeat(3, axis=1) for each in (FACE, instances))
    picture = edge_pipeline(large, styles, instances=large_instances)
    assert picture.info["resized_from"] == (128, 192)
    assert difference(picture, edge_pipeline(FACE, styles, instances=instances)).max() == 0


@pytest.mark.parametrize(
    "instances",
    [np.zeros((64, 32), np.int64), np.zeros((64, 64)), np.zeros((64, 64, 3), np.uint8), np.zeros((0, 0), np.int64)],
)
def test_instances_of_another_size_or_kind_are_refused(edge_pipeline: SEANPipeline, instances: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"instances as integers of the segmap's size \[64, 64\], got") as error:
        edge_pipeline(FACE, random_styles(0), instances)
    assert "\n" not in str(error.value)


def test_instances_for_a_model_without_instance_edges_are_refused(pipeline: SEANPipeline) -> None:
    with pytest.raises(InputError, match="no instances for a model without instance edges; leave them out"):
        pipeline(FACE, random_styles(0), FACE)


def test_a_folder_keeps_the_instance_edges(edge_pipeline: SEANPipeline, tmp_path: Path) -> None:
    edge_pipeline.save_pretrained(tmp_path)
    back = SEANPipeline.from_pretrained(tmp_path)
    assert back.model.config.instance_edges
    assert difference(back(FACE, random_styles(0)), edge_pipeline(FACE, random_styles(0))).max() == 0


def test_photos_and_maps_as_files_and_as_pillow_opens_them(pipeline: SEANPipeline, tmp_path: Path) -> None:
    expected = pipeline.encode(photo(), FACE).codes
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(np.rot90(photo())).save(tmp_path / "me.png", exif=exif)
    Image.fromarray(colorize(FACE, CELEBAMASK_HQ)).save(tmp_path / "map.png")
    image, segmap = tmp_path / "me.png", tmp_path / "map.png"
    for given_photo, given_map in (
        (image, segmap),
        (str(image), str(segmap)),
        (Image.open(image), Image.open(segmap)),
        (Image.open(image).convert("RGB"), FACE),
    ):
        assert torch.equal(pipeline.encode(given_photo, given_map).codes, expected)
    assert difference(pipeline(segmap, random_styles(0)), pipeline(FACE, random_styles(0))).max() == 0
    with pytest.raises(InputError, match=r"expected a picture at .*nobody\.png, found no file"):
        pipeline.encode(tmp_path / "nobody.png", FACE)


def test_a_map_of_another_shape_is_refused(pipeline: SEANPipeline) -> None:
    wide = photo(size=(40, 80))
    for size in ((40, 80), (20, 40), (64, 64)):  # its own shape, or the model's size
        pipeline.encode(wide, np.zeros(size, np.uint8))
    with pytest.raises(InputError, match="got 40 x 80 in the photo and 80 x 40 in the segmap; it lies on its side"):
        pipeline.encode(wide, np.zeros((80, 40), np.uint8))


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_one_line(device: str, pipeline: SEANPipeline) -> None:
    for use in (lambda: SEANPipeline.from_pretrained(DEFAULT_MODEL, device), lambda: pipeline.to(device)):
        with pytest.raises(InputError, match=f"expected a .*device.*{device}"):
            use()
    assert pipeline.device.type == "cpu"
