"""What each mechanism would change for a fleet: the same guests and hosts, judged as if Linux had taken that way.

Today's verdicts are those of the register, because that is what Linux has. Under another mechanism a kernel is made of the one that is
there: without the register, or as a vCPU has it whose version is forced. A guest's configuration goes along with it, as its PSCI pin
does today, so both ends are asked for what it asks for, whether or not the stream carries feature bits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from fleetplan.firmware import registers as fw
from fleetplan.fleet.model import Fleet, GuestName, HostName
from fleetplan.migration.births import Births
from fleetplan.migration.carry import Guests, Possible, distinct
from fleetplan.migration.classes import ClassTable, GuestClassId, HostClassId
from fleetplan.migration.mechanisms.simulation import PRESUMED, Means, Skill
from fleetplan.migration.mechanisms.tables import Mechanism
from fleetplan.migration.mechanisms.worlds import OLDEST, forced, without_register
from fleetplan.migration.offers import HostOffer
from fleetplan.migration.reasons import ReasonKind, Stage, Verdict
from fleetplan.migration.verdict import Judge, Ruling

Judged = tuple[Guests, HostOffer, HostOffer]
"""What a guest may be, the host that it is on, and the one that it goes to."""

Where = tuple[GuestClassId, HostClassId, HostClassId]


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A guest and the hosts of one such move. `upgraded`: the destination as it will be on the target release."""

    guest: GuestName
    source: HostName
    destination: HostName
    upgraded: bool


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """Moves that are judged alike today, and alike but otherwise under a mechanism. `moves` counts pairs of a guest and a host class."""

    today: Ruling
    then: Ruling
    guests: int
    moves: int
    example: Example


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a mechanism would change: of `moves` moves, those of `shifts`."""

    mechanism: Mechanism
    moves: int
    shifts: tuple[Shift, ...]


class Warnings(msgspec.Struct, frozen=True, kw_only=True):
    """Moves of the fleet that end badly today after the copy, and how many of them two checks would have shown beforehand."""

    bad: int
    capability: int
    restore_check: int
    either: int


class InFleet(msgspec.Struct, frozen=True, kw_only=True):
    """All that is said of a fleet."""

    effects: tuple[Effect, ...]
    warnings: Warnings


# --- a move under a mechanism --------------------------------------------------------------------------------------------------------


def under(mechanism: Mechanism, move: Judged) -> Judged:
    """A move as it would be judged had Linux taken this way. A guest without PSCI 0.2 or later is as today."""
    guests = move[0]
    configured = guests[0].state
    if "psci_0_2" not in configured.features or configured.pin == fw.psci_value("0.1"):
        return move
    match mechanism.means:
        case Means.REGISTER if mechanism.by_type:
            return _typed(move)
        case Means.REGISTER:
            return _hidden(move) if Skill.HIDE in mechanism.skills else move
        case Means.BIT:
            versions = {possible.state.psci for possible in guests} if mechanism.by_type else {configured.pin}
            return _unlisted(move, OLDEST if versions == {OLDEST} else None)
        case Means.NONE:
            return _unlisted(move, None)


def _typed(move: Judged) -> Judged:
    """The version that the guest has is its machine type's: whoever starts it asks for that, if there is anything to ask."""
    guests, here, there = move
    listed = any(fw.PSCI_VERSION.name in kvm.profile.registers for kvm in there.kvms)
    asking = (_pinned(possible, possible.state.psci if listed or possible.state.psci != PRESUMED else None) for possible in guests)
    return tuple(asking), here, _knowing(there)


def _hidden(move: Judged) -> Judged:
    """The register of a guest with a PSCI pin is left out of both lists; where the destination refuses the pin, it still does."""
    guests, here, there = move
    pin = guests[0].state.pin
    if pin is None or not all(vmm.knows_pin for vmm in there.vmms) or not all(_gives(there, pin)):
        return move
    return tuple(_pinned(possible, None) for possible in guests), _forced(here, pin), _forced(there, pin)


def _gives(offered: HostOffer, version: int) -> Iterator[bool]:
    """Of each kernel that a host may have, whether a guest can be given a version there."""
    return (version in (*kvm.profile.psci_accepted, kvm.profile.psci_default) for kvm in offered.kvms)


def _unlisted(move: Judged, version: int | None) -> Judged:
    """Nothing of the version is listed; a bit forces one, or each host gives its newest. Other PSCI pins do not exist.

    A guest whose pin does not exist booted on what its host then gives it.
    """
    guests, here, there = move
    pin = guests[0].state.pin
    if version is not None and pin is not None and not all(vmm.knows_pin for vmm in there.vmms):
        return move
    here, there = _forced(here, version), _forced(there, version)
    freed = tuple(_pinned(possible, None) for possible in guests)
    if pin is not None and version is None:
        freed = distinct(Births(Judge(), ()).looked(freed, here))
    return freed, here, there


def _pinned(possible: Possible, pin: int | None) -> Possible:
    return replace(possible, state=replace(possible.state, pin=pin))


