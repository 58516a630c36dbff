"""What is asked by column is what rows say; and sets of numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleetplan.planner.amounts import add, enough, rows, subtract, total
from fleetplan.planner.grouping import inverse, without

AMOUNTS = st.integers(1, 3).flatmap(
    lambda wide: st.lists(st.lists(st.integers(0, 9), min_size=wide, max_size=wide), min_size=1, max_size=8).map(np.array)
)


@given(AMOUNTS, st.data())
def test_columns_say_what_rows_say(amounts: np.ndarray, data: st.DataObject) -> None:
    which = np.array(data.draw(st.lists(st.integers(0, len(amounts) - 1), max_size=8)), np.int64)
    picked = rows(amounts, which)
    assert picked.tolist() == [amounts[one].tolist() for one in which]
    assert total(amounts).tolist() == amounts.sum(axis=0).tolist()
    assert enough(amounts, amounts[0]).tolist() == [bool((row <= amounts[0]).all()) for row in amounts]
    assert enough(amounts, amounts[::-1]).tolist() == (amounts <= amounts[::-1]).all(axis=1).tolist()
    more, expected = amounts.copy(), amounts.copy()
    for one, gift in zip(which, picked, strict=True):
        expected[one] += gift
    add(more, which, picked)
    assert more.tolist() == expected.tolist()
    subtract(more, which, picked)
    assert more.tolist() == amounts.tolist()


@given(st.lists(st.integers(0, 20), unique=True), st.lists(st.integers(0, 30)))
def test_without_keeps_the_order_of_the_rest(some: list[int], others: list[int]) -> None:
    found = without(np.array(some, np.int32), np.array(others, np.int64))
    assert found.tolist() == [one for one in some if one not in others]


@given(st.permutations(range(8)))
def test_inverse_says_where_each_stands(order: list[int]) -> None:
    assert inverse(np.array(order)).tolist() == [order.index(one) for one in range(8)]
