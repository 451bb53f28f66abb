"""The processes of a training: one, or several on one or more machines, started by torchrun (`torchrun -m sean train`).

Every process holds all networks and renders its share of each batch; gradients, batch-norm statistics and loss values
are averaged, so n processes compute the same as one process with the whole batch. Only the first process writes files.
A lost process, of the training or of those that read its data, is one line for the user.
"""

import inspect
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from sean.errors import InputError

Result = TypeVar("Result")

# Buffers (running statistics, singular vectors) are not broadcast, as every process computes the same values. Newer
# versions of torch have another name for this option.
_OPTIONS = inspect.signature(DistributedDataParallel.__init__).parameters
_OWN_BUFFERS: dict[str, Any] = {
    "forward_sync_buffers" if "forward_sync_buffers" in _OPTIONS else "broadcast_buffers": False
}


def start_processes(precision: str, accelerator: str = "auto") -> Fabric:
    """Join the other processes of this training, if there are any, and choose this one's device.

    Args:
        precision: 32-true, bf16-mixed or 16-mixed.
        accelerator: cpu, cuda or cuda:1; "auto" takes a CUDA card if there is one.

    Raises:
        InputError: torchrun started unequal numbers of processes on the machines, or more than a machine has GPUs.
    """
    world_size = int(os.environ.get("WORLD_SIZE", 1))
    local_size = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    if world_size % local_size:
        raise InputError(f"expected as many processes on every machine, got {world_size} in all and {local_size} here")
    if accelerator == "auto" and 0 < torch.cuda.device_count() < local_size:
        raise InputError(
            f"expected at most {torch.cuda.device_count()} processes on this machine, one for each GPU, got "
            f"{local_size}; start fewer"
        )
    accelerator, _, index = accelerator.partition(":")
    if accelerator == "auto":  # Apple's GPUs are left out, as they lack float64
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    strategy: Any = DDPStrategy(gradient_as_bucket_view=True, **_OWN_BUFFERS) if world_size > 1 else "auto"
    plugins = [] if precision == "32-true" else [_MixedPrecision(precision, accelerator)]  # type: ignore[arg-type]
    fabric = Fabric(
        accelerator=accelerator,
        devices=[int(index)] if index else local_size,
        num_nodes=world_size // local_size,
        strategy=strategy,
        plugins=plugins,  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


class _MixedPrecision(MixedPrecision):
    """Mixed precision without conversion of inputs: they are 32-bit already, and Fabric would take plans apart."""

    def convert_input(self, data: Any) -> Any:
        return data


def device_line(fabric: Fabric) -> str:
    """The line of the log about the device of a training."""
    if fabric.device.type == "cuda":
        return f"training on {fabric.device} ({torch.cuda.get_device_name(fabric.device)})"
    count = torch.get_num_threads()
    return f"training on the CPU ({count} thread{'s' if count > 1 else ''}); a CUDA card is many times as fast"


def mean_over_processes(values: Tensor, fabric: Fabric) -> Tensor:
    """The mean of each value over all processes; the same on each of them."""
    return torch.as_tensor(fabric.all_reduce(values, reduce_op="mean"))


def largest(value: int, fabric: Fabric) -> int:
    """The largest value of all processes; the same on each of them."""
    if fabric.world_size == 1:
        return value
    values = torch.tensor(float(value), device=fabric.device)
    return int(torch.as_tensor(fabric.all_reduce(values, reduce_op="max")))


def on_first(fabric: Fabric, action: Callable[[], Result]) -> Result:
    """Run `action` on the first process and return its result on all of them; the result must be small.

    Raises:
        InputError: the error of the action, on the first process. The others end silently with the same exit code.
    """
    if fabric.world_size == 1:
        return action()
    outcome: tuple[InputError | None, Any]
    try:
        outcome = (None, action() if fabric.is_global_zero else None)
    except InputError as error:
        outcome = (error, None)
    refusal, result = fabric.broadcast(outcome)
    if refusal is not None:
        raise refusal if fabric.is_global_zero else SystemExit(2)
    return cast(Result, result)


@contextmanager
def lost_processes_as_input_errors(fabric: Fabric) -> Iterator[None]:
    """Report a lost process in one line; the lost process has already printed the cause."""
    try:
        yield
    except RuntimeError as error:
        if fabric.world_size == 1 or not (isinstance(error, torch.distributed.DistError) or "gloo" in str(error)):
            raise
        raise InputError(
            f"process {fabric.global_rank} lost the connection to another one of this training, whose message gives "
            "the cause; resume the run from its last checkpoint",
            setting="resume",
        ) from error


@runtime_checkable
class _Stepping(Protocol):
    """The state of a training."""

    step: int


@contextmanager
def dead_workers_as_input_errors(state: _Stepping) -> Iterator[None]:
    """Convert torch's error about a dead loader process into an InputError with the step of the training."""
    try:
        yield
    except Exception as error:
        worker_error = _worker_error(error)
        if worker_error is None:
            raise
        reason = _reason(worker_error)
        advice = "often there is too little memory: resume the run with fewer num_workers"
        if "shared memory" in reason:
            advice = "/dev/shm is too small: make it larger, to 2 GB, say, or resume the run with num_workers 0"
        raise InputError(
            f"after step {state.step}: a process that reads data is gone ({reason}); {advice}",
            setting="config.num_workers",
        ) from error


def _reason(error: BaseException) -> str:
    """The message of an error in one line; for an error passed on by a worker, without the traceback."""
    lines = str(error).strip().splitlines()
    if any(line.startswith("Traceback") or line.startswith("Original Traceback") for line in lines):
        starts = [number for number, line in enumerate(lines) if re.match(r"[\w.]+(Error|Exception): ", line)]
        lines = lines[starts[-1] :] if starts else lines[-1:]
    return " ".join(" ".join(lines).split())


def _worker_error(error: BaseException | None) -> BaseException | None:
    """The error of torch's signal handler for a dead worker, which any function may have wrapped."""
    while error is not None and not (isinstance(error, RuntimeError) and "DataLoader" in str(error)):
        error = error.__cause__ or error.__context__
    return error
