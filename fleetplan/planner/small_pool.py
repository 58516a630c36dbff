"""One small pool in plain numbers, for a search that tries and takes back: who is where, what is free, and what matters of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from fleetplan.fleet.model import Scope
from fleetplan.planner.occupancy import Occupancy
from fleetplan.planner.problem import Problem
from fleetplan.rollout.columns import NONE, SCOPE_CODE

Sizes = tuple[int, ...]


class Kind(NamedTuple):
    """What matters of a guest: guests of one kind can be exchanged. Larger ones sort first."""

    minus_size: Sizes
    size: Sizes
    kind: int
    rule: int
    group: int


class Pool:
    """A pool when the search begins. Hosts and guests by their numbers in the problem."""

    def __init__(self, problem: Problem, pool: int, occupancy: Occupancy) -> None:
        self.problem = problem
        members = problem.pool_hosts.one(pool)
        self.hosts: list[int] = members[problem.pending[members] & ~occupancy.open[members]].tolist()
        self.opened: list[int] = members[occupancy.open[members]].tolist()
        self.movers: dict[int, list[int]] = {host: occupancy.movers.one(host).tolist() for host in self.hosts}
        vacated = problem.room - occupancy.used + occupancy.load
        self.vacated: dict[int, Sizes] = {host: tuple(vacated[host].tolist()) for host in (*self.hosts, *self.opened)}
        """What landings may take of a host when all have left that must; less than nothing where it is over-committed."""
        self.guests = [guest for guests in self.movers.values() for guest in guests]
        self.wide = frozenset(np.flatnonzero(problem.guests.group_scope != SCOPE_CODE[Scope.HOST]).tolist())
        """Groups that are kept apart over racks or zones."""
        self.groups = dict.fromkeys(sorted({int(problem.guests.group[guest]) for guest in self.guests} - {NONE}))
        self.stands = self._stands(occupancy)
        self._hops: dict[tuple[int, int, int], tuple[bool, int]] = {}
        self._looks: dict[tuple[int, bool], int] = {}
        self._seen: dict[tuple[object, ...], int] = {}

    def _stands(self, occupancy: Occupancy) -> Counter[tuple[int, int]]:
        """Places of members of groups that stay where they are, with the group."""
        moving, members = set(self.guests), self.problem.members
        there = [(group, guest) for group in self.groups for guest in members.one(group).tolist() if guest not in moving]
        return Counter((group, self.place(group, int(occupancy.at[guest]))) for group, guest in there)

    def place(self, group: int, host: int) -> int:
        """The place that a member of a group takes on a host."""
        if group not in self.wide:
            return host
        hosts = self.problem.hosts
        return int((hosts.rack if self.problem.guests.group_scope[group] == SCOPE_CODE[Scope.RACK] else hosts.zone)[host])

    def hop(self, kind: int, here: int, there: int) -> tuple[bool, int]:
        """Whether a hop between two classes of hosts is allowed, and what the guest is afterwards."""
        key = (kind, here, there)
        if key not in self._hops:
            hop = self.problem.classes.hop(*key)
            self._hops[key] = (hop.allowed, hop.after)
        return self._hops[key]

    def kind_of(self, guest: int) -> Kind:
        """What matters of a guest when the search begins."""
        guests = self.problem.guests
        size = guests.size[guest]
        return Kind(
            tuple((-size).tolist()), tuple(size.tolist()), int(guests.kind[guest]), int(self.problem.rule[guest]), int(guests.group[guest])
        )

    @cached_property
    def admits(self) -> dict[int, frozenset[int]]:
        """For each rule of landing, the hosts that it admits."""
        rules = {int(self.problem.rule[guest]): guest for guest in self.guests}
        return {rule: frozenset(np.flatnonzero(self.problem.may_land(guest)).tolist()) for rule, guest in rules.items()}

    def look(self, host: int, *, opened: bool) -> int:
        """Hosts with the same number are the same to everybody, but for who is there."""
        key = (host, opened)
        if key not in self._looks:
            self._looks[key] = self._seen.setdefault(self._look(host, opened=opened), len(self._seen))
        return self._looks[key]

    def _look(self, host: int, *, opened: bool) -> tuple[object, ...]:
        problem, hosts = self.problem, self.problem.hosts
        seen = tuple(rule for rule, admitted in self.admits.items() if host in admitted)
        places = (int(hosts.zone[host]), int(hosts.rack[host])) if self._places_count else ()
        old = () if opened else (int(problem.now[host]), bool(problem.cordoned[host]), self.vacated[host])
        return (seen, places, int(problem.then[host]), old)

    @cached_property
    def _places_count(self) -> bool:
        return bool(self.wide & self.groups.keys()) or bool(self.problem.held[self.hosts].any())

    @cached_property
    def alike(self) -> bool:
        """Whether hops between old hosts change nothing for anybody: hosts are of one class, and guests stay what they are."""
        here = {int(self.problem.now[host]) for host in self.hosts}
        kinds = {int(self.problem.guests.kind[guest]) for guest in self.guests}
        return len(here) <= 1 and all(self.hop(kind, host, host)[1] == kind for kind in kinds for host in here)

    @cached_property
    def provable(self) -> bool:
        """Whether no plan of hosts one after the other means no plan at all: hosts are alike, and groups are apart by host only."""
        return self.alike and not self.wide & self.groups.keys()

    @cached_property
    def welcoming(self) -> frozenset[int]:
        """Hosts that take everybody as soon as they are upgraded."""
        pairs = {(int(self.problem.guests.kind[guest]), int(self.problem.now[host])) for host in self.hosts for guest in self.movers[host]}
        then = self.problem.then
        return frozenset(host for host in self.hosts if self.alike and all(self.hop(*pair, int(then[host]))[0] for pair in pairs))


@dataclass(slots=True)
class State:
    """The pool between two turns, or in the middle of one."""

    pool: Pool
    left: dict[int, None]
    """Hosts that have not had their turn, in order."""
    on: dict[int, list[int]]
    """Guests that must leave, by the old host that they are on."""
    kinds: dict[int, Kind]
    free: dict[int, list[int]]
    taken: Counter[tuple[int, int]]
    """Places of groups, with how many members are there, or land there."""
    opened: dict[int, None] = field(default_factory=dict)

    @classmethod
    def of(cls, pool: Pool) -> State:
        """At the start."""
        kinds = {guest: pool.kind_of(guest) for guest in pool.guests}
        free = {host: list(room) for host, room in pool.vacated.items()}
        taken = Counter(pool.stands)
        for host, guests in pool.movers.items():
            for guest in guests:
                _add(free[host], kinds[guest].minus_size)
                if kinds[guest].group != NONE:
                    taken[kinds[guest].group, pool.place(kinds[guest].group, host)] += 1
        on = {host: list(guests) for host, guests in pool.movers.items()}
        return cls(pool, dict.fromkeys(pool.hosts), on, kinds, free, taken, dict.fromkeys(pool.opened))

    # --- asking -------------------------------------------------------------------------------------------------------------------

    def next_hosts(self) -> list[int]:
        """Hosts that may have their turn: those without guests first, then those that ask for least of what they give."""
        last = self.pool.problem.last
        in_turn = [host for host in self.left if not last[host]] or self.left
        return sorted(filter(self._has_slot, in_turn), key=self._cost)

    def _cost(self, host: int) -> tuple[float, int, int]:
        gives = self.pool.vacated[host]
        asks = [give - free for give, free in zip(gives, self.free[host], strict=True)]
        return max(ask / max(give, 1) for ask, give in zip(asks, gives, strict=True)), len(self.on[host]), host

    def _has_slot(self, host: int) -> bool:
        """Whether a slot is free while those that are held are."""
        problem = self.pool.problem
        if problem.held[host]:
            return True
        return all(
            slots.limit[slots.place[host]] - slots.taken[slots.place[host]]
            > sum(bool(problem.held[other]) and slots.place[other] == slots.place[host] for other in self.left)
            for slots in problem.slots
        )

    def guests_of(self, host: int) -> list[int]:
        """Guests that must leave a host: the largest first, those of one kind together."""
        return sorted(self.on[host], key=lambda guest: (self.kinds[guest], guest))

    def goals(self, host: int, kind: Kind) -> list[tuple[int, int]]:
        """Where guests of one kind may go from a host, and what each move costs beside: first to upgraded hosts, to the fullest of them."""
        pool, problem = self.pool, self.pool.problem
        here, admitted = int(problem.now[host]), pool.admits[kind.rule]
        upgraded = [there for there in self.opened if there in admitted and pool.hop(kind.kind, here, int(problem.then[there]))[0]]
        waiting = [
            there
            for there in self.left
            if there != host and there in admitted and not problem.cordoned[there] and pool.hop(kind.kind, here, int(problem.now[there]))[0]
        ]
        by_room = lambda there: (sum(self.free[there]), there)  # noqa: E731 - for two lists
        return [*((there, 0) for there in sorted(upgraded, key=by_room)), *((there, 1) for there in sorted(waiting, key=by_room))]

    def takes(self, host: int, source: int, kind: Kind) -> bool:
        """Whether a guest that comes from a host finds room, and meets no fellow."""
        free = self.free[host]
        for resource, size in enumerate(kind.size):
            if free[resource] < size:
                return False
        if kind.group == NONE:
            return True
        there = self.pool.place(kind.group, host)
        return not self.taken[kind.group, there] or there == self.pool.place(kind.group, source)

    def overflows(self) -> bool:
        """Whether guests cannot all go to upgraded hosts, even if they could be cut in pieces: the least loads first, while they fit."""
        loads = {host: [give - free for give, free in zip(self.pool.vacated[host], self.free[host], strict=True)] for host in self.left}
        for resource in range(len(next(iter(loads.values())))):
            room = sum(max(self.free[host][resource], 0) for host in self.opened)
            for host in sorted(self.left, key=lambda host: loads[host][resource]):
                if loads[host][resource] > room:
                    return True
                room += max(self.pool.vacated[host][resource], 0) - loads[host][resource]
        return False

    def gains_for_nothing(self, host: int) -> bool:
        """Whether nothing is better than to upgrade this host next, if nobody moves twice: nobody must leave it, and it takes everybody."""
        return not self.on[host] and host in self.pool.welcoming

    def signature(self, host: int) -> tuple[object, ...]:
        """What matters of a host: hosts with the same one can be exchanged."""
        opened = host in self.opened
        groups = tuple(group for group in self.pool.groups if self.taken[group, self.pool.place(group, host)])
        people = () if opened else tuple(sorted(map(self.kinds.__getitem__, self.on[host])))
        return (self.pool.look(host, opened=opened), *self.free[host], groups, people)

    def key(self) -> tuple[object, ...]:
        """What matters of all."""
        upgraded, waiting = (sorted(map(self.signature, hosts)) for hosts in (self.opened, self.left))
        return (tuple(upgraded), tuple(waiting))

    # --- doing --------------------------------------------------------------------------------------------------------------------

    def land(self, guest: int, host: int) -> None:
        """A guest takes room on a host, and its place."""
        kind = self.kinds[guest]
        _add(self.free[host], kind.minus_size)
        if kind.group != NONE:
            self.taken[kind.group, self.pool.place(kind.group, host)] += 1

    def take_back(self, guest: int, host: int) -> None:
        """It does not, after all."""
        kind = self.kinds[guest]
        _add(self.free[host], kind.size)
        if kind.group != NONE:
            self.taken[kind.group, self.pool.place(kind.group, host)] -= 1

    def settle(self, host: int, goals: dict[int, int]) -> dict[int, Kind]:
        """The turn of a host is over: who has landed on old hosts must leave them. What guests were before."""
        before = {guest: self.kinds[guest] for guest in goals}
        now = int(self.pool.problem.now[host])
        for guest, there in goals.items():
            self.take_back(guest, host)
            if there in self.left:
                kind = self.kinds[guest]
                self.kinds[guest] = kind._replace(kind=self.pool.hop(kind.kind, now, int(self.pool.problem.now[there]))[1])
                self.on[there].append(guest)
        self.on[host] = []
        del self.left[host]
        self.opened[host] = None
        return before

    def unsettle(self, host: int, goals: dict[int, int], before: dict[int, Kind]) -> None:
        """As it was before `settle`."""
        del self.opened[host]
        self.left[host] = None
        for guest, there in goals.items():
            if there in self.left and there != host:
                self.on[there].remove(guest)
            self.kinds[guest] = before[guest]
            self.land(guest, host)
        self.on[host] = list(goals)


def _add(to: list[int], sizes: Sizes) -> None:
    for resource, size in enumerate(sizes):
        to[resource] += size
