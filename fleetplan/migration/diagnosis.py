"""What a pasted message says: who prints it, at which stage, of which registers, what usually causes it, and which moves would print it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby

import msgspec

from fleetplan.firmware.errno import Errno
from fleetplan.firmware.timeline import Branch
from fleetplan.fleet.model import Fleet, GuestName, HostName
from fleetplan.migration.causes import Cause, Trouble, causes, series_listing
from fleetplan.migration.classes import ClassTable, GuestClassId, HostClassId
from fleetplan.migration.reasons import Verdict
from fleetplan.migration.recognise import Line, Printer, Reading, nearest, printers, read, registers_named
from fleetplan.migration.wordings import Role

TROUBLES = {Role.LACKING: Trouble.LACKING, Role.UNSENT: Trouble.UNSENT, Role.REFUSED: Trouble.REFUSED}


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A register that a message names, with the value that was written and the one that is there, as far as it says them.

    `trouble` None: it is named without a message.
    """

    register: int
    trouble: Trouble | None
    written: int | None = None
    there: int | None = None
    errno: Errno | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Registers in the same trouble with the same causes."""

    registers: tuple[Named, ...]
    trouble: Trouble | None
    causes: tuple[Cause, ...]


Series = tuple[tuple[Branch, Branch], ...]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Two list lengths, and the ranges of kernel series that have lists so long under QEMU (with the PMU, without SVE)."""

    brought: int
    listed: int
    sources: Series
    destinations: Series


class FleetMatch(msgspec.Struct, frozen=True, kw_only=True):
    """Moves of a fleet that would print what was pasted: guests of one class, from hosts of one class, to these hosts of their pool."""

    guests: tuple[GuestName, ...]
    source: HostName
    destinations: tuple[HostName, ...]
    upgraded: bool
    verdict: Verdict


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is known of a pasted text. `neighbour` is the known line that is most like it, where nothing of it is known.

    `matches` None: no fleet was looked at.
    """

    reading: Reading
    printers: tuple[Printer, ...]
    groups: tuple[Group, ...]
    counts: tuple[Counts, ...]
    matches: tuple[FleetMatch, ...] | None = None
    neighbour: str | None = None

    @property
    def known(self) -> bool:
        """Whether anything of the text is known."""
        return bool(self.reading.lines or self.groups)


def diagnose(text: str, fleet: Fleet | None = None, classes: ClassTable | None = None) -> Diagnosis:
    """Say what a pasted text means; with a fleet, which of its moves would print it."""
    reading = read(text)
    groups = tuple(_grouped([*_named(reading.lines)] or [Named(register=place, trouble=None) for place in registers_named(text)]))
    known = bool(reading.lines or groups)
    return Diagnosis(
        reading=reading,
        printers=printers(reading),
        groups=groups,
        counts=tuple(_counts(reading.lines)),
        matches=tuple(_matches(reading, fleet, classes)) if fleet is not None and classes is not None else None,
        neighbour=None if known else nearest(text).template,
    )


def _named(lines: Iterable[Line]) -> Iterator[Named]:
    for line in lines:
        if line.register is not None:
            trouble = TROUBLES[line.wording.role]
            if line.errno is Errno.ENOENT:
                trouble = Trouble.LACKING
            yield Named(register=line.register, trouble=trouble, written=line.written, there=line.there, errno=line.errno)


def _grouped(named: Iterable[Named]) -> Iterator[Group]:
    """Neighbours with the same trouble and the same causes as one."""
    with_causes = [(one, () if one.trouble is None else causes(one.register, one.trouble, one.written)) for one in named]
    for (trouble, found), pairs in groupby(with_causes, key=lambda pair: (pair[0].trouble, pair[1])):
        yield Group(registers=tuple(one for one, _ in pairs), trouble=trouble, causes=found)


def _counts(lines: Iterable[Line]) -> Iterator[Counts]:
    for line in lines:
        if line.brought is not None and line.listed is not None:
            yield Counts(
                brought=line.brought, listed=line.listed, sources=series_listing(line.brought), destinations=series_listing(line.listed)
            )


# --- which moves of a fleet -----------------------------------------------------------------------------------------------------------


def _matches(reading: Reading, fleet: Fleet, classes: ClassTable) -> Iterator[FleetMatch]:
    """Moves of guests as they are, from the hosts that they are on. O(guest classes x host classes) judgments."""
    pasted = {line.facts for line in reading.lines if line.tells}
    if not pasted:
        return
    known: dict[str, frozenset[tuple[object, ...]]] = {}
    for (pool, kind, here), guests in sorted(_guests(fleet, classes).items()):
        for upgraded, there, hosts in _goals(fleet, classes, pool):
            judgment = classes.judgment(kind, here, there)
            printed: set[tuple[object, ...]] = set()
            for text in judgment.messages:
                printed |= known.setdefault(text, frozenset(line.facts for line in read(text).lines))
            if pasted <= printed:
                yield FleetMatch(
                    guests=tuple(name for name, _ in guests),
                    source=guests[0][1],
                    destinations=hosts,
                    upgraded=upgraded,
                    verdict=judgment.verdict,
                )


def _guests(fleet: Fleet, classes: ClassTable) -> dict[tuple[str, GuestClassId, HostClassId], list[tuple[GuestName, HostName]]]:
    place = {host.name: (host.pool, number) for host, number in zip(fleet.hosts, classes.hosts_now, strict=True)}
    found: dict[tuple[str, GuestClassId, HostClassId], list[tuple[GuestName, HostName]]] = defaultdict(list)
    for guest, kind in zip(fleet.guests, classes.guests, strict=True):
        pool, here = place[guest.on]
        found[pool, kind, here].append((guest.name, guest.on))
    return found


def _goals(fleet: Fleet, classes: ClassTable, pool: str) -> Iterator[tuple[bool, HostClassId, tuple[HostName, ...]]]:
    """The classes that hosts of a pool have now, and those of hosts that are yet to be upgraded, with their hosts."""
    for upgraded, numbers in ((False, classes.hosts_now), (True, classes.hosts_then)):
        by_class: dict[HostClassId, list[HostName]] = defaultdict(list)
        for host, number, now in zip(fleet.hosts, numbers, classes.hosts_now, strict=True):
            if host.pool == pool and (not upgraded or number != now):
                by_class[number].append(host.name)
        for number, hosts in sorted(by_class.items()):
            yield upgraded, number, tuple(hosts)
