"""From a fleet to a plan, or to why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from sys import intern

import numpy as np
from msgspec.structs import replace

from fleetplan.fleet.model import Fleet, HostName
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.aims import FEWEST_MOVES, Aims
from fleetplan.planner.bounds import Floor
from fleetplan.planner.causes import by_pool
from fleetplan.planner.certain import impossible
from fleetplan.planner.clock import wave_of
from fleetplan.planner.enact import rounds_of, waves_of
from fleetplan.planner.exact.case import case_of
from fleetplan.planner.exact.improve import improve
from fleetplan.planner.exact.solver import Allowance
from fleetplan.planner.failure import Failure
from fleetplan.planner.pins import choose_boots
from fleetplan.planner.problem import Fate, Problem
from fleetplan.planner.remedies import explain
from fleetplan.planner.rescue import rescue
from fleetplan.planner.steps import Layout, critical_path
from fleetplan.planner.stones import stepping_stones
from fleetplan.planner.trials import Trial, best_trial, followed, timed
from fleetplan.planner.waiting import held_back
from fleetplan.planner.waves import Search
from fleetplan.planner.ways_back import with_ways_back
from fleetplan.rollout.calendar import first_opening_min
from fleetplan.rollout.columns import STATES, Placement, Places, Steps
from fleetplan.rollout.plan import Bounds, ExtraMoves, HostSite, Infeasible, Plan, PlanStatus, Wave, WhyTwice
from fleetplan.rollout.progress import CancelledError, Progress, announce

LANDINGS_TRIED = 2_000
"""In small pools, where it is only asked whether a remedy works."""


def plan(
    fleet: Fleet,
    classes: ClassTable,
    *,
    digest: str,
    aims: Aims = FEWEST_MOVES,
    progress: Progress | None = None,
    exactly: Allowance | None = None,
    previous: Plan | None = None,
    begins_min: int | None = None,
) -> Plan | Infeasible:
    """Plan the rollout of a fleet. Raises CancelledError.

    `exactly` lets exact models look for a better plan, and for what no plan can do better; raises TooLargeError and SolverMissingError.
    A `previous` plan, made for another state of the fleet, is followed as far as it holds. `begins_min` is when in the week the plan is
    started (default: at the first opening of a window, if policy has any). Deterministic: equal fleets give equal plans.
    """
    outcome = attempt(
        fleet, classes, digest=digest, aims=aims, progress=progress, exactly=exactly, previous=previous, begins_min=begins_min
    )
    if isinstance(outcome, Plan):
        return outcome
    told = explain(
        outcome,
        digest=digest,
        again=lambda other, guests, effort: obstacle(other, classes.beside(other, guests), effort),
        progress=progress,
    )
    blocked = _blocked(outcome.problem).tolist() if outcome.stuck is None and outcome.limit is None else []
    stones = stepping_stones(fleet, classes, blocked, lambda other, table: _once(other, table, digest)) if blocked else ()
    return replace(told, remedies=(*(replace(stone, tried=True) for stone in stones), *told.remedies))


def _once(fleet: Fleet, classes: ClassTable, digest: str) -> Plan | None:
    found = attempt(fleet, classes, digest=digest)
    return found if isinstance(found, Plan) else None


def obstacle(fleet: Fleet, classes: ClassTable, progress: Progress | None = None) -> Failure | None:
    """Why a search finds no plan; None if it finds one. Makes no timetable, and so is quicker than `attempt`. Raises CancelledError."""
    problem = Problem(fleet, classes)
    if len(_blocked(problem)):
        return Failure(problem, None)
    search = Search(problem, progress)
    stuck = search.run()
    if stuck is None or rescue(problem, search.waves, list(by_pool(problem, stuck)), progress, LANDINGS_TRIED).waves is not None:
        return None
    return Failure(problem, stuck)


def attempt(
    fleet: Fleet,
    classes: ClassTable,
    *,
    digest: str,
    aims: Aims = FEWEST_MOVES,
    progress: Progress | None = None,
    exactly: Allowance | None = None,
    previous: Plan | None = None,
    begins_min: int | None = None,
) -> Plan | Failure:
    """Follow the previous plan, if there is one; else search, then exactly if that is asked for; without looking for remedies."""
    begins_min = first_opening_min(fleet.policy) if begins_min is None else begins_min
    problem = Problem(fleet, classes)
    if len(_blocked(problem)):
        return Failure(problem, None, impossible=impossible(problem, []))
    floor = Floor(problem)
    best = followed(problem, floor, aims, previous, progress) or best_trial(problem, floor, aims, progress)
    if not isinstance(best, Failure):
        announce(progress, "steps")
    made = None if isinstance(best, Failure) else _plan(problem, floor, best, digest, begins_min)
    failure = best if isinstance(best, Failure) else Failure(problem, None)
    if exactly is None:
        return made or failure
    found = None if made is None or isinstance(best, Failure) else (made, rounds_of(best.waves))
    boots = choose_boots(problem)
    better, none_exists = improve(
        case_of(fleet, classes),
        exactly,
        lambda rounds: _plan(problem, floor, timed(problem, waves_of(problem, rounds), boots), digest, begins_min),
        found,
    )
    return better or Failure(problem, failure.stuck, none_exists or failure.impossible, failure.limit)


def _blocked(problem: Problem) -> Places:
    """Guests of hosts that are to be upgraded that can neither move nor restart."""
    found: Places = np.flatnonzero((problem.fate == Fate.STUCK) & problem.pending[problem.guests.on]).astype(np.int32)
    return found


def _plan(problem: Problem, floor: Floor, trial: Trial, digest: str, begins_min: int | None) -> Plan:
    waves, legs = trial.waves, trial.legs
    layout = Layout(problem, waves, legs, trial.times, trial.boots)
    columns = held_back(problem, layout.columns(), begins_min)
    makespan_s = int(columns.end_s.max(initial=0))
    bounds = floor.bounds(len(legs.guest), len(waves), makespan_s)
    fleet, names = problem.fleet, problem.hosts.names
    spans = zip(layout.wave_hosts(), layout.wave_spans(), strict=True)
    made = Plan(
        inventory_digest=digest,
        target=fleet.target,
        begins_min=begins_min,
        status=_status(bounds),
        waves=tuple(
            Wave(number=number, hosts=tuple(map(names.__getitem__, hosts.tolist())), steps=Steps(columns, first, last))
            for number, (hosts, (first, last)) in enumerate(spans, 1)
        ),
        pins=layout.pins() if waves else (),
        critical_path=critical_path(columns),
        bounds=bounds,
        on_failure=fleet.policy.on_failure,
        extra_moves=tuple(_extra_moves(problem, trial)),
        skipped=skipped(problem),
        sites=sites(fleet),
        placement=Placement(problem.guests.names, names, problem.guests.on),
    )
    return with_ways_back(fleet, problem.classes, made, problem.columns)


def sites(fleet: Fleet) -> dict[HostName, HostSite]:
    """How every host is at first, and what runbooks must know of it."""
    return {
        host.name: HostSite(
            vmm=host.release.vmm,
            kernel=host.release.kernel,
            address=host.address,
            zone=intern(host.zone),  # msgspec tells a default text by its identity: the same zone has to be left out wherever it came from
            state=host.state,
        )
        for host in fleet.hosts
    }


def skipped(problem: Problem) -> dict[HostName, str]:
    """Hosts that stay as they are, and why."""
    return _skipped(problem) | _unreachable(problem)


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


def _extra_moves(problem: Problem, trial: Trial) -> Iterator[ExtraMoves]:
    """Guests that land on hosts of a later wave, by pool, and why."""
    legs, pool_of = trial.legs, problem.hosts.pool
    wave = wave_of(trial.waves, len(problem.hosts.names))
    seeds = (wave[legs.goal] > legs.wave)[legs.of_move]
    pool, number = pool_of[legs.source[legs.of_move[seeds]]], legs.wave[legs.of_move[seeds]]
    opened = np.unique(pool_of[problem.upgraded]).tolist()
    found = Counter[tuple[int, WhyTwice]]()
    for each, first in Counter(zip(pool.tolist(), number.tolist(), strict=True)).items():
        begins = int(wave[problem.pending & (pool_of == each[0])].min())
        why = WhyTwice.NO_UPGRADED_HOST if each[1] == begins and each[0] not in opened else WhyTwice.NO_ROOM
        found[each[0], WhyTwice.ASKED if each[1] == 1 and trial.seeds.get(each[0]) else why] += first
    return (ExtraMoves(pool=problem.hosts.pool_names[own], moves=moves, why=why) for (own, why), moves in sorted(found.items()))


def _status(bounds: Bounds) -> PlanStatus:
    met = bounds.moves.met and bounds.waves.met and bounds.makespan_s.met
    return PlanStatus.OPTIMAL if met else PlanStatus.WITHIN_GAP


__all__ = ["CancelledError", "Progress", "attempt", "plan"]
