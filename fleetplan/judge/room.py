"""Invariants of room: capacity with overcommit, reserved pages included, and the reserve.

A host cannot be too full if all guests that are there at the start or come before its upgrade fit, and all that stay or come after it. Both
sums are quick, and do not depend on when things happen. Only hosts for which that does not settle it are looked at more closely.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from fleetplan.judge.antichain import heaviest
from fleetplan.judge.case import Case
from fleetplan.judge.layout import BEFORE, listed
from fleetplan.judge.limits import ENDS, STARTS
from fleetplan.rollout.columns import NONE, Flags, Numbers, Places
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import StepKind
from fleetplan.rollout.resources import ALWAYS, ResourceKind


@dataclass(frozen=True, slots=True)
class Stays:
    """Guests on hosts, from the start of their arrival to the end of their departure.

    Both are steps; NONE: the guest is there from the start, it stays.
    """

    host: Places
    guest: Places
    since: Numbers
    until: Numbers
    arrival: Places
    departure: Places


def stays_of(case: Case, hosts: Flags, guests: Flags) -> Stays:
    """All stays of some guests on some hosts."""
    steps, moves = case.steps, case.migrations
    initial = np.flatnonzero(hosts[case.guests.on] & guests)
    moves = moves[hosts[steps.destination[moves]] & guests[steps.guest[moves]]]
    first, following = case.departures
    return Stays(
        host=np.concatenate((case.guests.on[initial], steps.destination[moves])),
        guest=np.concatenate((initial, steps.guest[moves])),
        since=np.concatenate((np.full(len(initial), BEFORE), steps.start_s[moves])),
        until=np.concatenate((case.leaves_at[initial], case.stays_until[moves])),
        arrival=np.concatenate((np.full(len(initial), NONE), moves)),
        departure=np.concatenate((first[initial], following[moves])),
    )


def most_of(case: Case, reserve_per_mille: int) -> Numbers:
    """By host, what may be used of each resource. There are as many reserved pages as there are: nothing is overcommitted there."""
    overcommit = np.array([_overcommit(case, resource.kind) for resource in case.resources], np.int64)
    most: Numbers = case.hosts.size * overcommit // 1000
    return most * (1000 - reserve_per_mille) // 1000 if reserve_per_mille else most


def _overcommit(case: Case, kind: ResourceKind) -> int:
    policy = case.fleet.policy
    match kind:
        case ResourceKind.VCPUS:
            return policy.overcommit_vcpus_per_mille
        case ResourceKind.MEMORY | ResourceKind.REST:
            return policy.overcommit_memory_per_mille
        case ResourceKind.PAGES:
            return 1000
        case _ as unknown:
            assert_never(unknown)


def capacity(case: Case) -> Iterator[Violation]:
    """An arrival leaves a host within its capacity with overcommit, both ends of running migrations counted."""
    yield from _overfull(case, InvariantId.CAPACITY, most_of(case, 0))


def reserve(case: Case) -> Iterator[Violation]:
    """An arrival leaves the reserve free."""
    if case.fleet.policy.reserve_per_mille:
        yield from _overfull(case, InvariantId.RESERVE, most_of(case, case.fleet.policy.reserve_per_mille))


def _overfull(case: Case, rule: InvariantId, most: Numbers) -> Iterator[Violation]:
    stays = stays_of(case, _suspects(case, most), np.ones(len(case.guests.names), np.bool_))
    count = len(stays.host)
    host = np.concatenate((stays.host, stays.host))
    time = np.concatenate((stays.since, stays.until))
    kind = np.repeat([STARTS, ENDS], count)
    who = np.concatenate((stays.guest, stays.guest))
    order = np.lexsort((who, kind, time, host))
    change = case.guests.size[who] * np.where(kind == STARTS, 1, -1)[:, None]
    # Every host ends with as much in use as it begins with: nothing.
    used = np.cumsum(change[order], axis=0)
    arrival = np.concatenate((stays.arrival, np.full(count, NONE)))[order]
    for event in listed((arrival != NONE) & (used > most[host[order]]).any(axis=1)):
        where = int(host[order[event]])
        yield case.broken(rule, f"host {case.hosts.names[where]}", int(arrival[event]), **_facts(case, used[event], most[where]))


def _facts(case: Case, used: Numbers, most: Numbers) -> Mapping[str, int]:
    """Of each resource what is used and what may be; of pages only where it is too much."""
    found: dict[str, int] = {}
    for place, resource in enumerate(case.resources):
        if resource in ALWAYS or used[place] > most[place]:
            found |= {resource.name: int(used[place]), f"most_{resource.name}": int(most[place])}
    return found


def _suspects(case: Case, most: Numbers) -> Flags:
    """Hosts that take guests, and of which the quick sums do not show that they always have room."""
    moves, there = case.migrations, case.steps.destination[case.migrations]
    late = case.lands[moves] != NONE
    before, after = case.once(loads)
    takes_before = np.bincount(there[~late], minlength=len(before)) > 0
    takes_after = np.bincount(there[late], minlength=len(before)) > 0
    full: Flags = (takes_before & (before > most).any(axis=1)) | (takes_after & (after > most).any(axis=1))
    return full


def loads(case: Case) -> tuple[Numbers, Numbers]:
    """By host, all that is there at the start or comes before its uncordon; and all of that which stays, with what comes after it."""
    steps, size, moves = case.steps, case.guests.size, case.migrations
    there, guest = steps.destination[moves], steps.guest[moves]
    late = case.lands[moves] != NONE
    opened = case.end_of(StepKind.UNCORDON, BEFORE)
    left = case.leaves_at <= opened[case.guests.on]
    left_again = ~late & (case.stays_until[moves] <= opened[there])
    hosts = len(case.hosts.names)
    before = totals(case.guests.on, size, hosts) + totals(there[~late], size[guest[~late]], hosts)
    gone = totals(case.guests.on[left], size[left], hosts) + totals(there[left_again], size[guest[left_again]], hosts)
    return before, before - gone + totals(there[late], size[guest[late]], hosts)


EXACT = 1 << 53
"""Sums of whole numbers up to here are exact in floating point, which is ten times faster."""


def totals(host: Places, size: Numbers, hosts: int) -> Numbers:
    """By host, the sums of every resource."""
    found = np.zeros((hosts, size.shape[1]), np.int64)
    for resource in range(size.shape[1]):
        own = size[:, resource]
        if int(own.max(initial=0)) * len(own) < EXACT:
            found[:, resource] = np.bincount(host, weights=own, minlength=hosts)
        else:
            np.add.at(found[:, resource], host, own)
    return found


# --- by waiting alone ----------------------------------------------------------------------------------------------------------------


def room_by_waiting(case: Case) -> Iterator[Violation]:
    """Whether arrivals wait for departures wherever there is not room for both. Room within the reserve is room within the capacity."""
    most = most_of(case, case.fleet.policy.reserve_per_mille)
    suspects = _suspects(case, most)
    everybody = np.ones(len(case.guests.names), np.bool_)
    for host in listed(suspects):
        only = np.zeros(len(suspects), np.bool_)
        only[host] = True
        yield from _crowds(case, host, stays_of(case, only, everybody), most[host])


def _crowds(case: Case, host: int, stays: Stays, most: Numbers) -> Iterator[Violation]:
    """Arrivals that can meet more guests than there is room for."""
    after = [set(later) for later in case.precedence.later_than(stays.departure, stays.arrival)]
    size = case.guests.size[stays.guest].tolist()
    for stay in np.flatnonzero(stays.arrival != NONE).tolist():
        others = [other for other in range(len(size)) if other != stay and other not in after[stay] and stay not in after[other]]
        place = {other: index for index, other in enumerate(others)}
        before = [[place[later] for later in sorted(after[other]) if later in place] for other in others]
        for resource in range(len(case.resources)):
            met, chosen = heaviest([size[other][resource] for other in others], before)
            if met + size[stay][resource] > most[resource]:
                crowd = [stay, *(others[index] for index in chosen)]
                yield _crowded(case, host, stays, crowd, most)
                break


def _crowded(case: Case, host: int, stays: Stays, crowd: list[int], most: Numbers) -> Violation:
    """Names the arrival, and what it does not wait for: what takes the others away."""
    arrival, *others = crowd
    leaving = [int(step) for step in stays.departure[others] if step != NONE]
    used = case.guests.size[stays.guest[crowd]].sum(axis=0)
    return case.broken(
        InvariantId.AFTER, f"host {case.hosts.names[host]}", int(stays.arrival[arrival]), *leaving, **_facts(case, used, most)
    )
