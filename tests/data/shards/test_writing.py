"""Writing shards: tars of the very bytes, whose index is right, the same everywhere, and finished after a stop."""

import hashlib
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sean.data.folder import PairedFolder
from sean.data.manifest import Manifest, write_manifest
from sean.data.shards import writing as shards
from sean.data.shards.index import Shard, ShardIndex, index_from_json, index_to_json, key_of
from sean.data.shards.source import open_shards
from sean.data.shards.writing import write_shards
from sean.errors import InputError

from ...support.pairs import STEMS, write_instances, write_pairs

SMALL = 0.008  # MB: a few pairs of 2 kB


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> PairedFolder:
    return PairedFolder.open(write_pairs(tmp_path / "pairs", rng))


def names(index: ShardIndex) -> tuple[list[str], list[str]]:
    def of(part: tuple[Shard, ...]) -> list[str]:
        return [sample.name for shard in part for sample in shard.samples]

    return of(index.training), of(index.validation)


def contents(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.iterdir()}


def test_shards_hold_the_files_and_the_index_says_where(tmp_path: Path, folder: PairedFolder) -> None:
    write_instances(folder.root)
    folder = PairedFolder.open(folder.root)
    calls: list[tuple[int, int]] = []
    index = write_shards(
        folder, tmp_path / "shards", shard_mb=SMALL, progress=lambda done, total: calls.append((done, total))
    )
    assert len(index.training) > 3 and index.training[0].name == "training-000000.tar"
    assert [shard.name for shard in index.validation] == ["validation-000000.tar"]
    assert sorted(path.name for path in (tmp_path / "shards").iterdir()) == sorted(
        ["index.json", *(shard.name for shard in index.shards)]
    )
    assert calls[-1] == (20, 20) and calls == sorted(set(calls)) and len(calls) == len(index.shards)
    for shard in index.shards:
        data = (tmp_path / "shards" / shard.name).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (shard.num_bytes, shard.sha256)
        assert shard.num_bytes <= SMALL * 10**6 + tarfile.RECORDSIZE
        with tarfile.open(tmp_path / "shards" / shard.name) as tar:
            entries = {entry.name: entry for entry in tar}
        found = []
        for sample in shard.samples:
            suffix = {".png": "png"}.get(folder.images[sample.name].suffix, "jpg")
            files = {suffix: folder.images, "label.png": folder.segmaps, "instance.png": folder.instances or {}}
            for member in sample.members:
                found.append(f"{sample.name}.{member.suffix}")
                original = files[member.suffix][sample.name].read_bytes()
                assert data[member.offset : member.offset + member.size] == original
                assert (entries[found[-1]].offset_data, entries[found[-1]].size) == (member.offset, member.size)
        assert found == list(entries)
        assert {(entry.mtime, entry.uid, entry.gid, entry.uname) for entry in entries.values()} == {(0, 0, 0, "")}


def test_the_split_is_kept_and_the_training_pairs_are_mixed(tmp_path: Path, folder: PairedFolder) -> None:
    training, validation = names(write_shards(folder, tmp_path / "a"))
    assert training != list(STEMS[:18]) and sorted(training) == list(STEMS[:18])
    assert validation == list(STEMS[18:])
    training, validation = names(write_shards(folder, tmp_path / "b", validation="p1", training="p00"))
    assert (training, validation) == (["p00"], list(STEMS[10:]))
    write_manifest(folder.root, Manifest(source="x", training=STEMS[:3], validation=STEMS[5:7], checksums={}))
    training, validation = names(write_shards(PairedFolder.open(folder.root), tmp_path / "c"))
    assert (sorted(training), validation) == (list(STEMS[:3]), list(STEMS[5:7]))


