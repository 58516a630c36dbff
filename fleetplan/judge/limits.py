"""Invariants of limits: how many hosts are unavailable at once, and how many migrations a host sends and receives at once.

Events are gone through in the order of time; at equal times ends come before starts, because intervals are half-open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fleetplan.judge.antichain import heaviest
from fleetplan.judge.case import Case
from fleetplan.judge.chains import Things, crowded
from fleetplan.judge.layout import NEVER, listed
from fleetplan.rollout.columns import KIND_CODE, NONE, Flags, Numbers, Places
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import StepKind

ENDS, STARTS = 0, 1
"""Order of events at equal times."""


# --- streams -------------------------------------------------------------------------------------------------------------------------


def streams(case: Case) -> Iterator[Violation]:
    """Migrations that a host sends, and receives, at a time."""
    for hosts, direction in ((case.steps.source, "sends"), (case.steps.destination, "receives")):
        most = case.fleet.policy.streams
        moves = case.migrations[_too_many_at_once(case, hosts)[hosts[case.migrations]]]
        for step, running in _running(case, moves, hosts):
            if running > most:
                yield case.broken(
                    InvariantId.STREAMS, f"host {case.hosts.names[hosts[step]]}", step, **{direction: running, "at_most": most}
                )


def _too_many_at_once(case: Case, hosts: Places) -> Flags:
    """Hosts with more migrations at a time than streams.

    With the starts of a host sorted, and its ends sorted, more than `most` run at the start of the i-th just where fewer than
    `i - most + 1` have ended, that is where the end number `i - most` is later.
    """
    moves, most = case.migrations, case.fleet.policy.streams
    host = hosts[moves].astype(np.int64) << TIME_BITS
    starts = np.sort(host | case.steps.start_s[moves])[most:]
    ends = np.sort(host | case.steps.end_s[moves])[: len(starts)]
    found = np.zeros(len(case.hosts.names), np.bool_)
    same = starts >> TIME_BITS == ends >> TIME_BITS
    found[(starts >> TIME_BITS)[same & (ends > starts)]] = True
    return found


TIME_BITS = 42
"""Bits of a time in a key for sorting: the sum of two that are below LATEST_S fits."""


def _running(case: Case, moves: Places, hosts: Places) -> Iterator[tuple[int, int]]:
    """Every start of these migrations, with the number that its host then has. Migrations of one host start in the order of their ids."""
    ids = [case.steps.id(step) for step in moves.tolist()]
    running: dict[int, int] = {}
    events = [(int(hosts[step]), int(case.steps.start_s[step]), STARTS, name, step) for step, name in zip(moves.tolist(), ids, strict=True)]
    events += [(int(hosts[step]), int(case.steps.end_s[step]), ENDS, name, step) for step, name in zip(moves.tolist(), ids, strict=True)]
    for host, _, kind, _, step in sorted(events):
        running[host] = running.get(host, 0) + (1 if kind == STARTS else -1)
        if kind == STARTS:
            yield step, running[host]


def streams_by_waiting(case: Case) -> Iterator[Violation]:
    """Whether migrations wait for each other as streams demand. Those before and after a host's upgrade cannot meet."""
    moves, most = case.migrations, case.fleet.policy.streams
    later = {
        "sends": case.leaves[moves] == NONE,
        "receives": case.lands[moves] != NONE,
    }
    segments = len(case.plan.waves) + 1
    for direction, hosts in (("sends", case.steps.source[moves]), ("receives", case.steps.destination[moves])):
        group = (hosts.astype(np.int64) * 2 + later[direction]) * segments + case.segment[moves]
        for at_once in crowded(case, *_compact(Things(group, moves, moves), most)).values():
            steps = moves[at_once][: most + 1].tolist()
            host = hosts[at_once[0]]
            yield case.broken(InvariantId.AFTER, f"host {case.hosts.names[host]}", *steps, **{direction: len(at_once), "at_most": most})


def _compact(things: Things, most: int) -> tuple[Things, Numbers]:
    """The same groups numbered without gaps, and a limit for each."""
    there = np.zeros(int(things.group.max(initial=-1)) + 1, np.bool_)
    there[things.group] = True
    number = np.cumsum(there) - 1
    return Things(number[things.group], things.head, things.tail), np.full(int(there.sum()), most, np.int64)


# --- unavailable hosts ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scope:
    """Places of one kind with a limit: by host its place; by place its name and limit."""

    word: str
    place: Places
    names: Sequence[str]
    limits: Numbers


def _scopes(case: Case) -> Iterator[Scope]:
    hosts, most = case.hosts, case.fleet.policy.max_unavailable
    everywhere = np.zeros(len(hosts.names), np.int32)
    of_scope = (
        ("fleet", most.fleet, everywhere, ("fleet",)),
        ("zone", most.zone, hosts.zone, hosts.zone_names),
        ("rack", most.rack, hosts.rack, hosts.rack_names),
    )
    for word, share, place, names in of_scope:
        if share is not None:
            whole = np.bincount(place, minlength=len(names))
            yield Scope(word, place, names, np.array([share.of(count) for count in whole.tolist()], np.int64))


