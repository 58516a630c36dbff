"""The kinds of migration in a plan: which guest class goes from which host class to which, and how often.

For people: a plan of thousands of migrations has a handful of kinds, and each can be explained once.
"""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np

from fleetplan.fleet.model import Fleet, GuestName, HostName
from fleetplan.migration.classes import ClassTable, GuestClassId, HostClassId
from fleetplan.rollout.columns import KIND_CODE, KINDS, step_columns
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


_Triple = tuple[GuestClassId, HostClassId, HostClassId]


class _Walk:
    """Where the classes of hosts and guests are at a moment of the plan, by their numbers."""

    def __init__(self, fleet: Fleet, classes: ClassTable, plan: Plan) -> None:
        self._classes = classes
        self.steps = step_columns(plan, [host.name for host in fleet.hosts], fleet.guests.names)
        self._hosts = list(classes.hosts_now)
        self._guests = list(classes.guests)
        listed = {pin.guest: pin.psci for pin in plan.pins}
        self._pins = {number: listed[name] for number, name in enumerate(fleet.guests.names) if name in listed} if listed else {}

    def upgrade(self, host: int) -> None:
        """The host runs the target from now on."""
        self._hosts[host] = self._classes.hosts_then[host]

    def boot(self, guest: int, host: int) -> None:
        """The guest cold boots."""
        booted = self._classes.cold_boot(self._guests[guest], self._hosts[host], self._pins.get(guest))
        self._guests[guest] = self._guests[guest] if booted is None else booted

    def migrate(self, guest: int, source: int, destination: int) -> _Triple:
        """The guest moves; returns the kind of the move."""
        triple = (self._guests[guest], self._hosts[source], self._hosts[destination])
        self._guests[guest] = self._classes.hop(*triple).after
        return triple


def move_kinds(fleet: Fleet, classes: ClassTable, plan: Plan) -> tuple[MoveKind, ...]:
    """The kinds in the order of their first migration. The plan must have passed the judge. O(steps log steps)."""
    walk = _Walk(fleet, classes, plan)
    steps = walk.steps
    examples: dict[_Triple, int] = {}
    counts: Counter[_Triple] = Counter()
    places = np.lexsort((np.arange(len(steps)), steps.start_s, steps.end_s))
    changing = places[np.isin(steps.kind[places], [KIND_CODE[kind] for kind in (StepKind.UPGRADE, StepKind.START, StepKind.MIGRATE)])]
    for step, kind, host, guest, source, destination in zip(
        changing.tolist(),
        *(column[changing].tolist() for column in (steps.kind, steps.host, steps.guest, steps.source, steps.destination)),
        strict=True,
    ):
        match KINDS[kind]:
            case StepKind.UPGRADE:
                walk.upgrade(host)
            case StepKind.START:
                walk.boot(guest, host)
            case _:
                triple = walk.migrate(guest, source, destination)
                examples.setdefault(triple, step)
                counts[triple] += 1
    return tuple(_kind(triple, counts[triple], steps.record(step)) for triple, step in examples.items())


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
