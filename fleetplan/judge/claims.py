"""The invariant CLAIMS: what a plan says of itself is found afresh."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fleetplan.fleet.policy import Immovable
from fleetplan.judge.case import Case
from fleetplan.rollout.columns import Flags, Places
from fleetplan.rollout.distinct import distinct
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import PlanStatus, StepKind


def claims(case: Case) -> Iterator[Violation]:
    """Counts, bounds, status, critical path, points of no return."""
    rule, plan = InvariantId.CLAIMS, case.plan
    end = int(case.steps.end_s.max(initial=0))
    stated = {
        "moves": (plan.bounds.moves, len(case.migrations)),
        "waves": (plan.bounds.waves, len(plan.waves)),
        "makespan_s": (plan.bounds.makespan_s, end),
    }
    for name, (bound, real) in stated.items():
        if bound.plan != real or not 0 <= bound.bound <= real:
            yield case.broken(rule, name, claimed=bound.plan, real=real, bound=bound.bound)
    met = all(bound.met for bound, _ in stated.values())
    if (plan.status is PlanStatus.OPTIMAL) != met or plan.status is PlanStatus.INFEASIBLE:
        yield case.broken(rule, "status", claimed=plan.status, bounds_met=met)
    yield from _critical_path(case, end)
    yield from _points_of_no_return(case)


# --- the critical path ---------------------------------------------------------------------------------------------------------------


def _critical_path(case: Case, end: int) -> Iterator[Violation]:
    """Steps that wait for one another without a pause, from the start of the plan to its end."""
    path = case.plan.critical_path
    if not path:
        if len(case.steps):
            yield case.broken(InvariantId.CLAIMS, "critical path", missing="all of it")
        return
    reached = end
    steps = np.flatnonzero(case.steps.end_s == end).astype(np.int32)
    for identifier in reversed(path):
        step = next((step for step in steps.tolist() if case.steps.id(step) == identifier), None)
        if step is None or case.steps.end_s[step] != reached:
            yield case.broken(InvariantId.CLAIMS, "critical path", ends_s=reached, makespan_s=end, not_on_it=identifier)
            return
        reached = int(case.steps.start_s[step])
        steps = case.steps.after[case.steps.after_at[step] : case.steps.after_at[step + 1]]
    if reached or len(steps):
        yield case.broken(InvariantId.CLAIMS, "critical path", begins_s=reached, makespan_s=end)


# --- points of no return -------------------------------------------------------------------------------------------------------------


def _points_of_no_return(case: Case) -> Iterator[Violation]:
    found = {(point.wave, guest) for point in case.plan.points_of_no_return for guest in point.guests}
    guests = np.flatnonzero(_cannot_return(case))
    real = {(wave, case.guests.names[guest]) for guest, wave in zip(guests.tolist(), _brought_in(case)[guests].tolist(), strict=True)}
    for wave, guest in sorted(found ^ real):
        yield case.broken(InvariantId.CLAIMS, f"guest {guest}", wave=wave, claimed_no_return=(wave, guest) in found)


def _cannot_return(case: Case) -> Flags:
    """Guests that end on the target release, and that no host as it was would take back."""
    hosts, where = case.hosts, case.last_host
    upgraded = case.wave_of_host > 0
    pools: dict[int, set[int]] = {}
    for pool, goal in {*zip(hosts.pool[upgraded].tolist(), hosts.now[upgraded].tolist(), strict=True)}:
        pools.setdefault(pool, set()).add(goal)
    has_goals = np.isin(hosts.pool, list(pools))
    # Guests of a host count that is up, or becomes so.
    counts = has_goals & (upgraded | (hosts.on_target & ~case.held))
    guests = np.flatnonzero(counts[where] & ~_restarts(case))
    place = where[guests]

    def stuck(kind: int, here: int, pool: int) -> bool:
        return not any(case.classes.hop(kind, here, goal).allowed for goal in sorted(pools[pool]))

    answers, which = distinct(stuck, case.walk.last[guests], hosts.then[place], hosts.pool[place])
    found = np.zeros(len(where), np.bool_)
    if answers:
        found[guests] = np.array(answers, np.bool_)[which]
    return found


def _restarts(case: Case) -> Flags:
    """Guests for which a restart is a way back."""
    by_restart = case.fleet.policy.immovable is Immovable.RESTART
    return case.guests.restartable if by_restart else np.zeros_like(case.guests.restartable)


def _brought_in(case: Case) -> Places:
    """By guest, the wave that brought it to the target release; a restart for a pin on an upgraded host brings nobody anywhere."""
    steps = case.rows
    starts = case.row_is(StepKind.START) & (case.wave_of_host[case.steps.host[steps]] > 0)
    brought = steps[case.row_is(StepKind.MIGRATE) | starts]
    found = np.zeros(len(case.guests.names), np.int32)
    found[case.steps.guest[brought]] = case.wave[brought]
    return found
