"""The map over processes: the order of the results, and that every process ends when one of them is killed."""

import operator
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sean.data.official.prepare import map_in_order
from sean.errors import InputError

# Prints the ids of its workers, some of them while they work; then it is killed.
WAITING = """
import os, time
from sean.data.official.prepare import map_in_order

def work(item):
    time.sleep(0.2)
    return os.getpid()

if __name__ == "__main__":
    for process in map_in_order(work, range(6), 2):
        print(process, flush=True)
    time.sleep(600)
"""


def is_running(process: int) -> bool:
    """Whether a process exists and is more than the entry of an ended one that nobody waited for."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_one_worker_is_this_process() -> None:
    assert list(map_in_order(lambda item: (item, os.getpid()), [3, 1], 1)) == [(3, os.getpid()), (1, os.getpid())]


@pytest.mark.integration
def test_results_come_in_the_order_of_the_items() -> None:
    assert list(map_in_order(operator.neg, range(20), 2)) == [-item for item in range(20)]


@pytest.mark.integration
def test_an_error_in_a_worker_is_passed_on() -> None:
    results = map_in_order(operator.index, [1, "one"], 2)
    assert next(results) == 1
    with pytest.raises(TypeError):
        next(results)


@pytest.mark.integration
def test_a_killed_worker_is_an_error_in_one_line() -> None:
    with pytest.raises(InputError, match="a worker process was ended from outside") as error:
        list(map_in_order(os._exit, [0, 0, 0], 2))
    assert "\n" not in str(error.value)


@pytest.mark.integration
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_a_killed_main_process(tmp_path: Path, end: signal.Signals) -> None:
    script = tmp_path / "waiting.py"
    script.write_text(WAITING)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        workers = {int(process.stdout.readline()) for _ in range(3)}
        assert process.pid not in workers and any(map(is_running, workers))
        process.send_signal(end)
        process.wait(timeout=600)
    deadline = time.monotonic() + 600
    while any(map(is_running, workers)):
        assert time.monotonic() < deadline, "the workers go on without their main process"
        time.sleep(0.02)
