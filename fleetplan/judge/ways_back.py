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
from fleetplan.rollout.company import company_since
from fleetplan.rollout.distinct import distinct
from fleetplan.rollout.durations import best_links, copies_end
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import StepKind


def ways_back(case: Case) -> Iterator[Violation]:
    """Whether the plan names the old release, and after every wave those guests that cannot go back to it, and no others."""
    old, told = case.once(_old_release), np.zeros(len(case.guests.names), np.bool_)
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
    goals, hosts, table = case.once(_goals), case.hosts, case.classes
    company = company_since(hosts.pool, case.once(_since))
    there = case.alive & (hosts.on_target | (case.wave_of_host > 0))
    for pool in np.unique(hosts.pool[there]).tolist():
        for kind in np.unique(hosts.then[there & (hosts.pool == pool)]).tolist():
            members = np.flatnonzero(there & (hosts.pool == pool) & (hosts.then == kind))
            pins = (None, *PINS) if (company[members] < NEVER).any() else ()
            ways = [psci for psci in pins if _birth_returns(table, kind, psci, goals[pool])]
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
    returns, rows = _Returns(case, old), case.rows[case.row_is(StepKind.MIGRATE, StepKind.START)]
    opening = {since for pool in returns.goals.values() for since in pool.values()} | set(np.unique(returns.company).tolist())
    by_wave = np.argsort(case.wave[rows], kind="stable")
    begins = np.searchsorted(case.wave[rows][by_wave], np.arange(waves + 2))
    # Hosts that are on the target from the start count from wave 0 on, those that never are count from none.
    done_after = np.where(case.hosts.on_target, 0, np.where(case.wave_of_host > 0, case.wave_of_host, waves + 1))
    done_after[~case.alive] = waves + 1
    for wave in range(waves + 1):
        steps = rows[by_wave[begins[wave] : begins[wave + 1]]]
        guests = case.steps.guest[steps]
        # Of several things that happened to a guest in the wave, the last stays.
        on[guests] = np.where(case.steps.destination[steps] == NONE, case.steps.host[steps], case.steps.destination[steps])
        kind[guests] = case.walk.after[steps]
        look = (case.wave_of_host == wave)[on]
        look[guests] = True
        some = np.arange(len(on)) if wave in opening or not wave else np.flatnonzero(look)
        closed = closed.copy()
        closed[some] = False
        some = some[done_after[on[some]] <= wave]
        closed[some] = returns.barred(wave, some, on[some], kind[some])
        yield closed


def _since(case: Case) -> Numbers:
    """The first wave after which a guest could land on each host on its way back; NEVER on those that are dead.

    A host that is cordoned while it runs the old release takes nobody until it has been upgraded.
    """
    old = case.once(_old_release)
    since = np.where(case.alive, 0, NEVER)
    for host in listed(case.alive & case.held):
        if case.fleet.hosts[host].release == old:
            since[host] = int(case.wave_of_host[host]) or NEVER
    return since


def _goals(case: Case) -> dict[int, dict[HostClassId, int]]:
    """By pool, the classes that its living hosts have on the old release, each with the first wave after which a guest could land there."""
    old, since = case.once(_old_release), case.once(_since)
    assert old is not None  # noqa: S101 - asked for only where something is upgraded
    alive = np.flatnonzero(case.alive)
    on_old = np.array(case.classes.hosts_on(old), np.int32)
    hosts = alive[np.lexsort((since[alive], on_old[alive], case.hosts.pool[alive]))]
    pool, kind = case.hosts.pool[hosts], on_old[hosts]
    first = np.flatnonzero(np.append(True, (pool[1:] != pool[:-1]) | (kind[1:] != kind[:-1]))) if len(hosts) else hosts
    goals: dict[int, dict[HostClassId, int]] = {}
    for number, goal, wave in zip(pool[first].tolist(), kind[first].tolist(), since[hosts[first]].tolist(), strict=True):
        goals.setdefault(number, {})[goal] = wave
    return goals


class _Returns:
    """What takes guests back to the old release: hops of their own, and restarts in place."""

    def __init__(self, case: Case, old: Release) -> None:
        self._case = case
        self.goals = case.once(_goals)
        self.company = company_since(case.hosts.pool, case.once(_since))
        self._on_old = np.array(case.classes.hosts_on(old), np.int32)
        self._link = best_links(case.hosts.bandwidth_mib_s, case.hosts.pool, case.alive)
        self._in_place = case.fleet.policy.immovable is Immovable.RESTART

    def barred(self, wave: int, guests: Numbers, on: Places, kind: Places) -> Flags:
        """Guests on the target after a wave that no hop of their own takes back, and no restart in place."""
        case, table, then = self._case, self._case.classes, self._case.hosts.then[on]
        open_ = {pool: [goal for goal, since in goals.items() if since <= wave] for pool, goals in self.goals.items()}

        def hops(kind: int, here: int, pool: int) -> bool:
            return any(table.hop(kind, here, goal).allowed for goal in open_[pool])

        def boots(kind: int, there: int, _: int) -> bool:
            return self._in_place and table.restarts(kind, there)

        moved, move = distinct(hops, kind, then, case.hosts.pool[on])
        there = self._on_old[on]
        booted, boot = distinct(boots, kind, there, there)
        ends = copies_end(case.guests.size[guests, 1], case.guests.dirty_rate_mib_s[guests], self._link[on], case.fleet.policy.converge)
        ends &= self.company[on] <= wave
        by_move = case.guests.migratable[guests] & ends & np.array(moved, np.bool_)[move]
        by_boot = case.guests.restartable[guests] & np.array(booted, np.bool_)[boot]
        barred: Flags = ~(by_move | by_boot)
        return barred
