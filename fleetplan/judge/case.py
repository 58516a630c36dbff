"""A plan laid out for judging: its steps by host and by guest, and when each host is what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from fleetplan.fleet.model import Fleet, Guest, GuestName, HostName, HostState
from fleetplan.migration.classes import ClassTable, GuestClassId
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import Plan, Step, StepKind

NEVER = 1 << 62
"""Later than everything."""

BEFORE = -1
"""Earlier than everything that a plan does."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A guest takes room on a host from `since` (the start of its arrival) to `until` (the end of its departure)."""

    guest: Guest
    host: HostName
    since: int
    until: int
    arrival: Step | None


class Case:
    """The plan, the fleet, and indices over both."""

    def __init__(self, fleet: Fleet, classes: ClassTable, plan: Plan, digest: str) -> None:
        self.fleet = fleet
        self.classes = classes
        self.plan = plan
        self.digest = digest
        self.hosts = {host.name: host for host in fleet.hosts}
        self.guests = {guest.name: guest for guest in fleet.guests}
        self.host_number = {host.name: number for number, host in enumerate(fleet.hosts)}
        self.guest_number = {guest.name: number for number, guest in enumerate(fleet.guests)}

    @cached_property
    def steps(self) -> list[Step]:
        """All steps in the order of the plan."""
        return [step for wave in self.plan.waves for step in wave.steps]

    @cached_property
    def by_id(self) -> dict[str, Step]:
        """Steps by id."""
        return {step.id: step for step in self.steps}

    @cached_property
    def wave_of_step(self) -> dict[str, int]:
        """The number of the wave that a step stands in."""
        return {step.id: wave.number for wave in self.plan.waves for step in wave.steps}

    @cached_property
    def wave_of_host(self) -> dict[HostName, int]:
        """The number of the wave in which a host is upgraded."""
        return {step.host: wave.number for wave in self.plan.waves for step in wave.steps if step.kind is StepKind.UPGRADE and step.host}

    @cached_property
    def of_host(self) -> dict[tuple[HostName, StepKind], list[Step]]:
        """Steps of a host by kind, in the order of their start."""
        found: dict[tuple[HostName, StepKind], list[Step]] = defaultdict(list)
        for step in self.steps:
            if step.host is not None:
                found[step.host, step.kind].append(step)
        for steps in found.values():
            steps.sort(key=lambda step: (step.start_s, step.end_s))
        return dict(found)

    def on(self, host: HostName, kind: StepKind) -> list[Step]:
        """Steps of one kind on one host."""
        return self.of_host.get((host, kind), [])

    def one(self, host: HostName | None, kind: StepKind) -> Step | None:
        """The only step of a kind that a host has; None if it has none, or several."""
        steps = self.on(host or HostName(""), kind)
        return steps[0] if len(steps) == 1 else None

    @cached_property
    def migrations(self) -> list[Step]:
        """All migrations in the order of their start."""
        return sorted((step for step in self.steps if step.kind is StepKind.MIGRATE), key=lambda step: (step.start_s, step.end_s, step.id))

    @cached_property
    def of_guest(self) -> dict[GuestName, list[Step]]:
        """What happens to a guest, in the order of time; at equal times ends come before starts."""
        found: dict[GuestName, list[Step]] = defaultdict(list)
        for step in self.steps:
            if step.guest is not None:
                found[step.guest].append(step)
        for steps in found.values():
            steps.sort(key=lambda step: (step.start_s, step.end_s))
        return dict(found)

    @cached_property
    def stays(self) -> list[Stay]:
        """Where every guest takes room, and when: on both ends of a migration while it runs, and while it is stopped."""
        moves: dict[GuestName, list[Step]] = defaultdict(list)
        for step in self.migrations:
            moves[step.guest or GuestName("")].append(step)
        return [stay for guest in self.fleet.guests for stay in _stays_of(guest, moves.get(guest.name, []))]

    def upgraded_at(self, host: HostName) -> int:
        """From when on a host runs the target release: 0 if it does from the start, NEVER if it does not."""
        if self.hosts[host].release == self.fleet.target:
            return 0
        upgrade = self.one(host, StepKind.UPGRADE)
        return NEVER if upgrade is None else upgrade.end_s

    def host_class(self, host: HostName, at_s: int) -> int:
        """The class of a host at a time."""
        number = self.host_number[host]
        there = self.hosts[host].release != self.fleet.target and at_s >= self.upgraded_at(host)
        return self.classes.hosts_then[number] if there else self.classes.hosts_now[number]

    def closed(self, host: HostName) -> list[tuple[int, int]]:
        """The spans in which a host is unavailable: from cordon to uncordon, or because of its state."""
        record = self.hosts[host]
        cordon, uncordon = self.one(host, StepKind.CORDON), self.one(host, StepKind.UNCORDON)
        start = 0 if record.state is not HostState.UP else None if cordon is None else cordon.start_s
        if start is None:
            return []
        return [(start, NEVER if uncordon is None else uncordon.end_s)]

    @cached_property
    def _walks(self) -> dict[GuestName, tuple[list[tuple[Step, GuestClassId]], GuestClassId]]:
        """Of each guest that anything happens to: its journey, and what it is in the end."""
        return {guest: self._walk(guest, steps) for guest, steps in self.of_guest.items()}

    def _walk(self, guest: GuestName, steps: list[Step]) -> tuple[list[tuple[Step, GuestClassId]], GuestClassId]:
        listed = {pin.guest: pin.psci for pin in self.plan.pins} if any(step.kind is StepKind.PIN for step in steps) else {}
        kind, pinned = self.classes.guests[self.guest_number[guest]], None
        journey = []
        for step in steps:
            if step.kind is StepKind.PIN:
                pinned = listed.get(guest)
            elif step.kind is StepKind.MIGRATE and step.source is not None and step.destination is not None:
                journey.append((step, kind))
                source, destination = self.host_class(step.source, step.start_s), self.host_class(step.destination, step.start_s)
                kind = self.classes.hop(kind, source, destination).after
            elif step.kind is StepKind.START and step.host is not None:
                journey.append((step, kind))
                booted = self.classes.cold_boot(kind, self.host_class(step.host, step.start_s), pinned)
                kind = kind if booted is None else booted
        return journey, kind

    @property
    def journeys(self) -> Iterator[tuple[GuestName, list[tuple[Step, GuestClassId]]]]:
        """Of each guest that anything happens to: its migrations and starts, each with the class that it has before."""
        return ((guest, journey) for guest, (journey, _) in self._walks.items())

    def last_class(self, guest: GuestName) -> GuestClassId:
        """What a guest is in the end."""
        return self._walks[guest][1] if guest in self._walks else self.classes.guests[self.guest_number[guest]]

    @cached_property
    def last_host(self) -> dict[GuestName, HostName]:
        """Where each guest is in the end."""
        where = {guest.name: guest.on for guest in self.fleet.guests}
        for step in self.migrations:
            if step.guest is not None and step.destination is not None:
                where[step.guest] = step.destination
        return where


def _stays_of(guest: Guest, moves: list[Step]) -> Iterator[Stay]:
    host, since, arrival = guest.on, BEFORE, None
    for step in moves:
        yield Stay(guest, host, since, step.end_s, arrival)
        host, since, arrival = step.destination or host, step.start_s, step
    yield Stay(guest, host, since, NEVER, arrival)


def broken(invariant: InvariantId, subject: str, *steps: Step, at_s: int | None = None, **facts: object) -> Violation:
    """A violation; its time is that of the first step, if no other is given."""
    when = at_s if at_s is not None else steps[0].start_s if steps else 0
    words = tuple((name, str(value)) for name, value in sorted(facts.items()))
    return Violation(invariant=invariant, subject=subject, at_s=when, steps=tuple(step.id for step in steps), facts=words)
