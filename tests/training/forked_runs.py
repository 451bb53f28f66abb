"""Small trainings in forked processes, so that many can be started, and killed, in a short time.

Usage: forked_runs.py straight RUN PROCESSES BATCH STEPS
       forked_runs.py double RUN PROCESSES BATCH STEPS     the same in float64
       forked_runs.py killed RUN PROCESSES BATCH STEP      kill all processes after that step, then continue to the end
       forked_runs.py unkilled RUN                         the training that is fuzzed, without kills
       forked_runs.py fuzzed RUN KILLS SEED                kill at random moments, then continue to the end
"""

import json
import os
import random
import signal
import socket
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

import torch
from hanging_run import CONFIG, scenes

from sean.data.synthetic.scenes import SyntheticScenes
from sean.training import loop, validation
from sean.training.checkpoints import checkpoint_files, load_tree
from sean.training.config import TrainConfig
from sean.training.loop import train

FUZZED = replace(CONFIG, steps=90, decay_steps=45, checkpoint_every=1, sample_every=15)


def start(config: TrainConfig, run: Path, processes: int) -> list[int]:
    """Fork the processes of a training, as torchrun would; returns their ids."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(processes):
        child = os.fork()
        if child:
            children.append(child)
            continue
        if processes > 1:
            names = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": processes}
            names |= {"LOCAL_WORLD_SIZE": processes, "MASTER_PORT": port}
            os.environ.update({name: str(value) for name, value in names.items()})
            os.environ.update(MASTER_ADDR="127.0.0.1", TORCHELASTIC_RUN_ID="test")
        _train(config, run)
    return children


def _train(config: TrainConfig, run: Path) -> None:
    code = 1
    try:
        torch.set_num_threads(1)
        loop.ACCELERATOR = "cpu"
        validation.STATISTICS_BATCHES = 2
        validation.draw_curves = lambda runs, output: None
        train(config, scenes(), run, resume=True)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait(children: list[int]) -> None:
    """Until all have ended; exit with an error if one did not end well."""
    codes = [os.waitpid(child, 0)[1] for child in children]
    if any(codes):
        sys.exit(f"processes ended with {codes}")


def kill(children: list[int]) -> None:
    """SIGKILL."""
    for child in children:
        os.kill(child, signal.SIGKILL)
    for child in children:
        os.waitpid(child, 0)


def killed(config: TrainConfig, run: Path, processes: int, step: int) -> None:
    """Kill all processes when a checkpoint of that step or a later one is there; continue to the end."""
    children = start(config, run, processes)
    while not checkpoint_files(run) or int(checkpoint_files(run)[0].stem[5:]) < step:
        time.sleep(0.01)
    kill(children)
    wait(start(config, run, processes))


def fuzzed(run: Path, kills: int, seed: int) -> None:
    """Kill at random moments, and every second time while a checkpoint is being written.

    The first time it is when the first checkpoint is there, which tells how fast this machine is.
    """
    rng = random.Random(seed)
    folder = run / "checkpoints"
    steps, writing, pace = [], 0, 0.0
    for number in range(kills):
        begin = time.monotonic()
        children = start(FUZZED, run, 1)
        while not number and not checkpoint_files(run):
            time.sleep(0.001)
        pace = pace or time.monotonic() - begin
        time.sleep(rng.uniform(0.0, 2 * pace) if number else 0.0)
        if number % 2:
            deadline = time.monotonic() + 8 * pace
            while not (unfinished := list(folder.glob(".*"))) and time.monotonic() < deadline:
                time.sleep(0.0003)
            time.sleep(rng.uniform(0.0, 0.004))
        ended = os.waitpid(children[0], os.WNOHANG) != (0, 0)
        if ended:
            sys.exit(f"the training ended before kill {number + 1}, at {checkpoint_files(run)[:1]}")
        kill(children)
        unfinished = list(folder.glob(".*"))
        writing += bool(unfinished)
        found = checkpoint_files(run)
        steps.append(max((load_tree(path)["step"] for path in found), default=0))  # every one can be read
        if steps != sorted(steps):
            sys.exit(f"a checkpoint was lost: {steps}")
    wait(start(FUZZED, run, 1))
    print(json.dumps({"steps": steps, "kills_while_writing": writing}))


def main(mode: str, run: Path, *numbers: int) -> None:
    """See the module's docstring."""
    if mode == "fuzzed":
        fuzzed(run, *numbers)
        return
    if mode == "unkilled":
        wait(start(FUZZED, run, 1))
        return
    processes, batch_size, steps = numbers
    config = replace(CONFIG, batch_size=batch_size)
    if mode == "killed":
        killed(config, run, processes, steps)
        return
    if mode == "double":
        torch.set_default_dtype(torch.float64)
        read = SyntheticScenes.__getitem__
        SyntheticScenes.__getitem__ = lambda self, key: {**(s := read(self, key)), "image": s["image"].double()}
        loop.validate_and_export = lambda *_: None  # the metrics are for float32
    wait(start(replace(config, steps=steps, decay_steps=steps // 2), run, processes))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
