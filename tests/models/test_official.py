"""Reading the authors' files: their tensors come back as they were, and no file runs code."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sean.errors import InputError
from sean.models.official import kernel_size, read_checkpoint, require

from ..support.published import assert_equal_states


@pytest.fixture
def state() -> dict[str, Tensor]:
    return {"to_rgb.weight": torch.randn(3, 64, 3, 3), "to_rgb.bias": torch.randn(3), "norm.count": torch.tensor(7)}


def assert_refused(path: Path, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as error:
        read_checkpoint(path)
    assert len(str(error.value).splitlines()) == 1
    assert str(path) in str(error.value)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_is_read_back(state: dict[str, Tensor], tmp_path: Path, legacy: bool) -> None:
    """The authors' torch wrote no zip files."""
    torch.save(state, tmp_path / "net.pth", _use_new_zipfile_serialization=not legacy)
    assert_equal_states(read_checkpoint(tmp_path / "net.pth"), state)


class CodeRunner:
    """Pickles into a call of `function`, as an attacker's object would."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("kind", ["pickle", "zip", "legacy"])
def test_malicious_pickle_is_refused_and_not_run(state: dict[str, Tensor], tmp_path: Path, kind: str) -> None:
    target, checkpoint = tmp_path / "created", tmp_path / "evil.pth"
    evil = {**state, "to_rgb.weight": CodeRunner(os.mkdir, str(target))}
    if kind == "pickle":
        checkpoint.write_bytes(pickle.dumps(evil))
    else:
        torch.save(evil, checkpoint, _use_new_zipfile_serialization=kind == "zip")
    assert_refused(checkpoint, "refused")
    assert not target.exists()
    # the file is dangerous indeed
    torch.load(checkpoint, weights_only=False) if kind != "pickle" else pickle.loads(checkpoint.read_bytes())
    assert target.exists()


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert_refused(tmp_path / "none.pth", "found none")
    assert_refused(tmp_path, "found none")


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"hello, this is text\n" * 9, b"PK\x03\x04" + b"a" * 50, b"\x80\x02"]
)
def test_garbage(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "garbage.pth").write_bytes(content)
    assert_refused(tmp_path / "garbage.pth", "refused|not a readable checkpoint")


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kept", [0.01, 0.5, 0.99])
def test_truncated(state: dict[str, Tensor], tmp_path: Path, legacy: bool, kept: float) -> None:
    path = tmp_path / "cut.pth"
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert_refused(path, "refused|not a readable checkpoint")


@pytest.mark.parametrize("value", [[1, 2], {}, {"a": 1}, {"a": torch.zeros(1), "b": "text"}, torch.zeros(2), None])
def test_something_else_than_a_state_dict(tmp_path: Path, value: object) -> None:
    torch.save(value, tmp_path / "other.pth")
    assert_refused(tmp_path / "other.pth", "expected a state dict of tensors")


def test_what_is_not_there_is_named(state: dict[str, Tensor]) -> None:
    assert kernel_size(state, "to_rgb.weight", 1) == 64
    assert require(state, "to_rgb.bias") is state["to_rgb.bias"]
    with pytest.raises(InputError, match=r"with the tensor fc\.bias, which is not in it"):
        require(state, "fc.bias")
    with pytest.raises(InputError, match=r"got a tensor to_rgb\.bias of shape \[3\]"):
        kernel_size(state, "to_rgb.bias", 0)