@lru_cache(maxsize=1024)
def _forced(offered: HostOffer, version: int | None) -> HostOffer:
    """A host whose kernels list nothing of the version, and give a guest their newest (None), or the one that its bit forces."""
    profiles = (without_register(kvm.profile) if version is None else forced(kvm.profile, version) for kvm in offered.kvms)
    return replace(offered, kvms=tuple(replace(kvm, profile=found) for kvm, found in zip(offered.kvms, profiles, strict=True)))


@lru_cache(maxsize=1024)
def _knowing(offered: HostOffer) -> HostOffer:
    """A host whose VMM can ask for a version."""
    return replace(offered, vmms=tuple(replace(vmm, knows_pin=True) for vmm in offered.vmms))


# --- all moves of a fleet ------------------------------------------------------------------------------------------------------------


def in_fleet(fleet: Fleet, table: ClassTable, rows: tuple[Mechanism, ...]) -> InFleet:
    """Judge every move of the fleet under every mechanism: each guest that may migrate, to every kind of host, now and upgraded.

    O(guest classes x host classes x mechanisms) judgments.
    """
    moving = _moving(fleet, table)
    moves = list(_moves(table, moving))
    effects = tuple(_effect(fleet, table, row, moves, moving) for row in rows)
    return InFleet(effects=effects, warnings=_warnings(fleet, table))


def _moving(fleet: Fleet, table: ClassTable) -> Counter[tuple[GuestClassId, HostClassId]]:
    """How many guests that may migrate are of each class, on each class of hosts."""
    place = {host.name: number for host, number in zip(fleet.hosts, table.hosts_now, strict=True)}
    pairs = zip(fleet.guests, table.guests, strict=True)
    return Counter((kind, place[guest.on]) for guest, kind in pairs if guest.migratable)


def _moves(table: ClassTable, moving: Counter[tuple[GuestClassId, HostClassId]]) -> Iterator[Where]:
    """From every class to every other, and to itself where it has a second host."""
    hosts = Counter(kind for pair in zip(table.hosts_now, table.hosts_then, strict=True) for kind in set(pair))
    goals = dict.fromkeys((*table.hosts_now, *table.hosts_then))
    return ((guest, source, goal) for guest, source in moving for goal in goals if goal != source or hosts[goal] > 1)


def _effect(
    fleet: Fleet, table: ClassTable, mechanism: Mechanism, moves: list[Where], moving: Counter[tuple[GuestClassId, HostClassId]]
) -> Effect:
    judge, found = Judge(), dict[tuple[Ruling, Ruling], list[Where]]()
    for where in moves:
        today, then = table.ruling(*where), judge.ruling(*under(mechanism, table.move(*where)))
        if today != then:
            found.setdefault((today, then), []).append(where)
    shifts = tuple(
        Shift(
            today=today,
            then=then,
            guests=sum(moving[pair] for pair in dict.fromkeys((guest, source) for guest, source, _ in places)),
            moves=sum(moving[guest, source] for guest, source, _ in places),
            example=_example(fleet, table, places[0]),
        )
        for (today, then), places in found.items()
    )
    return Effect(mechanism=mechanism, moves=sum(moving[guest, source] for guest, source, _ in moves), shifts=shifts)


def _example(fleet: Fleet, table: ClassTable, where: Where) -> Example:
    """The first guest, and the first host of the destination's class, as it is now if there is one."""
    kind, source, goal = where
    place = {host.name: number for host, number in zip(fleet.hosts, table.hosts_now, strict=True)}
    pairs = zip(fleet.guests, table.guests, strict=True)
    guest = next(guest for guest, own in pairs if own == kind and place[guest.on] == source and guest.migratable)
    upgraded = goal not in table.hosts_now
    classes = table.hosts_then if upgraded else table.hosts_now
    hosts = [host.name for host, number in zip(fleet.hosts, classes, strict=True) if number == goal]
    other = next((name for name in hosts if name != guest.on), hosts[0])
    return Example(guest=guest.name, source=guest.on, destination=other, upgraded=upgraded)


def _warnings(fleet: Fleet, table: ClassTable) -> Warnings:
    """What a capability for PSCI versions, and a check that every register can be restored, would have shown of today's bad moves."""
    moving = _moving(fleet, table)
    bad = capability = restore_check = either = 0
    for guest, source, goal in _moves(table, moving):
        verdict, stage = table.ruling(guest, source, goal)
        if stage is Stage.START or verdict not in {Verdict.FAILS, Verdict.STRIPS}:
            continue
        _, _, there = table.move(guest, source, goal)
        known = not any(_gives(there, table.newest_psci(guest)))
        seen = verdict is Verdict.FAILS or any(reason.kind in LISTS for reason in table.judgment(guest, source, goal).reasons)
        count = moving[guest, source]
        bad, capability, restore_check = bad + count, capability + known * count, restore_check + seen * count
        either += (known or seen) * count
    return Warnings(bad=bad, capability=capability, restore_check=restore_check, either=either)


LISTS = frozenset({ReasonKind.DROPPED_TAIL, ReasonKind.TOLERATED_BY_QUIRK})
"""Registers that the destination lacks, of which the VMM says nothing: a check that sets each would."""
