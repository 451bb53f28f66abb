"""Small files behind urls: read again where an answer breaks off, and known by their protocol."""

import multiprocessing
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sean.data.manifest import file_checksum
from sean.data.shards import remote
from sean.data.shards.index import Member, Shard, ShardSample
from sean.data.shards.remote import ShardCache, cache_root, is_url, read_url
from sean.errors import InputError

from ...support.shard_server import ShardServer, serving


def test_an_answer_that_breaks_off_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(remote, "PAUSES", [0.0])
    (tmp_path / "index.json").write_text("[1, 2, 3]")
    with serving(tmp_path) as server:
        server.faults["index.json"] = ["cut", "cut", "cut"]
        with pytest.raises(InputError, match=r"cannot read http://.*index\.json: got 4 of 9 bytes; check the network"):
            read_url(f"{server.url}/index.json")
        assert read_url(f"{server.url}/index.json") == b"[1, 2, 3]"
        assert server.asked["index.json"] == 4


def test_urls_are_known_by_their_protocol() -> None:
    assert all(map(is_url, ("http://x", "s3://bucket/x", "file:///x")))
    assert not any(map(is_url, ("x", "/x/y", Path("/x"), "C:\\x")))


SIZE = 2000


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShardServer]:
    """Serves four shards of some bytes."""
    for number in range(4):
        path = tmp_path / "data" / f"training-{number:06d}.tar"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes([65 + number]) * SIZE)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(remote, "PAUSES", [0.0, 0.0, 0.0])
    with serving(tmp_path / "data") as running:
        yield running


@pytest.fixture
def cache(server: ShardServer, tmp_path: Path) -> ShardCache:
    return ShardCache(url=server.url, root=tmp_path / "cache", limit_bytes=10**6)


def shard(server: ShardServer, number: int = 0) -> Shard:
    path = server.folder / f"training-{number:06d}.tar"
    member = Member(suffix="png", offset=0, size=1)
    sample = ShardSample(name="a", image=member, segmap=member, instances=None)
    return Shard(name=path.name, num_bytes=path.stat().st_size, sha256=file_checksum(path), samples=(sample,))


def content(cache: ShardCache, wanted: Shard) -> bytes:
    with cache.open(wanted) as file:
        return file.read()


def cached(cache: ShardCache) -> list[str]:
    """What lies in the cache, but for the locks."""
    return sorted(path.name for path in cache.root.glob("*/*") if path.suffix != ".lock")


def test_a_shard_is_fetched_once(server: ShardServer, cache: ShardCache) -> None:
    assert content(cache, shard(server)) == content(cache, shard(server)) == b"A" * SIZE
    assert server.asked == {"training-000000.tar": 1}
    assert cached(cache) == [f"training-000000-{shard(server).sha256[:16]}.tar"]


def test_the_cache_lies_in_the_home_folder_or_where_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEAN_CACHE", raising=False)
    assert cache_root() == Path.home() / ".cache" / "sean" / "shards"
    monkeypatch.setenv("SEAN_CACHE", "/somewhere/else")
    assert cache_root() == Path("/somewhere/else/shards")


def test_every_url_has_its_own_folder_and_new_content_a_new_name(server: ShardServer, cache: ShardCache) -> None:
    other = ShardCache(url="http://other", root=cache.root, limit_bytes=10**6)
    assert other.path(shard(server)).parent != cache.path(shard(server)).parent
    old = shard(server)
    content(cache, old)
    (server.folder / old.name).write_bytes(b"N" * SIZE)
    assert content(cache, shard(server)) == b"N" * SIZE


@pytest.mark.parametrize("fault", [503, 429, "cut", "wrong"])
def test_a_failed_answer_is_asked_for_again(server: ShardServer, cache: ShardCache, fault: int | str) -> None:
    server.faults["training-000000.tar"] = [fault, fault, fault]
    assert content(cache, shard(server)) == b"A" * SIZE
    assert server.asked["training-000000.tar"] == 4


@pytest.mark.parametrize(
    ("fault", "asked", "message"),
    [
        (503, 4, r"the server answers 503 \(Service Unavailable\); check the url"),
        (404, 1, r"the server answers 404 \(Not Found\); check the url"),
        ("cut", 4, "got 1000 of 2000 bytes; check the network"),
        ("wrong", 4, r"its SHA-256 is not that of index\.json; upload the shards again"),
    ],
)
def test_a_failure_that_stays_names_the_url(
    server: ShardServer, cache: ShardCache, fault: int | str, asked: int, message: str
) -> None:
    server.faults["training-000000.tar"] = [fault] * 9
    with pytest.raises(InputError, match=rf"^cannot read {server.url}/training-000000\.tar: {message}$") as caught:
        cache.open(shard(server))
    assert "\n" not in str(caught.value)
    assert server.asked["training-000000.tar"] == asked and cached(cache) == []


