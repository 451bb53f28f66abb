"""Loader processes that die are told in one line, with the reason and what to do."""

from types import SimpleNamespace

import pytest

from sean.errors import InputError
from sean.training.distributed import dead_workers_as_input_errors
from sean.training.state import TrainingState

KILLED = "DataLoader worker (pid 7) is killed by signal: Killed."
NO_MEMORY = "RuntimeError: unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)"
PASSED_ON = f"""Caught RuntimeError in DataLoader worker process 0.
Original Traceback (most recent call last):
  File "worker.py", line 374, in _worker_loop
    data = fetcher.fetch(index)
           ^^^^^^^^^^^^^^^^^^^^
ValueError: the first

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "storage.py", line 414, in _new_shared
    return cls._new_using_fd_cpu(size)
{NO_MEMORY}
"""


@pytest.fixture
def state() -> SimpleNamespace:
    return SimpleNamespace(step=5)


def test_a_killed_worker(state: TrainingState) -> None:
    with pytest.raises(InputError) as error, dead_workers_as_input_errors(state):
        try:
            raise RuntimeError(KILLED)
        except RuntimeError as cause:
            raise ValueError("amid another function") from cause
    assert str(error.value) == (
        f"after step 5: a process that reads data is gone ({KILLED}); often there is too little memory: resume the "
        "run with fewer num_workers"
    )


def test_too_little_shared_memory_is_told_without_a_traceback(state: TrainingState) -> None:
    with pytest.raises(InputError) as error, dead_workers_as_input_errors(state):
        raise RuntimeError(PASSED_ON)
    assert str(error.value).startswith(f"after step 5: a process that reads data is gone ({NO_MEMORY}); /dev/shm is")
    assert "2 GB" in str(error.value) and "Traceback" not in str(error.value)


def test_other_errors_pass(state: TrainingState) -> None:
    with pytest.raises(RuntimeError, match="of the network"), dead_workers_as_input_errors(state):
        raise RuntimeError("of the network")
