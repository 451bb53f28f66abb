"""The order of the samples in an epoch: a permutation that follows from (seed, epoch), for data in groups a near one.

A group is a run of samples that lie together, as those of a shard. Any sample may be wanted after any other only where
all groups are near. So with groups the order keeps to a few at a time: the groups are permuted, and the samples are
shuffled inside windows of some groups in a row.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# Keeps the shuffling apart from the chance inside the samples, which is seeded by (seed, epoch, index).
_SHUFFLE_STREAM = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class EpochOrder:
    """One epoch.

    Attributes:
        samples: int64 [length], the sample at each place.
        windows: the groups of each window; empty without groups.
        window_ends: the place after the last one of each window.
    """

    samples: np.ndarray
    windows: tuple[tuple[int, ...], ...] = ()
    window_ends: tuple[int, ...] = ()


@lru_cache(maxsize=4)
def epoch_order(
    seed: int, epoch: int, length: int, groups: tuple[int, ...] | None, window: int, shuffle: bool
) -> EpochOrder:
    """The order of an epoch.

    Args:
        seed: not negative.
        epoch: 0, 1, ...
        length: number of samples.
        groups: numbers of samples of the groups, which add up to `length`; None where all samples are near.
        window: so many groups are mixed.
        shuffle: False keeps the order of the data set.
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, epoch), spawn_key=(_SHUFFLE_STREAM,)))
    if groups is None:
        return EpochOrder(samples=rng.permutation(length) if shuffle else np.arange(length))
    sequence = rng.permutation(len(groups)) if shuffle else np.arange(len(groups))
    starts = np.cumsum((0, *groups))
    parts, windows = [], []
    for first in range(0, len(groups), window):
        chosen = sequence[first : first + window]
        part = np.concatenate([np.arange(starts[group], starts[group + 1]) for group in chosen])
        parts.append(rng.permutation(part) if shuffle else part)
        windows.append(tuple(chosen.tolist()))
    ends = np.cumsum([len(part) for part in parts]).tolist()
    return EpochOrder(samples=np.concatenate(parts), windows=tuple(windows), window_ends=tuple(ends))
