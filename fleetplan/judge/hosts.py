"""Invariants of how a host is upgraded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from fleetplan.fleet.policy import Immovable
from fleetplan.judge.case import Case
from fleetplan.judge.layout import BEFORE, NEVER, SEQUENCE, listed
from fleetplan.judge.unordered import unordered
from fleetplan.rollout.columns import NONE, Flags, Ints, Numbers, Places
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import StepKind


def drained(case: Case) -> Iterator[Violation]:
    """From the start of its upgrade to the end of its check nothing runs on a host."""
    start, end = case.busy
    moves = case.migrations
    there = case.steps.destination[moves]
    found = [
        _present(case, np.arange(len(case.guests.names)), case.guests.on, np.array(BEFORE), case.leaves_at),
        _present(case, case.steps.guest[moves], there, case.steps.start_s[moves], case.stays_until[moves]),
    ]
    for guests, hosts in found:
        running = ~_stopped(case, guests, start[hosts], end[hosts])
        for guest, host in zip(guests[running].tolist(), hosts[running].tolist(), strict=True):
            upgrade = int(case.one[StepKind.UPGRADE][host])
            yield case.broken(InvariantId.DRAINED, f"host {case.hosts.names[host]}", upgrade, guest=case.guests.names[guest])


def _present(case: Case, guests: Ints, hosts: Places, since: Numbers, until: Numbers) -> tuple[Ints, Places]:
    """Guests that take room on a host while that is upgraded or checked, and the hosts."""
    start, end = case.busy
    inside = (start[hosts] != NEVER) & (since < end[hosts]) & (start[hosts] < until)
    return guests[inside], hosts[inside]


def _stopped(case: Case, guests: Ints, start: Numbers, end: Numbers) -> Flags:
    """Whether guests are stopped for the whole of spans: stopped by the start, and not started again before the end.

    What counts is the last stop before the span, and the first start after that stop.
    """
    stop_ends = np.full(len(case.guests.names), NEVER, np.int64)
    next_start = np.full(len(case.guests.names), NEVER, np.int64)
    seldom, often = _boots_of(case)
    stops, starts = seldom
    stop_ends[case.steps.guest[stops]] = case.steps.end_s[stops]
    next_start[case.steps.guest[starts]] = case.steps.start_s[starts]
    first_ok = (next_start < stop_ends) | (next_start == NEVER)
    found: Flags = (stop_ends[guests] <= start) & (first_ok[guests] | (next_start[guests] >= end))
    for place in listed(often[guests]):
        found[place] = _stopped_often(case, int(guests[place]), int(start[place]), int(end[place]))
    return found


def _boots_of(case: Case) -> tuple[tuple[Places, Places], Flags]:
    """Stops and starts of guests that have each once at most; and which guests have more."""
    stops, starts = case.by_kind[StepKind.STOP], case.by_kind[StepKind.START]
    size = len(case.guests.names)
    guest = case.steps.guest
    often = (np.bincount(guest[stops], minlength=size) > 1) | (np.bincount(guest[starts], minlength=size) > 1)
    return (stops[~often[guest[stops]]], starts[~often[guest[starts]]]), often


def _stopped_often(case: Case, guest: int, start: int, end: int) -> bool:
    rows = case.steps.guest[case.rows] == guest
    stops = case.rows[rows & case.row_is(StepKind.STOP)]
    stops = stops[case.steps.end_s[stops] <= start]
    if not len(stops):
        return False
    starts = case.steps.start_s[case.rows[rows & case.row_is(StepKind.START)]]
    return bool((starts[starts >= case.steps.end_s[stops[-1]]] >= end).all())


def cordoned(case: Case) -> Iterator[Violation]:
    """Cordon, upgrade, check, uncordon: each once, in this order; guests leave after the cordon."""
    rule, columns = InvariantId.CORDONED, case.steps
    times = np.array([case.counts[kind] for kind in SEQUENCE])
    touched = times.any(axis=0)
    whole = (times == 1).all(axis=0)
    for host in listed(touched & ~whole):
        wrong = ", ".join(kind.value for kind, count in zip(SEQUENCE, times[:, host], strict=True) if count != 1)
        yield case.broken(rule, f"host {case.hosts.names[host]}", not_once=wrong)
    for earlier, later in pairwise(SEQUENCE):
        for host in listed(whole & (case.end_of(earlier, BEFORE) > case.start_of(later, BEFORE))):
            yield case.broken(rule, f"host {case.hosts.names[host]}", int(case.one[later][host]), int(case.one[earlier][host]))
    moves = case.migrations
    source = columns.source[moves]
    cordon = case.one[StepKind.CORDON][source]
    early = columns.start_s[moves] < case.end_of(StepKind.CORDON, BEFORE)[source]
    for place in listed(whole[source] & early):
        yield case.broken(rule, f"host {case.hosts.names[source[place]]}", int(moves[place]), int(cordon[place]))


def upgraded(case: Case) -> Iterator[Violation]:
    """Every living host ends on the target release or is left to later waves by name, and none is upgraded or named for nothing."""
    may_skip = case.fleet.policy.immovable is Immovable.SKIP
    skipped = np.zeros(len(case.hosts.names), np.bool_)
    if case.plan.skipped:
        skipped[:] = [name in case.plan.skipped for name in case.hosts.names]
    done = case.wave_of_host > 0
    needed = ~case.hosts.on_target & case.alive
    later = case.later & needed & ~done & ~skipped
    for name in sorted(set(case.plan.later) - {case.hosts.names[host] for host in listed(later)}):
        yield case.broken(InvariantId.UPGRADED, f"host {name}", left_to="later waves")
    for host in listed((needed & ~done & ~later & ~(skipped & may_skip)) | (done & (~needed | skipped))):
        facts = {"needless": "upgrade"} if done[host] else {"kernel": case.fleet.hosts[host].release.kernel}
        yield case.broken(InvariantId.UPGRADED, f"host {case.hosts.names[host]}", **facts)


# --- hosts that go last --------------------------------------------------------------------------------------------------------------


def last(case: Case) -> Iterator[Violation]:
    """A host that goes last is cordoned when all others are back."""
    others, lasts = _first_and_last(case)
    if not len(others):
        return
    back = case.end_of(StepKind.UNCORDON, BEFORE)[others]
    latest = int(others[np.argmax(back)])
    cordon = case.one[StepKind.CORDON]
    for host in listed(case.steps.start_s[cordon[lasts]] < back.max(), lasts):
        uncordon = int(case.one[StepKind.UNCORDON][latest])
        yield case.broken(InvariantId.LAST, f"host {case.hosts.names[host]}", int(cordon[host]), uncordon, before=case.hosts.names[latest])


def _first_and_last(case: Case) -> tuple[Places, Places]:
    """Hosts of the plan that do not go last and have an uncordon; those that do, and have a cordon."""
    goes_last = np.array(case.fleet.those_last(), np.bool_)
    if not goes_last.any():
        nobody = np.zeros(0, np.int32)
        return nobody, nobody
    others = np.flatnonzero(~goes_last & (case.one[StepKind.UNCORDON] != NONE)).astype(np.int32)
    return others, np.flatnonzero(goes_last & (case.one[StepKind.CORDON] != NONE)).astype(np.int32)


def last_by_waiting(case: Case) -> Iterator[Violation]:
    """Whether hosts that go last wait for all others."""
    others, lasts = _first_and_last(case)
    for host in lasts.tolist():
        uncordons = case.one[StepKind.UNCORDON][others]
        yield from unordered(case, uncordons, np.full(len(others), case.one[StepKind.CORDON][host], np.int32))
