"""Numbering the distinct rows of an integer table, exactly: no hashes, and known rows keep their numbers."""

from collections.abc import Sequence

import numpy as np

_LIMIT = 2**63


def extend(
    known: np.ndarray, columns: Sequence[np.ndarray], key: Sequence[int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Look up rows among the known rows, and append the new ones.

    Args:
        known: distinct rows [m, q], integers from 0. Exact as long as the number of rows times the largest integer
            stays below 2^63.
        columns: the q columns of the found rows, each [p], integers from 0.
        key: the columns by which rows are distinguished; None means all.

    Returns:
        All distinct rows [m', q], the first m of which are `known`, and the number of every row of `columns` [p].
    """
    key = range(len(columns)) if key is None else key
    codes = _codes([np.concatenate([known[:, index], columns[index]]) for index in key])
    # neighbours are mostly equal, so sorting only the first row of each run is several times cheaper
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    _, first, ids = np.unique(codes[starts], return_index=True, return_inverse=True)
    # in order of appearance, so that the known rows keep their numbers
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    lengths = np.diff(starts, append=len(codes))
    numbers = np.repeat(rank[ids], lengths)[len(known) :]
    new = starts[first[order[len(known) :]]] - len(known)
    rows = np.stack([column[new] for column in columns], axis=1)
    return np.concatenate([known, rows.astype(known.dtype)]), numbers


def _codes(columns: Sequence[np.ndarray]) -> np.ndarray:
    """One int64 per row, equal exactly where the rows are equal."""
    codes = columns[0].astype(np.int64)
    size = int(codes.max(initial=0)) + 1
    for column in columns[1:]:
        base = int(column.max(initial=0)) + 1
        if size * base >= _LIMIT:
            codes = np.unique(codes, return_inverse=True)[1]
            size = int(codes.max(initial=0)) + 1
        codes = codes * base + column
        size *= base
    return codes
