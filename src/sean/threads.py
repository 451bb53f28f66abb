"""Threads of torch beside other programs: how long they wait for each other without giving their core away.

torch computes in a team of threads, one per core, which wait for each other after every operation. Waiting is a loop
("spinning") of 300 000 rounds in GNU's OpenMP before a thread lets go of its core. Where another program uses one of
the cores, the team waits in this way for a thread that cannot run, and every operation takes as long as the system's
time slices. `docs/performance.md` has figures.
"""

import os
import sys

_SPIN_ROUNDS = 4_000
"""Enough for most gaps between the operations of a quiet machine; more rounds make a busy one slower."""


def limit_spinning() -> None:
    """Let threads that wait give their core away soon, where the user has set nothing about it.

    OpenMP reads its settings when torch is loaded, so this comes before; after `import torch` it has no effect on this
    process, but on those that it starts. Other OpenMP libraries than GNU's do not know the setting.
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = str(_SPIN_ROUNDS)


def set_threads(count: int) -> None:
    """Let torch compute with so many threads, at least one, in this process and those that it starts."""
    os.environ["OMP_NUM_THREADS"] = str(count)  # read when torch is loaded
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)
