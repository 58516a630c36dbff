"""Whole hosts onto whole hosts: the cheapest way to land guests, one stream from one sender to one receiver."""

from __future__ import annotations

import numpy as np

from fleetplan.planner.amounts import enough, rows, total
from fleetplan.planner.grouping import distinct, rank_within
from fleetplan.planner.occupancy import Occupancy
from fleetplan.planner.problem import Problem
from fleetplan.rollout.columns import NONE, Flags, Numbers, Places

MOST_SHAPES = 64
"""Where hosts have more shapes than this, they are told apart by size only roughly."""


def shapes(problem: Problem) -> Places:
    """For each host the number of its shape; hosts of one shape take what the other takes when both are empty."""
    room = problem.room
    first, shape = distinct(*room.T)
    if len(first) > MOST_SHAPES:
        _, shape = distinct(*np.frexp(room.T)[1].astype(np.int64))
    return shape.astype(np.int32)


def in_turn(shape: Places, away_s: Numbers) -> Numbers:
    """An order in which shapes share what comes first by the time that they still take, and within a shape the longest away come first.

    Shapes with long drains run in chains that take longer, so they need more chains if all are to end together.
    """
    by_away = np.argsort(-away_s, kind="stable")
    rank = np.empty(len(shape), np.int64)
    rank[by_away] = rank_within(shape[by_away])
    work = np.bincount(shape, away_s)[shape]
    return np.lexsort((np.arange(len(shape)), (rank + 0.5) / work))


def match(occupancy: Occupancy, hosts: Places, whole: Places, shape: Places, opens_s: Numbers) -> tuple[Places, Flags]:
    """For each host a whole one for its guests (NONE: there is none left), each used once; and whether all of them fit there.

    Like shapes first, the k-th longest away on the one that opens k-th, so that chains even out; then what is left, the k-th largest load
    on the k-th largest room. O(hosts log hosts).
    """
    away_s = occupancy.problem.expected_s
    goal = np.full(len(hosts), NONE, np.int32)
    fits = np.zeros(len(hosts), np.bool_)
    load, room = rows(occupancy.load, hosts), occupancy.free(whole)
    scarce = int(np.argmax(total(load) / np.maximum(total(rows(occupancy.problem.room, hosts)), 1)))
    spare = np.ones(len(whole), np.bool_)
    none = np.zeros(len(shape), np.int32)
    for alike, strict in ((shape, True), (none, True), (none, False)):
        mine, theirs = np.flatnonzero(goal == NONE), np.flatnonzero(spare)
        if not len(mine) or not len(theirs):
            break
        if alike is shape:
            mine = mine[np.lexsort((mine, -away_s[hosts[mine]]))]
            theirs = theirs[np.lexsort((theirs, opens_s[whole[theirs]]))]
        else:
            mine = mine[np.lexsort((mine, -load[mine, scarce]))]
            theirs = theirs[np.lexsort((theirs, -room[theirs, scarce]))]
        one, other = _pairs(alike[hosts[mine]], alike[whole[theirs]])
        mine, theirs = mine[one], theirs[other]
        all_fit = enough(rows(load, mine), rows(room, theirs))
        if strict:
            mine, theirs, all_fit = mine[all_fit], theirs[all_fit], all_fit[all_fit]
        goal[mine], fits[mine], spare[theirs] = whole[theirs], all_fit, False
    return goal, fits


def _pairs(mine: Places, theirs: Places) -> tuple[Numbers, Numbers]:
    """Places of the k-th of each shape on one side and of the k-th of that shape on the other."""
    one = mine.astype(np.int64) << 32 | rank_within(mine)
    other = theirs.astype(np.int64) << 32 | rank_within(theirs)
    _, first, second = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    return first, second


def head_that_fits(size: Numbers, owner: Numbers, room: Numbers) -> Flags:
    """Which guests fit, largest first, until one does not: of each owner in order, against the owner's room."""
    order = np.lexsort((*-size.T, owner))
    so_far = np.cumsum(size[order], axis=0)
    own = owner[order]
    starts = np.flatnonzero(np.concatenate(([True], own[1:] != own[:-1])))
    before = np.repeat(so_far[starts] - size[order][starts], np.diff(np.append(starts, len(own))), axis=0)
    found = np.zeros(len(owner), np.bool_)
    found[order] = enough(so_far - before, rows(room, own))
    return found
