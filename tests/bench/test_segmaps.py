"""Segmaps to measure with: drawn, noisy, in cells, and from a folder."""

from pathlib import Path

import pytest
import torch

from sean.bench.segmaps import cell_segmap, default_segmaps, face_segmaps, folder_segmaps, noise_segmap
from sean.data.synthetic.scenes import SyntheticScenes, write_paired
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ
from sean.segmap import resize_segmap


def test_faces() -> None:
    one, two = face_segmaps((64, 96), 2)
    assert one.shape == two.shape == (1, 64, 96)
    assert one.dtype == torch.long
    assert not torch.equal(one, two)
    assert {CELEBAMASK_HQ.id_of(name) for name in ("background", "skin", "hair")} <= {*one.unique().tolist()}
    assert torch.equal(face_segmaps((64, 96), 1)[0], one)
    assert not torch.equal(face_segmaps((64, 96), 1, seed=1)[0], one)


def test_noise_has_a_label_of_its_own_for_every_pixel() -> None:
    noise = noise_segmap((64, 96), 19)
    assert noise.shape == (1, 64, 96)
    assert noise.unique().tolist() == list(range(19))
    assert (noise[:, 1:] == noise[:, :-1]).float().mean() < 0.1
    assert torch.equal(noise_segmap((64, 96), 19), noise)
    assert not torch.equal(noise_segmap((64, 96), 19, seed=1), noise)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_cells_have_all_labels_and_hang_together(seed: int) -> None:
    cells = cell_segmap((64, 96), 40, seed)
    assert cells.shape == (1, 64, 96)
    assert cells.dtype == torch.long
    assert cells.unique().tolist() == list(range(40))
    assert (cells[:, 1:] == cells[:, :-1]).float().mean() > 0.8
    # cells are convex: along a row, none begins twice
    row = torch.unique_consecutive(cells[0, 32])
    assert len(row) == len(row.unique())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("paired")
    write_paired(path, SyntheticScenes(size=(48, 32), length=5, seed=0))
    return path


def scene(index: int, size: tuple[int, int]) -> torch.Tensor:
    segmap = SyntheticScenes(size=(48, 32), length=5, seed=0).scene(index).segmap
    return torch.from_numpy(resize_segmap(segmap, size)).unsqueeze(0)


@pytest.mark.parametrize(("count", "indices"), [(1, [0]), (3, [0, 2, 4]), (9, [0, 0, 1, 1, 2, 2, 3, 3, 4])])
def test_a_folder_is_read_from_end_to_end(folder: Path, count: int, indices: list[int]) -> None:
    maps = folder_segmaps(folder, (64, 96), count, 19)
    assert len(maps) == count
    for segmap, index in zip(maps, indices, strict=True):
        assert torch.equal(segmap, scene(index, (64, 96)))


def test_bad_folders(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has 19 labels, the model to measure 18"):
        folder_segmaps(folder, (64, 64), 1, 18)
    with pytest.raises(InputError, match="expected a data folder"):
        folder_segmaps(tmp_path / "none", (64, 64), 1, 19)


def test_default_is_the_folder_or_faces(folder: Path) -> None:
    assert torch.equal(default_segmaps(folder, (32, 32), 1, 19)[0], scene(0, (32, 32)))
    assert torch.equal(default_segmaps(None, (32, 32), 2, 150)[1], face_segmaps((32, 32), 2)[1])
    with pytest.raises(InputError, match="a model of 18 labels cannot render faces"):
        default_segmaps(None, (32, 32), 1, 18)
