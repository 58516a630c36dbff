"""Things that use a shared slot one after the other: whether `after` hands the slot on.

Each thing begins with a step and ends with one (a migration with the same). Where the first step of one waits for the last step of
another, the second can take over the slot of the first. The fewest slots that are needed are the fewest chains that hold all things.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetplan.judge.antichain import heaviest
from fleetplan.judge.case import Case
from fleetplan.rollout.columns import NONE, Numbers, Places

MOST_EXACT = 4096
"""Things of one group that are looked at exactly; beyond, only what steps wait for directly counts."""


@dataclass(frozen=True, slots=True)
class Things:
    """One entry per thing: the group whose slots it uses (from 0), and its first and last step (NONE: open from the start, for ever)."""

    group: Numbers
    head: Places
    tail: Places


def crowded(case: Case, things: Things, limits: Numbers) -> dict[int, list[int]]:
    """The groups that may need more slots than their limit, each with more things than that which can go on at once."""
    many = np.bincount(things.group, minlength=len(limits)) > limits
    inside = many[things.group]
    some = Things(things.group[inside], things.head[inside], things.tail[inside])
    number = np.flatnonzero(inside)
    follows = _handed_on(case, some, limits)
    needed = np.bincount(some.group, minlength=len(limits)) - np.bincount(some.group[follows != NONE], minlength=len(limits))
    found = {}
    for group in np.flatnonzero(many & (needed > limits)).tolist():
        members = np.flatnonzero(some.group == group)
        at_once = _at_once(case, some, members)
        if len(at_once) > limits[group]:
            found[group] = number[at_once].tolist()
    return found


def _at_once(case: Case, things: Things, members: Numbers) -> Numbers:
    """As many things of a group as can go on at once."""
    if len(members) > MOST_EXACT:
        return members
    after = case.precedence.later_than(things.tail[members], things.head[members])
    _, chosen = heaviest([1] * len(members), after)
    return members[chosen]


# --- a matching ----------------------------------------------------------------------------------------------------------------------


def _handed_on(case: Case, things: Things, limits: Numbers) -> Numbers:
    """For each thing, the one whose slot it takes over, by what it waits for directly; as many as possible where slots are short."""
    ends, begins = _edges(case, things)
    taken_from = np.full(len(things.group), NONE, np.int64)
    handed_to = np.full(len(things.group), NONE, np.int64)
    open_ = np.ones(len(ends), np.bool_)
    while open_.any():
        giver, taker = _proposals(ends[open_], begins[open_], len(things.group))
        taken_from[taker] = giver
        handed_to[giver] = taker
        open_ &= (taken_from[begins] == NONE) & (handed_to[ends] == NONE)
    _rearrange(things, limits, ends, begins, taken_from, handed_to)
    return taken_from


def _edges(case: Case, things: Things) -> tuple[Numbers, Numbers]:
    """Pairs of things of one group of which the second waits for the first; by the second, those that end last first."""
    ends_with = np.full(len(case.steps), NONE, np.int64)
    begins_with = np.full(len(case.steps), NONE, np.int64)
    ends_with[things.tail[things.tail != NONE]] = np.flatnonzero(things.tail != NONE)
    begins_with[things.head[things.head != NONE]] = np.flatnonzero(things.head != NONE)
    ends, begins = ends_with[case.steps.after], begins_with[case.waiting]
    both = (ends != NONE) & (begins != NONE)
    ends, begins = ends[both], begins[both]
    same = things.group[ends] == things.group[begins]
    ends, begins = ends[same], begins[same]
    if (begins[1:] == begins[:-1]).any():
        order = np.lexsort((-case.steps.end_s[things.tail[ends]], begins))
        ends, begins = ends[order], begins[order]
    return ends, begins


def _proposals(ends: Numbers, begins: Numbers, things: int) -> tuple[Numbers, Numbers]:
    """Of pairs that are sorted by their second: the first of each second, and of these the first of each first."""
    first = np.ones(len(begins), np.bool_)
    first[1:] = begins[1:] != begins[:-1]
    taker = np.full(things, NONE, np.int64)
    taker[ends[first][::-1]] = begins[first][::-1]
    giver = np.flatnonzero(taker != NONE)
    return giver, taker[giver]


def _rearrange(things: Things, limits: Numbers, ends: Numbers, begins: Numbers, taken_from: Numbers, handed_to: Numbers) -> None:
    """Where a group is still short of slots, give slots to others so that more are handed on (augmenting paths)."""
    counts = np.bincount(things.group, minlength=len(limits))
    needed = counts - np.bincount(things.group[taken_from != NONE], minlength=len(limits))
    short = np.flatnonzero(needed > limits)
    if not len(short):
        return
    first = np.searchsorted(begins, np.arange(len(things.group) + 1))
    for thing in np.flatnonzero(np.isin(things.group, short) & (taken_from == NONE)).tolist():
        group = things.group[thing]
        if needed[group] > limits[group]:
            needed[group] -= _reassign(thing, first, ends, taken_from, handed_to)


def _reassign(thing: int, first: Numbers, ends: Numbers, taken_from: Numbers, handed_to: Numbers) -> bool:
    """Find a slot for a thing, if others can make room for it. Depth first, without recursion."""
    seen: set[int] = set()
    path: list[tuple[int, int]] = []
    stack = [(thing, iter(ends[first[thing] : first[thing + 1]].tolist()))]
    while stack:
        taker, givers = stack[-1]
        giver = next((giver for giver in givers if giver not in seen), None)
        if giver is None:
            stack.pop()
            if path:
                path.pop()
            continue
        seen.add(giver)
        path.append((giver, taker))
        other = int(handed_to[giver])
        if other == NONE:
            for free, wants in path:
                handed_to[free], taken_from[wants] = wants, free
            return True
        stack.append((other, iter(ends[first[other] : first[other + 1]].tolist())))
    return False
