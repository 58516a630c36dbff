"""Invariants of groups beside APART: members that stay together, and how many are disrupted at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fleetplan.fleet.model import GroupName, Host, Scope
from fleetplan.judge.case import Case
from fleetplan.judge.chains import Things, crowded
from fleetplan.judge.layout import NEVER
from fleetplan.judge.limits import ENDS, STARTS
from fleetplan.rollout.columns import NONE, Numbers, Places
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import StepKind


def _members(case: Case, names: list[GroupName]) -> Places:
    """By guest, the place of its group in a list; NONE if it is in none of them."""
    table = case.fleet.guests
    number = {name: place for place, name in enumerate(names)}
    of_name = np.array([*(number.get(name, NONE) for name in table.group_names), NONE], np.int32)
    found: Places = of_name[np.asarray(table.group, np.int32)]
    return found


# --- together ------------------------------------------------------------------------------------------------------------------------


def together(case: Case) -> Iterator[Violation]:
    """After each wave, members that shared a host, rack or zone at the start share one."""
    for scope in Scope:
        names = sorted(name for name, group in case.fleet.groups.items() if group.together is scope)
        if names:
            place = np.array(_numbered([_place(host, scope) for host in case.fleet.hosts]), np.int32)
            yield from _parted(case, names, place)


def _place(host: Host, scope: Scope) -> str:
    return {Scope.HOST: host.name, Scope.RACK: host.rack, Scope.ZONE: host.zone}[scope]


def _numbered(names: list[str]) -> list[int]:
    number: dict[str, int] = {}
    return [number.setdefault(name, len(number)) for name in names]


def _parted(case: Case, names: list[GroupName], place: Places) -> Iterator[Violation]:
    """Clusters (members of a group with one place at the start) that have two places after a wave; each is told once."""
    group = _members(case, names)
    at = place[case.guests.on]
    clustered = np.flatnonzero(group != NONE)
    _, cluster = np.unique(group[clustered].astype(np.int64) << 32 | at[clustered], return_inverse=True)
    of_guest = np.full(len(group), NONE, np.int64)
    of_guest[clustered] = cluster
    order = np.argsort(cluster, kind="stable")
    begins = np.concatenate(([0], np.cumsum(np.bincount(cluster))))
    told: set[int] = set()
    moves = case.rows[case.row_is(StepKind.MIGRATE)]
    moves = moves[group[case.steps.guest[moves]] != NONE]
    for wave in np.unique(case.wave[moves]).tolist():
        steps = moves[case.wave[moves] == wave]
        at[case.steps.guest[steps]] = place[case.steps.destination[steps]]
        for number in np.unique(of_guest[case.steps.guest[steps]]).tolist():
            members = clustered[order[begins[number] : begins[number + 1]]]
            astray = members[at[members] != at[members[0]]]
            if len(astray) and number not in told:
                told.add(number)
                mover = next(step for step in steps.tolist() if of_guest[case.steps.guest[step]] == number)
                names_of = (case.guests.names[members[0]], case.guests.names[astray[0]])
                facts = {"guest": names_of[0], "parted_from": names_of[1], "after_wave": case.plan.waves[wave - 1].number}
                yield case.broken(InvariantId.TOGETHER, f"group {names[group[members[0]]]}", mover, **facts)


# --- disrupted -----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Disruptions:
    """Migrations, and spans from a stop to the end of the start after it, of members of groups with a limit."""

    names: list[GroupName]
    limits: Numbers
    group: Numbers
    head: Places
    tail: Places


def _disruptions(case: Case) -> _Disruptions:
    limited = {name: group.max_disrupted for name, group in sorted(case.fleet.groups.items()) if group.max_disrupted is not None}
    names = list(limited)
    group = _members(case, names)
    whole = np.bincount(group[group != NONE], minlength=len(names)).tolist()
    limits = np.array([share.of(count) for share, count in zip(limited.values(), whole, strict=True)], np.int64)
    stops, starts = case.row_is(StepKind.STOP), case.row_is(StepKind.START)
    before = case.last_row(stops | starts)
    ends = starts & (before != NONE) & stops[before]
    # A stop is the head; its tail is the start that follows, or NONE if none does.
    tail = np.full(len(case.steps), NONE, np.int32)
    tail[case.rows[before[ends]]] = case.rows[ends]
    head = np.concatenate((case.migrations, case.by_kind[StepKind.STOP]))
    head = head[group[case.steps.guest[head]] != NONE]
    ended_by = np.where(np.isin(head, case.migrations), head, tail[head]).astype(np.int32)
    return _Disruptions(names, limits, group[case.steps.guest[head]].astype(np.int64), head.astype(np.int32), ended_by)


def disrupted(case: Case) -> Iterator[Violation]:
    """No more members of a group at a time than its limit."""
    found = case.once(_disruptions)
    count = len(found.head)
    since = case.steps.start_s[found.head]
    until = np.where(found.tail == NONE, NEVER, case.steps.end_s[found.tail])
    group = np.concatenate((found.group, found.group))
    kind = np.repeat([STARTS, ENDS], count)
    step = np.concatenate((found.head, found.head))
    order = np.lexsort((step, kind, np.concatenate((since, until)), group))
    # Every group ends with as many members disrupted as it begins with: none.
    running = np.cumsum(np.where(kind == STARTS, 1, -1)[order])
    over = (kind[order] == STARTS) & (running > found.limits[group[order]]) if count else np.zeros(0, np.bool_)
    for event in np.flatnonzero(over).tolist():
        number = int(group[order[event]])
        facts = {"disrupted": running[event], "at_most": found.limits[number]}
        yield case.broken(InvariantId.DISRUPTED, f"group {found.names[number]}", int(step[order[event]]), **facts)


def disrupted_by_waiting(case: Case) -> Iterator[Violation]:
    """Whether members wait for each other as limits demand."""
    found = case.once(_disruptions)
    for number, things in crowded(case, Things(found.group, found.head, found.tail), found.limits).items():
        limit = int(found.limits[number])
        facts = {"disrupted": len(things), "at_most": limit}
        steps = found.head[things].tolist()[: limit + 1]
        yield case.broken(InvariantId.AFTER, f"group {found.names[number]}", *steps, **facts)
