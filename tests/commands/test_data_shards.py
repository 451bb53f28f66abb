"""`sean data shard`: the shards that it writes, and what it says."""

from pathlib import Path

import pytest

from sean.commands.data import shard
from sean.data.shards.source import open_shards
from sean.data.synthetic.scenes import SyntheticScenes, write_paired


def test_a_folder_becomes_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_paired(tmp_path / "pairs", SyntheticScenes(size=(32, 32), length=10))
    shard(tmp_path / "pairs", tmp_path / "shards", shard_mb=0.01, validation=0.2)
    shards = open_shards(tmp_path / "shards")
    assert shards.validation is not None
    assert (len(shards.training), len(shards.validation)) == (8, 2)
    count = len(shards.training.shards)
    assert count > 1
    said = capsys.readouterr().out
    assert said.startswith(f"{tmp_path / 'shards'}: 8 pairs to train on in {count} shards, 2 held out in 1; ")
    shard(tmp_path / "pairs", tmp_path / "few", training_prefix="scene_000001")
    few = open_shards(tmp_path / "few").training
    assert [few.name(index) for index in range(len(few))] == ["scene_000001"]
