"""torch's threads on a machine with other programs: the time that they wait for each other before yielding their core.

torch computes in a team of threads, one per core, which wait for each other after every operation. Waiting is a loop
("spinning") of 300 000 rounds in GNU's OpenMP before a thread lets go of its core. Where another program uses one of
the cores, the team waits in this way for a thread that cannot run, and every operation takes as long as the system's
time slices. `docs/performance.md` has figures.
"""

import os
import sys

_SPIN_ROUNDS = 4_000
"""Enough for most gaps between operations on a quiet machine; more rounds slow down a busy one."""


def limit_spinning() -> None:
    """Let waiting threads yield their core soon, unless the user has set a spin count.

    OpenMP reads its settings when torch is loaded, so this has to run before; after `import torch` it has an effect
    only on processes that this one starts. Other OpenMP libraries than GNU's ignore the setting.
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = str(_SPIN_ROUNDS)


def set_threads(count: int) -> None:
    """Set torch's number of threads, at least one, for this process and those that it starts."""
    os.environ["OMP_NUM_THREADS"] = str(count)  # torch reads it when it is loaded
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)
