"""The synthetic training set: what a scene depends on, the truth of an edit, and the paired folder."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sean.data.folder import PairedFolder
from sean.data.loader import BatchSchedule, batches
from sean.data.synthetic.layouts import LAYOUTS
from sean.data.synthetic.scenes import SyntheticScenes, paint, true_exchange, write_paired
from sean.errors import InputError
from sean.images import read_image, tensor_to_image
from sean.labels import CELEBAMASK_HQ, CMP_FACADES
from sean.segmap import read_segmap

SIZE = (32, 48)


def scenes(length: int = 6, **options: object) -> SyntheticScenes:
    return SyntheticScenes(**{"size": SIZE, "length": length, **options})  # type: ignore[arg-type]


def test_a_sample_holds_the_scene_as_tensors() -> None:
    dataset = scenes()
    sample, scene = dataset[2], dataset.scene(2)
    assert sample["name"] == scene.name == "scene_000002"
    assert sample["image"].dtype == torch.float32
    assert sample["image"].shape == (3, 32, 48)
    assert sample["image"].abs().max() <= 1
    assert sample["segmap"].dtype == torch.int64
    assert np.array_equal(sample["segmap"].numpy(), scene.segmap)
    assert np.array_equal(tensor_to_image(sample["image"]), scene.image)
    assert np.array_equal(paint(scene.segmap, scene.styles), scene.image)


def test_a_scene_depends_on_seed_and_index_only() -> None:
    short, long = scenes(length=4, seed=7), scenes(length=40, seed=7)
    backwards = [long.scene(index).image for index in (3, 2, 1, 0)][::-1]
    for index, image in enumerate(backwards):
        assert np.array_equal(short.scene(index).image, image)
        assert torch.equal(short[(0, index)]["image"], short[(9, index)]["image"])
    assert not np.array_equal(short.scene(0).image, short.scene(1).image)
    assert not np.array_equal(short.scene(0).image, scenes(seed=8).scene(0).image)


def test_all_layouts_that_the_labels_allow_are_used() -> None:
    assert scenes().layouts == LAYOUTS
    facades = scenes(labels=CMP_FACADES, length=10)
    assert facades.layouts == tuple(name for name in LAYOUTS if name != "faces")
    assert all(facades.scene(index).segmap.max() < 12 for index in range(10))
    skin, nose = (CELEBAMASK_HQ.id_of(name) for name in ("skin", "nose"))
    for index in range(6):
        segmap = scenes(layouts=("faces",)).scene(index).segmap
        assert (segmap == skin).sum() > (segmap == nose).sum() > 0


def test_the_set_ends_where_it_should() -> None:
    dataset = scenes(length=3)
    assert len(dataset) == len(list(dataset)) == 3
    for index in (-1, 3):
        with pytest.raises(IndexError, match=r"outside 0\.\.2"):
            dataset.scene(index)


def test_batches_can_be_drawn_from_it() -> None:
    batch = next(batches(scenes(), BatchSchedule(length=6, batch_size=4)))
    assert batch["image"].shape == (4, 3, 32, 48)
    assert batch["segmap"].shape == (4, 32, 48)


def test_a_true_exchange_takes_the_other_scenes_styles_in_the_regions() -> None:
    dataset = scenes(layouts=("faces",))
    a, b = dataset.scene(0), dataset.scene(1)
    hair, skin = CELEBAMASK_HQ.id_of("hair"), CELEBAMASK_HQ.id_of("skin")
    edited = true_exchange(a, b, ["hair", skin])
    inside = np.isin(a.segmap, [hair, skin])
    assert np.array_equal(edited[~inside], a.image[~inside])
    assert np.array_equal(edited[inside], paint(a.segmap, b.styles)[inside])
    assert (edited[inside] != a.image[inside]).any(axis=-1).mean() > 0.9
    assert np.array_equal(true_exchange(a, b, "hair"), true_exchange(a, b, [hair]))
    assert np.array_equal(true_exchange(a, b, []), a.image)


def test_a_bad_exchange_is_refused() -> None:
    a = scenes().scene(0)
    with pytest.raises(InputError, match="unknown region 'hairs'"):
        true_exchange(a, a, ["hairs"])
    with pytest.raises(InputError, match="different labels"):
        true_exchange(a, scenes(labels=CMP_FACADES).scene(0), ["hair"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (0, 8)}, r"\(h, w\), two positive integers, got \(0, 8\)"),
        ({"length": 0}, "length of at least 1"),
        ({"seed": -1}, "seed of at least 0"),
        ({"layouts": ("faces", "mosaic")}, "unknown layout 'mosaic'; choose from faces"),
        ({"layouts": ()}, "at least one layout"),
        ({"layouts": ("faces",), "labels": CMP_FACADES}, "'faces' needs the labels 'celebamask-hq'"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        scenes(**options)  # type: ignore[arg-type]


def test_the_written_folder_reads_back_as_it_was(tmp_path: Path) -> None:
    dataset, calls = scenes(length=3), []
    write_paired(tmp_path / "new", dataset, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    folder = PairedFolder.open(tmp_path / "new")
    assert folder.labels == CELEBAMASK_HQ
    assert folder.stems == ("scene_000000", "scene_000001", "scene_000002")
    for index, stem in enumerate(folder.stems):
        scene = dataset.scene(index)
        assert np.array_equal(read_image(folder.images[stem]), scene.image)
        assert np.array_equal(read_segmap(folder.segmaps[stem], folder.labels), scene.segmap)


def test_scenes_are_not_mixed_into_other_data(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "mine.png").write_bytes(b"mine")
    with pytest.raises(InputError, match="images is not empty; give an empty folder"):
        write_paired(tmp_path, scenes())
    assert [path.name for path in tmp_path.rglob("*")] == ["images", "mine.png"]
    with pytest.raises(InputError, match=r"mine\.png is a file"):
        write_paired(tmp_path / "images" / "mine.png", scenes())
