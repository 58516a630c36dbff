"""The search for a plan: which hosts in which wave, and where their guests land.

Restricted to plans in which a guest moves once, from an old host to an upgraded one, capacity is a matter of the final assignment:
upgraded hosts only receive. So waves *grow* (hosts with little load first, each making more room than it took) and then *roll*. Only
where a pool has neither an upgraded nor an empty host, the host with the fewest guests is emptied onto old ones: a seed.

    invariant of the loop: every wave upgrades at least one host, so there are at most as many waves as hosts
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from fleetplan.fleet.model import Fleet, HostName, HostState
from fleetplan.fleet.policy import Immovable
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.bounds import bounds_of
from fleetplan.planner.failure import Failure, Stuck
from fleetplan.planner.packing import Landing, Placement
from fleetplan.planner.pins import Boots, choose_boots
from fleetplan.planner.problem import Fate, Problem
from fleetplan.planner.remedies import explain
from fleetplan.planner.schedule import schedule
from fleetplan.planner.ways_back import with_ways_back
from fleetplan.rollout.plan import Bounds, HostSite, Infeasible, Plan, PlanStatus

PATIENCE = 40
"""Hosts that do not fit before a wave gives up looking; they come in the order of their load."""


class Progress(Protocol):
    """What a search announces. It never prints."""

    def report(self, stage: str, done: int, total: int) -> None:
        """So much of a stage is done."""

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants the search to stop."""


class CancelledError(Exception):
    """The search was told to stop."""


@dataclass(slots=True)
class Choice:
    """What the search decided for one wave: hosts in their order, and the landings of each."""

    hosts: list[int] = field(default_factory=list)
    landings: dict[int, list[Landing]] = field(default_factory=dict)


def plan(fleet: Fleet, classes: ClassTable, *, digest: str, progress: Progress | None = None) -> Plan | Infeasible:
    """Plan the rollout of a fleet. Raises CancelledError.

    Deterministic: equal fleets give equal plans. O(guests x landing places of a pool), in numpy steps.
    """
    outcome = attempt(fleet, classes, digest=digest, progress=progress)
    if isinstance(outcome, Plan):
        return outcome
    return explain(outcome, digest=digest, again=lambda other: _succeeds(other, classes, digest))


def _succeeds(fleet: Fleet, classes: ClassTable, digest: str) -> bool:
    return isinstance(attempt(fleet, classes.beside(fleet), digest=digest), Plan)


def attempt(fleet: Fleet, classes: ClassTable, *, digest: str, progress: Progress | None = None) -> Plan | Failure:
    """Search once, without looking for remedies."""
    problem = Problem(fleet, classes)
    skipped = _skipped(problem)
    blocked = [guest for guest, fate in problem.fate.items() if fate is Fate.STUCK and problem.on[guest] not in skipped]
    if blocked:
        return Failure(problem, None)
    boots = choose_boots(problem, [host for host in problem.pending if host not in skipped])
    search = _Search(problem, [host for host in problem.pending if host not in skipped], progress)
    stuck = search.run()
    if stuck is not None:
        return Failure(problem, stuck)
    return _plan(problem, search, boots, skipped, digest)


def _skipped(problem: Problem) -> dict[int, str]:
    """Hosts that stay as they are because policy skips hosts with guests that cannot be moved."""
    if problem.fleet.policy.immovable is not Immovable.SKIP:
        return {}
    found: dict[int, str] = {}
    for host in problem.pending:
        stuck = [problem.guests[guest].name for guest in problem.residents[host] if problem.fate[guest] is not Fate.MOVE]
        if stuck:
            found[host] = f"guest {stuck[0]} cannot be moved" + (f", nor {len(stuck) - 1} more" if stuck[1:] else "")
    return found


