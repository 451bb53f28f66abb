"""Sums over one pass through a data set: in constant memory, shared by processes, resumable.

Batches, not pictures, are distributed to the processes, so that the networks see the same batches for any number of
processes; the sums then differ only by the order of additions in float64. A process writes its sums beside the report
after every few batches. A digest of networks, data and settings shows whether such a file belongs to this evaluation.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate

from sean.data.paired import PairedDataset
from sean.errors import InputError
from sean.evaluation.settings import EvaluationRun, EvaluationSettings, Sums
from sean.models.weights import READ_ERRORS, read_content, write_safetensors
from sean.segmap import instance_edges

Batch = tuple[Tensor, Tensor, Tensor | None]
"""image [b, 3, h, w] in [-1, 1], segmap [b, h, w] and, for models that take them, instance edges [b, h, w]."""

Measure = Callable[[Batch, range], Sums]
"""The contribution of a batch, given the batch and the indices of its samples; always with the same keys and shapes."""


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
        stage: name of the partial state.
        description: text of the progress bar.
        identity: JSON values that identify the networks and labels of `measure`.
        settings, run: see `EvaluationSettings` and `EvaluationRun`.
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
            # a single assignment, so that an interrupt never leaves a batch half counted
            state = (state[0] + 1, sum_of(state[1], added))
            if state[0] % run.write_every == 0:
                part.save(*state)
    finally:
        part.save(*state)
    sums = dict(sorted(state[1].items()))  # the same order in all processes, resumed or not
    return sums if run.add_up is None else run.add_up(sums)


def sum_of(sums: Sums, added: Sums) -> Sums:
    """The sum of both; `sums` may be empty."""
    return {name: sums[name] + value if sums else value for name, value in added.items()}


def collated(dataset: Any, indices: range, device: torch.device, *, with_edges: bool) -> Batch:
    """Samples of a data set as one batch on a device, with the edges of their instances."""
    batch = default_collate([dataset[index] for index in indices])
    edges = instance_edges(batch["instances"])[:, 0].bool().to(device) if with_edges else None
    return batch["image"].to(device), batch["segmap"].to(device), edges


def collated_batches(
    dataset: Any, batch_size: int, device: torch.device, *, with_edges: bool, count: int | None = None
) -> Iterator[Batch]:
    """A data set, or its first `count` samples, in order, in equal batches except for the last."""
    total = len(dataset) if count is None else min(count, len(dataset))
    for start in range(0, total, batch_size):
        yield collated(dataset, range(start, min(start + batch_size, total)), device, with_edges=with_edges)


def digest_of(values: Mapping[str, Any]) -> str:
    """A digest of JSON values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def dataset_digest(dataset: Any) -> str:
    """A digest of a data set's size, of its first and last sample and, for a source of pairs, of all names.

    It detects another folder, split or picture size, but not a change of a picture in the middle.
    """
    length = len(dataset)
    digest = hashlib.sha256(str(length).encode())
    if isinstance(dataset, PairedDataset):
        for index in range(length):
            digest.update(f"{dataset.source.name(index)}\n".encode())
    for index in sorted({0, length - 1} if length else ()):
        sample = dataset[index]
        for key in ("image", "segmap"):
            digest.update(str(tuple(sample[key].shape)).encode())
            digest.update(_bytes(sample[key]))
    return digest.hexdigest()


def _bytes(value: Tensor) -> memoryview:
    return value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data


@dataclass(frozen=True, kw_only=True)
class PartialState:
    """The file of one process and one pass over data, e.g. report.json.model.part-0-of-2.safetensors.

    Attributes:
        path: path of the file; None keeps nothing.
        fingerprint: digest of everything that the sums depend on; it identifies the evaluation.
    """

    path: Path | None
    fingerprint: str

    @classmethod
    def of(cls, run: EvaluationRun, stage: str, fingerprint: str) -> "PartialState":
        """The file of this process for the pass named `stage`."""
        if run.partial is None:
            return cls(path=None, fingerprint=fingerprint)
        name = f"{run.partial.name}.{stage}.part-{run.rank}-of-{run.world_size}.safetensors"
        return cls(path=run.partial.with_name(name), fingerprint=fingerprint)

    def load(self) -> tuple[int, Sums]:
        """Number of finished batches and their sums; (0, {}) without a file of this evaluation.

        Raises:
            InputError: the file is damaged.
        """
        if self.path is None or not self.path.exists():
            return 0, {}
        try:
            sums, metadata = read_content(self.path)
            return (int(metadata["batches"]), sums) if metadata["fingerprint"] == self.fingerprint else (0, {})
        except (*READ_ERRORS, KeyError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"{self.path} is a damaged partial evaluation ({reason}); delete it, and its pictures are scored again"
            ) from error

    def save(self, batches: int, sums: Sums) -> None:
        """Write the sums after a number of batches, atomically; does nothing for 0."""
        if self.path is not None and batches:
            write_safetensors(self.path, sums, {"fingerprint": self.fingerprint, "batches": str(batches)})


def remove_partial_states(report: Path) -> None:
    """Delete all partial evaluations beside a finished report."""
    pattern = re.compile(re.escape(report.name) + r"\.\w+\.part-\d+-of-\d+\.safetensors")
    for path in report.parent.iterdir():
        if pattern.fullmatch(path.name):
            path.unlink(missing_ok=True)
