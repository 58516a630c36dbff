"""When it is certain that there is no plan, whatever the order of hosts: a few arguments that hold for a fleet of any size."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from fleetplan.fleet.model import Scope
from fleetplan.planner.grouping import distinct
from fleetplan.planner.problem import Fate, Problem
from fleetplan.rollout.columns import NONE, SCOPE_CODE, Flags, Numbers, Places

MOST_SIZES = 200
"""Sizes of guests that are looked at, of each pool."""


def impossible(problem: Problem, pools: Collection[int]) -> bool:
    """Whether there is no plan for certain. `pools` are those that are worth a look. O(hosts x sizes)."""
    return (
        _some_guest_stays(problem)
        or _some_host_waits(problem)
        or any(_no_room(problem, pool) or _too_many_fellows(problem, pool) for pool in pools)
    )


def _some_guest_stays(problem: Problem) -> bool:
    """A guest can neither restart nor, by whatever hops over hosts of its pool, get to the target."""
    stuck = np.flatnonzero((problem.fate == Fate.STUCK) & problem.pending[problem.guests.on])
    on = problem.guests.on[stuck]
    first, _ = distinct(problem.guests.kind[stuck], problem.now[on], problem.hosts.pool[on], problem.movable[stuck])
    return any(not problem.movable[stuck[place]] or not _arrives(problem, int(stuck[place])) for place in first.tolist())


def _arrives(problem: Problem, guest: int) -> bool:
    pool = problem.hosts.pool[problem.guests.on[guest]]
    there = np.flatnonzero((problem.hosts.pool == pool) & (problem.pending | problem.upgraded))
    goals = set(problem.goals.get(int(pool), []))
    between = {int(place) for place in problem.now[there]} | goals
    front = [(int(problem.guests.kind[guest]), int(problem.now[problem.guests.on[guest]]))]
    seen = set(front)
    while front:
        kind, here = front.pop()
        for place in sorted(between):
            hop = problem.classes.hop(kind, here, place)
            if hop.allowed and place in goals:
                return True
            if hop.allowed and (hop.after, place) not in seen:
                seen.add((hop.after, place))
                front.append((hop.after, place))
    return False


def _some_host_waits(problem: Problem) -> bool:
    """Hosts that no plan brings back use up all slots of a place, and a host of it needs one."""
    waiting, kept = problem.pending & ~problem.held, problem.held & ~problem.pending
    for slots in problem.slots:
        gone = slots.taken + np.bincount(slots.place[kept], minlength=len(slots.limit))
        if (waiting & (slots.limit <= gone)[slots.place]).any():
            return True
    return False


def _no_room(problem: Problem, pool: int) -> bool:
    """While some host of a pool reboots, its guests and those of the others do not fit on the others.

    Guests that move are always on hosts of their pool that are upgraded, or will be. Each host that is not the one that reboots holds no
    more of them than its room, or what is on it from the start. That is asked of the sum of each resource, and, for the size of each
    guest, of the number of guests that are at least so large, as if all were just so large.
    """
    members = problem.pool_hosts.one(pool)
    members = members[problem.pending[members] | problem.upgraded[members]]
    guests = problem.residents.many(members)
    moving = guests[(problem.fate[guests] == Fate.MOVE) | problem.upgraded[problem.guests.on[guests]]]
    staying = guests[(problem.fate[guests] != Fate.MOVE) & ~problem.upgraded[problem.guests.on[guests]]]
    place = np.full(len(problem.hosts.names), -1, np.int64)
    place[members] = np.arange(len(members))
    room = problem.room[members] - _sums(problem, place, staying, len(members))
    busy = problem.pending[members] & (np.bincount(place[problem.guests.on[moving]], minlength=len(members)) > 0)
    load = _sums(problem, place, moving, len(members))
    most = np.maximum(room, load)
    if (load.sum(axis=0) > (most.sum(axis=0) - most[busy])).any():
        return True
    return any(_too_many(problem, size, room, place, moving, busy) for size in _largest(problem, moving))


def _too_many_fellows(problem: Problem, pool: int) -> bool:
    """Members of a group that is kept apart by host find no place each, when the last host of the pool has been emptied.

    Each of them that had to leave its host has landed by then on a host where no other is, and not on the last one; nor where a member
    stays. Asked for the size of each of them, of those that are at least so large. Guests of upgraded hosts stay.
    """
    members = problem.pool_hosts.one(pool)
    hosts = members[problem.pending[members] | problem.upgraded[members]]
    residents = problem.residents.many(hosts)
    staying = residents[(problem.fate[residents] != Fate.MOVE)]
    place = np.full(len(problem.hosts.names), -1, np.int64)
    place[hosts] = np.arange(len(hosts))
    room = problem.room[hosts] - _sums(problem, place, staying, len(hosts))
    moving = residents[problem.fate[residents] == Fate.MOVE]
    groups = problem.guests.group[moving]
    for group in np.unique(groups[groups != NONE]).tolist():
        if problem.guests.group_scope[group] == SCOPE_CODE[Scope.HOST]:
            free = ~np.isin(hosts, problem.guests.on[staying[problem.guests.group[staying] == group]])
            if _crowded(problem, moving[groups == group], room[free], leaves=bool(free.all())):
                return True
    return False


def _crowded(problem: Problem, fellows: Places, room: Numbers, *, leaves: bool) -> bool:
    """Whether some guests, at least of some size, are more than there are rooms for them; one less if the last host is one of these."""
    for size in problem.guests.size[fellows]:
        large = (problem.guests.size[fellows] >= size).all(axis=1).sum()
        fitting = (room >= size).all(axis=1)
        if large > fitting.sum() - int(leaves and bool(fitting.all())):
            return True
    return False


def _sums(problem: Problem, place: Numbers, guests: Places, hosts: int) -> Numbers:
    on, size = place[problem.guests.on[guests]], problem.guests.size[guests]
    columns = [np.bincount(on, size[:, resource], hosts) for resource in range(size.shape[1])]
    return np.stack(columns, axis=1).astype(np.int64)


def _largest(problem: Problem, guests: Places) -> Numbers:
    """The distinct sizes of some guests, the largest first."""
    sizes = np.unique(problem.guests.size[guests], axis=0)
    return sizes[np.argsort(-(sizes / problem.largest).max(axis=1), kind="stable")][:MOST_SIZES]


def _too_many(problem: Problem, size: Numbers, room: Numbers, place: Numbers, moving: Places, busy: Flags) -> bool:
    """Whether so many guests are at least of a size that they find no place without some busy host."""
    large = moving[(problem.guests.size[moving] >= size).all(axis=1)]
    there = np.bincount(place[problem.guests.on[large]], minlength=len(room))
    units = np.maximum((np.maximum(room, 0)[:, size > 0] // size[size > 0]).min(axis=1), there)
    return bool((len(large) > units.sum() - units[busy]).any())
