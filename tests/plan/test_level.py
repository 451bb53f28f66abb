"""Numbering rows: by hand, and against a dict of tuples, with numbers that no 64-bit code of a row can hold."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sean.plan.level import extend

HUGE = 2**31 - 1
WIDTH = 9


def columns_of(rows: np.ndarray) -> list[np.ndarray]:
    return [column.copy() for column in rows.T]


def numbered_by_dict(known: np.ndarray, found: np.ndarray) -> tuple[list[list[int]], list[int]]:
    numbers = {tuple(row): number for number, row in enumerate(known.tolist())}
    ids = [numbers.setdefault(tuple(row), len(numbers)) for row in found.tolist()]
    return [list(row) for row in numbers], ids


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Known and found rows, the same or different in a column or two, in runs or not; codes pass 2^63."""
    values = st.sampled_from([0, 1, 2, HUGE - 1, HUGE]) | st.integers(0, HUGE)
    base = draw(st.tuples(*[values] * WIDTH))
    edits = draw(st.lists(st.tuples(st.integers(0, WIDTH - 1), values), max_size=12))
    # the largest value everywhere makes every base a power of two, where an overflow loses the first columns
    pool = np.array([[HUGE] * WIDTH, base, *[base] * len(edits)], np.int64)
    for row, (column, value) in zip(pool[2:], edits, strict=True):
        row[column] = value
    pool = np.unique(pool, axis=0)
    indices = st.integers(0, len(pool) - 1)
    known = pool[draw(st.lists(indices, max_size=8, unique=True))]
    found = pool[draw(st.lists(indices, min_size=1, max_size=30))]
    return known.reshape(-1, WIDTH), found.repeat(draw(st.integers(1, 3)), axis=0)


def test_by_hand() -> None:
    known = np.array([[7, 1], [0, 3]])
    rows, numbers = extend(known, [np.array([0, 5, 5, 7, 5, 2, 0]), np.array([3, 6, 6, 1, 6, 2, 0])])
    assert rows.tolist() == [[7, 1], [0, 3], [5, 6], [2, 2], [0, 0]]
    assert numbers.tolist() == [1, 2, 2, 0, 2, 3, 4]
    assert known.tolist() == [[7, 1], [0, 3]]


def test_nothing_known_and_nothing_new() -> None:
    columns = [np.array([9, 4, 4, 9]), np.array([0, 1, 1, 0])]
    rows, numbers = extend(np.zeros((0, 2), np.int32), columns)
    assert rows.tolist() == [[9, 0], [4, 1]]
    assert numbers.tolist() == [0, 1, 1, 0]
    again, numbers = extend(rows, [column[1:] for column in columns])
    assert np.array_equal(again, rows)
    assert numbers.tolist() == [1, 1, 0]


def test_columns_outside_the_key_come_along() -> None:
    known = np.array([[10, 1, 5]])
    columns = [np.array([20, 10, 30, 20]), np.array([2, 1, 3, 2]), np.array([5, 5, 6, 5])]
    rows, numbers = extend(known, columns, key=(1,))
    assert rows.tolist() == [[10, 1, 5], [20, 2, 5], [30, 3, 6]]
    assert numbers.tolist() == [1, 0, 2, 1]


def test_the_order_of_columns_matters() -> None:
    rows, numbers = extend(np.array([[1, 2]]), [np.array([2, 1]), np.array([1, 2])])
    assert rows.tolist() == [[1, 2], [2, 1]]
    assert numbers.tolist() == [1, 0]


def test_rows_that_differ_in_one_of_nine_huge_columns() -> None:
    found = HUGE - np.concatenate([np.zeros((1, WIDTH), np.int64), np.eye(WIDTH, dtype=np.int64)])
    rows, numbers = extend(np.full((1, WIDTH), 0), columns_of(found))
    assert rows[1:].tolist() == found.tolist()
    assert numbers.tolist() == list(range(1, WIDTH + 2))


@given(case=tables())
def test_equals_a_dict(case: tuple[np.ndarray, np.ndarray]) -> None:
    known, found = case
    rows, numbers = extend(known, columns_of(found))
    assert (rows.tolist(), numbers.tolist()) == numbered_by_dict(known, found)


@given(case=tables())
def test_equals_a_dict_where_some_columns_follow_from_the_key(case: tuple[np.ndarray, np.ndarray]) -> None:
    known, found = (np.concatenate([rows[:, :1] // 2, rows, rows[:, -1:] ^ 1], axis=1) for rows in case)
    rows, numbers = extend(known, columns_of(found), key=range(1, WIDTH + 1))
    assert (rows.tolist(), numbers.tolist()) == numbered_by_dict(known, found)


@given(case=tables())
def test_piece_by_piece_gives_the_numbers_of_all_at_once(case: tuple[np.ndarray, np.ndarray]) -> None:
    known, found = case
    rows, pieces = known, []
    for piece in np.array_split(found, min(3, len(found))):
        rows, numbers = extend(rows, columns_of(piece))
        pieces.append(numbers)
    at_once, numbers = extend(known, columns_of(found))
    assert np.array_equal(rows, at_once)
    assert np.array_equal(np.concatenate(pieces), numbers)
