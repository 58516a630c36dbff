"""Invariants of guests: where they are, where they may go, and their restarts."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

import numpy as np

from fleetplan.fleet.model import HostName
from fleetplan.fleet.policy import Immovable
from fleetplan.judge.case import Case
from fleetplan.judge.layout import NEVER, listed
from fleetplan.rollout import durations
from fleetplan.rollout.columns import NONE, STATES, Flags, Numbers
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import StepKind


def placement(case: Case) -> Iterator[Violation]:
    """Whatever happens to a guest happens where it is, one thing after the other."""
    rows, columns = case.rows, case.steps
    moves = case.row_is(StepKind.MIGRATE)
    there = np.where(moves, columns.source[rows], columns.host[rows])
    elsewhere = (there != case.here) | (moves & (columns.destination[rows] == case.here))
    free_at = np.zeros(len(rows), np.int64)
    free_at[1:] = columns.end_s[rows[:-1]]
    free_at[case.row_first == np.arange(len(rows))] = 0
    early = columns.start_s[rows] < free_at
    stopped = moves & _stopped(case)
    for row in listed(elsewhere | early | stopped):
        step = int(rows[row])
        if elsewhere[row]:
            facts: dict[str, object] = {"is_on": case.hosts.names[case.here[row]]}
        elif early[row]:
            facts = {"busy_until_s": free_at[row]}
        else:
            facts = {"state": "stopped"}
        yield case.broken(InvariantId.PLACEMENT, case.guest_subject(step), step, **facts)


def _stopped(case: Case) -> Flags:
    """Rows before which the guest was stopped, and not started since."""
    last = case.last_row(case.row_is(StepKind.STOP, StepKind.START))
    stopped: Flags = (last != NONE) & case.row_is(StepKind.STOP)[last]
    return stopped


def pool(case: Case) -> Iterator[Violation]:
    """Both ends of a migration are in one pool."""
    moves, pools = case.migrations, case.hosts.pool
    source, destination = pools[case.steps.source[moves]], pools[case.steps.destination[moves]]
    for place in listed(source != destination):
        step, names = int(moves[place]), case.hosts.pool_names
        facts = {"source_pool": names[source[place]], "destination_pool": names[destination[place]]}
        yield case.broken(InvariantId.POOL, case.steps.id(step), step, **facts)


def allowed(case: Case) -> Iterator[Violation]:
    """A destination matches `allow` and does not match `deny`."""
    moves = case.migrations
    seen: dict[tuple[tuple[str, ...], tuple[str, ...], HostName], bool] = {}
    for step in listed(case.guests.choosy[case.steps.guest[moves]], moves):
        guest = case.fleet.guests[case.steps.guest[step]]
        key = (guest.allow, guest.deny, case.hosts.names[case.steps.destination[step]])
        if key not in seen:
            seen[key] = _admits(*key)
        if not seen[key]:
            yield case.broken(InvariantId.ALLOWED, case.steps.id(step), step, destination=key[2])


def _admits(allow: tuple[str, ...], deny: tuple[str, ...], host: HostName) -> bool:
    wanted = not allow or any(fnmatchcase(host, pattern) for pattern in allow)
    return wanted and not any(fnmatchcase(host, pattern) for pattern in deny)


def migratable(case: Case) -> Iterator[Violation]:
    """Guests with `migrate: never` stay."""
    moves = case.migrations
    for step in listed(~case.guests.migratable[case.steps.guest[moves]], moves):
        yield case.broken(InvariantId.MIGRATABLE, case.guest_subject(step), step)


def converges(case: Case) -> Iterator[Violation]:
    """Copies end, and in the time that policy allows."""
    moves, rate = case.migrations, case.hosts.bandwidth_mib_s
    guest = case.steps.guest[moves]
    link = np.minimum(rate[case.steps.source[moves]], rate[case.steps.destination[moves]])
    dirty = case.guests.dirty_rate_mib_s[guest]
    ends = durations.copies_end(case.guests.size[guest, 1], dirty, link, case.fleet.policy.converge)
    for place in listed(~ends):
        step = int(moves[place])
        facts = {"dirty_rate_mib_s": dirty[place], "link_mib_s": link[place]}
        yield case.broken(InvariantId.CONVERGES, case.guest_subject(step), step, **facts)


def landing(case: Case) -> Iterator[Violation]:
    """Destinations take guests, sources are there."""
    moves, columns = case.migrations, case.steps
    for step in listed(~case.alive[columns.source[moves]], moves):
        source = columns.source[step]
        facts = {"source": case.hosts.names[source], "state": STATES[case.hosts.state[source]].value}
        yield case.broken(InvariantId.LANDING, columns.id(step), step, **facts)
    since, until = case.closed
    there = columns.destination[moves]
    for step in listed((since[there] < columns.end_s[moves]) & (columns.start_s[moves] < until[there]), moves):
        destination = columns.destination[step]
        facts = {"destination": case.hosts.names[destination], "closed_from_s": since[destination]}
        yield case.broken(InvariantId.LANDING, columns.id(step), step, **facts)


def restartable(case: Case) -> Iterator[Violation]:
    """Only guests that may restart are stopped, and only where policy restarts in place, or for a pin."""
    stops = case.by_kind[StepKind.STOP]
    in_place = case.fleet.policy.immovable is Immovable.RESTART
    pinned = {pin.guest for pin in case.plan.pins}
    for step in stops.tolist():
        guest = case.steps.guest[step]
        if not (case.guests.restartable[guest] and (in_place or case.guests.names[guest] in pinned)):
            yield case.broken(InvariantId.RESTARTABLE, case.guest_subject(step), step)


def running(case: Case) -> Iterator[Violation]:
    """Stops and starts come in pairs, and a start comes after the uncordon of a host that was upgraded meanwhile."""
    rule, stops = InvariantId.RUNNING, case.row_is(StepKind.STOP)
    boots = case.row_is(StepKind.STOP, StepKind.START)
    before = case.last_row(boots)
    stopped = (before != NONE) & stops[before]
    open_until_next = stops.copy()
    open_until_next[before[boots & (before != NONE)]] = False
    for row in listed(boots & stops & stopped):
        yield _restart(case, row, stopped="twice")
    for row in listed(boots & ~stops & ~stopped):
        yield _restart(case, row, started="without a stop")
    for row in listed(boots & ~stops & stopped & _too_early(case, before)):
        yield _restart(case, row, started="before its host serves again")
    for row in listed(open_until_next):
        step = int(case.rows[row])
        yield case.broken(rule, case.guest_subject(step), step, started="never")


def _restart(case: Case, row: int, **facts: str) -> Violation:
    step = int(case.rows[row])
    return case.broken(InvariantId.RUNNING, case.guest_subject(step), step, **facts)


def _too_early(case: Case, before: Numbers) -> Flags:
    """Rows that start a guest on a host whose upgrade came after the stop, and before it serves again."""
    host = case.steps.host[case.rows]
    upgrade, uncordon = case.start_of(StepKind.UPGRADE, NEVER), case.end_of(StepKind.UNCORDON, NEVER)
    both = (case.one[StepKind.UPGRADE] != NONE) & (case.one[StepKind.UNCORDON] != NONE)
    stop_ends = case.steps.end_s[case.rows[before]]
    early: Flags = both[host] & (upgrade[host] >= stop_ends) & (case.steps.start_s[case.rows] < uncordon[host])
    return early
