"""The fleet as the search sees it: columns by host and guest number, and what each guest may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from fnmatch import fnmatchcase
from functools import cached_property

import numpy as np

from fleetplan.fleet.model import Fleet, Guest, Host, HostState, Scope
from fleetplan.fleet.policy import Immovable, Policy
from fleetplan.migration.classes import PINS, ClassTable, GuestClassId, HostClassId
from fleetplan.planner.grouping import Runs, distinct
from fleetplan.planner.restraints import Copies, Together, Tolerance
from fleetplan.rollout.columns import NONE, SCOPE_CODE, STATE_CODE, VERDICT_CODE, Codes, Flags, Ints, Numbers, Places, fleet_columns
from fleetplan.rollout.company import company_since
from fleetplan.rollout.durations import BACK_S, START_S, STOP_S, migrations_s
from fleetplan.rollout.history import NEVER
from fleetplan.rollout.resources import ALWAYS, Resource, ResourceKind


class Fate(IntEnum):
    """What the plan does with a guest of a host that is upgraded."""

    NONE = 0
    """Its host is not upgraded."""
    MOVE = 1
    RESTART = 2
    STUCK = 3
    """Neither can be done."""


@dataclass(frozen=True, slots=True, eq=False)
class Slots:
    """How many hosts of each place of one scope may be unavailable: the limit, and what is taken of it before the plan begins.

    `place` has the place of each host, the rest one entry per place. `taken` are hosts that no plan brings back; `held` are cordoned ones
    that the plan upgrades: each has a slot until its uncordon.
    """

    scope: str
    names: tuple[str, ...]
    place: Places
    limit: Numbers
    taken: Numbers
    held: Numbers

    @property
    def most(self) -> Numbers:
        """Hosts that the plan can ever have unavailable at once: more than the limit, if more are cordoned already."""
        most: Numbers = np.maximum(self.limit - self.taken, self.held)
        return most

    @property
    def free(self) -> Numbers:
        """Slots that are free at the start."""
        free: Numbers = np.maximum(self.limit - self.taken - self.held, 0)
        return free

    @property
    def debt(self) -> Numbers:
        """How many held hosts must be back before the first slot is free."""
        debt: Numbers = np.maximum(self.taken + self.held - self.limit, 0)
        return debt

    def used(self, hosts: Ints) -> list[int]:
        """Places that some hosts are in and that have slots at all."""
        there = np.bincount(self.place[hosts], minlength=len(self.limit))
        return [int(place) for place in np.flatnonzero((there > 0) & (self.most > 0))]


LandingRule = tuple[tuple[str, ...], tuple[str, ...], tuple[int, int, int] | None, tuple[int, int]]
"""What decides where a guest may land: `allow`, `deny`; memory, dirty rate and link where not every copy ends; scope and place of its
home."""


class Problem:
    """Everything that the search asks about a fleet, by host and guest number. Built in O(hosts + guests), in numpy steps."""

    def __init__(self, fleet: Fleet, classes: ClassTable) -> None:
        self.fleet = fleet
        self.classes = classes
        self.columns = fleet_columns(fleet, classes)
        self.hosts, self.guests = self.columns.hosts, self.columns.guests
        self.now, self.then = self.hosts.now, self.hosts.then
        self.hops = Hops(classes)
        up = self.hosts.state == STATE_CODE[HostState.UP]
        self.cordoned: Flags = self.hosts.state == STATE_CODE[HostState.CORDONED]
        self.upgraded: Flags = self.hosts.on_target & up
        self.alive: Flags = ~self.hosts.on_target & (up | self.cordoned)
        """Hosts that need the upgrade and can have it."""
        self.capacity, self.room = capacities(self.hosts.size, fleet.policy, self.columns.resources)
        self.largest: Numbers = np.maximum(self.room.max(axis=0, initial=1), 1)
        """The largest room of any host, by resource."""
        self.residents = Runs.of(self.guests.on, len(self.hosts.names))
        self.pool_hosts = Runs.of(self.hosts.pool, len(self.hosts.pool_names))
        self.copies = Copies(fleet, self.columns, self.upgraded | self.alive)
        self.together = Together(fleet, self.columns)
        self.tolerance = Tolerance.of(fleet)
        self.alone: Flags = company_since(self.hosts.pool, np.where(self.upgraded | self.alive, 0, NEVER)) == NEVER
        """Hosts of pools in which no other host takes guests."""
        self.movable: Flags = self.guests.migratable & ~self.alone[self.guests.on] & self.copies.can & ~self.tolerance.never_move()
        """Guests that may migrate, have a host to go to, and whose copies end."""
        self.last: Flags = np.array(fleet.those_last(), np.bool_)
        self.fate = self._fates()
        self.choosy: Flags = self.guests.choosy | self.copies.may_not | (self.together.home != NONE)
        """Guests that may not land everywhere."""
        self.skipped = self._skipped()
        self.pending: Flags = self.alive & ~self.skipped
        self._landing: dict[LandingRule, Flags] = {}

    # --- guests -------------------------------------------------------------------------------------------------------------------

    @cached_property
    def goals(self) -> dict[int, list[HostClassId]]:
        """By pool, the classes of hosts that are, or will be, on the target release and up."""
        there = np.flatnonzero(self.upgraded | self.alive)
        first, _ = distinct(self.hosts.pool[there], self.then[there])
        found: dict[int, list[HostClassId]] = {}
        for host in there[np.sort(first)].tolist():
            found.setdefault(int(self.hosts.pool[host]), []).append(int(self.then[host]))
        return found

    def _fates(self) -> Codes:
        """By what decides it: class, host classes, pool, and what the guest may do. Each distinct case is worked out once."""
        fates = np.zeros(len(self.guests.names), np.uint8)
        some = np.flatnonzero(self.alive[self.guests.on])
        on = self.guests.on[some]
        may = 2 * self.movable[some] + self.guests.restartable[some]
        first, case = distinct(self.guests.kind[some], self.now[on], self.then[on], self.hosts.pool[on], may)
        fates[some] = np.array([self._fate(int(some[place])) for place in first], np.uint8)[case]
        for guest in np.flatnonzero((fates == Fate.MOVE) & self.together.stay_with(fates == Fate.RESTART)).tolist():
            fates[guest] = self._fate_in_place(guest)
        fates[self.tolerance.stop_too_many(fates == Fate.RESTART, self.guests.on)] = Fate.STUCK
        return fates

    def _fate(self, guest: int) -> Fate:
        """Move if any class of landing place takes it; else restart in place, if that is allowed and works."""
        host = int(self.guests.on[guest])
        kind, here = int(self.guests.kind[guest]), int(self.now[host])
        goals = self.goals.get(int(self.hosts.pool[host]), [])
        if self.movable[guest] and any(self.classes.hop(kind, here, goal).allowed for goal in goals):
            return Fate.MOVE
        return self._fate_in_place(guest)

    def _fate_in_place(self, guest: int) -> Fate:
        if self.fleet.policy.immovable is Immovable.RESTART and self.guests.restartable[guest] and self.boot_pins(guest):
            return Fate.RESTART
        return Fate.STUCK

    def fate_alone(self, guest: int) -> Fate:
        """What would be done with a guest, were none of its group on its host."""
        return self._fate(guest)

    def names_admit(self, guest: int, host: int) -> bool:
        """Whether `allow` and `deny` of a guest admit a host."""
        record = self.guest(guest)
        return _admits(self.hosts.names[host], record.allow, record.deny)

    def boot_pins(self, guest: int) -> list[str | None]:
        """Pins with which the guest may cold boot on its host once that is upgraded, None (no new pin) first; empty if none."""
        there = int(self.then[self.guests.on[guest]])
        return [pin for pin in (None, *PINS) if self.boots(int(self.guests.kind[guest]), there, pin)]

    def boots(self, kind: GuestClassId, host: HostClassId, pin: str | None) -> bool:
        """Whether a guest comes up with a pin, and within its `psci_max`."""
        return self.classes.bears(kind, host, pin)

    def guest(self, number: int) -> Guest:
        """A guest as a record."""
        return self.fleet.guests[number]

    def host(self, number: int) -> Host:
        """A host as a record."""
        return self.fleet.hosts[number]

    @cached_property
    def rule(self) -> Places:
        """For each guest, the number of the rule that says where it may land; 0 where none does."""
        rules = np.zeros(len(self.guests.names), np.int32)
        numbers: dict[LandingRule, int] = {}
        for guest in np.flatnonzero(self.choosy).tolist():
            rules[guest] = numbers.setdefault(self._landing_rule(guest), len(numbers) + 1)
        return rules

    def _landing_rule(self, guest: int) -> LandingRule:
        record = self.guest(guest)
        copy = (record.memory_mib, record.dirty_rate_mib_s, int(self.hosts.bandwidth_mib_s[self.guests.on[guest]]))
        home = (int(self.together.scope[guest]), int(self.together.home[guest]))
        return (record.allow, record.deny, copy if self.copies.may_not[guest] else None, home)

    def may_land(self, guest: int) -> Flags:
        """For each host, whether a guest may land there: by `allow` and `deny`, by what its copy takes, and by its group's place."""
        rule = self._landing_rule(guest)
        if rule not in self._landing:
            names = self.hosts.names
            found = np.fromiter((_admits(name, rule[0], rule[1]) for name in names), np.bool_, len(names))
            if self.copies.may_not[guest]:
                found &= self.copies.allows(guest)
            if self.together.home[guest] != NONE:
                found &= self.together.allows(guest)
            self._landing[rule] = found
        return self._landing[rule]

    def _skipped(self) -> Flags:
        """Hosts that stay as they are because policy skips hosts with guests that cannot be moved."""
        found = np.zeros(len(self.hosts.names), np.bool_)
        if self.fleet.policy.immovable is Immovable.SKIP:
            found[self.guests.on[(self.fate != Fate.MOVE) & (self.fate != Fate.NONE)]] = True
        return found

    # --- groups -------------------------------------------------------------------------------------------------------------------

    @cached_property
    def members(self) -> Runs:
        """Guests by the group that keeps them apart."""
        return Runs.of(self.guests.group, len(self.guests.group_names))

    @cached_property
    def apart_by_host_only(self) -> bool:
        """Whether no group is kept apart over racks or zones."""
        return bool((self.guests.group_scope == SCOPE_CODE[Scope.HOST]).all())

    def place(self, group: Ints, host: Ints) -> Ints:
        """The place that members of groups take on hosts: the host, its rack or its zone."""
        if self.apart_by_host_only:
            return host
        scope = self.guests.group_scope[group]
        wide = np.where(scope == SCOPE_CODE[Scope.RACK], self.hosts.rack[host], self.hosts.zone[host])
        return np.where(scope == SCOPE_CODE[Scope.HOST], host, wide)

    # --- limits -------------------------------------------------------------------------------------------------------------------

    @cached_property
    def held(self) -> Flags:
        """Hosts that are cordoned before the plan begins, and so have their slots already."""
        return self.cordoned & ~self.hosts.on_target

    @cached_property
    def slots(self) -> tuple[Slots, ...]:
        """The slots of every scope that has a limit."""
        limits, hosts = self.fleet.policy.max_unavailable, self.hosts
        whole = np.zeros(len(hosts.names), np.int32)
        scopes = (("fleet", limits.fleet, whole, ("",)), ("zone", limits.zone, hosts.zone, hosts.zone_names))
        found = []
        for scope, share, place, names in (*scopes, ("rack", limits.rack, hosts.rack, hosts.rack_names)):
            if share is not None:
                count = np.bincount(place, minlength=len(names))
                limit = np.array([share.of(int(each)) for each in count], np.int64)
                gone = (hosts.state != STATE_CODE[HostState.UP]) & ~self.alive
                taken, held = (np.bincount(place[which], minlength=len(names)) for which in (gone, self.held))
                found.append(Slots(scope, names, place, limit, taken, held))
        return tuple(found)

    # --- durations ----------------------------------------------------------------------------------------------------------------

    def copies_s(self, guests: Ints, sources: Ints, destinations: Ints) -> Numbers:
        """How long migrations are forecast to take."""
        rate = self.hosts.bandwidth_mib_s
        link = np.minimum(rate[sources], rate[destinations])
        return migrations_s(self.guests.size[guests, 1], self.guests.dirty_rate_mib_s[guests], link)

    @cached_property
    def away_s(self) -> Numbers:
        """For each host, the least time from cordon to uncordon: its streams send at its own rate, then it reboots and is checked."""
        movers = np.flatnonzero(self.fate == Fate.MOVE)
        on, hosts, streams = self.guests.on[movers], len(self.hosts.names), self.fleet.policy.streams
        copies = self.copies_s(movers, on, on)
        drain = -(-np.bincount(on, copies, hosts).astype(np.int64) // streams)
        if streams > 1:
            np.maximum.at(drain, on, copies)
        stops = np.zeros(hosts, np.int64)
        stops[self.guests.on[self.fate == Fate.RESTART]] = STOP_S
        return np.maximum(drain, stops) + self.hosts.reboot_s + BACK_S

    @cached_property
    def expected_s(self) -> Numbers:
        """For each host, about how long it keeps its guests busy: the time away, and what guests that stay take to stop and start."""
        expected = self.away_s.copy()
        expected[self.guests.on[self.fate == Fate.RESTART]] += STOP_S + START_S
        return expected


def capacities(size: Numbers, policy: Policy, resources: tuple[Resource, ...] = ALWAYS) -> tuple[Numbers, Numbers]:
    """What hosts take with overcommit, and what of it landings may use. Reserved pages are there, or they are not."""
    memory = policy.overcommit_memory_per_mille
    of_kind = {ResourceKind.VCPUS: policy.overcommit_vcpus_per_mille, ResourceKind.MEMORY: memory, ResourceKind.REST: memory}
    overcommit = np.array([of_kind.get(resource.kind, 1000) for resource in resources])
    capacity = size * overcommit // 1000
    return capacity, capacity * (1000 - policy.reserve_per_mille) // 1000


def _admits(name: str, allow: tuple[str, ...], deny: tuple[str, ...]) -> bool:
    wanted = not allow or any(fnmatchcase(name, pattern) for pattern in allow)
    return wanted and not any(fnmatchcase(name, pattern) for pattern in deny)


class Hops:
    """The hops of a class table, for many guests at once. Each distinct hop is asked for once."""

    def __init__(self, classes: ClassTable) -> None:
        self._classes = classes

    def look(self, kind: Ints, source: Ints, destination: Ints) -> tuple[Flags, Places, Codes]:
        """Of each move, by classes: whether a plan may use it, what the guest is afterwards, and the code of the verdict."""
        if not len(kind):
            return np.zeros(0, np.bool_), np.zeros(0, np.int32), np.zeros(0, np.uint8)
        first, case = distinct(kind, source, destination)
        hops = [self._classes.hop(int(kind[place]), int(source[place]), int(destination[place])) for place in first]
        allowed = np.array([hop.allowed for hop in hops], np.bool_)
        after = np.array([hop.after for hop in hops], np.int32)
        verdict = np.array([VERDICT_CODE[hop.verdict.value] for hop in hops], np.uint8)
        return allowed[case], after[case], verdict[case]