def test_other_shards_than_the_index_says_and_no_server_are_one_line(server: ShardServer, cache: ShardCache) -> None:
    wanted = shard(server)
    (server.folder / wanted.name).write_bytes(b"longer than before" * SIZE)
    with pytest.raises(InputError, match=r"got 36000 bytes, index\.json says 2000; upload the shards again"):
        cache.open(wanted)
    nowhere = ShardCache(url="http://127.0.0.1:1", root=cache.root, limit_bytes=10**6)
    with pytest.raises(InputError, match=r"cannot read http://127\.0\.0\.1:1/.*Connection refused; check the url and"):
        nowhere.open(wanted)
    assert cached(cache) == []


def test_the_pauses_are_waited(server: ShardServer, cache: ShardCache, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(remote, "PAUSES", [0.5, 1.0])
    monkeypatch.setattr(remote.time, "sleep", waited.append)
    server.faults["training-000000.tar"] = [503, 503]
    content(cache, shard(server))
    assert waited == [0.5, 1.0]


def test_threads_that_want_a_shard_at_once_fetch_it_once(server: ShardServer, cache: ShardCache) -> None:
    server.delay = 0.05
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(content(cache, shard(server)))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b"A" * SIZE] * 6 and server.asked["training-000000.tar"] == 1


@pytest.mark.integration
def test_a_killed_download_leaves_nothing_half(server: ShardServer, cache: ShardCache) -> None:
    server.faults["training-000000.tar"] = ["hang"]
    process = multiprocessing.get_context("fork").Process(target=cache.open, args=(shard(server),))
    process.start()
    assert server.hanging.wait(10)
    process.kill()
    process.join()
    server.released.set()
    assert [name[0] for name in cached(cache)] == ["."]  # a temporary file, under no name that is read
    assert content(cache, shard(server)) == b"A" * SIZE
    assert [name[0] for name in cached(cache)] == ["t"]


def test_those_unused_for_longest_make_room(server: ShardServer, cache: ShardCache) -> None:
    cache = ShardCache(url=cache.url, root=cache.root, limit_bytes=3 * SIZE + SIZE // 2)
    for age, number in enumerate((0, 1, 2)):
        content(cache, shard(server, number))
        os.utime(cache.path(shard(server, number)), (1000 + age, 1000 + age))
    content(cache, shard(server, 0))  # used again
    content(cache, shard(server, 3))
    assert [name[:15] for name in cached(cache)] == [f"training-00000{number}" for number in (0, 2, 3)]
    assert [server.asked[f"training-00000{number}.tar"] for number in range(4)] == [1, 1, 1, 1]
    tight = ShardCache(url="http://other", root=cache.root, limit_bytes=SIZE)  # the bound holds for all urls
    with pytest.raises(InputError):
        tight.open(shard(server, 1))
    assert cached(cache) == []


def test_a_shard_that_is_read_outlives_its_removal(server: ShardServer, cache: ShardCache) -> None:
    cache = ShardCache(url=cache.url, root=cache.root, limit_bytes=SIZE)
    with cache.open(shard(server, 0)) as file:
        assert content(cache, shard(server, 1)) == b"B" * SIZE
        assert len(cached(cache)) == 1
        assert file.read() == b"A" * SIZE


def test_downloads_of_others_are_left_alone_until_they_are_stale(server: ShardServer, cache: ShardCache) -> None:
    cache = ShardCache(url=cache.url, root=cache.root, limit_bytes=SIZE)
    running, stale = (cache.root / "other" / f".training-000007-{name}.abcdefgh.tar" for name in ("new", "old"))
    for path in (running, stale):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * SIZE)
    os.utime(stale, (1000, 1000))
    content(cache, shard(server))
    assert running.exists() and not stale.exists()


def test_a_file_that_was_cut_is_fetched_again(server: ShardServer, cache: ShardCache) -> None:
    content(cache, shard(server))
    cache.path(shard(server)).write_bytes(b"A")
    assert content(cache, shard(server)) == b"A" * SIZE
    assert server.asked["training-000000.tar"] == 2


def test_a_cache_that_cannot_be_written_is_one_line(server: ShardServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = ShardCache(url=server.url, root=tmp_path / "file", limit_bytes=10**6)
    with pytest.raises(InputError, match=r"cannot (write|read) .*; (set SEAN_CACHE|check its perm)") as caught:
        cache.open(shard(server))
    assert "\n" not in str(caught.value)
