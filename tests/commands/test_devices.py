"""--device: what it may be, and one line where there is no such device."""

import pytest
import torch

from sean.cli import main
from sean.devices import chosen_device, process_device
from sean.errors import InputError


def cards(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_auto_is_a_card_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cards(monkeypatch, 0)
    assert chosen_device("auto") == torch.device("cpu")
    cards(monkeypatch, 2)
    assert chosen_device("auto") == torch.device("cuda")
    assert chosen_device("cuda:1") == torch.device("cuda:1")
    assert chosen_device("cpu") == torch.device("cpu")


def test_processes_of_torchrun_share_the_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    cards(monkeypatch, 2)
    assert process_device("auto") == torch.device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert process_device("auto") == process_device("cuda") == torch.device("cuda:1")
    assert process_device("cuda:0") == torch.device("cuda:0")
    assert process_device("cpu") == torch.device("cpu")
    cards(monkeypatch, 0)
    assert process_device("auto") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "mps", "cpu:0", "cuda:x", ""])
def test_a_wrong_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cards(monkeypatch, 1)
    with pytest.raises(InputError, match="auto, cpu, cuda or cuda:NUMBER"):
        chosen_device(name)


def test_a_card_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    cards(monkeypatch, 1)
    with pytest.raises(InputError, match="up to cuda:0"):
        chosen_device("cuda:1")
    cards(monkeypatch, 0)
    with pytest.raises(InputError, match="expected a CUDA card"):
        chosen_device("cuda:1")


@pytest.mark.parametrize(
    "command",
    [
        "demo --output x",
        "reconstruct --image x.png --output y.png",
        "edit x.png --style hair=mean --output y.png",
        "interpolate --image x.png --style-image x.png --output y.png",
        "crossover --image x.png --style-image x.png --output y.png",
        "web --no-open",
        "train --preset synthetic --output x",
        "train-parser --output x",
        "evaluate --data x --output y.json",
        "experiment figure1 --output x",
        "bench",
        "data speed --data x",
        "data parse x --output y",
        "style-bank --model x --data x --output y",
    ],
)
def test_every_command_that_computes_takes_it(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cards(monkeypatch, 0)
    assert main([*command.split(), "--device", "cuda"]) == 2
    error = capsys.readouterr().err
    assert "expected a CUDA card for the device 'cuda'" in error
    assert len(error.splitlines()) == 1
