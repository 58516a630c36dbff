"""The kinds of migration in a plan: which guest class goes from which host class to which, and how often.

For people: a plan of thousands of migrations has a handful of kinds, and each can be explained once.
"""

from __future__ import annotations

import msgspec

from fleetplan.fleet.model import Fleet, GuestName, HostName
from fleetplan.migration.classes import ClassTable, GuestClassId, HostClassId
from fleetplan.rollout.plan import Plan, Step, StepKind


class MoveKind(msgspec.Struct, frozen=True, kw_only=True):
    """All migrations of one guest class between two host classes, with the first of them as the example."""

    guest_class: GuestClassId
    source_class: HostClassId
    destination_class: HostClassId
    count: int
    guest: GuestName
    source: HostName
    destination: HostName


class _Walk(msgspec.Struct):
    """Where the classes of hosts and guests are at a moment of the plan."""

    hosts: dict[HostName, HostClassId]
    upgraded: dict[HostName, HostClassId]
    guests: dict[GuestName, GuestClassId]
    pins: dict[GuestName, str]


def move_kinds(fleet: Fleet, classes: ClassTable, plan: Plan) -> tuple[MoveKind, ...]:
    """The kinds in the order of their first migration. O(steps log steps)."""
    walk = _Walk(
        hosts={host.name: number for host, number in zip(fleet.hosts, classes.hosts_now, strict=True)},
        upgraded={host.name: number for host, number in zip(fleet.hosts, classes.hosts_then, strict=True)},
        guests={guest.name: number for guest, number in zip(fleet.guests, classes.guests, strict=True)},
        pins={pin.guest: pin.psci for pin in plan.pins},
    )
    examples: dict[tuple[GuestClassId, HostClassId, HostClassId], Step] = {}
    counts: dict[tuple[GuestClassId, HostClassId, HostClassId], int] = {}
    for step in sorted((step for wave in plan.waves for step in wave.steps), key=lambda step: (step.end_s, step.start_s)):
        triple = _advance(walk, classes, step)
        if triple is not None:
            examples.setdefault(triple, step)
            counts[triple] = counts.get(triple, 0) + 1
    return tuple(_kind(triple, counts[triple], step) for triple, step in examples.items())


def _advance(walk: _Walk, classes: ClassTable, step: Step) -> tuple[GuestClassId, HostClassId, HostClassId] | None:
    """Let one step end; for a migration, the kind that it is."""
    if step.kind is StepKind.UPGRADE and step.host is not None:
        walk.hosts[step.host] = walk.upgraded[step.host]
    elif step.kind is StepKind.START and step.guest is not None and step.host is not None:
        booted = classes.cold_boot(walk.guests[step.guest], walk.hosts[step.host], walk.pins.get(step.guest))
        walk.guests[step.guest] = walk.guests[step.guest] if booted is None else booted
    elif step.kind is StepKind.MIGRATE and step.guest is not None and step.source is not None and step.destination is not None:
        triple = (walk.guests[step.guest], walk.hosts[step.source], walk.hosts[step.destination])
        walk.guests[step.guest] = classes.hop(*triple).after
        return triple
    return None


def _kind(triple: tuple[GuestClassId, HostClassId, HostClassId], count: int, step: Step) -> MoveKind:
    assert step.guest is not None  # noqa: S101 - only migrations come here, and they have all three
    assert step.source is not None  # noqa: S101 - as above
    assert step.destination is not None  # noqa: S101 - as above
    guest_class, source_class, destination_class = triple
    return MoveKind(
        guest_class=guest_class,
        source_class=source_class,
        destination_class=destination_class,
        count=count,
        guest=step.guest,
        source=step.source,
        destination=step.destination,
    )
