"""Amounts of resources: a row for each host or guest, a column for each resource.

numpy takes many times as long over rows of two numbers as over columns; so what large fleets ask often is asked here, by column.
"""

from __future__ import annotations

import numpy as np

from fleetplan.rollout.columns import Flags, Ints, Numbers


def rows(amounts: Numbers, which: Ints) -> Numbers:
    """The amounts of some hosts or guests."""
    return amounts.take(which, axis=0)


def total(amounts: Numbers) -> Numbers:
    """All of each resource."""
    return np.array([column.sum() for column in amounts.T], np.int64)


def enough(needed: Numbers, there: Numbers) -> Flags:
    """Of each row whether there is enough of everything: in the same row, or in the only one."""
    found = np.ones(len(needed), np.bool_)
    for need, room in zip(needed.T, there.T, strict=True):
        found &= need <= room
    return found


def add(amounts: Numbers, owners: Ints, more: Numbers) -> None:
    """Give more to owners, to the same one as often as it is named."""
    for column, increase in zip(amounts.T, more.T, strict=True):
        np.add.at(column, owners, increase)


def subtract(amounts: Numbers, owners: Ints, less: Numbers) -> None:
    """Take from owners, from the same one as often as it is named."""
    for column, decrease in zip(amounts.T, less.T, strict=True):
        np.subtract.at(column, owners, decrease)
