"""A pretend graphics card: tensors that are not on the CPU, obey the rules of CUDA, and yet compute on the CPU.

As on a card, an operation takes tensors of one device (and CPU tensors of no dimension), `.numpy()` is refused, and
what is made with `device=CARD` is there. Every transfer to the CPU is written down. The tensors have values: the
renderer looks at them (which regions' styles are missing), as does a training step (whether its loss is finite), so
that torch's own FakeTensorMode ends there; and a CPU build of torch refuses backward passes of fake CUDA tensors. The
device is called "meta", the only one beside the CPU that every build has.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

CARD = torch.device("meta")
CPU = torch.device("cpu")

_aten = torch.ops.aten
# the CPU waits for the card to know a number
_READS = (_aten._local_scalar_dense.default, _aten.equal.default)


class CardTensor(Tensor):
    """A tensor of the pretend card; `content` is its content on the CPU."""

    content: Tensor

    @staticmethod
    def __new__(cls, content: Tensor) -> "CardTensor":
        # a view, made in inference mode, of a tensor of outside shares its version, which inference tensors have not
        with torch.inference_mode(False):
            made = Tensor._make_wrapper_subclass(
                cls,
                content.shape,
                strides=content.stride(),
                storage_offset=content.storage_offset(),
                dtype=content.dtype,
                device=CARD,
            )
        made.content = content
        return made

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError("a tensor of the pretend card is used outside of it")

    __torch_function__ = torch._C._disabled_torch_function_impl

    def tolist(self) -> Any:
        """The numbers, which are brought to the CPU for it."""
        return self.cpu().tolist()

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"CardTensor({list(self.shape)}, {self.dtype})"


class PretendCard(TorchDispatchMode):
    """Runs every operation on the CPU and gives each result the device that it would have with a card.

    Attributes:
        reads: operations that brought something from the card to the CPU, and so waited for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        leaves = tree_leaves((args, kwargs or {}))
        tensors = [each for each in leaves if isinstance(each, Tensor)]
        targets = [each for each in leaves if isinstance(each, torch.device)]
        on_card = any(isinstance(each, CardTensor) for each in tensors)
        to_card = CARD in targets if targets else on_card
        if function is _aten.copy_.default:  # the only one that takes both devices
            to_card = isinstance(args[0], CardTensor)
        elif on_card and not targets:
            self._check(function, tensors)
        if on_card and (not to_card or function in _READS):
            self.reads.append(str(function))
        if function is _aten.copy_.default:
            _content(args[0]).copy_(_content(args[1]))
            return args[0]
        result = function(*tree_map(_content, args), **tree_map(_content, kwargs or {}))
        given = {id(_content(each)): each for each in tensors}

        def wrapped(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            if on_card != to_card:  # a transfer, which shares no memory
                return CardTensor(value.clone()) if to_card else value.clone()
            if id(value) in given:  # computed in place
                if given[id(value)].shape != value.shape:  # squeeze_ and the like
                    with torch._C._DisableTorchDispatch():
                        function(*args, **(kwargs or {}))
                return given[id(value)]
            return CardTensor(value) if to_card else value

        return tree_map(wrapped, result)

    @staticmethod
    def _check(function: Any, tensors: list[Tensor]) -> None:
        strangers = [each for each in tensors if not isinstance(each, CardTensor) and each.dim()]
        # an index may lie on the CPU: torch copies it
        if strangers and function not in (_aten.index.Tensor, _aten.index_put_.default):
            raise RuntimeError(
                f"expected all tensors on one device, but {function} got some of the card and one of the CPU, "
                f"{list(strangers[0].shape)}"
            )


def _content(value: Any) -> Any:
    if isinstance(value, torch.device):
        return CPU
    return value.content if isinstance(value, CardTensor) else value


@contextmanager
def pretend_card(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendCard]:
    """Inside, tensors and modules can be moved to `CARD`."""
    with_autocast = torch.is_autocast_enabled
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda device: device != CARD.type and with_autocast(device))
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        with PretendCard() as card:
            yield card
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)