class _Search:
    """The state of one search."""

    def __init__(self, problem: Problem, pending: list[int], progress: Progress | None) -> None:
        self._problem = problem
        self._progress = progress
        self._remaining = dict.fromkeys(pending)
        self._total = len(pending)
        self.placement = Placement(problem)
        self._landing: dict[str, list[int]] = {pool: [] for pool in problem.pools}
        for host in problem.upgraded:
            self._landing[problem.hosts[host].pool].append(host)
        self._slots = problem.slots()
        self._held = Counter({place: slots.held for place, slots in self._slots.items()})
        self._brought: dict[int, list[int]] = {}
        """Guests that seeds brought to an old host, from where they move again."""
        self.waves: list[Choice] = []

    def run(self) -> Stuck | None:
        """All waves; what it was stuck on, if it was."""
        while self._remaining:
            if self._progress is not None:
                self._progress.report("waves", self._total - len(self._remaining), self._total)
                if self._progress.cancelled:
                    raise CancelledError
            choice, homeless = self._wave()
            if not choice.hosts:
                return Stuck(self.placement, list(self._remaining), homeless)
            self._finish(choice)
        return None

    def _wave(self) -> tuple[Choice, dict[str, list[int]]]:
        choice = Choice()
        used = Counter[tuple[str, str]]()
        homeless: dict[str, list[int]] = {}
        by_pool: dict[str, list[int]] = {}
        for host in self._remaining:
            by_pool.setdefault(self._problem.hosts[host].pool, []).append(host)
        for pool, hosts in by_pool.items():
            left = self._grow(pool, hosts, choice, used)
            if left is not None:
                homeless[pool] = left
        return choice, homeless

    def _most(self) -> int:
        """Most hosts of this wave, by the gates that come after it."""
        number = len(self.waves) + 1
        limits = [gate.hosts for gate in self._problem.fleet.policy.gates if gate.hosts and (gate.after is None or number <= gate.after)]
        return min(limits, default=len(self._remaining))

    def _has_slot(self, host: int, choice: Choice, used: Counter[tuple[str, str]]) -> bool:
        if len(choice.hosts) >= self._most():
            return False
        if self._problem.is_held(host):
            return True
        limited = (place for place in self._problem.places(host) if place in self._slots)
        return all(used[place] + self._held[place] + self._slots[place].taken < self._slots[place].limit for place in limited)

    def _take(self, host: int, landings: list[Landing], choice: Choice, used: Counter[tuple[str, str]]) -> None:
        choice.hosts.append(host)
        choice.landings[host] = landings
        if not self._problem.is_held(host):
            used.update(self._problem.places(host))
        self.placement.keep(landings)

    def _grow(self, pool: str, hosts: list[int], choice: Choice, used: Counter[tuple[str, str]]) -> list[int] | None:
        """Take hosts of one pool into the wave; the guests that found no place, if it could take none for want of one."""
        places = np.array(self._landing[pool], np.int64)
        misses, taken, first_homeless = 0, 0, None
        had_slot = False
        for host in self._order(hosts):
            if not self._has_slot(host, choice, used):
                continue
            had_slot = True
            movers = self._movers(host)
            landings, homeless = self.placement.place_all(movers, places)
            if homeless:
                self.placement.take_back(landings)
                first_homeless = first_homeless or homeless
                misses += 1
                if misses > PATIENCE:
                    break
                continue
            self._take(host, landings, choice, used)
            taken += 1
        if taken or not had_slot:
            return None
        return None if self._seed(pool, hosts, choice, used) else first_homeless

    def _order(self, hosts: list[int]) -> list[int]:
        """Cordoned hosts first (they hold a slot anyway), then by load: little load makes much room."""
        placement, problem = self.placement, self._problem
        return sorted(hosts, key=lambda host: (problem.hosts[host].state is HostState.UP, placement.load(self._movers(host))[::-1], host))

    def _movers(self, host: int) -> list[int]:
        """Guests that must leave a host now: those of its own that move, and those that seeds brought."""
        return sorted([*self._own_movers(host), *self._brought.get(host, [])])

    def _own_movers(self, host: int) -> list[int]:
        return [guest for guest in self._problem.movers(host) if self.placement.at[guest] == host]

    def _seed(self, pool: str, hosts: list[int], choice: Choice, used: Counter[tuple[str, str]]) -> bool:
        """Empty the host with the fewest guests, where need be onto old hosts: those guests move twice."""
        upgraded = self._landing[pool]
        for host in sorted(hosts, key=lambda host: (len(self._movers(host)), self.placement.load(self._movers(host))[::-1], host)):
            if not self._has_slot(host, choice, used):
                continue
            old = [other for other in hosts if other != host and self._problem.hosts[other].state is HostState.UP]
            landings, homeless = self.placement.place_all(self._movers(host), np.array(upgraded, np.int64))
            more, homeless = self.placement.place_all(homeless, np.array(old, np.int64)) if homeless else ([], [])
            if homeless:
                self.placement.take_back([*landings, *more])
                continue
            for guest, there in more:
                self._brought.setdefault(there, []).append(guest)
            self._take(host, [*landings, *more], choice, used)
            return True
        return False

    def _finish(self, choice: Choice) -> None:
        """The wave is over: its hosts are landing places now."""
        for host in choice.hosts:
            del self._remaining[host]
            self._brought.pop(host, None)
            self.placement.host_class[host] = self._problem.classes.hosts_then[host]
            self._landing[self._problem.hosts[host].pool].append(host)
            if self._problem.is_held(host):
                self._held.subtract(self._problem.places(host))
        self.placement.end_wave()
        self.waves.append(choice)


def _plan(problem: Problem, search: _Search, boots: Boots, skipped: dict[int, str], digest: str) -> Plan:
    waves = [(choice.hosts, choice.landings) for choice in search.waves]
    timetable = schedule(problem, waves, search.placement.verdicts, boots)
    bounds = bounds_of(problem, timetable, [host for choice in search.waves for host in choice.hosts])
    fleet = problem.fleet
    made = Plan(
        inventory_digest=digest,
        target=fleet.target,
        status=_status(bounds),
        waves=timetable.waves,
        pins=timetable.pins,
        critical_path=timetable.critical_path,
        bounds=bounds,
        on_failure=fleet.policy.on_failure,
        skipped={fleet.hosts[host].name: reason for host, reason in skipped.items()} | _unreachable(problem),
        sites={
            host.name: HostSite(vmm=host.release.vmm, kernel=host.release.kernel, address=host.address, zone=host.zone)
            for host in fleet.hosts
        },
        placement={guest.name: guest.on for guest in fleet.guests},
    )
    return with_ways_back(fleet, problem.classes, made)


def _unreachable(problem: Problem) -> dict[HostName, str]:
    """Hosts that are not on the target and that no plan touches."""
    pending = set(problem.pending)
    return {
        host.name: f"it is {host.state.value}"
        for index, host in enumerate(problem.hosts)
        if host.release != problem.fleet.target and index not in pending
    }


def _status(bounds: Bounds) -> PlanStatus:
    met = bounds.moves.met and bounds.waves.met and bounds.makespan_s.met
    return PlanStatus.OPTIMAL if met else PlanStatus.WITHIN_GAP
