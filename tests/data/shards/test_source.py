"""Pairs out of shards: those of the folder bit for bit, from a disk, a web server, or whatever fsspec opens."""

import pickle
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch

from sean.data.folder import PairedFolder
from sean.data.loader import BatchSchedule, batches
from sean.data.paired import PairedDataset, PairSource
from sean.data.shards import remote
from sean.data.shards.remote import ShardCache
from sean.data.shards.source import Shards, holds_shards, open_shards
from sean.data.shards.writing import write_shards
from sean.data.transforms import PairedTransform
from sean.errors import InputError

from ...support.pairs import STEMS, write_instances, write_pairs
from ...support.shard_server import ShardServer, serving

TRANSFORM = PairedTransform(size=(8, 8), resize=1.2)


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> PairedFolder:
    write_instances(write_pairs(tmp_path / "pairs", rng))
    return PairedFolder.open(tmp_path / "pairs")


@pytest.fixture
def root(tmp_path: Path, folder: PairedFolder) -> Path:
    write_shards(folder, tmp_path / "shards", shard_mb=0.01)
    return tmp_path / "shards"


@pytest.fixture
def server(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShardServer]:
    monkeypatch.setenv("SEAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(remote, "PAUSES", [0.0, 0.0, 0.0])
    with serving(root) as running:
        yield running


def assert_same_samples(source: PairSource, folder: PairedFolder, stems: tuple[str, ...]) -> None:
    names = [source.name(index) for index in range(len(source))]
    assert sorted(names) == list(stems)
    ours, theirs = PairedDataset(source, TRANSFORM, 3), PairedDataset(folder.pairs(names), TRANSFORM, 3)
    for index in range(len(source)):
        pair, expected = source.read(index), folder.pairs(names).read(index)
        assert np.array_equal(pair.image, expected.image) and pair.image.dtype == np.uint8
        assert np.array_equal(pair.segmap, expected.segmap) and pair.segmap.dtype == np.int64
        assert pair.instances is not None and expected.instances is not None
        assert np.array_equal(pair.instances, expected.instances)
        sample, wanted = ours[2, index], theirs[2, index]
        assert sample.keys() == wanted.keys() and sample["name"] == wanted["name"]
        assert all(torch.equal(sample[key], wanted[key]) for key in ("image", "segmap", "instances"))


def assert_same_pairs(shards: Shards, folder: PairedFolder) -> None:
    assert shards.validation is not None and isinstance(shards.training, PairSource)
    assert shards.labels == folder.labels == shards.training.labels and shards.training.has_instances
    assert_same_samples(shards.training, folder, STEMS[:18])
    assert_same_samples(shards.validation, folder, STEMS[18:])


def test_shards_of_a_folder_give_its_pairs(root: Path, folder: PairedFolder) -> None:
    assert holds_shards(root) and holds_shards("http://x/y") and not holds_shards(folder.root)
    shards = open_shards(str(root))
    assert_same_pairs(shards, folder)
    assert shards.training.groups == tuple(len(shard.samples) for shard in shards.training.shards)
    assert len(shards.training.groups) > 3 and sum(shards.training.groups) == 18
    shards.training.fetch(0)
    assert pickle.loads(pickle.dumps(shards.training)).read(0).image is not None


def test_without_instances_there_are_none(tmp_path: Path, rng: np.random.Generator) -> None:
    folder = PairedFolder.open(write_pairs(tmp_path / "plain", rng))
    write_shards(folder, tmp_path / "shards", validation=0.0)
    shards = open_shards(tmp_path / "shards")
    assert (shards.validation, shards.training.has_instances, shards.training.read(0).instances) == (None, False, None)


def test_a_web_server_gives_the_same_pairs_and_every_shard_once(server: ShardServer, folder: PairedFolder) -> None:
    assert_same_pairs(open_shards(f"{server.url}/"), folder)
    assert set(server.asked) == {path.name for path in server.folder.iterdir()}
    assert set(server.asked.values()) == {1}


@pytest.mark.parametrize("protocol", ["file", "memory"])
def test_fsspec_opens_the_rest(server: ShardServer, folder: PairedFolder, protocol: str) -> None:
    url = f"file://{server.folder}"
    if protocol == "memory":
        url = "memory://bucket/shards"
        for path in server.folder.iterdir():
            fsspec.filesystem("memory").pipe_file(f"{url}/{path.name}", path.read_bytes())
    assert_same_pairs(open_shards(url), folder)
    with pytest.raises(InputError, match=rf"cannot read {url}/away/index\.json: FileNotFoundError") as caught:
        open_shards(f"{url}/away")
    assert "\n" not in str(caught.value)


def test_protocols_that_cannot_be_read_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"cannot read nonsense://x/index\.json: .*give a url of http, https or s3"):
        open_shards("nonsense://x")

    def missing(url: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(
        InputError, match=r"s3://b/x/index\.json: .*Install s3fs.*; pip install 'seankit\[s3\]'"
    ) as caught:
        open_shards("s3://b/x")
    assert "\n" not in str(caught.value)


@pytest.mark.integration
def test_two_workers_fetch_every_shard_once_and_read_what_one_process_reads(server: ShardServer) -> None:
    dataset = PairedDataset(open_shards(server.url).training, TRANSFORM, 3)
    plan = BatchSchedule(length=18, batch_size=4, groups=dataset.source.groups, window=2)
    server.delay = 0.02  # so that both workers want a shard while it is on its way
    streams = [list(islice(batches(dataset, plan, num_workers=workers), 9)) for workers in (2, 0)]
    assert all(server.asked[shard.name] == 1 for shard in open_shards(server.url).training.shards)
    halves = [BatchSchedule(**{**vars(plan), "rank": rank, "world_size": 2}) for rank in range(2)]
    ranks = [list(islice(batches(dataset, half), 9)) for half in halves]
    for two, none, *both in zip(*streams, *ranks, strict=True):
        assert two["name"] == none["name"] == both[0]["name"] + both[1]["name"]
        assert torch.equal(two["image"], none["image"])
        assert torch.equal(two["image"], torch.cat([part["image"] for part in both]))


def test_a_group_is_fetched_before_it_is_read(server: ShardServer) -> None:
    source = open_shards(server.url).training
    PairedDataset(source, TRANSFORM).fetch(1)
    assert server.asked[source.shards[1].name] == 1
    source.read(sum(source.groups[:1]))
    assert server.asked[source.shards[1].name] == 1 and server.asked[source.shards[0].name] == 0


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cut, r"expected \d+ bytes in the shard .*training-000001\.tar, got \d+; copy it again"),
        (Path.unlink, r"expected the shard .*training-000001\.tar of index\.json, cannot open it \(No such file"),
    ],
)
def test_a_shard_that_is_not_whole_is_named_at_once(root: Path, change: Callable[[Path], None], message: str) -> None:
    change(root / "training-000001.tar")
    with pytest.raises(InputError, match=message) as caught:
        open_shards(root)
    assert "\n" not in str(caught.value)


