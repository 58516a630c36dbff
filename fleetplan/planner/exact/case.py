"""What the exact models ask of a fleet: which guests must move, where each may land, what room there is, who may be away together.

Made from the fleet and its classes alone, not from what the heuristic search makes of them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from fleetplan.fleet.model import Fleet, Guest, HostState, Scope
from fleetplan.fleet.policy import GateRule, Immovable
from fleetplan.migration.classes import ClassTable
from fleetplan.rollout.copying import migration_s
from fleetplan.rollout.durations import CHECK_S, START_S, STOP_S, UNCORDON_S

Size = tuple[int, int]
"""vCPUs and MiB."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Guests of one host that no rule tells apart, and that must move. Members of groups kept apart are lots of their own."""

    source: int
    guests: tuple[int, ...]
    size: Size
    goals: tuple[int, ...]
    """Other hosts that take them once on the target."""
    returns: bool
    """Their own host does so, too."""
    halts: tuple[int, ...]
    """Other hosts that take them before the upgrade, if they move more than once."""
    copies_s: tuple[int, ...]
    """How long the copy of one of them to each goal takes, at least."""
    group: str | None


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` of these hosts may be away at once. `held` ones are away from the start, until they are upgraded."""

    hosts: tuple[int, ...]
    held: tuple[int, ...]
    most: int


@dataclass(frozen=True, slots=True)
class Case:
    """A fleet as the exact models see it. Hosts and guests are given by number."""

    pending: tuple[int, ...]
    """Hosts that are upgraded."""
    opened: tuple[int, ...]
    """Hosts that are on the target, and take guests."""
    pool: tuple[str, ...]
    room: tuple[Size, ...]
    """Of each host, what landings may take of it when all have left that must."""
    lots: tuple[Lot, ...]
    alike: dict[str, bool]
    """By pool, whether hops between its old hosts change nothing for anybody: the hosts are of one class."""
    standing: dict[tuple[str, int], int]
    """By group and host, members that stay where they are."""
    places: dict[str, tuple[str, ...]]
    """By group kept apart, the place of each host in its scope."""
    limits: tuple[Limit, ...]
    gates: tuple[GateRule, ...]
    streams: int
    back_s: tuple[int, ...]
    """Of each host, the time from its last guest's leave until it is uncordoned."""
    stops_s: tuple[int, ...]
    """Of each host, how long guests take to stop that restart in place; 0 if none do."""
    starts_s: tuple[int, ...]
    """And how long to start again, after the uncordon."""

    @property
    def movers(self) -> int:
        """Guests that must move."""
        return sum(len(lot.guests) for lot in self.lots)

    @property
    def wide(self) -> bool:
        """Whether members of a group that must move are kept apart over racks or zones."""
        return any(lot.group is not None and len(set(self.places[lot.group])) < len(self.pool) for lot in self.lots)

    def is_held(self, host: int) -> bool:
        """Whether a host has its slots from the start."""
        return any(host in limit.held for limit in self.limits)


def case_of(fleet: Fleet, classes: ClassTable) -> Case:
    """The case of a fleet of which every guest can move or restart, unless policy skips its host."""
    return _Maker(fleet, classes).case()


class _Maker:
    def __init__(self, fleet: Fleet, classes: ClassTable) -> None:
        self._fleet = fleet
        self._classes = classes
        self._hosts = fleet.hosts
        self._guests = list(fleet.guests)
        number = {host.name: place for place, host in enumerate(fleet.hosts)}
        self._on = [number[guest.on] for guest in self._guests]
        alive = [
            place
            for place, host in enumerate(self._hosts)
            if host.release != fleet.target and host.state in {HostState.UP, HostState.CORDONED}
        ]
        self._opened = [place for place, host in enumerate(self._hosts) if host.release == fleet.target and host.state is HostState.UP]
        goals = {*alive, *self._opened}
        moving = {guest for guest, on in enumerate(self._on) if on in set(alive) and self._moves(guest, goals)}
        if fleet.policy.immovable is Immovable.SKIP:
            stuck = {on for guest, on in enumerate(self._on) if guest not in moving}
            alive = [host for host in alive if host not in stuck]
        self._pending = alive
        self._moving = sorted(guest for guest in moving if self._on[guest] in set(alive))
        groups = {name: group.apart for name, group in fleet.groups.items() if group.apart is not None}
        self._places: dict[str, tuple[str, ...]] = {name: self._scoped(scope) for name, scope in sorted(groups.items())}

    def _scoped(self, scope: Scope) -> tuple[str, ...]:
        return tuple({Scope.HOST: host.name, Scope.RACK: host.rack, Scope.ZONE: host.zone}[scope] for host in self._hosts)

    def _moves(self, guest: int, goals: set[int]) -> bool:
        """Whether any class of hosts of the pool that are, or will be, on the target takes it, and its own is not the only one."""
        own = self._on[guest]
        pool = {goal for goal in goals if self._hosts[goal].pool == self._hosts[own].pool}
        return self._guests[guest].migratable and pool != {own} and any(self._takes(guest, goal) for goal in sorted(pool))

    def _takes(self, guest: int, goal: int) -> bool:
        classes, here = self._classes, self._on[guest]
        same = self._hosts[here].pool == self._hosts[goal].pool
        return same and classes.hop(classes.guests[guest], classes.hosts_now[here], classes.hosts_then[goal]).allowed

    def case(self) -> Case:
        """All of it."""
        restarting = {on for guest, on in enumerate(self._on) if on in set(self._pending)} & {
            self._on[guest] for guest in set(range(len(self._guests))) - set(self._moving)
        }
        moving = set(self._moving)
        standing: dict[tuple[str, int], int] = defaultdict(int)
        for place, guest in enumerate(self._guests):
            if place not in moving and guest.group in self._places:
                standing[guest.group, self._on[place]] += 1
        return Case(
            pending=tuple(self._pending),
            opened=tuple(self._opened),
            pool=tuple(host.pool for host in self._hosts),
            room=self._rooms(),
            lots=self._lots(),
            alike={pool: self._alike(pool) for pool in dict.fromkeys(self._hosts[host].pool for host in self._pending)},
            standing=dict(standing),
            places=self._places,
            limits=tuple(self._limits()),
            gates=self._fleet.policy.gates,
            streams=self._fleet.policy.streams,
            back_s=tuple(host.reboot_s + CHECK_S + UNCORDON_S for host in self._hosts),
            stops_s=tuple(STOP_S if host in restarting else 0 for host in range(len(self._hosts))),
            starts_s=tuple(START_S if host in restarting else 0 for host in range(len(self._hosts))),
        )

    def _rooms(self) -> tuple[Size, ...]:
        policy = self._fleet.policy
        size = np.array([(host.vcpus, host.memory_mib) for host in self._hosts], np.int64).reshape(-1, 2)
        room = size * [policy.overcommit_vcpus_per_mille, policy.overcommit_memory_per_mille] // 1000
        room = room * (1000 - policy.reserve_per_mille) // 1000
        moving = set(self._moving)
        for guest, record in enumerate(self._guests):
            if guest not in moving:
                room[self._on[guest]] -= (record.vcpus, record.memory_mib)
        return tuple((int(vcpus), int(memory)) for vcpus, memory in room.clip(min=0))

    def _lots(self) -> tuple[Lot, ...]:
        lots: dict[object, list[int]] = defaultdict(list)
        for guest in self._moving:
            record = self._guests[guest]
            alone = guest if record.group in self._places else None
            kind = self._classes.guests[guest]
            lots[self._on[guest], record.vcpus, record.memory_mib, record.dirty_rate_mib_s, kind, record.allow, record.deny, alone].append(
                guest
            )
        return tuple(self._lot(tuple(guests)) for guests in lots.values())

    def _lot(self, guests: tuple[int, ...]) -> Lot:
        record, source = self._guests[guests[0]], self._on[guests[0]]
        hosts = [host for host in sorted((*self._pending, *self._opened)) if may_land(record, self._hosts[host].name)]
        takes = [host for host in hosts if self._takes(guests[0], host)]
        goals = tuple(host for host in takes if host != source)
        return Lot(
            source=source,
            guests=guests,
            size=(record.vcpus, record.memory_mib),
            goals=goals,
            returns=source in takes,
            halts=tuple(host for host in hosts if host != source and self._hosts_for_a_while(guests[0], host)),
            copies_s=tuple(migration_s(record, self._hosts[source], self._hosts[goal]) for goal in goals),
            group=record.group if record.group in self._places else None,
        )

    def _hosts_for_a_while(self, guest: int, host: int) -> bool:
        """Whether an old host takes a guest as it is now."""
        classes, here = self._classes, self._on[guest]
        old = host in set(self._pending) and self._hosts[host].state is HostState.UP and self._hosts[host].pool == self._hosts[here].pool
        return old and classes.hop(classes.guests[guest], classes.hosts_now[here], classes.hosts_now[host]).allowed

    def _alike(self, pool: str) -> bool:
        """Hosts of one class; and a hop among them leaves guests what they are."""
        classes, hosts = self._classes, [host for host in self._pending if self._hosts[host].pool == pool]
        kinds = {classes.guests[guest] for guest in self._moving if self._hosts[self._on[guest]].pool == pool}
        here = {classes.hosts_now[host] for host in hosts}
        return len(here) <= 1 and all(classes.hop(kind, host, host).after == kind for kind in kinds for host in here)

    def _limits(self) -> list[Limit]:
        """Hosts that no plan brings back take slots for good."""
        limits, hosts = self._fleet.policy.max_unavailable, self._hosts
        pending, found = set(self._pending), []
        scopes = ((limits.fleet, ["" for _ in hosts]), (limits.zone, [host.zone for host in hosts]), (limits.rack, [h.rack for h in hosts]))
        for share, place in scopes:
            for name in sorted(set(place)) if share is not None else ():
                there = [host for host in range(len(hosts)) if place[host] == name]
                held = tuple(host for host in there if hosts[host].state is HostState.CORDONED and host in pending)
                gone = sum(hosts[host].state is not HostState.UP and host not in pending for host in there)
                assert share is not None  # noqa: S101 - the loop is over those that are not
                found.append(Limit(tuple(host for host in there if host in pending), held, share.of(len(there)) - gone))
        return [limit for limit in found if limit.hosts]


def may_land(guest: Guest, host: str) -> bool:
    """Whether `allow` and `deny` let a guest onto a host."""
    wanted = not guest.allow or any(fnmatchcase(host, pattern) for pattern in guest.allow)
    return wanted and not any(fnmatchcase(host, pattern) for pattern in guest.deny)
