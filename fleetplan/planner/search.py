"""From a fleet to a plan, or to why there is none."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from fleetplan.fleet.model import Fleet, HostName
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.bounds import Floor
from fleetplan.planner.clock import Clock
from fleetplan.planner.enact import rounds_of, waves_of
from fleetplan.planner.exact.case import case_of
from fleetplan.planner.exact.improve import improve
from fleetplan.planner.exact.solver import Allowance
from fleetplan.planner.failure import Failure
from fleetplan.planner.following import Following, hints_of
from fleetplan.planner.legs import legs_of
from fleetplan.planner.pins import choose_boots
from fleetplan.planner.problem import Fate, Problem
from fleetplan.planner.remedies import explain
from fleetplan.planner.steps import Layout, critical_path, gates_after, soak_s, tail_s
from fleetplan.planner.stones import stepping_stones
from fleetplan.planner.waves import CancelledError, Progress, Search, WaveChoice
from fleetplan.planner.ways_back import with_ways_back
from fleetplan.rollout.columns import STATES, Placement, Places, Steps
from fleetplan.rollout.durations import PIN_S, START_S, STOP_S
from fleetplan.rollout.plan import Bounds, HostSite, Infeasible, Plan, PlanStatus, Wave

SPARE_WAVE_PER = 10
"""Where the bound says at least so many waves, one more is spent, so that hosts that open late need not take another one."""


def plan(
    fleet: Fleet,
    classes: ClassTable,
    *,
    digest: str,
    progress: Progress | None = None,
    exactly: Allowance | None = None,
    previous: Plan | None = None,
) -> Plan | Infeasible:
    """Plan the rollout of a fleet. Raises CancelledError.

    `exactly` lets exact models look for a better plan, and for what no plan can do better; raises TooLargeError and SolverMissingError.
    A `previous` plan, made for another state of the fleet, is followed as far as it holds. Deterministic: equal fleets give equal plans.
    """
    outcome = attempt(fleet, classes, digest=digest, progress=progress, exactly=exactly, previous=previous)
    if isinstance(outcome, Plan):
        return outcome
    told = explain(outcome, digest=digest, again=lambda other: _succeeds(other, classes, digest))
    blocked = _blocked(outcome.problem).tolist() if outcome.stuck is None else []
    stones = stepping_stones(fleet, classes, blocked, lambda other, table: _once(other, table, digest)) if blocked else ()
    return replace(told, remedies=(*(replace(stone, tried=True) for stone in stones), *told.remedies))


def _once(fleet: Fleet, classes: ClassTable, digest: str) -> Plan | None:
    found = attempt(fleet, classes, digest=digest)
    return found if isinstance(found, Plan) else None


def _succeeds(fleet: Fleet, classes: ClassTable, digest: str) -> bool:
    return isinstance(attempt(fleet, classes.beside(fleet), digest=digest), Plan)


def attempt(
    fleet: Fleet,
    classes: ClassTable,
    *,
    digest: str,
    progress: Progress | None = None,
    exactly: Allowance | None = None,
    previous: Plan | None = None,
) -> Plan | Failure:
    """Follow the previous plan, if there is one; search once, then exactly if that is asked for; without looking for remedies."""
    problem = Problem(fleet, classes)
    if len(_blocked(problem)):
        return Failure(problem, None)
    floor = Floor(problem)
    most_waves = floor.waves + (floor.waves >= SPARE_WAVE_PER)
    if previous is not None:
        following = Following(problem, hints_of(problem, previous), progress, most_waves)
        if following.run() is None:
            return _plan(problem, floor, following.waves, digest)
    search = Search(problem, progress, most_waves=most_waves)
    stuck = search.run()
    made = _plan(problem, floor, search.waves, digest) if stuck is None else None
    if exactly is None:
        return made or Failure(problem, stuck)
    found = None if made is None else (made, rounds_of(search.waves))
    better, impossible = improve(
        case_of(fleet, classes), exactly, lambda rounds: _plan(problem, floor, waves_of(problem, rounds), digest), found
    )
    return better or Failure(problem, stuck, impossible)


def _blocked(problem: Problem) -> Places:
    """Guests of hosts that are to be upgraded that can neither move nor restart."""
    found: Places = np.flatnonzero((problem.fate == Fate.STUCK) & problem.pending[problem.guests.on]).astype(np.int32)
    return found


def _plan(problem: Problem, floor: Floor, waves: list[WaveChoice], digest: str) -> Plan:
    boots = choose_boots(problem)
    legs = legs_of(problem, waves)
    soaks = {number: soak_s(rules) for number, rules in gates_after(problem, len(waves)).items()}
    begin_s = STOP_S + PIN_S + START_S if len(boots.in_place) and waves else 0
    times = Clock(problem, waves, legs, tail_s(problem, boots)).run(soaks, begin_s)
    layout = Layout(problem, waves, legs, times, boots)
    columns = layout.columns()
    makespan_s = int(columns.end_s.max(initial=0))
    bounds = floor.bounds(len(legs.guest), len(waves), makespan_s)
    fleet, names = problem.fleet, problem.hosts.names
    spans = zip(layout.wave_hosts(), layout.wave_spans(), strict=True)
    made = Plan(
        inventory_digest=digest,
        target=fleet.target,
        status=_status(bounds),
        waves=tuple(
            Wave(number=number, hosts=tuple(map(names.__getitem__, hosts.tolist())), steps=Steps(columns, first, last))
            for number, (hosts, (first, last)) in enumerate(spans, 1)
        ),
        pins=layout.pins() if waves else (),
        critical_path=critical_path(columns),
        bounds=bounds,
        on_failure=fleet.policy.on_failure,
        skipped=_skipped(problem) | _unreachable(problem),
        sites={
            host.name: HostSite(vmm=host.release.vmm, kernel=host.release.kernel, address=host.address, zone=host.zone)
            for host in fleet.hosts
        },
        placement=Placement(problem.guests.names, names, problem.guests.on),
    )
    return with_ways_back(fleet, problem.classes, made, problem.columns)


def _skipped(problem: Problem) -> dict[HostName, str]:
    """Hosts that stay as they are because policy skips hosts with guests that cannot be moved."""
    found: dict[HostName, str] = {}
    for host in np.flatnonzero(problem.skipped & problem.alive).tolist():
        residents = problem.residents.one(host)
        stuck = residents[problem.fate[residents] != Fate.MOVE]
        more = f", nor {len(stuck) - 1} more" if len(stuck) > 1 else ""
        found[problem.hosts.names[host]] = f"guest {problem.guests.names[stuck[0]]} cannot be moved{more}"
    return found


def _unreachable(problem: Problem) -> dict[HostName, str]:
    """Hosts that are not on the target and that no plan touches."""
    there = np.flatnonzero(~problem.hosts.on_target & ~problem.alive)
    return {problem.hosts.names[host]: f"it is {STATES[problem.hosts.state[host]].value}" for host in there.tolist()}


def _status(bounds: Bounds) -> PlanStatus:
    met = bounds.moves.met and bounds.waves.met and bounds.makespan_s.met
    return PlanStatus.OPTIMAL if met else PlanStatus.WITHIN_GAP


__all__ = ["CancelledError", "Progress", "attempt", "plan"]