def wide_waves(case: Case) -> Iterator[Violation]:
    """A wave is a set of hosts that can be away together: beside those that stay away, and cordoned ones that no earlier wave brings back.

    A wave of hosts that are cordoned already takes nobody away.
    """
    wave, span = case.wave_of_host.astype(np.int64), len(case.plan.waves) + 2
    taken, held = np.flatnonzero((wave > 0) & ~case.held), np.flatnonzero(case.held)
    back_in = np.where(wave[held] > 0, wave[held], span - 1)
    for scope in _scopes(case):
        keys, count = np.unique(scope.place[taken] * span + wave[taken], return_counts=True)
        place, number = np.divmod(keys, span)
        away = np.sort(scope.place[held] * span + back_in)
        beside = np.searchsorted(away, (place + 1) * span) - np.searchsorted(away, keys)
        for row in listed(count + beside > scope.limits[place]):
            facts = {scope.word: scope.names[place[row]], "hosts": count[row] + beside[row], "limit": scope.limits[place[row]]}
            yield case.broken(InvariantId.WAVES, f"wave {case.plan.waves[number[row] - 1].number}", **facts)


def unavailable(case: Case) -> Iterator[Violation]:
    """A cordon does not take more hosts away than max-unavailable allows."""
    since, until = case.closed
    shut = np.flatnonzero(since != NEVER)
    cordon = np.where(case.held, NONE, case.one[StepKind.CORDON])[shut]
    rank = np.where(cordon == NONE, -1, STARTS)
    for scope in _scopes(case):
        place = np.concatenate((scope.place[shut], scope.place[shut]))
        time = np.concatenate((since[shut], until[shut]))
        kind = np.concatenate((rank, np.full(len(shut), ENDS)))
        who = np.concatenate((shut, shut))
        order = np.lexsort((who, kind, time, place))
        change = np.where(np.arange(len(place)) < len(shut), 1, -1)[order]
        away = np.cumsum(change)
        step = np.concatenate((cordon, np.full(len(shut), NONE)))[order]
        # Every place ends with as many hosts away as it begins with: none.
        for event in listed((step != NONE) & (away > scope.limits[place[order]])):
            name, limit = scope.names[place[order[event]]], scope.limits[place[order[event]]]
            yield case.broken(InvariantId.UNAVAILABLE, f"{scope.word} {name}", int(step[event]), unavailable=away[event], limit=limit)


def slots_by_waiting(case: Case) -> Iterator[Violation]:
    """Whether cordons wait for uncordons as max-unavailable demands."""
    since, _ = case.closed
    shut = np.flatnonzero(since != NEVER)
    held = case.held[shut]
    head = np.where(held, NONE, case.one[StepKind.CORDON][shut])
    tail = case.one[StepKind.UNCORDON][shut]
    for scope in _scopes(case):
        place = scope.place[shut]
        begun = np.bincount(place[held], minlength=len(scope.names))
        owing = begun > scope.limits
        plain = ~owing[place]
        found = _by_segment(case, scope, place[plain], head[plain], tail[plain])
        for number in np.flatnonzero(owing).tolist():
            there = place == number
            found |= _over_limit(case, number, head[there], tail[there], int(scope.limits[number]))
        for number, steps in found.items():
            limit = int(scope.limits[number])
            facts = {"unavailable": len(steps), "limit": limit}
            yield case.broken(InvariantId.AFTER, f"{scope.word} {scope.names[number]}", *steps[: limit + 1], **facts)


def _by_segment(case: Case, scope: Scope, place: Places, head: Places, tail: Places) -> dict[int, list[int]]:
    """Places that do not hand on their slots, with the steps that can go on at once. Between two gates each counts for itself."""
    segments = len(case.plan.waves) + 1
    last = np.where(tail == NONE, segments, case.segment[tail])
    first = np.where(head == NONE, 0, case.segment[head])
    # A host that is held when a segment begins, and is not back when it ends, takes a slot all the time.
    limits = np.repeat(scope.limits, segments).reshape(-1, segments)
    for number, until in zip(place[head == NONE].tolist(), last[head == NONE].tolist(), strict=True):
        limits[number, :until] -= 1
    inside = (head != NONE) | (tail != NONE)
    group = np.where(head == NONE, last, first)[inside] + place[inside] * segments
    things = Things(group.astype(np.int64), head[inside].astype(np.int32), tail[inside].astype(np.int32))
    found: dict[int, list[int]] = {}
    for number, at_once in crowded(case, things, limits.ravel()).items():
        steps = [int(things.head[thing] if things.head[thing] != NONE else things.tail[thing]) for thing in at_once]
        found.setdefault(number // segments, sorted(steps, key=lambda step: (case.steps.kind[step] != KIND_CODE[StepKind.CORDON], step)))
    return found


def _over_limit(case: Case, number: int, head: Places, tail: Places, limit: int) -> dict[int, list[int]]:
    """The same for a place with more hosts held from the start than its limit: no cordon before enough of them are back."""
    after = case.precedence.later_than(tail.astype(np.int32), head.astype(np.int32))
    for thing in np.flatnonzero(head != NONE).tolist():
        others = [other for other in range(len(head)) if other != thing and other not in after[thing] and thing not in after[other]]
        place = {other: index for index, other in enumerate(others)}
        size, chosen = heaviest([1] * len(others), [[place[later] for later in after[other] if later in place] for other in others])
        if size + 1 > limit:
            steps = [thing, *(others[index] for index in chosen)]
            return {number: [int(head[step] if head[step] != NONE else tail[step]) for step in steps]}
    return {}
