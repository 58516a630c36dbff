"""Who can go back to the release that a plan leaves, after each of its waves; and if not, why.

A guest on the target release can go back if one of its own moves takes it there: a hop that is allowed, onto a host of its pool on the old
release; or a restart in place that policy allows, when its host goes back. Whether there is room at the time is a matter of planning.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from fleetplan.fleet.model import Fleet, GuestName, HostState, Release
from fleetplan.fleet.policy import Immovable
from fleetplan.migration.classes import PINS, ClassTable, GuestClassId, HostClassId
from fleetplan.planner import grouping
from fleetplan.planner.causes import reason_facts
from fleetplan.rollout.columns import STATE_CODE, Flags, FleetColumns, Numbers, Places, fleet_columns
from fleetplan.rollout.company import company_since
from fleetplan.rollout.distinct import distinct
from fleetplan.rollout.durations import best_links, copies_end
from fleetplan.rollout.history import NEVER, History, history
from fleetplan.rollout.plan import BlockedOn, Cause, ClosedBirth, Plan, PointOfNoReturn

Goals = dict[HostClassId, int]
"""Classes that hosts of a pool have on the old release, and the wave from whose end on a guest could land on one of them."""


@dataclass(frozen=True, slots=True, eq=False)
class _Stays:
    """Stays of guests on the target release: from the end of wave `since` to that of wave `until` (not included)."""

    guest: Places
    host: Places
    kind: Places
    since: Numbers
    until: Numbers


def with_ways_back(fleet: Fleet, classes: ClassTable, plan: Plan, columns: FleetColumns | None = None) -> Plan:
    """The plan with its old release, its points of no return, and what it says of births. O(steps log steps + hosts + guests).

    `columns` are those of the fleet, where they have been made already.
    """
    columns = columns or fleet_columns(fleet, classes)
    past = history(columns, classes, plan)
    old = old_release(fleet, past)
    if old is None:
        return plan
    search = _Search(fleet, classes, columns, past, old)
    points, births = search.points(len(plan.waves)), tuple(search.births())
    return msgspec.structs.replace(plan, back_to=old, points_of_no_return=points, closed_births=births)


def old_release(fleet: Fleet, past: History) -> Release | None:
    """The release that most hosts of the plan had; of several, the one that comes first."""
    releases = Counter(fleet.hosts[host].release for host in np.flatnonzero((past.upgraded_in > 0) & (past.upgraded_in < NEVER)).tolist())
    return releases.most_common(1)[0][0] if releases else None


class _Search:
    """What is asked of one plan."""

    def __init__(self, fleet: Fleet, classes: ClassTable, columns: FleetColumns, past: History, old: Release) -> None:
        self._fleet, self._classes, self._columns, self._past, self._old = fleet, classes, columns, past, old
        self._old_class = np.array(classes.hosts_on(old), np.int32)
        self._alive: Flags = np.isin(columns.hosts.state, [STATE_CODE[HostState.UP], STATE_CODE[HostState.CORDONED]])
        self._since = self._takes_since()
        self._company = company_since(columns.hosts.pool, self._since)
        self._goals = self._goals_of_pools()

    def _takes_since(self) -> Numbers:
        """A host that is cordoned on the old release takes nobody before its own upgrade; every other that lives may go back."""
        hosts = self._columns.hosts
        cordoned = hosts.state == STATE_CODE[HostState.CORDONED]
        shut = cordoned & np.array([host.release == self._old for host in self._fleet.hosts], np.bool_)
        since: Numbers = np.where(self._alive, np.where(shut, self._past.upgraded_in, 0), NEVER)
        return since

    def _goals_of_pools(self) -> dict[int, Goals]:
        hosts, since = self._columns.hosts, self._since
        alive = np.flatnonzero(self._alive)
        first, which = grouping.distinct(hosts.pool[alive], self._old_class[alive])
        earliest = np.full(len(first), NEVER, np.int64)
        np.minimum.at(earliest, which, since[alive])
        goals: dict[int, Goals] = defaultdict(dict)
        order = np.argsort(first)
        for host, wave in zip(alive[first[order]].tolist(), earliest[order].tolist(), strict=True):
            goals[int(hosts.pool[host])][int(self._old_class[host])] = wave
        return goals

    def points(self, waves: int) -> tuple[PointOfNoReturn, ...]:
        """Every guest for as long as it cannot go back, those with one reason together."""
        found: dict[tuple[int, int, bytes], tuple[Cause, list[GuestName]]] = {}
        for guest, since, until, why in self._closed():
            key = (since, until if until <= waves else NEVER, msgspec.json.encode(why))
            found.setdefault(key, (why, []))[1].append(self._columns.guests.names[guest])
        return tuple(
            PointOfNoReturn(wave=since, until=None if until == NEVER else until, guests=tuple(sorted(names)), why=why)
            for (since, until, _), (why, names) in sorted(found.items(), key=lambda item: item[0])
        )

    def _closed(self) -> Iterator[tuple[int, int, int, Cause]]:
        """Guest, from when, until when, and why; spans that touch are one, which begins for the reason of the first."""
        stays = self._stays()
        until = np.minimum(stays.until, self._opens_at(stays))
        closed = np.flatnonzero(stays.since < until)
        last: tuple[int, int, int, Cause] | None = None
        for stay in closed[np.lexsort((stays.since[closed], stays.guest[closed]))].tolist():
            guest, since, end = int(stays.guest[stay]), int(stays.since[stay]), int(until[stay])
            if last is not None and last[0] == guest and last[2] == since:
                last = (guest, last[1], end, last[3])
                continue
            if last is not None:
                yield last
            last = (guest, since, end, self._why(guest, int(stays.kind[stay]), int(stays.host[stay])))
        if last is not None:
            yield last

    def _stays(self) -> _Stays:
        """First those of guests that are on the target when the plan begins, then those that its moves and boots begin."""
        past, guests = self._past, self._columns.guests
        begins = np.ones(len(past.guest), np.bool_)
        begins[1:] = past.guest[1:] != past.guest[:-1]
        until = np.full(len(past.guest), NEVER, np.int64)
        until[:-1] = np.where(begins[1:], NEVER, past.wave[1:].astype(np.int64))
        first = np.full(len(guests.names), NEVER, np.int64)
        first[past.guest[begins]] = past.wave[begins]
        there = np.flatnonzero(self._on_target(guests.on, np.zeros(1, np.int32)))
        come = np.flatnonzero(self._on_target(past.host, past.wave))
        return _Stays(
            guest=np.concatenate((there, past.guest[come])),
            host=np.concatenate((guests.on[there], past.host[come])),
            kind=np.concatenate((guests.kind[there], past.kind[come])),
            since=np.concatenate((np.zeros(len(there), np.int64), past.wave[come])),
            until=np.concatenate((first[there], until[come])),
        )

    def _on_target(self, host: Places, wave: Places) -> Flags:
        """Whether hosts are alive and on the target after waves."""
        there: Flags = self._alive[host] & (self._past.upgraded_in[host] <= wave)
        return there

    def _opens_at(self, stays: _Stays) -> Numbers:
        """From which wave on there is a way back from each stay; NEVER if there is none."""
        hosts, guests = self._columns.hosts, self._columns.guests
        by_restart = self._fleet.policy.immovable is Immovable.RESTART
        hops, hop = distinct(self._hop_from, stays.kind, hosts.then[stays.host], hosts.pool[stays.host])
        old = self._old_class[stays.host]
        boots, boot = distinct(lambda kind, host, _: by_restart and self._classes.restarts(kind, host), stays.kind, old, old)
        link = best_links(hosts.bandwidth_mib_s, hosts.pool, self._alive)[stays.host]
        size, dirty = guests.size[stays.guest, 1], guests.dirty_rate_mib_s[stays.guest]
        moves = guests.migratable[stays.guest] & copies_end(size, dirty, link, self._fleet.policy.converge)
        hop_from = np.where(moves, np.maximum(np.array(hops, np.int64)[hop], self._company[stays.host]), NEVER)
        restarts = guests.restartable[stays.guest] & np.array(boots, np.bool_)[boot]
        return np.where(restarts, 0, hop_from)

    def _hop_from(self, kind: GuestClassId, here: HostClassId, pool: int) -> int:
        open_ = (since for goal, since in self._goals[pool].items() if self._classes.hop(kind, here, goal).allowed)
        return min(open_, default=NEVER)

    # --- births ---------------------------------------------------------------------------------------------------------------------

    def births(self) -> Iterator[ClosedBirth]:
        """Kinds of upgraded hosts on which a guest should not be born as it usually is, by wave and pool."""
        hosts, since = self._columns.hosts, self._past.upgraded_in
        there = np.flatnonzero(self._alive & (since < NEVER))
        first, kind = grouping.distinct(hosts.pool[there], hosts.then[there])
        by_kind = grouping.Runs.of(kind, len(first))
        found = [self._birth(there[by_kind.one(number)]) for number in range(len(first))]
        yield from sorted((birth for birth in found if birth is not None), key=lambda birth: (birth.wave, birth.pool, birth.like))

    def _birth(self, members: Numbers) -> ClosedBirth | None:
        pool, here = int(self._columns.hosts.pool[members[0]]), int(self._columns.hosts.then[members[0]])
        born = self._classes.birth(here)
        alone = self._company[members[0]] == NEVER
        if born is None or (self._returns(born, here, pool) and not alone):
            return None
        pinned = ((psci, self._classes.birth(here, psci)) for psci in PINS if not alone)
        return ClosedBirth(
            wave=int(self._past.upgraded_in[members].min()),
            pool=self._columns.hosts.pool_names[pool],
            like=min(map(self._columns.hosts.names.__getitem__, members.tolist())),
            hosts=len(members),
            pin=next((psci for psci, kind in pinned if kind is not None and self._returns(kind, here, pool)), None),
            why=self._alone(int(members[0])) if alone else self._refusal(born, here, int(self._old_class[members[0]])),
        )

    def _returns(self, kind: GuestClassId, here: HostClassId, pool: int) -> bool:
        return any(self._classes.hop(kind, here, goal).allowed for goal in self._goals[pool])

    # --- why ----------------------------------------------------------------------------------------------------------------------

    def _why(self, guest: int, kind: GuestClassId, host: int) -> Cause:
        """What the guest's moves come to: the first refusal of its hop, by hosts like its own if it can be, and what forbids a restart."""
        hosts, guests = self._columns.hosts, self._columns.guests
        restart = self._no_restart(guest)
        if not guests.migratable[guest]:
            return Cause(blocked_on=BlockedOn.PLACEMENT, facts={"migrate": "never"}, because=(restart,))
        if self._company[host] == NEVER:
            return msgspec.structs.replace(self._alone(host), because=(restart,))
        own, here = int(self._old_class[host]), int(hosts.then[host])
        goals = dict.fromkeys((own, *self._goals[int(hosts.pool[host])]))
        refused = [goal for goal in goals if not self._classes.hop(kind, here, goal).allowed]
        if not refused:
            if goals:
                return Cause(blocked_on=BlockedOn.CONVERGENCE, because=(restart,))
            return Cause(blocked_on=BlockedOn.UNAVAILABLE, facts={"pool": hosts.pool_names[hosts.pool[host]]}, because=(restart,))
        return msgspec.structs.replace(self._refusal(kind, here, refused[0]), because=(restart,))

    def _alone(self, host: int) -> Cause:
        hosts = self._columns.hosts
        return Cause(blocked_on=BlockedOn.ALONE, facts={"host": str(hosts.names[host]), "pool": hosts.pool_names[hosts.pool[host]]})

    def _refusal(self, kind: GuestClassId, here: HostClassId, goal: HostClassId) -> Cause:
        judgment = self._classes.judgment(kind, here, goal)
        return Cause(
            blocked_on=BlockedOn.FIRMWARE, facts={"to": str(self._old), "verdict": judgment.verdict.value, **reason_facts(judgment)}
        )

    def _no_restart(self, guest: int) -> Cause:
        if not self._columns.guests.restartable[guest]:
            return Cause(blocked_on=BlockedOn.VERDICT, facts={"restart": "never"})
        if self._fleet.policy.immovable is not Immovable.RESTART:
            return Cause(blocked_on=BlockedOn.VERDICT, facts={"policy": f"immovable: {self._fleet.policy.immovable.value}"})
        return Cause(blocked_on=BlockedOn.VERDICT, facts={"does_not_start_on": str(self._old)})
