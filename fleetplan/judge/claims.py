"""The invariant CLAIMS: what a plan says of itself is found afresh."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fleetplan.judge.case import Case
from fleetplan.judge.ways_back import ways_back
from fleetplan.rollout.calendar import BOUND
from fleetplan.rollout.columns import KINDS, NONE
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import PlanStatus


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
    yield from ways_back(case)


# --- the critical path ---------------------------------------------------------------------------------------------------------------


def _critical_path(case: Case, end: int) -> Iterator[Violation]:
    """Steps that wait for one another, from the start of the plan to its end, without a pause but for windows."""
    path = case.plan.critical_path
    if not path:
        if len(case.steps):
            yield case.broken(InvariantId.CLAIMS, "critical path", missing="all of it")
        return
    reached, following = end, NONE
    steps = np.flatnonzero(case.steps.end_s == end).astype(np.int32)
    for identifier in reversed(path):
        step = next((step for step in steps.tolist() if case.steps.id(step) == identifier), None)
        if step is None or reached not in {int(case.steps.end_s[step]), _in_window(case, following, int(case.steps.end_s[step]))}:
            yield case.broken(InvariantId.CLAIMS, "critical path", ends_s=reached, makespan_s=end, not_on_it=identifier)
            return
        reached, following = int(case.steps.start_s[step]), step
        steps = case.steps.after[case.steps.after_at[step] : case.steps.after_at[step + 1]]
    if reached not in {0, _in_window(case, following, 0)} or len(steps):
        yield case.broken(InvariantId.CLAIMS, "critical path", begins_s=reached, makespan_s=end)


def _in_window(case: Case, step: int, when: int) -> int:
    """When a step can start that could by its `after` at some time."""
    bound = step != NONE and KINDS[case.steps.kind[step]] in BOUND
    return case.calendar.opens_at(when) if bound and case.fleet.policy.windows else when
