"""Every format in miniature becomes the data folder of its scenes: ids, objects, names, split."""

from pathlib import Path

import numpy as np
import pytest

from sean.data.check import check_folder
from sean.data.folder import PairedFolder
from sean.data.formats.coco import COCO_STUFF_NAMES
from sean.data.formats.conversion import convert
from sean.data.formats.registry import FORMATS
from sean.data.formats.tree import Options

from .miniatures import COLORS, MINIATURES, NAMES, scenes


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two maps divide the picture into the same parts, whatever the numbers."""
    pairs = np.unique(np.stack([one, other], -1).reshape(-1, 2), axis=0)
    return len(np.unique(pairs[:, 0])) == len(np.unique(pairs[:, 1])) == len(pairs)


@pytest.fixture(scope="module", params=list(MINIATURES))
def converted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """Name, source and data folder of each miniature; the format is found out."""
    if MINIATURES[request.param].draws or request.param == "coco":
        pytest.importorskip("pycocotools")
    root = tmp_path_factory.mktemp(request.param)
    MINIATURES[request.param].write(root / "source")
    result = convert(root / "source", root / "pairs", workers=1)
    assert result.ok, result.text()
    assert (result.made, result.kept, result.format) == (3, 0, MINIATURES[request.param].name)
    return request.param, root / "source", root / "pairs"


def test_label_maps_are_those_of_the_scenes(converted: tuple[str, Path, Path]) -> None:
    name, _, root = converted
    folder = PairedFolder.open(root)
    expected = MINIATURES[name]
    regions = [folder.labels.id_of(each) for each in names_in(name)]
    table = np.array([*regions, folder.labels.num_regions])
    for scene, stem in zip(scenes(unlabelled=expected.unlabelled), folder.stems, strict=True):
        assert stem.endswith(scene.stem)
        assert np.array_equal(folder.pairs([stem]).read(0).segmap, table[scene.segmap])


def test_objects_are_those_of_the_scenes(converted: tuple[str, Path, Path]) -> None:
    name, _, root = converted
    folder = PairedFolder.open(root)
    expected = MINIATURES[name]
    assert (folder.instances is not None) == expected.instances
    for scene, stem in zip(scenes(unlabelled=expected.unlabelled), folder.stems, strict=True):
        pair = folder.pairs([stem]).read(0)
        if pair.instances is None:
            continue
        labelled = pair.segmap < folder.labels.num_regions
        assert not pair.instances[~labelled].any()
        assert same_partition(pair.instances[labelled], scene.instances[labelled])


def test_names_split_and_ids_are_those_of_the_format(converted: tuple[str, Path, Path]) -> None:
    name, _, root = converted
    folder = PairedFolder.open(root)
    expected = MINIATURES[name]
    if name == "coco-stuff":
        assert folder.labels.names == COCO_STUFF_NAMES and len(COCO_STUFF_NAMES) == 182
    else:
        assert folder.labels.names == expected.names
    assert folder.labels.ignore_id == (255 if expected.unlabelled else None)
    assert folder.manifest is not None
    assert all(stem.endswith(expected.validation) for stem in folder.manifest.validation)
    assert len(folder.manifest.validation) == len(expected.validation)


def test_the_folder_passes_its_check(converted: tuple[str, Path, Path]) -> None:
    report = check_folder(converted[2])
    assert report.ok, report.text()


def test_colours_of_the_format_are_kept(converted: tuple[str, Path, Path]) -> None:
    name, _, root = converted
    palette = PairedFolder.open(root).labels.palette
    if name in ("cvat-masks", "cvat-xml", "supervisely", "mapillary"):
        assert palette == COLORS
    elif name in ("coco", "labelme", "yolo-seg", "masks"):
        assert palette is None


def test_each_folder_is_of_one_format(converted: tuple[str, Path, Path]) -> None:
    name, source, _ = converted
    own = MINIATURES[name].name
    first = next(each for each in FORMATS if FORMATS[each].detect(source))
    assert first == own
    assert FORMATS[own].find(source, Options()).items


def names_in(name: str) -> tuple[str, ...]:
    """What the format calls the regions of the scenes."""
    if name == "coco-stuff":
        return ("sky-other", "road", "car", "person")
    return tuple(f"some--{each}" for each in NAMES) if name == "mapillary" else NAMES


def test_scenes_hold_every_label() -> None:
    for scene in scenes(unlabelled=True):
        assert set(np.unique(scene.segmap)) == {0, 1, 2, 3, 4} and len(NAMES) == 4
