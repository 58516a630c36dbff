"""Things that use a shared slot one after the other: whether `after` hands the slot on.

Each thing begins with a step and ends with one (a migration with the same). Where the first step of one waits for the last step of
another, the second can take over the slot of the first. The fewest slots that are needed are the fewest chains that hold all things.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

import numpy as np

from fleetplan.judge.antichain import heaviest
from fleetplan.judge.case import Case
from fleetplan.rollout.columns import NONE, Numbers, Places

MOST_EXACT = 256
"""Things of one group that are looked at exactly; beyond, a slot is handed on only to who waits for it directly."""


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
        at_once = members[follows[members] == NONE] if len(members) > MOST_EXACT else _at_once(case, some, members)
        if len(at_once) > limits[group]:
            found[group] = number[at_once].tolist()
    return found


def _at_once(case: Case, things: Things, members: Numbers) -> Numbers:
    """As many things of a group as can go on at once."""
    after = case.precedence.later_than(things.tail[members], things.head[members])
    _, chosen = heaviest([1] * len(members), after)
    return members[chosen]


# --- a matching ----------------------------------------------------------------------------------------------------------------------


def _handed_on(case: Case, things: Things, limits: Numbers) -> Numbers:
    """For each thing, the one whose slot it takes over, by what it waits for directly; as many as possible where slots are short."""
    ends, begins = _edges(case, things)
    taken_from = np.full(len(things.group), NONE, np.int64)
    handed_to = np.full(len(things.group), NONE, np.int64)
    # Most pairs have nobody else to choose.
    alone = (np.bincount(ends, minlength=len(taken_from))[ends] == 1) & (np.bincount(begins, minlength=len(taken_from))[begins] == 1)
    taken_from[begins[alone]] = ends[alone]
    handed_to[ends[alone]] = begins[alone]
    for giver, taker in _oldest_first(case, things, ends[~alone], begins[~alone]):
        if taken_from[taker] == NONE and handed_to[giver] == NONE:
            taken_from[taker], handed_to[giver] = giver, taker
    _rearrange(things, limits, ends, begins, taken_from, handed_to)
    return taken_from


def _oldest_first(case: Case, things: Things, ends: Numbers, begins: Numbers) -> Iterator[tuple[int, int]]:
    """Pairs in the order in which the second begins, and for each of these in the order in which the first ends.

    A slot that has long been free is rarely on offer again: taking the oldest first leaves few to be rearranged.
    """
    order = np.lexsort((case.steps.end_s[things.tail[ends]], begins, case.steps.start_s[things.head[begins]]))
    return zip(ends[order].tolist(), begins[order].tolist(), strict=True)


def _edges(case: Case, things: Things) -> tuple[Numbers, Numbers]:
    """Pairs of things of one group of which the second waits for the first."""
    ends_with = np.full(len(case.steps), NONE, np.int32)
    begins_with = np.full(len(case.steps), NONE, np.int32)
    ends_with[things.tail[things.tail != NONE]] = np.flatnonzero(things.tail != NONE)
    begins_with[things.head[things.head != NONE]] = np.flatnonzero(things.head != NONE)
    ends, begins = ends_with[case.steps.after], begins_with[case.waiting]
    both = (ends != NONE) & (begins != NONE)
    ends, begins = ends[both], begins[both]
    same = things.group[ends] == things.group[begins]
    return ends[same], begins[same]


def _rearrange(things: Things, limits: Numbers, ends: Numbers, begins: Numbers, taken_from: Numbers, handed_to: Numbers) -> None:
    """Where a group is still short of slots, give slots to others so that more are handed on (augmenting paths)."""
    needed = np.bincount(things.group, minlength=len(limits)) - np.bincount(things.group[taken_from != NONE], minlength=len(limits))
    short = needed > limits
    if not short.any():
        return
    inside = short[things.group[ends]]
    offers = _Offers(ends[inside], begins[inside], len(taken_from))
    unserved = begins[inside][taken_from[begins[inside]] == NONE]
    takers = dict.fromkeys(unserved.tolist())
    giving, taking = handed_to.tolist(), taken_from.tolist()
    # What a search in vain has seen leads nowhere for good.
    hopeless: set[int] = set()
    for taker in takers:
        group = things.group[taker]
        if needed[group] > limits[group]:
            in_vain = _reassign(taker, offers, taking, giving, hopeless)
            if in_vain is None:
                needed[group] -= 1
            else:
                hopeless |= in_vain
    handed_to[:], taken_from[:] = giving, taking


class _Offers:
    """Who could give each thing a slot. Few are ever asked for."""

    def __init__(self, givers: Numbers, takers: Numbers, things: int) -> None:
        order = np.argsort(takers, kind="stable")
        self._givers = givers[order]
        self._begins = np.searchsorted(takers[order], np.arange(things + 1)).tolist()

    def __getitem__(self, taker: int) -> list[int]:
        """Those that the thing waits for directly, in the order of the plan."""
        found: list[int] = self._givers[self._begins[taker] : self._begins[taker + 1]].tolist()
        return found


def _reassign(thing: int, offers: _Offers, taking: list[int], giving: list[int], hopeless: Set[int]) -> Set[int] | None:
    """Find a slot for a thing, if others can make room for it by taking another. None where it did; else all slots that were tried."""
    asked_by: dict[int, int] = {}
    queue = [thing]
    for taker in queue:
        for giver in offers[taker]:
            if giver in asked_by or giver in hopeless:
                continue
            asked_by[giver] = taker
            if giving[giver] == NONE:
                _pass_on(thing, giver, asked_by, taking, giving)
                return None
            queue.append(giving[giver])
    return asked_by.keys()


def _pass_on(thing: int, giver: int, asked_by: Mapping[int, int], taking: list[int], giving: list[int]) -> None:
    """Along a path: who asked for a slot gets it, and leaves its own to who asked for that."""
    while True:
        taker = asked_by[giver]
        left = taking[taker]
        taking[taker], giving[giver] = giver, taker
        if taker == thing:
            return
        giver = left
