"""A function mapped over many items in several processes: results in order, and no process is left behind.

However the run ends (the items are done, Ctrl-C, an error, a kill of this process or of a worker), the workers end
as well.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from sean.errors import InputError

Work = TypeVar("Work")
Result = TypeVar("Result")


def map_in_order(
    function: Callable[[Work], Result], items: Sequence[Work], workers: int
) -> Generator[Result, None, None]:
    """The results of all items, in the order of the items; closing this ends after the items in work.

    Args:
        function: with 2 or more workers it is sent to other processes, as are items and results.
        items: what it is called with.
        workers: number of processes; 1 works in this one.

    Raises:
        InputError: a worker was killed. What the function raises is passed on.
    """
    if workers == 1:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    try:
        yield from pool.map(function, items)
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process was ended from outside, as happens when memory runs out; "
            "run the same command again, perhaps with fewer --workers"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    """Ctrl-C reaches every process of the terminal: a worker finishes its item, the main process decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_main_process, daemon=True).start()


def _end_with_main_process() -> None:
    """A killed main process tells its workers nothing: without this they would wait for work forever."""
    main_process = multiprocessing.parent_process()
    assert main_process is not None
    main_process.join()
    os._exit(1)
