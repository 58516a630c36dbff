"""Invariants of hosts: capacity, reserve, groups apart, max-unavailable, streams, and how a host is upgraded.

All sweeps go through events in the order of time; at equal times ends come before starts, because intervals are half-open.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from fleetplan.fleet.model import GuestName, Host, HostName, HostState, Scope
from fleetplan.fleet.policy import Immovable
from fleetplan.judge.case import Case, Stay, broken
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import Step, StepKind

END, START = 0, 1
"""Order of events at equal times."""

ALIVE = frozenset({HostState.UP, HostState.CORDONED})


def _landings(case: Case) -> Iterator[tuple[Step, Host, int, int]]:
    """Every arrival, with the vCPUs and the MiB in use on its host from then on."""
    events: dict[HostName, list[tuple[int, int, str, int, Stay]]] = defaultdict(list)
    touched = {step.destination for step in case.migrations}
    for stay in case.stays:
        if stay.host in touched:
            events[stay.host].append((stay.since, START, stay.guest.name, 1, stay))
            events[stay.host].append((stay.until, END, stay.guest.name, -1, stay))
    for host, of_host in events.items():
        vcpus = memory = 0
        for _, _, _, sign, stay in sorted(of_host, key=lambda event: event[:3]):
            vcpus, memory = vcpus + sign * stay.guest.vcpus, memory + sign * stay.guest.memory_mib
            if sign > 0 and stay.arrival is not None:
                yield stay.arrival, case.hosts[host], vcpus, memory


def capacity(case: Case) -> Iterator[Violation]:
    """An arrival leaves a host within its capacity with overcommit, both ends of running migrations counted."""
    policy = case.fleet.policy
    for step, host, vcpus, memory in _landings(case):
        most_vcpus = host.vcpus * policy.overcommit_vcpus_per_mille // 1000
        most_memory = host.memory_mib * policy.overcommit_memory_per_mille // 1000
        if vcpus > most_vcpus or memory > most_memory:
            facts = {"vcpus": vcpus, "most_vcpus": most_vcpus, "memory_mib": memory, "most_memory_mib": most_memory}
            yield broken(InvariantId.CAPACITY, f"host {host.name}", step, **facts)


def reserve(case: Case) -> Iterator[Violation]:
    """An arrival leaves the reserve free."""
    policy = case.fleet.policy
    if not policy.reserve_per_mille:
        return
    keep = 1000 - policy.reserve_per_mille
    for step, host, vcpus, memory in _landings(case):
        most_vcpus = host.vcpus * policy.overcommit_vcpus_per_mille // 1000 * keep // 1000
        most_memory = host.memory_mib * policy.overcommit_memory_per_mille // 1000 * keep // 1000
        if vcpus > most_vcpus or memory > most_memory:
            facts = {"vcpus": vcpus, "most_vcpus": most_vcpus, "memory_mib": memory, "most_memory_mib": most_memory}
            yield broken(InvariantId.RESERVE, f"host {host.name}", step, **facts)


def apart(case: Case) -> Iterator[Violation]:
    """A member of a group kept apart does not come to a place where another one is."""
    moving = {case.guests[step.guest or GuestName("")].group for step in case.migrations}
    spans: dict[tuple[str, str], list[tuple[int, int, str, Step | None]]] = defaultdict(list)
    for stay in case.stays:
        group = case.fleet.groups.get(stay.guest.group) if stay.guest.group in moving and stay.guest.group is not None else None
        if group is not None and group.apart is not None:
            place = (group.name, _place(case.hosts[stay.host], group.apart))
            spans[place].append((stay.since, stay.until, stay.guest.name, stay.arrival))
    for (group_name, place_name), stays in spans.items():
        yield from _meetings(group_name, place_name, stays)


def _place(host: Host, scope: Scope) -> str:
    match scope:
        case Scope.HOST:
            return host.name
        case Scope.RACK:
            return host.rack
        case Scope.ZONE:
            return host.zone


def _meetings(group: str, place: str, stays: list[tuple[int, int, str, Step | None]]) -> Iterator[Violation]:
    """Arrivals while another member is there; a guest does not meet itself."""
    for since, _, guest, arrival in stays:
        if arrival is None:
            continue
        if any(name == guest and begun < since <= ended for begun, ended, name, _ in stays):
            continue
        met = sorted(name for begun, ended, name, _ in stays if name != guest and begun <= since < ended)
        if met:
            yield broken(InvariantId.APART, f"group {group}", arrival, place=place, meets=met[0])


def unavailable(case: Case) -> Iterator[Violation]:
    """A cordon does not take more hosts away than max-unavailable allows."""
    limits = case.fleet.policy.max_unavailable
    for scope, limit in (("fleet", limits.fleet), ("zone", limits.zone), ("rack", limits.rack)):
        if limit is None:
            continue
        whole: Counter[str] = Counter()
        events: dict[str, list[tuple[int, int, str, Step | None]]] = defaultdict(list)
        for host in case.fleet.hosts:
            place = "fleet" if scope == "fleet" else str(getattr(host, scope))
            whole[place] += 1
            for since, until in case.closed(host.name):
                cordon = case.one(host.name, StepKind.CORDON) if host.state is HostState.UP else None
                events[place].append((since, START if cordon is not None else -1, host.name, cordon))
                events[place].append((until, END, host.name, None))
        for place, of_place in events.items():
            yield from _too_many(scope, place, sorted(of_place, key=lambda event: event[:3]), limit.of(whole[place]))


def _too_many(scope: str, place: str, events: list[tuple[int, int, str, Step | None]], limit: int) -> Iterator[Violation]:
    away = 0
    for _, kind, _, cordon in events:
        away += -1 if kind == END else 1
        if cordon is not None and away > limit:
            yield broken(InvariantId.UNAVAILABLE, f"{scope} {place}", cordon, unavailable=away, limit=limit)


def streams(case: Case) -> Iterator[Violation]:
    """Migrations that a host sends, and receives, at a time."""
    most = case.fleet.policy.streams
    for end, direction in (("source", "sends"), ("destination", "receives")):
        events: dict[str, list[tuple[int, int, str, Step]]] = defaultdict(list)
        for step in case.migrations:
            host = getattr(step, end)
            events[host] += [(step.start_s, START, step.id, step), (step.end_s, END, step.id, step)]
        for host, of_host in events.items():
            running = 0
            for _, kind, _, step in sorted(of_host, key=lambda event: event[:3]):
                running += 1 if kind == START else -1
                if kind == START and running > most:
                    yield broken(InvariantId.STREAMS, f"host {host}", step, **{direction: running, "at_most": most})


def landing(case: Case) -> Iterator[Violation]:
    """Destinations take guests, sources are there."""
    for step in case.migrations:
        source, destination = case.hosts[step.source or HostName("")], case.hosts[step.destination or HostName("")]
        if source.state not in ALIVE:
            yield broken(InvariantId.LANDING, step.id, step, source=source.name, state=source.state.value)
        shut = [span for span in case.closed(destination.name) if span[0] < step.end_s and step.start_s < span[1]]
        if shut:
            yield broken(InvariantId.LANDING, step.id, step, destination=destination.name, closed_from_s=shut[0][0])


def drained(case: Case) -> Iterator[Violation]:
    """From the start of its upgrade to the end of its check nothing runs on a host."""
    busy = {}
    for host in case.wave_of_host:
        upgrade, check = case.one(host, StepKind.UPGRADE), case.one(host, StepKind.CHECK)
        if upgrade is not None:
            busy[host] = (upgrade, upgrade.start_s, check.end_s if check is not None else upgrade.end_s)
    for stay in case.stays:
        if stay.host not in busy:
            continue
        upgrade, start, end = busy[stay.host]
        if stay.since < end and start < stay.until and not _stopped(case, stay, start, end):
            yield broken(InvariantId.DRAINED, f"host {stay.host}", upgrade, guest=stay.guest.name)


def _stopped(case: Case, stay: Stay, start: int, end: int) -> bool:
    """Whether a guest is stopped for the whole of a span."""
    steps = case.of_guest.get(stay.guest.name, [])
    stops = [step for step in steps if step.kind is StepKind.STOP and step.end_s <= start]
    starts = [step for step in steps if step.kind is StepKind.START and stops and step.start_s >= stops[-1].end_s]
    return bool(stops) and all(step.start_s >= end for step in starts)


SEQUENCE = (StepKind.CORDON, StepKind.UPGRADE, StepKind.CHECK, StepKind.UNCORDON)


def cordoned(case: Case) -> Iterator[Violation]:
    """Cordon, upgrade, check, uncordon: each once, in this order; guests leave after the cordon."""
    touched = dict.fromkeys(host for host, kind in case.of_host if kind in SEQUENCE)
    leaving: dict[HostName, list[Step]] = defaultdict(list)
    for step in case.migrations:
        leaving[step.source or HostName("")].append(step)
    for host in touched:
        steps = [case.one(host, kind) for kind in SEQUENCE]
        missing = [kind.value for kind, step in zip(SEQUENCE, steps, strict=True) if step is None]
        known = [step for step in steps if step is not None]
        if missing:
            yield broken(InvariantId.CORDONED, f"host {host}", not_once=", ".join(missing))
            continue
        for first, second in pairwise(known):
            if first.end_s > second.start_s:
                yield broken(InvariantId.CORDONED, f"host {host}", second, first)
        for step in leaving[host]:
            if step.start_s < known[0].end_s:
                yield broken(InvariantId.CORDONED, f"host {host}", step, known[0])


def upgraded(case: Case) -> Iterator[Violation]:
    """Every living host ends on the target release, and none is upgraded for nothing."""
    may_skip = case.fleet.policy.immovable is Immovable.SKIP
    for host in case.fleet.hosts:
        done = host.name in case.wave_of_host
        needed = host.release != case.fleet.target and host.state in ALIVE
        skipped = host.name in case.plan.skipped
        if needed and not done and not (skipped and may_skip):
            yield broken(InvariantId.UPGRADED, f"host {host.name}", kernel=host.release.kernel)
        elif done and (not needed or skipped):
            yield broken(InvariantId.UPGRADED, f"host {host.name}", needless="upgrade")
