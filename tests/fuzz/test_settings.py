"""Command lines, settings and JSON files that are not what they should be: understood, or one line."""

import contextlib
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sean.cli import COMMANDS, _parse
from sean.errors import InputError
from sean.files import read_json
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.parsing.label_matching import read_label_mapping
from sean.training.config import TrainConfig
from sean.training.parser.config import ParserTrainConfig
from sean.training.parser.config import preset as parser_preset
from sean.training.presets import preset

from .damage import changed, damaged_json, few, read

OPTIONS = (
    "--help --output -o --data --model --config.steps --config.batch-size --config.model.image-size --image --style "
    "--crop --face --device --threads --quiet --seed --preset --config.losses.l1 --resume --from --to --count --region "
    "--steps --config.recolor --checks --precision --limits.sessions --port -- - ="
)
GIVEN = "mini-64 synthetic x.png hair=#123456 1 -1 0 1e400 nan 64 true cpu 32,32,32 int8"
WORDS = st.one_of(
    st.sampled_from([*OPTIONS.split(), *GIVEN.split()]), st.text(st.characters(codec="utf-8"), max_size=6)
)


@pytest.mark.parametrize("name", COMMANDS)
@few
@given(words=st.lists(WORDS, max_size=6))
def test_command_lines(name: str, words: list[str]) -> None:
    """Parsed only: the call that the words stand for is not made."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            call = _parse([*name.split(), *words])
    except SystemExit as stop:
        assert not stop.code and "usage:" in said.getvalue()
    except InputError as error:
        assert len(" ".join(str(error).split())) > 3
    else:
        assert callable(call)


@pytest.mark.parametrize("config", [preset("synthetic"), parser_preset("mini-64")], ids=["model", "parser"])
@given(data=st.data())
def test_settings_of_a_run(config: TrainConfig | ParserTrainConfig, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_bytes(data.draw(damaged_json(json.loads(config.to_json()))))
        found = read(lambda: type(config).of_run(Path(folder)))
        if found is not None:
            assert type(found).from_json(found.to_json()) == found


@given(values=changed(CELEBAMASK_HQ.to_dict()))
def test_label_sets(values: Any) -> None:
    labels = read(lambda: LabelSet.from_dict(values))
    if labels is not None:
        assert LabelSet.from_dict(labels.to_dict()) == labels
        assert len(labels.colors) == labels.num_regions == len(labels.flip_table) - 1
        assert all(0 <= level <= 255 for color in labels.colors for level in color)


@given(content=damaged_json({"labels": CELEBAMASK_HQ.to_dict()}))
def test_label_sets_in_files(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_bytes(content)
        read(lambda: LabelSet.from_file(Path(folder) / "config.json"))


@given(content=damaged_json([{"a": 1}]))
def test_json_files(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "a.json").write_bytes(content)
        found = read(lambda: read_json(Path(folder) / "a.json", list, "a list"))
        assert found is None or isinstance(found, list)


@given(content=damaged_json({"map": {"l_eye": "left eye", "cloth": None}, "ignore": ["a"]}))
def test_label_mappings(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "a.json").write_bytes(content)
        read(lambda: read_label_mapping(Path(folder) / "a.json"))
