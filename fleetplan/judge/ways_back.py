"""Of the invariant CLAIMS: who can go back to the old release after each wave. Found afresh, wave by wave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from fleetplan.fleet.model import GuestName, HostName, Release
from fleetplan.fleet.policy import Immovable
from fleetplan.judge.case import Case
from fleetplan.judge.layout import NEVER, listed
from fleetplan.migration.classes import PINS, ClassTable, HostClassId
from fleetplan.rollout.columns import NONE, Flags, Numbers, Places
from fleetplan.rollout.distinct import distinct
from fleetplan.rollout.durations import best_links, copies_end
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import StepKind


def ways_back(case: Case) -> Iterator[Violation]:
    """Whether the plan names the old release, and after every wave those guests that cannot go back to it, and no others."""
    old, told = _old_release(case), np.zeros(len(case.guests.names), np.bool_)
    if case.plan.back_to != old:
        yield case.broken(InvariantId.CLAIMS, "way back", claimed=case.plan.back_to, real=old)
    wanted = {name for point in case.plan.points_of_no_return for name in point.guests}
    number = {name: guest for guest, name in enumerate(case.guests.names) if name in wanted} if wanted else {}
    for name in sorted(wanted - number.keys()):
        yield case.broken(InvariantId.CLAIMS, f"guest {name}", claimed_no_return="of no guest")
    for wave, (claimed, real) in enumerate(zip(_claimed(case, number), _closed(case, old), strict=True)):
        for guest in listed((claimed != real) & ~told):
            yield case.broken(InvariantId.CLAIMS, f"guest {case.guests.names[guest]}", wave=wave, claimed_no_return=claimed[guest])
        told |= claimed != real
    yield from _births(case, old)


def _births(case: Case, old: Release | None) -> Iterator[Violation]:
    """Whether the plan says where, and from when on, births have no way back; and with which PSCI pin they have."""
    said = {(birth.wave, birth.pool, birth.like, birth.hosts, birth.pin) for birth in case.plan.closed_births}
    for birth in sorted(said ^ _closed_births(case, old), key=str):
        yield case.broken(InvariantId.CLAIMS, f"births like on {birth[2]}", wave=birth[0], claimed=birth in said, pin=birth[4])


def _closed_births(case: Case, old: Release | None) -> set[tuple[int, str, HostName, int, str | None]]:
    """By pool and class of hosts that are, or come to be, on the target: first wave, pool, first host, number of hosts, pin that helps."""
    found: set[tuple[int, str, HostName, int, str | None]] = set()
    if old is None:
        return found
    goals, hosts, table = _goals(case, old), case.hosts, case.classes
    there = case.alive & (hosts.on_target | (case.wave_of_host > 0))
    for pool in np.unique(hosts.pool[there]).tolist():
        for kind in np.unique(hosts.then[there & (hosts.pool == pool)]).tolist():
            members = np.flatnonzero(there & (hosts.pool == pool) & (hosts.then == kind))
            ways = [psci for psci in (None, *PINS) if _birth_returns(table, kind, psci, goals[pool])]
            if table.birth(kind) is not None and None not in ways:
                wave, like = int(case.wave_of_host[members].min()), min(hosts.names[host] for host in members.tolist())
                found.add((wave, hosts.pool_names[pool], like, len(members), ways[0] if ways else None))
    return found


def _birth_returns(table: ClassTable, here: HostClassId, psci: str | None, goals: Mapping[HostClassId, int]) -> bool:
    born = table.birth(here, psci)
    return born is not None and any(table.hop(born, here, goal).allowed for goal in goals)


def _old_release(case: Case) -> Release | None:
    """What most of the hosts that are upgraded had before; of several such releases, that of the first host."""
    had = Counter(case.fleet.hosts[host].release for host in listed(case.wave_of_host > 0))
    most = max(had.values(), default=0)
    return next((release for release, count in had.items() if count == most), None)


def _claimed(case: Case, number: Mapping[GuestName, int]) -> Iterator[Flags]:
    """Before the plan and after each of its waves, the guests that it says cannot go back."""
    points = [
        (point, np.array([number[name] for name in point.guests if name in number], np.int64)) for point in case.plan.points_of_no_return
    ]
    for wave in range(len(case.plan.waves) + 1):
        found = np.zeros(len(case.guests.names), np.bool_)
        for point, guests in points:
            found[guests] |= point.closed_after(wave)
        yield found


def _closed(case: Case, old: Release | None) -> Iterator[Flags]:
    """Before the plan and after each of its waves, the guests on the target release that no move of their own takes back."""
    closed, waves = np.zeros(len(case.guests.names), np.bool_), len(case.plan.waves)
    if old is None:
        yield from (closed for _ in range(waves + 1))
        return
    on, kind = case.guests.on.copy(), case.guests.kind.copy()
    goals, rows = _goals(case, old), case.rows[case.row_is(StepKind.MIGRATE, StepKind.START)]
    opening = {since for pool in goals.values() for since in pool.values()}
    for wave in range(waves + 1):
        steps = rows[case.wave[rows] == wave]
        guests = case.steps.guest[steps]
        # Of several things that happened to a guest in the wave, the last stays.
        on[guests] = np.where(case.steps.destination[steps] == NONE, case.steps.host[steps], case.steps.destination[steps])
        kind[guests] = case.walk.after[steps]
        look = case.wave_of_host[on] == wave
        look[guests] = True
        some = np.arange(len(on)) if wave in opening or not wave else np.flatnonzero(look)
        done = case.alive & (case.hosts.on_target | ((case.wave_of_host > 0) & (case.wave_of_host <= wave)))
        closed = closed.copy()
        closed[some] = False
        some = some[done[on[some]]]
        closed[some] = _stuck(case, old, {pool: _open(found, wave) for pool, found in goals.items()}, some, on[some], kind[some])
        yield closed


def _goals(case: Case, old: Release) -> dict[int, dict[HostClassId, int]]:
    """By pool, the classes that its living hosts have on the old release, each with the first wave after which a guest could land there.

    A host that is cordoned while it runs the old release takes nobody until it has been upgraded.
    """
    on_old = case.classes.hosts_on(old)
    goals: dict[int, dict[HostClassId, int]] = {}
    for host in listed(case.alive):
        shut = case.held[host] and case.fleet.hosts[host].release == old
        since = (int(case.wave_of_host[host]) or NEVER) if shut else 0
        pool = goals.setdefault(int(case.hosts.pool[host]), {})
        pool[on_old[host]] = min(since, pool.get(on_old[host], NEVER))
    return goals


def _open(goals: Mapping[HostClassId, int], wave: int) -> list[HostClassId]:
    return [goal for goal, since in goals.items() if since <= wave]


def _stuck(case: Case, old: Release, goals: Mapping[int, list[HostClassId]], guests: Numbers, on: Places, kind: Places) -> Flags:
    """Guests on the target that no hop of their own takes back, and no restart in place."""
    table, hosts = case.classes, case.hosts
    in_place = case.fleet.policy.immovable is Immovable.RESTART
    old_class = np.array(table.hosts_on(old), np.int32)[on]

    def hops(kind: int, here: int, pool: int) -> bool:
        return any(table.hop(kind, here, goal).allowed for goal in goals[pool])

    def boots(kind: int, there: int, _: int) -> bool:
        return in_place and table.restarts(kind, there)

    moved, move = distinct(hops, kind, hosts.then[on], hosts.pool[on])
    booted, boot = distinct(boots, kind, old_class, old_class)
    rate = case.hosts.bandwidth_mib_s
    link = best_links(rate, hosts.pool, case.alive)[on]
    ends = copies_end(case.guests.size[guests, 1], case.guests.dirty_rate_mib_s[guests], link, case.fleet.policy.converge)
    by_move = case.guests.migratable[guests] & ends & np.array(moved, np.bool_)[move]
    by_boot = case.guests.restartable[guests] & np.array(booted, np.bool_)[boot]
    stuck: Flags = ~(by_move | by_boot)
    return stuck
