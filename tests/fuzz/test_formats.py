"""Damaged files of annotation tools, mappings and label lists: sound pairs, or one line, and nothing left behind."""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sean.data.folder import PairedFolder
from sean.data.formats.conversion import convert
from sean.labels import LabelSet

from ..data.formats.miniatures import MINIATURES
from .damage import damaged, damaged_json, few, read

pytest.importorskip("pycocotools")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tree of every format."""
    root = tmp_path_factory.mktemp("formats")
    for name, miniature in MINIATURES.items():
        miniature.write(root / name)
    return {name: root / name for name in MINIATURES}


@pytest.mark.parametrize("name", MINIATURES)
@few
@given(data=st.data())
def test_trees(sound: dict[str, Path], name: str, data: st.DataObject) -> None:
    files = sorted(path.relative_to(sound[name]) for path in sound[name].rglob("*") if path.is_file())
    texts = [path for path in files if path.suffix not in (".jpg", ".png")]
    hurt = data.draw(st.sampled_from([*files, *texts, *texts]))
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "source", Path(folder) / "pairs"
        shutil.copytree(sound[name], source)
        content = (source / hurt).read_bytes()
        as_json = hurt.suffix == ".json" and data.draw(st.booleans())
        (source / hurt).write_bytes(data.draw(damaged_json(json.loads(content)) if as_json else damaged(content)))
        made = read(lambda: convert(source, target, format=MINIATURES[name].name, workers=1))
        if made is None or not made.ok:
            assert not (target / "classes.txt").exists()
            return
        pairs = PairedFolder.open(target)
        source_of_pairs = pairs.pairs(pairs.stems)
        for pair in (source_of_pairs.read(index) for index in range(len(source_of_pairs))):
            assert pair.segmap.shape == pair.image.shape[:2]
            assert pair.segmap.min() >= 0 and pair.segmap.max() <= pairs.labels.num_regions


CLASSES = b"0 sky 1 2 3\n1 l_eye 4 5 6\n2 r_eye 7 8 9\nignore 255\n"


@given(content=damaged(CLASSES))
def test_label_lists(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "classes.txt"
        path.write_bytes(content)
        labels = read(lambda: LabelSet.from_file(path))
        if labels is not None:
            assert labels.num_regions > 0 and len(set(labels.names)) == labels.num_regions
            path.write_text(labels.to_classes_txt())
            again = LabelSet.from_file(path)
            assert (again.names, again.palette, again.ignore_id) == (labels.names, labels.palette, labels.ignore_id)


MAPPING = {"kitten": "cat", "automobile": "vehicle", "255": None, "*": "other"}


@given(data=st.data())
def test_mappings(data: st.DataObject, sound: dict[str, Path]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mapping.json"
        path.write_bytes(data.draw(damaged_json(MAPPING)))
        name = "voc"
        read(lambda: convert(sound[name], Path(folder) / "pairs", format=name, mapping=path, workers=1))
