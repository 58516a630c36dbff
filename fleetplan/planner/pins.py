"""Cold boots in a plan: who restarts in place, and which PSCI pin that boot gets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fleetplan.firmware.guest_view import MITIGATIONS, Item, losses
from fleetplan.migration.classes import PINS, GuestClassId, HostClassId
from fleetplan.planner.grouping import distinct
from fleetplan.planner.problem import Fate, Problem
from fleetplan.rollout.columns import Flags, Ints, Places


@dataclass(frozen=True, slots=True)
class Taken:
    """What a PSCI pin takes: `without` it the guest would find these; `breaks` are the mitigations among them that it was promised."""

    without: tuple[Item, ...]
    breaks: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """How guests of one kind are stopped and started on the host where they stay: what they are afterwards, and the pin set in between."""

    kind: GuestClassId
    pin: str | None = None
    reason: str = ""
    cost: str = ""
    without: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Boots:
    """Guests that boot while their host is upgraded (`guests`, by host), and those that do on hosts that are on the target already.

    `boot` has the place of each guest's kind of boot in `boots`, `boot_in_place` likewise.
    """

    guests: Places
    boot: Places
    in_place: Places
    boot_in_place: Places
    boots: tuple[Boot, ...]

    def pinned(self, boot: Places) -> Flags:
        """Whether boots set a pin."""
        return np.array([each.pin is not None for each in self.boots], np.bool_)[boot]


def choose_boots(problem: Problem) -> Boots:
    """All cold boots of a plan. Each distinct case is worked out once."""
    old = _old_classes(problem)
    guests = problem.residents.items[(problem.fate == Fate.RESTART)[problem.residents.items]]
    guests = guests[problem.pending[problem.guests.on[guests]]]
    boots: list[Boot] = []
    boot = _by_case(problem, guests, lambda guest: _restart(problem, guest, old), boots)
    in_place, boot_in_place = _reversing(problem, old, boots)
    return Boots(guests, boot, in_place, boot_in_place, tuple(boots))


def _by_case(problem: Problem, guests: Ints, choose: Callable[[int], Boot | None], boots: list[Boot]) -> Places:
    """For each guest the place of its boot in `boots`, -1 for none; cases are told apart by what decides."""
    if not len(guests):
        return np.zeros(0, np.int32)
    on, may = problem.guests.on[guests], 2 * problem.guests.migratable[guests] + _wanted(problem, guests)
    first, case = distinct(problem.guests.kind[guests], problem.now[on], problem.then[on], problem.hosts.pool[on], may)
    chosen = [choose(guest) for guest in guests[first].tolist()]
    places = []
    for boot in chosen:
        places.append(-1 if boot is None else len(boots))
        boots += [] if boot is None else [boot]
    return np.array(places, np.int32)[case]


def _wanted(problem: Problem, guests: Ints) -> Flags:
    """Whether policy asks for a pin that keeps the way back of guests open."""
    policy, names = problem.fleet.policy, problem.guests.names
    if isinstance(policy.reversible, bool):
        return np.full(len(guests), policy.reversible, np.bool_)
    return np.fromiter((policy.wants_way_back(names[guest]) for guest in guests.tolist()), np.bool_, len(guests))


Goals = dict[HostClassId, None]


def _old_classes(problem: Problem) -> dict[int, Goals]:
    """By pool, the classes to which a guest would go back."""
    pending = np.flatnonzero(problem.pending)
    old: dict[int, Goals] = defaultdict(dict)
    if len(pending):
        first, _ = distinct(problem.hosts.pool[pending], problem.now[pending])
        for host in pending[np.sort(first)].tolist():
            old[int(problem.hosts.pool[host])][int(problem.now[host])] = None
    return old


def _may_return(problem: Problem, kind: GuestClassId, host: HostClassId, old: Goals) -> bool:
    return any(problem.classes.hop(kind, host, goal).allowed for goal in old)


def _restart(problem: Problem, guest: int, old: dict[int, Goals]) -> Boot:
    """A restart in place: unpinned if that loses nothing, else with the newest version that keeps what is asked."""
    host = int(problem.guests.on[guest])
    now, then = int(problem.guests.kind[guest]), int(problem.then[host])
    goals = old[int(problem.hosts.pool[host])]
    pins = problem.boot_pins(guest)
    wants_return = bool(problem.guests.migratable[guest]) and problem.fleet.policy.wants_way_back(problem.guests.names[guest])
    ways = [pin for pin in pins if _may_return(problem, _booted(problem, now, then, pin), then, goals)] if wants_return else []
    chosen = (*ways, pins[0])[0]
    if chosen is None:
        return Boot(kind=_booted(problem, now, then, None))
    reason = KEEPS if chosen in ways else f"the guest bears no PSCI version above {problem.guest(guest).psci_max}"
    return _pinned(problem, now, then, chosen, reason, restart=False)


KEEPS, OPENS = "keeps the way back to the old release open", "opens the way back to the old release"


def _pinned(problem: Problem, now: GuestClassId, host: HostClassId, psci: str, reason: str, *, restart: bool) -> Boot:
    taken = _taken(problem, now, host, psci)
    without = tuple(item.value for item in taken.without)
    cost = "; ".join(part for part in ("a restart" if restart else "", f"without {', '.join(without)}" if without else "") if part)
    return Boot(
        kind=_booted(problem, now, host, psci),
        pin=psci,
        reason=reason,
        cost=cost or "nothing",
        without=without,
        breaks=tuple(item.value for item in taken.breaks),
    )


def _taken(problem: Problem, now: GuestClassId, host: HostClassId, psci: str) -> Taken:
    """What the guest would have without the pin, and has not with it; and what of it is a mitigation that it sees today."""
    table = problem.classes
    pinned = table.guest_class(_booted(problem, now, host, psci)).promise
    without = losses(table.guest_class(_booted(problem, now, host, None)).promise, pinned)
    promised = losses(table.guest_class(now).promise, pinned)
    return Taken(without, tuple(item for item in without if item in promised and item in MITIGATIONS))


def _booted(problem: Problem, kind: GuestClassId, host: HostClassId, pin: str | None) -> GuestClassId:
    fresh = problem.classes.cold_boot(kind, host, pin)
    return kind if fresh is None else fresh


def _reversing(problem: Problem, old: dict[int, Goals], boots: list[Boot]) -> tuple[Places, Places]:
    """Guests on upgraded hosts that could not go back, may restart, and could go back with a pin."""
    nobody = np.zeros(0, np.int32)
    if not problem.fleet.policy.reversible:
        return nobody, nobody
    guests = problem.residents.many(np.flatnonzero(problem.upgraded))
    guests = guests[problem.guests.migratable[guests] & problem.guests.restartable[guests]]
    guests = guests[_wanted(problem, guests)]
    boot = _by_case(problem, guests, lambda guest: _reversing_boot(problem, guest, old), boots)
    return guests[boot >= 0], boot[boot >= 0]


def _reversing_boot(problem: Problem, guest: int, old: dict[int, Goals]) -> Boot | None:
    host = int(problem.guests.on[guest])
    goals = old.get(int(problem.hosts.pool[host]), {})
    kind, here = int(problem.guests.kind[guest]), int(problem.now[host])
    if not goals or _may_return(problem, kind, here, goals):
        return None
    for pin in PINS:
        if problem.boots(kind, here, pin) and _may_return(problem, _booted(problem, kind, here, pin), here, goals):
            return _pinned(problem, kind, here, pin, OPENS, restart=True)
    return None
