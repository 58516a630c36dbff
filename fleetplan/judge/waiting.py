"""The invariant AFTER: whoever starts a step when all in its `after` have ended breaks nothing, however long steps take.

What may not happen at once, or in another order, has to be in order by `after`. Most of it is seen from what a step waits for directly:

    every migration off a host waits for the host's cordon, or for another migration off it
                                        =>  all of them come after the cordon, for there are no circles
    for every step that takes a guest off, the upgrade waits, or another step that takes a guest off that host
                                        =>  all of them come before the upgrade
    every landing waits for the uncordon of its host, or for another landing there, or its source's cordon does
                                        =>  all of them come after the uncordon

What such a look leaves open is decided exactly (`precedence`). What is shared (streams, slots, room, places) is in the files of its own
invariant: `limits`, `room`, `apart`, `groups`, `hosts`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fleetplan.judge import apart, groups, hosts, limits, room
from fleetplan.judge.case import Case
from fleetplan.judge.layout import NEVER
from fleetplan.judge.unordered import unordered
from fleetplan.rollout.columns import NONE, Flags, Places
from fleetplan.rollout.invariants import Violation
from fleetplan.rollout.plan import StepKind


def after(case: Case) -> Iterator[Violation]:
    """Everything that must be in order is."""
    if not len(case.steps):
        return
    yield from _sequence(case)
    yield from _leaving(case)
    yield from _landing(case)
    yield from _arriving(case)
    yield from _guests(case)
    yield from limits.streams_by_waiting(case)
    yield from limits.slots_by_waiting(case)
    yield from room.room_by_waiting(case)
    yield from apart.apart_by_waiting(case)
    yield from groups.disrupted_by_waiting(case)
    yield from hosts.last_by_waiting(case)


# --- a host's own steps --------------------------------------------------------------------------------------------------------------


def _sequence(case: Case) -> Iterator[Violation]:
    """Cordon, upgrade, check, uncordon. Where guests migrate away, the upgrade comes after the cordon because they do."""
    cordon, upgrade, check, uncordon = (case.one[kind] for kind in (StepKind.CORDON, StepKind.UPGRADE, StepKind.CHECK, StepKind.UNCORDON))
    emptied = np.zeros(len(cordon), np.bool_)
    away = case.migrations[case.leaves[case.migrations] != NONE]
    emptied[case.steps.source[away]] = True
    pairs = ((np.where(emptied, NONE, cordon), upgrade), (upgrade, check), (check, uncordon))
    for earlier, later in pairs:
        both = (earlier != NONE) & (later != NONE)
        yield from unordered(case, earlier[both], later[both])


def _leaving(case: Case) -> Iterator[Violation]:
    """Guests leave after the cordon of their host, and before its upgrade."""
    steps, earlier, waiting = case.steps, case.steps.after, case.waiting
    cordon, upgrade = case.one[StepKind.CORDON], case.one[StepKind.UPGRADE]
    leaver = np.where(_before_upgrade(case), steps.source, NONE)
    behind = np.zeros(len(steps), np.bool_)
    host = leaver[waiting]
    behind[waiting[(host != NONE) & ((earlier == cordon[host]) | (leaver[earlier] == host))]] = True
    late = np.flatnonzero((leaver != NONE) & (cordon[leaver] != NONE) & ~behind)
    yield from unordered(case, cordon[leaver[late]], late)
    ahead = np.zeros(len(steps), np.bool_)
    host = case.leaves[earlier]
    ahead[earlier[(host != NONE) & ((waiting == upgrade[host]) | (case.leaves[waiting] == host))]] = True
    early = np.flatnonzero((case.leaves != NONE) & ~ahead)
    yield from unordered(case, early, upgrade[case.leaves[early]])


def _before_upgrade(case: Case) -> Flags:
    """Migrations that start before their source is upgraded, if it is at all."""
    found = np.zeros(len(case.steps), np.bool_)
    moves = case.migrations
    found[moves] = case.steps.start_s[moves] < case.end_of(StepKind.UPGRADE, NEVER)[case.steps.source[moves]]
    return found


# --- landings ------------------------------------------------------------------------------------------------------------------------


def _landing(case: Case) -> Iterator[Violation]:
    """Guests land after the uncordon of their destination."""
    lands, earlier, waiting = case.lands, case.steps.after, case.waiting
    uncordon, cordon = case.one[StepKind.UNCORDON], case.one[StepKind.CORDON]
    behind = np.zeros(len(case.steps), np.bool_)
    host = lands[waiting]
    behind[waiting[(host != NONE) & ((earlier == uncordon[host]) | (lands[earlier] == host))]] = True
    left = np.flatnonzero((lands != NONE) & ~behind)
    opened = uncordon[lands[left]]
    gate = np.where(_before_upgrade(case)[left], cordon[case.steps.source[left]], NONE)
    through = case.precedence.direct(opened, gate)
    yield from unordered(case, opened[~through], left[~through])


def _arriving(case: Case) -> Iterator[Violation]:
    """A host is cordoned after what still arrives."""
    moves = case.migrations
    cordon = case.one[StepKind.CORDON][case.steps.destination[moves]]
    early = (cordon != NONE) & ~case.held[case.steps.destination[moves]]
    early[early] = case.steps.end_s[moves[early]] <= case.steps.start_s[cordon[early]]
    yield from unordered(case, moves[early], cordon[early])


# --- a guest's own steps -------------------------------------------------------------------------------------------------------------


def _guests(case: Case) -> Iterator[Violation]:
    """What happens to one guest happens in order; it starts again after the uncordon of a host that is upgraded meanwhile."""
    rows = case.rows
    second = np.flatnonzero(case.row_first < np.arange(len(rows)))
    earlier, later = rows[second - 1], rows[second]
    through = _through_upgrade(case, earlier, later)
    uncordon = case.one[StepKind.UNCORDON][case.steps.host[later]]
    yield from unordered(case, uncordon[through], later[through])
    onward = _through_seed(case, earlier, later)
    rest = ~through & ~onward
    yield from unordered(case, earlier[rest], later[rest])


def _through_upgrade(case: Case, earlier: Places, later: Places) -> Flags:
    """Pairs of a stop (or pin) and a start with the upgrade of their host in between."""
    host = case.steps.host[later]
    opened = case.end_of(StepKind.UNCORDON, NEVER)[host]
    starts = np.isin(later, case.by_kind[StepKind.START])
    between: Flags = starts & (host != NONE) & (case.leaves[earlier] == host) & (case.steps.start_s[later] >= opened)
    return between


def _through_seed(case: Case, earlier: Places, later: Places) -> Flags:
    """Pairs of a landing on an old host and the migration off it, which waits for the cordon, which waits for the landing."""
    there = case.steps.destination[earlier]
    cordon = case.one[StepKind.CORDON][there]
    cordoned = (there != NONE) & (cordon != NONE) & ~case.held[there] & (case.steps.source[later] == there)
    before: Flags = _before_upgrade(case)[later] & cordoned & (case.steps.end_s[earlier] <= case.steps.start_s[cordon])
    return before
