"""What steps wait for beside room, slots and streams; and when they start then.

Hosts that go last wait for all others. Members of a group that bears N disruptions at a time wait for the N-th before. Windows are times to
wait for. All of it is laid over a plan that is safe without: whatever steps take, it stays safe if they start later.

There is no circle: what happens to one host from its first stop to its last start is one thing at one time, every step that another waits
for is at an earlier time (or stands before it), and members go in the order of these times.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fleetplan.planner.grouping import Runs, spans
from fleetplan.planner.problem import Problem
from fleetplan.rollout.calendar import BOUND, Calendar
from fleetplan.rollout.columns import KIND_CODE, NONE, Ints, Numbers, Places, StepColumns
from fleetplan.rollout.plan import StepKind

Pairs = tuple[Ints, Ints]
"""Steps, and what waits for each."""


def held_back(problem: Problem, columns: StepColumns, begins_min: int | None) -> StepColumns:
    """The steps with all that they wait for, at the times at which they start then. O(steps log steps) where anything holds them back."""
    pairs = [*_others_first(problem, columns), *_members_in_turn(problem, columns)]
    windows = problem.fleet.policy.windows
    if not pairs and not windows:
        return columns
    waiting = np.repeat(np.arange(len(columns)), np.diff(columns.after_at))
    earlier = np.concatenate([columns.after, *(first for first, _ in pairs)])
    later = np.concatenate([waiting, *(second for _, second in pairs)])
    once = np.sort(np.unique(later.astype(np.int64) << 32 | earlier, return_index=True)[1])
    runs = Runs.of(later[once], len(columns))
    linked = replace(columns, after_at=runs.at, after=earlier[once][runs.items].astype(np.int32))
    return replace(linked, start_s=_starts_s(linked, Calendar.of(problem.fleet.policy, begins_min) if windows else None))


def _of_kind(columns: StepColumns, kind: StepKind) -> Places:
    found: Places = np.flatnonzero(columns.kind == KIND_CODE[kind]).astype(np.int32)
    return found


def _others_first(problem: Problem, columns: StepColumns) -> list[Pairs]:
    """The cordons of hosts that go last wait until the others are back, and their guests have started."""
    if not problem.last.any():
        return []
    cordons = _of_kind(columns, StepKind.CORDON)
    cordons = cordons[problem.last[columns.host[cordons]]]
    ends = np.concatenate((_of_kind(columns, StepKind.UNCORDON), _of_kind(columns, StepKind.START)))
    ends = ends[~problem.last[columns.host[ends]]]
    return [(np.tile(ends, len(cordons)), np.repeat(cordons, len(ends)))] if len(cordons) and len(ends) else []


# --- groups that bear few disruptions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Disruptions:
    """Migrations, and restarts from stop to start, of members of such groups, in the order of groups and within one in that of times."""

    group: Places
    head: Places
    tail: Places


def _disruptions(problem: Problem, columns: StepColumns) -> _Disruptions:
    group = problem.tolerance.group
    moves, stops, starts = (_of_kind(columns, kind) for kind in (StepKind.MIGRATE, StepKind.STOP, StepKind.START))
    # A guest restarts at most once in a plan of ours.
    start_of = np.full(len(group), NONE, np.int32)
    start_of[columns.guest[starts]] = starts
    head, tail = np.concatenate((moves, stops)), np.concatenate((moves, start_of[columns.guest[stops]]))
    some = np.flatnonzero(group[columns.guest[head]] != NONE)
    head, tail = head[some], tail[some]
    of_step = group[columns.guest[head]]
    order = np.lexsort((head, columns.start_s[head], of_step))
    return _Disruptions(of_step[order], head[order], tail[order])


def _members_in_turn(problem: Problem, columns: StepColumns) -> list[Pairs]:
    """With a limit of N, each waits for the N-th before it."""
    if not problem.tolerance.names:
        return []
    found = _disruptions(problem, columns)
    limit = problem.tolerance.limit[found.group]
    before = np.arange(len(found.group)) - limit
    some = np.flatnonzero((before >= 0) & (found.group[np.maximum(before, 0)] == found.group))
    return [(found.tail[before[some]], found.head[some])] if len(some) else []


# --- times ---------------------------------------------------------------------------------------------------------------------------


def _starts_s(columns: StepColumns, calendar: Calendar | None) -> Numbers:
    """When each step starts: when all that it waits for has ended, and where it waits for windows, in one. In layers of the step graph."""
    waiting = np.repeat(np.arange(len(columns)), np.diff(columns.after_at))
    followers = Runs.of(columns.after, len(columns))
    bound = np.isin(columns.kind, [KIND_CODE[kind] for kind in BOUND])
    missing = np.diff(columns.after_at)
    starts = np.zeros(len(columns), np.int64)
    layer = np.flatnonzero(missing == 0)
    while len(layer):
        first = columns.after_at[layer]
        count = columns.after_at[layer + 1] - first
        earlier = columns.after[spans(first, count)]
        ready = np.zeros(len(layer), np.int64)
        np.maximum.at(ready, np.repeat(np.arange(len(layer)), count), starts[earlier] + columns.duration_s[earlier])
        starts[layer] = ready if calendar is None else np.where(bound[layer], calendar.opens(ready), ready)
        released, times = np.unique(waiting[followers.many(layer)], return_counts=True)
        missing[released] -= times
        layer = released[missing[released] == 0]
    return starts
