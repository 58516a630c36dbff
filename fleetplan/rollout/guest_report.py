"""One guest with all that an operator asks: its birth, what it carries, what it was promised, and where it could go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from enum import StrEnum

import msgspec

from fleetplan.firmware import registers as fw
from fleetplan.firmware.candidates import Role, agree
from fleetplan.firmware.guest_view import GuestView, Item, gains, losses, view
from fleetplan.fleet.model import Birth, Fleet, Guest, Host, HostName, Release
from fleetplan.migration.carry import Guests, resumed
from fleetplan.migration.classes import ClassTable, HostClassId
from fleetplan.migration.offers import of_role, suited
from fleetplan.migration.reasons import Judgment
from fleetplan.migration.register_file import register_file
from fleetplan.migration.ways import Move, may_land
from fleetplan.rollout.move_report import MoveReport, report


class BirthKnown(StrEnum):
    """How a birth is known."""

    GIVEN = "given"
    CAPTURED = "captured"
    """By a dump of the guest's registers."""
    ASSUMED = "assumed"
    """From the host that the guest is on."""


class Carries(msgspec.Struct, frozen=True, kw_only=True):
    """A firmware register of the guest beside what its host offers, now and on the target release.

    `values` are all that the guest may have, of a level what its host reads; each empty where there is no such register.
    """

    name: str
    id: int
    travels: bool
    values: tuple[int, ...]
    offered: tuple[int, ...]
    offered_then: tuple[int, ...]


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """A class of hosts that the guest could go to. `way_back`: from there, as it then is, it may come back to where it is now."""

    hosts: tuple[HostName, ...]
    release: Release
    upgraded: bool
    judgment: Judgment
    allowed: bool
    way_back: bool


class GuestReport(msgspec.Struct, frozen=True, kw_only=True):
    """A guest. `promises` are all that it may have seen at its last boot; `unseen` is what its host gives now and it has not found yet.

    `gone` is what it was promised and has not got any more. `moves` are reports on blocked destinations, or on the one asked about.
    """

    guest: Guest
    host: Host
    target: Release
    known: BirthKnown
    born: Release
    pin: str | None
    carries: tuple[Carries, ...]
    promises: tuple[GuestView, ...]
    unseen: tuple[Item, ...]
    gone: tuple[Item, ...]
    destinations: tuple[Destination, ...]
    moves: tuple[MoveReport, ...]


MOST_EXPLAINED = 3
"""Blocked destinations of which the ways to a yes are sought."""


def guest_report(fleet: Fleet, classes: ClassTable, index: int, goal: int | None = None) -> GuestReport:
    """Report on a guest; with a host (`goal`, its index) on its moves there, now and after the upgrade."""
    guest = fleet.guests[index]
    place = next(number for number, host in enumerate(fleet.hosts) if host.name == guest.on)
    host, here = fleet.hosts[place], classes.hosts_now[place]
    possible = classes.possible(classes.guests[index])
    born, views = guest.born or Birth(), tuple(_now(classes, here, possible))
    pairs = [(one.state.promise, now) for one, now in zip(possible, views, strict=True)]
    destinations = tuple(_destinations(fleet, classes, index, here))
    return GuestReport(
        guest=guest,
        host=host,
        target=fleet.target,
        known=_known(guest),
        born=Release(born.kernel or host.release.kernel, born.vmm or host.release.vmm),
        pin=born.psci,
        carries=tuple(_carries(classes, possible, here, classes.hosts_then[place])),
        promises=tuple(dict.fromkeys(promise for promise, _ in pairs)),
        unseen=_ordered(item for promise, now in pairs for item in gains(promise, now)),
        gone=_ordered(item for promise, now in pairs for item in losses(promise, now)),
        destinations=destinations,
        moves=tuple(_moves(fleet, classes, index, here, goal, destinations)),
    )


