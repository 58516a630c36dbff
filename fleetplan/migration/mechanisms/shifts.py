"""What each mechanism would change for a fleet: the same guests and hosts, judged as if Linux had taken that way.

Today's verdicts are those of the register, because that is what Linux has. Under another mechanism a kernel is made of the one that is
there: without the register, or as a vCPU has it whose version is forced. A guest's configuration goes along with it, as its PSCI pin
does today, so both ends are asked for what it asks for, whether or not the stream carries feature bits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from fleetplan.firmware import registers as fw
from fleetplan.fleet.model import Fleet, Guest, GuestName, HostName
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


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Moves from one kind of host to another, in words; `moves` counts guests."""

    source: str
    destination: str
    moves: int
    example: Example


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """Moves that are judged alike today, and alike but otherwise under a mechanism. A guest with several goals counts for each."""

    today: Ruling
    then: Ruling
    guests: int
    kinds: tuple[Kind, ...]

    @property
    def moves(self) -> int:
        """How many moves."""
        return sum(kind.moves for kind in self.kinds)


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


class _Scene:
    """What the moves of a fleet are counted and named by, gathered in one pass: O(hosts + guests)."""

    def __init__(self, fleet: Fleet, table: ClassTable) -> None:
        self.table = table
        self.moving: Counter[tuple[GuestClassId, HostClassId]] = Counter()
        """How many guests that may migrate are of each class, on each class of hosts."""
        self._guests: dict[tuple[GuestClassId, HostClassId], Guest] = {}
        self._now: dict[HostClassId, list[HostName]] = {}
        self._then: dict[HostClassId, list[HostName]] = {}
        place = {}
        for host, now, then in zip(fleet.hosts, table.hosts_now, table.hosts_then, strict=True):
            place[host.name] = now
            self._now.setdefault(now, []).append(host.name)
            self._then.setdefault(then, []).append(host.name)
        for guest, kind in zip(fleet.guests, table.guests, strict=True):
            if guest.migratable:
                self.moving[kind, place[guest.on]] += 1
                self._guests.setdefault((kind, place[guest.on]), guest)

    def moves(self) -> Iterator[Where]:
        """From every class to every other, and to itself where it has a second host."""
        goals = dict.fromkeys((*self._now, *self._then))
        return ((guest, source, goal) for guest, source in self.moving for goal in goals if goal != source or self._several(goal))

    def _several(self, kind: HostClassId) -> bool:
        return len({*self._now.get(kind, ()), *self._then.get(kind, ())}) > 1

    def count(self, moves: Iterable[Where]) -> int:
        """How many moves of guests these are."""
        return sum(self.moving[guest, source] for guest, source, _ in moves)

    def kind(self, moves: list[Where]) -> Kind:
        """Moves that have both host classes in common."""
        guest, source, goal = moves[0]
        labels = [self.table.host_class(kind).label for kind in (source, goal)]
        return Kind(source=labels[0], destination=labels[1], moves=self.count(moves), example=self._example(guest, source, goal))

    def _example(self, kind: GuestClassId, source: HostClassId, goal: HostClassId) -> Example:
        """The first guest, and the first host of the destination's class, as it is now if there is one."""
        guest = self._guests[kind, source]
        upgraded = not any(name != guest.on for name in self._now.get(goal, ()))
        hosts = self._then[goal] if upgraded else self._now[goal]
        other = next(name for name in hosts if name != guest.on or len(hosts) == 1)
        return Example(guest=guest.name, source=guest.on, destination=other, upgraded=upgraded)


def in_fleet(fleet: Fleet, table: ClassTable, rows: tuple[Mechanism, ...]) -> InFleet:
    """Judge every move of the fleet under every mechanism: each guest that may migrate, to every kind of host, now and upgraded.

    O(hosts + guests + guest classes x host classes x mechanisms).
    """
    scene = _Scene(fleet, table)
    return InFleet(effects=tuple(_effect(scene, row) for row in rows), warnings=_warnings(scene))


def _effect(scene: _Scene, mechanism: Mechanism) -> Effect:
    judge, moves = Judge(), list(scene.moves())
    found: dict[tuple[Ruling, Ruling], list[Where]] = {}
    for where in moves:
        rulings = scene.table.ruling(*where), judge.ruling(*under(mechanism, scene.table.move(*where)))
        if rulings[0] != rulings[1]:
            found.setdefault(rulings, []).append(where)
    shifts = tuple(_shift(scene, today, then, places) for (today, then), places in found.items())
    return Effect(mechanism=mechanism, moves=scene.count(moves), shifts=shifts)


def _shift(scene: _Scene, today: Ruling, then: Ruling, places: list[Where]) -> Shift:
    ways: dict[tuple[HostClassId, HostClassId], list[Where]] = {}
    for where in places:
        ways.setdefault(where[1:], []).append(where)
    guests = sum(scene.moving[pair] for pair in {(guest, source) for guest, source, _ in places})
    return Shift(today=today, then=then, guests=guests, kinds=tuple(map(scene.kind, ways.values())))


def _warnings(scene: _Scene) -> Warnings:
    """What a capability for PSCI versions, and a check that every register can be restored, would have shown of today's bad moves."""
    table = scene.table
    bad = capability = restore_check = either = 0
    for guest, source, goal in scene.moves():
        verdict, stage = table.ruling(guest, source, goal)
        if stage is Stage.START or verdict not in {Verdict.FAILS, Verdict.STRIPS}:
            continue
        _, _, there = table.move(guest, source, goal)
        known = not any(_gives(there, table.newest_psci(guest)))
        seen = verdict is Verdict.FAILS or any(reason.kind in LISTS for reason in table.judgment(guest, source, goal).reasons)
        count = scene.moving[guest, source]
        bad, capability, restore_check = bad + count, capability + known * count, restore_check + seen * count
        either += (known or seen) * count
    return Warnings(bad=bad, capability=capability, restore_check=restore_check, either=either)


LISTS = frozenset({ReasonKind.DROPPED_TAIL, ReasonKind.TOLERATED_BY_QUIRK})
"""Registers that the destination lacks, of which the VMM says nothing: a check that sets each would."""
