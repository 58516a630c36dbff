"""The fleet as the search sees it: indices, capacities, and what each guest may do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

from fleetplan.fleet.model import Fleet, Guest, HostState, Scope
from fleetplan.fleet.policy import Immovable
from fleetplan.migration.classes import ClassTable, GuestClassId, HostClassId


class Fate(Enum):
    """What the plan does with a guest of a host that is upgraded."""

    MOVE = "move"
    RESTART = "restart"
    STUCK = "stuck"
    """Neither can be done."""


@dataclass(frozen=True, slots=True)
class Slots:
    """How many hosts of one place may be unavailable: the limit, and what is taken of it before the plan begins.

    `taken` are hosts that no plan brings back; `held` are cordoned ones that the plan upgrades: each has a slot until its uncordon.
    """

    place: str
    limit: int
    taken: int
    held: int

    @property
    def most(self) -> int:
        """Hosts that the plan can ever have unavailable at once: more than the limit, if more are cordoned already."""
        return max(self.limit - self.taken, self.held)

    @property
    def free(self) -> int:
        """Slots that are free at the start."""
        return max(self.limit - self.taken - self.held, 0)


class Problem:
    """Everything that the search asks about a fleet, by host and guest index. Built in O(hosts + guests)."""

    def __init__(self, fleet: Fleet, classes: ClassTable) -> None:
        self.fleet = fleet
        self.classes = classes
        self.hosts = fleet.hosts
        self.guests = fleet.guests
        self.index_of = {host.name: index for index, host in enumerate(fleet.hosts)}
        self.on = [self.index_of[guest.on] for guest in fleet.guests]
        self.residents: list[list[int]] = [[] for _ in fleet.hosts]
        for guest, host in enumerate(self.on):
            self.residents[host].append(guest)
        self.pending = [index for index, host in enumerate(fleet.hosts) if self._needs_upgrade(index)]
        self.upgraded = [index for index, host in enumerate(fleet.hosts) if host.release == fleet.target and host.state is HostState.UP]
        policy = fleet.policy
        self.capacity = [
            (host.vcpus * policy.overcommit_vcpus_per_mille // 1000, host.memory_mib * policy.overcommit_memory_per_mille // 1000)
            for host in fleet.hosts
        ]
        keep = 1000 - policy.reserve_per_mille
        self.room = [(vcpus * keep // 1000, memory * keep // 1000) for vcpus, memory in self.capacity]
        self.pools: dict[str, list[int]] = defaultdict(list)
        for index, record in enumerate(fleet.hosts):
            self.pools[record.pool].append(index)
        self._scopes: list[Scope | None] = [self._scope(guest) for guest in fleet.guests]
        self.goals = {pool: self._goal_classes(members) for pool, members in self.pools.items()}
        self._fates: dict[tuple[object, ...], Fate] = {}
        self.fate = {guest: self._fate(guest) for host in self.pending for guest in self.residents[host]}

    def _needs_upgrade(self, index: int) -> bool:
        host = self.fleet.hosts[index]
        return host.release != self.fleet.target and host.state in {HostState.UP, HostState.CORDONED}

    def _scope(self, guest: Guest) -> Scope | None:
        group = self.fleet.groups.get(guest.group) if guest.group is not None else None
        return None if group is None else group.apart

    def _goal_classes(self, members: list[int]) -> dict[HostClassId, None]:
        """Classes of hosts of a pool that are, or will be, on the target release and up."""
        upgraded, pending = set(self.upgraded), set(self.pending)
        return dict.fromkeys(self.classes.hosts_then[index] for index in members if index in upgraded or index in pending)

    # --- guests -------------------------------------------------------------------------------------------------------------------

    def place(self, guest: int, host: int) -> tuple[str, str] | None:
        """The place that a guest of a group kept apart takes on a host, None if it is in no such group."""
        scope = self._scopes[guest]
        if scope is None:
            return None
        there = self.hosts[host]
        return (self.guests[guest].group or "", {Scope.HOST: there.name, Scope.RACK: there.rack, Scope.ZONE: there.zone}[scope])

    def may_land(self, guest: int, host: int) -> bool:
        """Whether `allow` and `deny` let a guest onto a host."""
        record, name = self.guests[guest], self.hosts[host].name
        if record.allow and not any(fnmatchcase(name, pattern) for pattern in record.allow):
            return False
        return not any(fnmatchcase(name, pattern) for pattern in record.deny)

    def is_choosy(self, guest: int) -> bool:
        """Whether `allow` or `deny` say anything of the guest."""
        return bool(self.guests[guest].allow or self.guests[guest].deny)

    def _fate(self, guest: int) -> Fate:
        """Move if any class of landing place takes it; else restart in place, if that is allowed and works."""
        record, host = self.guests[guest], self.on[guest]
        key = (self.classes.guests[guest], self.classes.hosts_now[host], self.hosts[host].pool, record.migratable, record.restartable)
        if key not in self._fates:
            self._fates[key] = self._kind_fate(guest)
        return self._fates[key]

    def _kind_fate(self, guest: int) -> Fate:
        record, host = self.guests[guest], self.on[guest]
        kind, here = self.classes.guests[guest], self.classes.hosts_now[host]
        if record.migratable and any(self.classes.hop(kind, here, goal).allowed for goal in self.goals[self.hosts[host].pool]):
            return Fate.MOVE
        if self.fleet.policy.immovable is Immovable.RESTART and record.restartable and self.boot_pins(guest):
            return Fate.RESTART
        return Fate.STUCK

    def boot_pins(self, guest: int) -> list[str | None]:
        """Pins with which the guest may cold boot on its host once that is upgraded, None (no new pin) first; empty if none."""
        host = self.on[guest]
        there = self.classes.hosts_then[host]
        return [pin for pin in (None, *PINS) if self.boots(self.classes.guests[guest], there, pin)]

    def boots(self, kind: GuestClassId, host: HostClassId, pin: str | None) -> bool:
        """Whether a guest comes up with a pin, and within its `psci_max`."""
        fresh = self.classes.cold_boot(kind, host, pin)
        if fresh is None:
            return False
        most = self.classes.guest_class(fresh).psci_max
        return most is None or self.classes.newest_psci(fresh) <= most

    def movers(self, host: int) -> list[int]:
        """Guests of a pending host that move."""
        return [guest for guest in self.residents[host] if self.fate[guest] is Fate.MOVE]

    # --- limits -------------------------------------------------------------------------------------------------------------------

    def places(self, host: int) -> Iterator[tuple[str, str]]:
        """The scopes of max-unavailable that a host counts in."""
        record = self.hosts[host]
        yield from (("fleet", ""), ("zone", record.zone), ("rack", record.rack))

    def is_held(self, host: int) -> bool:
        """Whether a host is cordoned before the plan begins, and so has its slot already."""
        record = self.hosts[host]
        return record.state is HostState.CORDONED and record.release != self.fleet.target

    def slots(self) -> dict[tuple[str, str], Slots]:
        """For every place with a limit, its slots."""
        limits = self.fleet.policy.max_unavailable
        by_scope = {"fleet": limits.fleet, "zone": limits.zone, "rack": limits.rack}
        pending = frozenset(self.pending)
        hosts, taken, held = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for index, host in enumerate(self.hosts):
            for place in self.places(index):
                hosts[place] += 1
                taken[place] += host.state is not HostState.UP and index not in pending
                held[place] += self.is_held(index)
        return {
            place: Slots(place[1], limit.of(count), taken[place], held[place])
            for place, count in hosts.items()
            if (limit := by_scope[place[0]]) is not None
        }


PINS = ("1.3", "1.2", "1.1", "1.0", "0.2")
"""PSCI versions that a pin may have, newest first: a pin takes no more from the guest than it must."""
