"""The invariant APART: members of a group kept apart do not come to a place where another one is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import numpy as np

from fleetplan.fleet.model import Scope
from fleetplan.judge.case import Case
from fleetplan.judge.room import Stays, stays_of
from fleetplan.judge.unordered import unordered
from fleetplan.rollout.columns import NONE, SCOPE_CODE, SCOPES, Numbers
from fleetplan.rollout.invariants import InvariantId, Violation


def apart(case: Case) -> Iterator[Violation]:
    """A member of a group kept apart does not come to a place where another one is. Who moves within the place does not come."""
    stays, place, members = case.once(shared_places)
    for number in members:
        group = case.guests.group[stays.guest[number[0]]]
        facts = {"place": _place_name(case, int(group), int(place[number[0]]))}
        yield from _meetings(case, f"group {case.guests.group_names[group]}", stays, number, facts)


def _meetings(case: Case, subject: str, stays: Stays, members: Numbers, facts: dict[str, str]) -> Iterator[Violation]:
    spans = [(int(stays.since[stay]), int(stays.until[stay]), int(stays.guest[stay]), int(stays.arrival[stay])) for stay in members]
    for since, _, guest, arrival in spans:
        if arrival == NONE or any(other == guest and begun < since <= ended for begun, ended, other, _ in spans):
            continue
        met = sorted(case.guests.names[other] for begun, ended, other, _ in spans if other != guest and begun <= since < ended)
        if met:
            yield case.broken(InvariantId.APART, subject, arrival, meets=met[0], **facts)


def _place_name(case: Case, group: int, place: int) -> str:
    hosts = case.hosts
    match SCOPES[case.guests.group_scope[group]]:
        case Scope.HOST:
            return hosts.names[place]
        case Scope.RACK:
            return hosts.rack_names[place]
        case Scope.ZONE:
            return hosts.zone_names[place]
        case _ as unknown:
            assert_never(unknown)


def shared_places(case: Case) -> tuple[Stays, Numbers, list[Numbers]]:
    """All stays of members; the place of each; and, for each place where several stays of a group are not all from the start, these."""
    stays, place = _stays(case)
    group = case.guests.group[stays.guest].astype(np.int64)
    key = group * max(len(case.hosts.names), 1) + place
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    begin = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(key) else np.zeros(0, np.int64)
    length = np.diff(np.append(begin, len(key)))
    moved = np.add.reduceat((stays.arrival[order] != NONE).astype(np.int64), begin) if len(key) else begin
    several = (length > 1) & (moved > 0)
    return stays, place, [order[first : first + count] for first, count in zip(begin[several], length[several], strict=True)]


def _stays(case: Case) -> tuple[Stays, Numbers]:
    """Stays of the members of groups of which somebody moves, and their places (numbered within their scope)."""
    group = case.guests.group
    moving = np.zeros(len(case.guests.group_names) + 1, np.bool_)
    moving[group[case.steps.guest[case.migrations]]] = True
    moving[NONE] = False
    stays = stays_of(case, np.ones(len(case.hosts.names), np.bool_), moving[group])
    scope = case.guests.group_scope[group[stays.guest]]
    place = np.zeros(len(stays.host), np.int64)
    for kind, numbers in ((Scope.HOST, np.arange(len(case.hosts.names))), (Scope.RACK, case.hosts.rack), (Scope.ZONE, case.hosts.zone)):
        of_kind = scope == SCOPE_CODE[kind]
        place[of_kind] = numbers[stays.host[of_kind]]
    return stays, place


def apart_by_waiting(case: Case) -> Iterator[Violation]:
    """Whether who comes to a place waits for the member that leaves it."""
    stays, _, members = case.once(shared_places)
    pairs = [pair for number in members for pair in _successions(stays, number)]
    if not pairs:
        return
    left, came = np.array(pairs, np.int32).T
    # A host's upgrade is between those who leave before it and those who come after it.
    open_ = (case.leaves[left] == NONE) | (case.leaves[left] != case.lands[came])
    yield from unordered(case, left[open_], came[open_])


def _successions(stays: Stays, members: Numbers) -> Iterator[tuple[int, int]]:
    """Pairs of the step that takes a member away and the one that brings another one later."""
    arrivals = set(stays.arrival[members].tolist())
    departures = set(stays.departure[members].tolist())
    for first in members.tolist():
        departure = int(stays.departure[first])
        if departure == NONE or departure in arrivals:
            continue
        for second in members.tolist():
            arrival = int(stays.arrival[second])
            comes = arrival != NONE and arrival not in departures and stays.guest[first] != stays.guest[second]
            if comes and stays.until[first] <= stays.since[second]:
                yield departure, arrival