def _known(guest: Guest) -> BirthKnown:
    if guest.born is None:
        return BirthKnown.ASSUMED
    return BirthKnown.CAPTURED if guest.born.registers is not None else BirthKnown.GIVEN


def _ordered(items: Iterator[Item]) -> tuple[Item, ...]:
    found = set(items)
    return tuple(item for item in Item if item in found)


def _now(classes: ClassTable, here: HostClassId, possible: Guests) -> Iterator[GuestView]:
    """What the guest would see if it looked, for each thing that it may be: on a host that goes with that."""
    for one in possible:
        offered = suited(classes.host_class(here), one.state.features, one.state.equipment.bound_to)
        pairs = zip(offered.kvms, offered.choices, strict=True)
        fitting = (kvm for kvm, choices in pairs if agree(one.given, of_role(choices, Role.SOURCE)))
        kvm = next(fitting, offered.kvms[0])
        yield view(resumed(one.state, kvm), kvm)


def _carries(classes: ClassTable, possible: Guests, here: HostClassId, then: HostClassId) -> Iterator[Carries]:
    offered, offered_then = ({row.name: row.values for row in register_file(classes.host_class(number))} for number in (here, then))
    for row in fw.REGISTERS:
        values = _values(row, possible) if row.travels else offered.get(row.name, ())
        if values or row.name in offered or row.name in offered_then:
            yield Carries(
                name=row.name,
                id=row.id,
                travels=row.travels,
                values=values,
                offered=offered.get(row.name, ()),
                offered_then=offered_then.get(row.name, ()),
            )


def _values(row: fw.FirmwareRegister, possible: Guests) -> tuple[int, ...]:
    if row is fw.PSCI_VERSION:
        return tuple(sorted({one.state.psci for one in possible}))
    return tuple(sorted({value for one in possible for name, value in one.state.bitmaps if name == row.name}))


def _destinations(fleet: Fleet, classes: ClassTable, index: int, here: HostClassId) -> Iterator[Destination]:
    """Every class of hosts of the pool that `allow` and `deny` let it onto: as they are, then as they will be."""
    guest, kind = fleet.guests[index], classes.guests[index]
    pool = next(host.pool for host in fleet.hosts if host.name == guest.on)
    for upgraded, numbers in ((False, classes.hosts_now), (True, classes.hosts_then)):
        by_class: dict[HostClassId, list[Host]] = defaultdict(list)
        for host, number, now in zip(fleet.hosts, numbers, classes.hosts_now, strict=True):
            fits = host.pool == pool and may_land(guest, host) and host.name != guest.on
            if fits and (not upgraded or number != now):
                by_class[number].append(host)
        for there, hosts in by_class.items():
            hop = classes.hop(kind, here, there)
            yield Destination(
                hosts=tuple(host.name for host in hosts),
                release=fleet.target if upgraded else hosts[0].release,
                upgraded=upgraded,
                judgment=classes.judgment(kind, here, there),
                allowed=hop.allowed,
                way_back=hop.allowed and classes.hop(hop.after, there, here).allowed,
            )


def _moves(
    fleet: Fleet, classes: ClassTable, index: int, here: HostClassId, goal: int | None, destinations: tuple[Destination, ...]
) -> Iterator[MoveReport]:
    guest, kind = fleet.guests[index], classes.guests[index]
    place = {host.name: number for number, host in enumerate(fleet.hosts)}
    if goal is None:
        blocked = [one for one in destinations if not one.allowed][:MOST_EXPLAINED]
        asked = [(place[one.hosts[0]], one.upgraded) for one in blocked]
    else:
        asked = [(goal, False), *([(goal, True)] if classes.hosts_then[goal] != classes.hosts_now[goal] else [])]
    for host, upgraded in asked:
        there = (classes.hosts_then if upgraded else classes.hosts_now)[host]
        yield report(Move(fleet, guest, fleet.hosts[host], upgraded), classes, kind, here, there)