def test_damaged_members_are_named(root: Path) -> None:
    source = open_shards(root).training
    first = source.shards[0].samples[0]
    path = root / source.shards[0].name
    whole = path.read_bytes()
    place = first.segmap.offset
    path.write_bytes(whole[:place] + bytes(first.segmap.size) + whole[place + first.segmap.size :])
    with pytest.raises(InputError, match=rf"expected a picture .* but .*/{path.name}:{first.name}\.label\.png is none"):
        source.read(0)
    with pytest.raises(InputError, match=r"expected an index of shards at .*index\.json, cannot read it \(No such"):
        open_shards(root / "away")


@pytest.mark.parametrize("part", ["training", "validation"])
def test_shards_need_something_to_train_on(root: Path, part: str) -> None:
    text = (root / "index.json").read_text()
    start = text.index(f'"{part}"')
    end = text.index('"validation"') if part == "training" else text.rindex("}")
    empty = f'"{part}": []' + (",\n" if part == "training" else "")
    (root / "index.json").write_text(text[:start] + empty + text[end:])
    if part == "validation":
        assert open_shards(root).validation is None
        return
    with pytest.raises(InputError, match="names no shards to train on"):
        open_shards(root)


def test_the_cache_has_a_bound_that_can_be_given(server: ShardServer) -> None:
    store = open_shards(server.url, cache_gb=0.5).training.store
    assert isinstance(store, ShardCache) and store.limit_bytes == 5 * 10**8
    with pytest.raises(InputError, match="expected a cache bound above 0 GB"):
        open_shards(server.url, cache_gb=0.0)
