"""Who of a fleet is exposed, who is healed by a restart and in which order, and who cannot bear the PSCI version that a boot would give.

Works on classes and columns: O(guests) look-ups, and work worth milliseconds only per pair of classes. Loads no numpy: `check` needs it.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from fleetplan.firmware.guest_view import Item
from fleetplan.firmware.registers import psci_value
from fleetplan.fleet.guest import GuestName
from fleetplan.fleet.model import Fleet, HostState, Release
from fleetplan.fleet.table import Among
from fleetplan.migration.classes import PINS, ClassTable, GuestClassId, HostClassId
from fleetplan.migration.standing import Boot, Exposures, Pair, Restart, Standings, Tally, tally

GONE = frozenset({HostState.DOWN, HostState.LOST})
"""Hosts whose guests do not run; they are counted apart."""


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """Guests of one class on hosts of one class: what they are to every flaw. `numbers` are their places in `fleet.guests`, ascending."""

    guest_class: GuestClassId
    host_class: HostClassId
    standings: Standings
    numbers: Sequence[int]


class RestartStep(msgspec.Struct, frozen=True, kw_only=True):
    """Guests that one restart heals, at one time. Of a group that is kept apart no two guests are in one round.

    `heals` is what it heals, or settles where that is not known; `lasting`: something may be left that no restart heals. `boot` is how the
    guest is cold booted. `permitted` is False where policy allows no cold boot (`restart: never`); a warm reboot is the guest's own affair.
    """

    round: int
    restart: Restart
    heals: tuple[Item, ...]
    lasting: bool
    boot: Boot | None
    permitted: bool
    guests: Sequence[GuestName]


class PsciLimit(msgspec.Struct, frozen=True, kw_only=True):
    """Guests that do not bear what a cold boot on a release would give them.

    `most` is the newest PSCI version that they bear, `given` what they would have as they are configured (None: they do not start), `pin`
    the newest version that a pin can give them and that they bear (None: no pin does). `hides`: below that version no mitigation is found.
    """

    release: Release
    most: str
    given: int | None
    pin: str | None
    hides: bool
    guests: Sequence[GuestName]


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What a fleet is exposed to at one moment.

    `away` guests are on hosts that are down or lost, and in no other figure. `bands` begin with the worst. `after` is what is left once
    all restarts of `restarts` have been made that policy permits.
    """

    tally: Tally
    away: int
    bands: tuple[Band, ...]
    restarts: tuple[RestartStep, ...]
    after: Tally
    limits: tuple[PsciLimit, ...]


def audit(fleet: Fleet, classes: ClassTable) -> Audit:
    """Audit a fleet as it is. O(guests)."""
    found, away = bands(fleet, classes)
    steps = tuple(_steps(fleet, found))
    counted = [(band.standings, len(band.numbers)) for band in found]
    return Audit(
        tally=tally(counted),
        away=away,
        bands=found,
        restarts=steps,
        after=tally(_after(fleet, found)),
        limits=tuple(psci_limits(fleet, classes)),
    )


def bands(fleet: Fleet, classes: ClassTable) -> tuple[tuple[Band, ...], int]:
    """All guests that run, by class and class of host, worst first; and how many do not run. O(guests)."""
    known, guests = Exposures(classes), fleet.guests
    place = {host.name: number for host, number in zip(fleet.hosts, classes.hosts_now, strict=True) if host.state not in GONE}
    hosts = [place.get(name, -1) for name in guests.host_names]
    members: dict[Pair, array[int]] = defaultdict(lambda: array("i"))
    for number, (kind, on) in enumerate(zip(classes.guests, guests.on, strict=True)):
        members[kind, hosts[on]].append(number)
    away = sum(len(numbers) for (_, host), numbers in members.items() if host < 0)
    found = [
        Band(guest_class=kind, host_class=host, standings=known.of(kind, host), numbers=numbers)
        for (kind, host), numbers in members.items()
        if host >= 0
    ]
    return tuple(sorted(found, key=_badness)), away


def _badness(band: Band) -> tuple[object, ...]:
    """Certain exposures first, then possible ones, then the larger band; for equal ones, the order of guests."""
    least, most = _flaws(band.standings)
    return (-least, -most, -len(band.numbers), band.numbers[0])


def _flaws(standings: Standings) -> tuple[int, int]:
    return sum(each.at_least for each in standings.items), sum(each.at_most for each in standings.items)


# --- restarts -----------------------------------------------------------------------------------------------------------------------


