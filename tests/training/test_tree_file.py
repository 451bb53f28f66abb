"""Trees in a safetensors file: what goes in comes out, and anything else is refused with one line."""

import json
import pickle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from sean.errors import InputError
from sean.training.checkpoints import load_tree, save_tree

from .conftest import assert_same

DTYPES = (
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
)


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    values = torch.randint(-3, 200, shape, generator=torch.Generator().manual_seed(draw(st.integers(0, 9))))
    return values.to(draw(st.sampled_from(DTYPES)))


KEYS = st.one_of(st.sampled_from(["", "a", "b", "a/b", "b/0", "0", "__metadata__", "ß"]), st.integers(-1, 2))
LEAVES = st.one_of(
    tensors(),
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5).filter(str.isprintable),
)
TREES = st.recursive(
    LEAVES,
    lambda children: st.one_of(st.lists(children, max_size=4), st.dictionaries(KEYS, children, max_size=4)),
    max_leaves=12,
)


@given(TREES)
def test_a_tree_comes_back_as_it_was(tree: Any) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tree.safetensors"
        save_tree(path, tree)
        assert_same(tree, load_tree(path))


def test_paths_that_look_alike_stay_apart(tmp_path: Path) -> None:
    tree = {"a": {"b": torch.zeros(1)}, "a/b": torch.ones(1), 1: torch.full((1,), 2.0), "1": torch.full((1,), 3.0)}
    save_tree(tmp_path / "tree", tree)
    assert_same(tree, load_tree(tmp_path / "tree"))


def test_views_parameters_and_tuples(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    weight = torch.nn.Parameter(torch.ones(2))
    save_tree(tmp_path / "tree", {"whole": base, "part": base[::2], "turned": base.view(2, 3).T, "w": (weight, weight)})
    back = load_tree(tmp_path / "tree")
    assert back["part"].tolist() == [0, 2, 4]
    assert back["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert isinstance(back["w"], list) and not back["w"][0].requires_grad
    back["w"][0].add_(1)
    assert back["w"][1].tolist() == [1, 1]


def test_a_saved_optimizer_goes_on_as_if_nothing_was(tmp_path: Path) -> None:
    """Integer keys, step counters and moments of Adam all survive."""

    def fresh() -> tuple[Tensor, torch.optim.Adam]:
        weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        return weight, torch.optim.Adam([weight], lr=0.1)

    def advance(weight: Tensor, optimizer: torch.optim.Adam) -> None:
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()

    weight, optimizer = fresh()
    advance(weight, optimizer)
    save_tree(tmp_path / "tree", {"weight": weight, "optimizer": optimizer.state_dict()})
    advance(weight, optimizer)
    tree = load_tree(tmp_path / "tree")
    other, other_optimizer = fresh()
    other.data.copy_(tree["weight"])
    other_optimizer.load_state_dict(tree["optimizer"])
    advance(other, other_optimizer)
    assert torch.equal(weight, other)


def test_other_types_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="cannot store a set at /a/0"):
        save_tree(tmp_path / "tree", {"a": [{1}]})
    assert not list(tmp_path.iterdir())


def _whole_file(folder: Path) -> bytes:
    save_tree(folder / "whole", {"weight": torch.arange(100.0), "step": 3})
    return (folder / "whole").read_bytes()


@pytest.mark.parametrize("kept", [0, 3, 8, 40, -400, -1])
def test_a_cut_file_is_one_line(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(_whole_file(tmp_path)[:kept])
    assert_refused(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage" * 40, b"\xff" * 200, pickle.dumps({"step": 3}), b"\x89PNG\r\n\x1a\n" + bytes(50), b"{}\n" * 30],
)
def test_a_file_of_another_kind_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    assert_refused(path)


def test_a_pickle_of_torch_is_one_line(tmp_path: Path) -> None:
    torch.save({"step": torch.ones(3)}, tmp_path / "old.pth")
    assert_refused(tmp_path / "old.pth")


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "pt"},
        {"tree": "no JSON"},
        {"tree": "5"},
        {"tree": "[]"},
        {"tree": "{}"},
        {"tree": '{"dict": 5}'},
        {"tree": '{"dict": [[[], {"value": 1}]]}'},
        {"tree": '{"tensor": "/missing"}'},
    ],
)
def test_a_foreign_safetensors_file_is_one_line(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.ones(3)}, path, metadata=metadata)
    assert_refused(path)


def test_a_missing_file_or_a_folder_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(InputError) as caught:
            load_tree(path)
        assert str(caught.value) == f"expected a checkpoint at {path}, found no file"


def assert_refused(path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_tree(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is not a checkpoint of sean or is damaged")
    assert "\n" not in message


def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")  # POSIX
    path = tmp_path / "checkpoint.safetensors"
    save_tree(path, {"step": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(InputError, match="free some space") as caught:
            save_tree(path, {"weights": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert load_tree(path) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_the_header_is_readable_json(tmp_path: Path) -> None:
    """The layout of a checkpoint is a promise to other programs: safetensors, and JSON under the key `tree`."""
    content = _whole_file(tmp_path)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    tree = json.loads(header["__metadata__"]["tree"])
    assert tree == {"dict": [["weight", {"tensor": "/weight"}], ["step", {"value": 3}]]}
    assert header["/weight"]["dtype"] == "F32" and header["/weight"]["shape"] == [100]
