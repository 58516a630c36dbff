"""The moves of a rollout by classes: guests that have to leave a host of the old release, and every kind of host they could move to.

Guests that are alike on hosts that are alike cross together, and are judged once. What policy, capacity or `allow` say of single hosts is
left to planning.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from fleetplan.fleet.model import Fleet, HostState
from fleetplan.migration.classes import PINS, ClassTable, GuestClassId, HostClassId
from fleetplan.migration.reasons import Verdict
from fleetplan.migration.verdict import Ruling

MOST_CROSSINGS = 2_000
"""Pairs of a crossing and a kind of destination that are looked into; of the others `Crossings.left_out` has the number."""

TAKING_PART = frozenset({HostState.UP, HostState.CORDONED, HostState.UPGRADING})


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """Guests of a class (their numbers, ascending) on hosts of a class in a pool, and the ruling on their move to each kind of host there.

    `old`: they are on hosts that are to be upgraded, and `rulings` are on hosts at the target. Else they are on hosts at the target, and
    `rulings` are on hosts that still run what they ran before: the ways back. `hosts` are the numbers of the hosts of each kind.
    """

    guests: Sequence[int]
    guest: GuestClassId
    here: HostClassId
    pool: str
    old: bool
    rulings: dict[HostClassId, Ruling]
    hosts: dict[HostClassId, list[int]]


class Crossings(msgspec.Struct, frozen=True, kw_only=True):
    """All crossings, those of the first guests first; and how many pairs of one and a destination were left out."""

    found: tuple[Crossing, ...]
    left_out: int = 0


def crossings(fleet: Fleet, classes: ClassTable) -> Crossings:
    """Who has to cross, and who has crossed. O(hosts + guests), and a ruling for each pair of a crossing and a kind of destination."""
    goals, pending = _goals(fleet, classes)
    places = {host.name: number for number, host in enumerate(fleet.hosts)}
    on = [places[name] for name in fleet.guests.host_names]
    groups: dict[tuple[GuestClassId, int], list[int]] = defaultdict(list)
    may_move = [template.migratable for template in fleet.guests.templates]
    for number, (kind, host, template) in enumerate(zip(classes.guests, fleet.guests.on, fleet.guests.template, strict=True)):
        if may_move[template]:
            groups[kind, on[host]].append(number)
    merged: dict[tuple[GuestClassId, HostClassId, str, bool], list[int]] = defaultdict(list)
    for (kind, host), numbers in groups.items():
        if fleet.hosts[host].state in TAKING_PART:
            merged[kind, classes.hosts_now[host], fleet.hosts[host].pool, host in pending] += numbers
    found, judged, left_out = [], 0, 0
    for (kind, here, pool, old), numbers in sorted(merged.items(), key=lambda entry: min(entry[1])):
        hosts = goals[pool, old]
        if judged + len(hosts) > MOST_CROSSINGS:
            left_out += len(hosts)
            continue
        judged += len(hosts)
        rulings = dict(zip(hosts, classes.rulings(kind, here, hosts), strict=True))
        found.append(Crossing(guests=sorted(numbers), guest=kind, here=here, pool=pool, old=old, rulings=rulings, hosts=hosts))
    return Crossings(found=tuple(found), left_out=left_out)


def _goals(fleet: Fleet, classes: ClassTable) -> tuple[dict[tuple[str, bool], dict[HostClassId, list[int]]], set[int]]:
    """By pool, the kinds of host at the target (True), and those of hosts that wait (False), with their hosts; and who waits."""
    goals: dict[tuple[str, bool], dict[HostClassId, list[int]]] = defaultdict(dict)
    pending = set()
    for number, (host, now, then) in enumerate(zip(fleet.hosts, classes.hosts_now, classes.hosts_then, strict=True)):
        if host.state not in TAKING_PART:
            continue
        goals[host.pool, True].setdefault(then, []).append(number)
        if host.release != fleet.target:
            pending.add(number)
            goals[host.pool, False].setdefault(now, []).append(number)
    return goals, pending


def doors(classes: ClassTable, crossing: Crossing) -> Iterator[tuple[HostClassId, GuestClassId]]:
    """The one-way doors of a crossing to the target: moves that are allowed, and after which the way back is not.

    Each with what the guests are then. A judgment for each way there and back that does not fail.
    """
    for there, (verdict, _) in crossing.rulings.items():
        if verdict is Verdict.FAILS or not crossing.old:
            continue
        hop = classes.hop(crossing.guest, crossing.here, there)
        if hop.allowed and not classes.hop(hop.after, there, crossing.here).allowed:
            yield there, hop.after


def pin_back(classes: ClassTable, guest: GuestClassId, here: HostClassId, goals: Iterable[HostClassId]) -> str | None:
    """The newest PSCI version with which a guest that cold boots here can move to one of the goals; None if there is none."""
    for psci in PINS:
        fresh = classes.cold_boot(guest, here, psci) if classes.bears(guest, here, psci) else None
        if fresh is not None and any(classes.hop(fresh, here, there).allowed for there in goals):
            return psci
    return None