def _steps(fleet: Fleet, found: Sequence[Band]) -> Iterator[RestartStep]:
    """Restarts that heal: the most exposed first, warm before cold; of a group that is kept apart, one guest after the other."""
    order, taken = sorted((band for band in found if band.standings.restart is not None), key=_urgency), Counter[int]()
    steps = [(*turn, rank, numbers) for rank, band in enumerate(order) for turn, numbers in _turns(fleet, band, taken).items()]
    for turn, forbidden, rank, numbers in sorted(steps, key=lambda step: (step[0], step[2], step[1])):
        standings = order[rank].standings
        yield RestartStep(
            round=turn,
            restart=standings.restart or Restart.COLD,
            heals=standings.healed,
            lasting=standings.lasting,
            boot=standings.boot if standings.restart is Restart.COLD else None,
            permitted=not forbidden,
            guests=Among(fleet.guests.names, numbers),
        )


def _turns(fleet: Fleet, band: Band, taken: Counter[int]) -> dict[tuple[int, bool], array[int]]:
    """Guests of a band by round, and whether policy forbids their restart; `taken` are the rounds that groups kept apart have had."""
    guests, apart = fleet.guests, _apart(fleet)
    forbidden = [band.standings.restart is Restart.COLD and not template.restartable for template in guests.templates]
    turns: dict[tuple[int, bool], array[int]] = defaultdict(lambda: array("i"))
    for number in band.numbers:
        group, turn = guests.group[number], 1
        if group in apart:
            taken[group] += 1
            turn = taken[group]
        turns[turn, forbidden[guests.template[number]]].append(number)
    return turns


def _apart(fleet: Fleet) -> frozenset[int]:
    """The numbers of groups that are kept apart."""
    names = enumerate(fleet.guests.group_names)
    return frozenset(number for number, name in names if name in fleet.groups and fleet.groups[name].apart is not None)


def _urgency(band: Band) -> tuple[object, ...]:
    """What a restart heals for certain, then what it settles; then the cheaper restart; then the order of guests."""
    healed = [each for each in band.standings.items if each.restart is not None]
    cold = band.standings.restart is Restart.COLD
    return (-sum(each.at_least for each in healed), -len(healed), cold, band.numbers[0])


def _after(fleet: Fleet, found: Sequence[Band]) -> Iterator[tuple[Standings, int]]:
    """What guests are once permitted restarts were made."""
    allowed = [template.restartable for template in fleet.guests.templates]
    for band in found:
        number = len(band.numbers) if band.standings.restart is not None else 0
        if band.standings.restart is Restart.COLD:
            number = sum(allowed[fleet.guests.template[guest]] for guest in band.numbers)
        yield band.standings.restarted(), number
        yield band.standings, len(band.numbers) - number


# --- guests that bear no newer PSCI version -------------------------------------------------------------------------------------------


def psci_limits(fleet: Fleet, classes: ClassTable) -> Iterator[PsciLimit]:
    """Guests that a cold boot, now or on the target, would give a newer PSCI version than they bear; or that would not start. O(guests)."""
    guests = fleet.guests
    limits = [template.psci_max for template in guests.templates]
    if not any(limits):
        return
    places = {host.name: number for number, host in enumerate(fleet.hosts)}
    hosts = [places[name] for name in guests.host_names]
    found: dict[tuple[GuestClassId, HostClassId, str], array[int]] = defaultdict(lambda: array("i"))
    for number, (kind, on, template) in enumerate(zip(classes.guests, guests.on, guests.template, strict=True)):
        most = limits[template]
        if most is not None and fleet.hosts[hosts[on]].state not in GONE:
            for host in {classes.hosts_now[hosts[on]]: None, classes.hosts_then[hosts[on]]: None}:
                found[kind, host, most].append(number)
    merged: dict[tuple[Release, str, int | None, str | None], list[int]] = defaultdict(list)
    for (kind, host, most), numbers in found.items():
        if not classes.bears(kind, host):
            fresh = classes.cold_boot(kind, host)
            given = None if fresh is None else classes.newest_psci(fresh)
            pin = next((psci for psci in PINS if classes.bears(kind, host, psci)), None)
            merged[classes.host_class(host).release, most, given, pin] += numbers
    for (release, most, given, pin), members in sorted(merged.items(), key=lambda item: (item[0][0], item[0][1], item[1][0])):
        hides = pin is not None and psci_value(pin) < psci_value("1.0")
        names = Among(guests.names, array("i", sorted(members)))
        yield PsciLimit(release=release, most=most, given=given, pin=pin, hides=hides, guests=names)
