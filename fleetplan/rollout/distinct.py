"""Answers for many rows of which few differ: each distinct row is asked for once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fleetplan.rollout.columns import Numbers

DENSE = 1 << 22
"""Up to so many possible keys a table is looked up, beyond they are sorted."""

T = TypeVar("T")


def distinct(function: Callable[[int, int, int], T], *columns: NDArray[np.integer]) -> tuple[list[T], Numbers]:
    """The results of a function for the distinct rows of three columns of small numbers, and which of them each row has."""
    first, second, third = (column.astype(np.int64) for column in columns)
    if not len(first):
        return [], first
    rows, deep = int(second.max()) + 1, int(third.max()) + 1
    key = (first * rows + second) * deep + third
    most = (int(first.max()) + 1) * rows * deep
    if most <= DENSE:
        there = np.zeros(most, np.bool_)
        there[key] = True
        keys = np.flatnonzero(there)
        place = np.zeros(most, np.int32)
        place[keys] = np.arange(len(keys))
        which = place[key].astype(np.int64)
    else:
        keys, which = np.unique(key, return_inverse=True)
    return [function(number // deep // rows, number // deep % rows, number % deep) for number in keys.tolist()], which
