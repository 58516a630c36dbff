"""Many things by their owners, and equal things together: what numpy does not say in one word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetplan.rollout.columns import Ints, Numbers, Places

DENSE = 1 << 16
"""Combinations up to this many are counted in a table instead of sorted."""


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Things by owner: those of owner i are `items[at[i]:at[i + 1]]`."""

    at: Numbers
    items: Places

    @classmethod
    def of(cls, owner: Ints, owners: int) -> Runs:
        """Everything by its owner, in order; what has a negative owner has none. O(n log n), O(n) where owners are in order already."""
        items = np.argsort(owner, kind="stable").astype(np.int32)
        items = items[np.count_nonzero(owner < 0) :]
        counts = np.bincount(owner[items], minlength=owners) if len(items) else np.zeros(owners, np.int64)
        return cls(np.concatenate(([0], np.cumsum(counts))), items)

    def one(self, owner: int) -> Places:
        """The things of one owner."""
        return self.items[self.at[owner] : self.at[owner + 1]]

    def many(self, owners: Ints) -> Places:
        """The things of several owners, one owner after the other."""
        return self.items[spans(self.at[owners], self.at[owners + 1] - self.at[owners])]

    def count(self, owners: Ints) -> Numbers:
        """How many things each of several owners has."""
        counts: Numbers = self.at[owners + 1] - self.at[owners]
        return counts


def spans(first: Ints, count: Ints) -> Numbers:
    """The numbers from `first[i]` on, `count[i]` of them, for one i after the other."""
    begin = np.cumsum(count) - count
    numbers: Numbers = np.repeat(first - begin, count) + np.arange(int(count.sum()))
    return numbers


def inverse(order: Ints) -> Numbers:
    """Of each thing, where it stands in an order of all."""
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place


def without(some: Places, others: Ints) -> Places:
    """Some of many things, but for others. O(some + others + the largest number)."""
    if not len(others) or not len(some):
        return some
    stays = np.ones(max(int(some.max()), int(others.max())) + 1, np.bool_)
    stays[others] = False
    return some[stays[some]]


def rank_within(owner: Ints) -> Numbers:
    """For each thing, how many things of the same owner stand before it. O(n log n)."""
    order = np.argsort(owner, kind="stable")
    sorted_owner = owner[order]
    starts = np.flatnonzero(np.concatenate(([True], sorted_owner[1:] != sorted_owner[:-1])))
    rank = np.empty(len(owner), np.int64)
    rank[order] = np.arange(len(owner)) - np.repeat(starts, np.diff(np.append(starts, len(owner)))) if len(owner) else 0
    return rank


def distinct(*columns: NDArray[Any]) -> tuple[Numbers, Numbers]:
    """The place of the first of each distinct row of some columns, and for each row the number of the distinct one. None negative."""
    key, range_ = _packed(columns)
    if range_ <= max(DENSE, 4 * len(key)):
        first = np.full(range_, -1, np.int64)
        first[key[::-1]] = np.arange(len(key) - 1, -1, -1)
        there = np.flatnonzero(first >= 0)
        number = np.empty(range_, np.int64)
        number[there] = np.arange(len(there))
        return first[there], number[key]
    _, found, inverse = np.unique(key, return_index=True, return_inverse=True)
    return found, inverse


def _packed(columns: tuple[NDArray[Any], ...]) -> tuple[Numbers, int]:
    """Rows as single numbers, and a limit above them."""
    key, range_ = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        most = int(column.max(initial=0)) + 1
        if range_ * most >= 1 << 62:
            _, key = np.unique(key, return_inverse=True)
            range_ = int(key.max(initial=0)) + 1
        key = key * most + column
        range_ *= most
    return key, range_