def test_the_same_files_give_the_same_bytes(tmp_path: Path, folder: PairedFolder) -> None:
    write_shards(folder, tmp_path / "a", shard_mb=SMALL)
    for path in folder.images.values():
        path.touch()
    write_shards(folder, tmp_path / "b", shard_mb=SMALL)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_dots_are_escaped_because_readers_cut_names_there(tmp_path: Path, folder: PairedFolder) -> None:
    names_of = {"p00": "a.b%", "p01": "a.c", "p02": "ä" * 60}
    for old, new in names_of.items():
        folder.images[old].rename(folder.root / "images" / f"{new}{folder.images[old].suffix}")
        folder.segmaps[old].rename(folder.root / "labels" / f"{new}.png")
    index = write_shards(PairedFolder.open(folder.root), tmp_path / "shards", validation=0.0)
    assert set(names_of.values()) < set(names(index)[0]) and not index.validation
    with tarfile.open(tmp_path / "shards" / "training-000000.tar") as tar:
        keys = {name.split(".", 1)[0] for name in tar.getnames()}
    assert len(keys) == 20 and {"a%2Eb%25", "a%2Ec", "ä" * 60} < keys
    assert key_of("a.b%") == "a%2Eb%25"


def test_a_stopped_run_is_finished(tmp_path: Path, folder: PairedFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shards(folder, tmp_path / "whole", shard_mb=SMALL)
    read, root = shards._bytes_of, tmp_path / "stopped"

    def stopping(path: Path) -> bytes:
        if len(list(root.glob("[a-z]*.tar"))) == 2:
            raise KeyboardInterrupt
        return read(path)

    monkeypatch.setattr(shards, "_bytes_of", stopping)
    with pytest.raises(KeyboardInterrupt):
        write_shards(folder, root, shard_mb=SMALL)
    assert sorted(contents(root)) == ["training-000000.tar", "training-000001.tar"]
    monkeypatch.undo()
    kept = (root / "training-000001.tar").stat().st_ino
    (root / ".training-000002.ab_cd1ef.tar").write_bytes(b"what a kill leaves")
    (root / ".DS_Store").write_bytes(b"")
    write_shards(folder, root, shard_mb=SMALL)
    assert (root / "training-000001.tar").stat().st_ino == kept
    (root / ".DS_Store").unlink()
    assert contents(root) == contents(tmp_path / "whole")
    write_shards(folder, root, shard_mb=SMALL)  # and once more does nothing
    assert contents(root) == contents(tmp_path / "whole")


def foreign(root: Path) -> None:
    (root / "mine.txt").write_text("")


def foreign_index(root: Path) -> None:
    (root / "index.json").write_text("{}")


def other_content(root: Path) -> None:
    path = root / "training-000000.tar"
    path.write_bytes(path.read_bytes().replace(b"IEND", b"IEMD"))


def more_shards(root: Path) -> None:
    (root / "training-000009.tar").write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (foreign, r"shards holds mine\.txt, which is none of the shards to write; give an empty folder"),
        (foreign_index, r"expected an index of shards in .*index\.json, got something else \(KeyError: 'format'\)"),
        (other_content, r"training-000000\.tar is not the shard that .*pairs gives with these settings"),
        (more_shards, r"holds training-000009\.tar, which is none"),
    ],
)
def test_what_else_lies_there_is_left_alone(
    tmp_path: Path, folder: PairedFolder, change: Callable[[Path], None], message: str
) -> None:
    root = tmp_path / "shards"
    write_shards(folder, root)
    change(root)
    before = contents(root)
    with pytest.raises(InputError, match=message) as caught:
        write_shards(folder, root)
    assert "\n" not in str(caught.value) and contents(root) == before


def test_mistakes_in_sharding_are_one_line(tmp_path: Path, folder: PairedFolder) -> None:
    for wrong in (0.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="expected a shard size above 0"):
            write_shards(folder, tmp_path / "shards", shard_mb=wrong)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"to write shards to, but .*file is a file"):
        write_shards(folder, tmp_path / "file")
    folder.images["p03"].unlink()
    with pytest.raises(InputError, match=r"cannot read .*p03\.png: No such file"):
        write_shards(folder, tmp_path / "shards")


