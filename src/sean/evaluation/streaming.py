"""One pass over a data set that adds something up: in constant memory, shared by processes, resumable.

Batches, not pictures, are dealt out to the processes, so that the networks see the same batches whatever their number:
the sums of several processes are those of one but for the order of additions in float64.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch

from sean.errors import InputError
from sean.evaluation.batches import Batch, collated
from sean.evaluation.digests import dataset_digest, digest_of
from sean.evaluation.partial_state import PartialState
from sean.evaluation.settings import EvaluationRun, EvaluationSettings, Sums

Measure = Callable[[Batch, range], Sums]
"""What a batch adds, given the batch and the indices of its samples; always the same keys and shapes."""


@torch.no_grad()
def accumulate(
    dataset: Any,
    measure: Measure,
    *,
    stage: str,
    description: str,
    identity: dict[str, Any],
    settings: EvaluationSettings,
    run: EvaluationRun,
    with_edges: bool = False,
) -> Sums:
    """The sums of `measure` over a data set, over all processes.

    An interruption, or an error in a sample, leaves the sums so far in the partial state.

    Args:
        dataset: samples with image, segmap and, for edges, instances.
        measure: see `Measure`.
        stage: names the partial state.
        description: for the progress bar.
        identity: JSON values that tell what `measure` is of: networks and labels.
        settings, run: see there.
        with_edges: whether the batches have instance edges.

    Raises:
        InputError: there are fewer batches than processes, a sample cannot be read, or the partial state is damaged.
    """
    length, size = len(dataset), settings.batch_size
    batches = range(run.rank, -(-length // size), run.world_size)
    if not length:
        raise InputError("expected at least one picture to score, got none")
    if -(-length // size) < run.world_size:
        raise InputError(
            f"expected at least one batch for each of {run.world_size} processes, got {length} pictures in batches of "
            f"{size}; lower the batch size or start fewer processes"
        )
    everything = {**identity, "data": dataset_digest(dataset), "settings": asdict(settings), "edges": with_edges}
    part = PartialState.of(run, stage, digest_of({**everything, "processes": [run.rank, run.world_size]}))
    state = part.load()
    try:
        for number in run.progress(batches[state[0] :], description, len(batches) - state[0]):
            indices = range(number * size, min((number + 1) * size, length))
            added = measure(collated(dataset, indices, run.device, with_edges=with_edges), indices)
            # one assignment: an interrupt between two statements finds the batch counted or not, never half
            state = (state[0] + 1, sum_of(state[1], added))
            if state[0] % run.write_every == 0:
                part.save(*state)
    finally:
        part.save(*state)
    sums = dict(sorted(state[1].items()))  # one order in all processes, whether they went on from a file or not
    return sums if run.add_up is None else run.add_up(sums)


def sum_of(sums: Sums, added: Sums) -> Sums:
    """Both together; `sums` may be empty."""
    return {name: sums[name] + value if sums else value for name, value in added.items()}