def test_the_index_is_read_back(tmp_path: Path, folder: PairedFolder) -> None:
    index = write_shards(folder, tmp_path / "shards", shard_mb=SMALL)
    assert index_from_json((tmp_path / "shards" / "index.json").read_text(), "x") == index
    strange = replace(index.training[0].samples[0], name='q"\n.ä')
    index = replace(index, training=(replace(index.training[0], samples=(strange,)),), validation=())
    assert index_from_json(index_to_json(index), "x") == index


def escape(raw: dict[str, Any]) -> None:
    raw["training"][0]["name"] = "training-000000.tar/../../x"


def no_checksum(raw: dict[str, Any]) -> None:
    raw["training"][0]["sha256"] = "../x"


def wrong_part(raw: dict[str, Any]) -> None:
    raw["training"] = raw["validation"]


def outside(raw: dict[str, Any]) -> None:
    raw["training"][0]["samples"][0]["label.png"][1] = 10**9


def negative(raw: dict[str, Any]) -> None:
    raw["training"][0]["samples"][0]["label.png"][0] = -1


def two_pictures(raw: dict[str, Any]) -> None:
    raw["training"][0]["samples"][0] |= {"jpg": [0, 1], "png": [0, 1]}


def some_instances(raw: dict[str, Any]) -> None:
    raw["training"][0]["samples"][0]["instance.png"] = [0, 1]


def no_samples(raw: dict[str, Any]) -> None:
    raw["training"][0]["samples"] = []


def later_format(raw: dict[str, Any]) -> None:
    raw["format"] = "sean-shards-2"


def no_label_set(raw: dict[str, Any]) -> None:
    raw["labels"] = {}


@pytest.mark.parametrize(
    "damage",
    [
        escape,
        no_checksum,
        wrong_part,
        outside,
        negative,
        two_pictures,
        some_instances,
        no_samples,
        later_format,
        no_label_set,
    ],
)
def test_an_index_that_cannot_be_is_refused(
    tmp_path: Path, folder: PairedFolder, damage: Callable[[dict[str, Any]], None]
) -> None:
    raw = json.loads(index_to_json(write_shards(folder, tmp_path / "shards")))
    damage(raw)
    with pytest.raises(InputError, match=r"expected an index of shards in http://x/index\.json, got") as caught:
        index_from_json(json.dumps(raw), "http://x/index.json")
    assert "\n" not in str(caught.value)


def test_other_formats_keep_their_suffix_and_maps_become_png(tmp_path: Path, folder: PairedFolder) -> None:
    pairs = folder.pairs(STEMS[:3])
    before = [pairs.read(index) for index in range(3)]
    for index, (suffix, maps) in enumerate(((".webp", ".tif"), (".tiff", ".bmp"), (".bmp", ".png"))):
        stem, pair = STEMS[index], before[index]
        folder.images[stem].unlink()
        folder.segmaps[stem].unlink()
        options = {"lossless": True} if suffix == ".webp" else {}
        Image.fromarray(pair.image).save(folder.root / "images" / (stem + suffix), **options)
        Image.fromarray(pair.segmap.astype(np.uint8)).save(folder.root / "labels" / (stem + maps))
    index_of = write_shards(PairedFolder.open(folder.root), tmp_path / "shards", validation=0.0)
    (shard,) = index_of.training
    suffixes = {sample.name: sample.image.suffix for sample in shard.samples}
    assert [suffixes[stem] for stem in STEMS[:3]] == ["webp", "tif", "bmp"]
    with tarfile.open(tmp_path / "shards" / shard.name) as tar:
        maps_of = [tar.extractfile(entry) for entry in tar if entry.name.endswith(".label.png")]
        assert all(file is not None and file.read(4) == b"\x89PNG" for file in maps_of)
    source = open_shards(tmp_path / "shards").training
    for place in range(len(source)):
        if source.name(place) in STEMS[:3]:
            pair, expected = source.read(place), before[STEMS.index(source.name(place))]
            assert np.array_equal(pair.image, expected.image) and np.array_equal(pair.segmap, expected.segmap)
