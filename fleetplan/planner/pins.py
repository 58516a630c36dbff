"""Cold boots in a plan: who restarts in place, and which PSCI pin that boot gets."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from fleetplan.firmware.guest_view import losses
from fleetplan.migration.classes import GuestClassId, HostClassId
from fleetplan.planner.problem import PINS, Fate, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """A guest that is stopped and started on the host where it stays, with a pin set in between or without."""

    guest: int
    host: int
    kind: GuestClassId
    """What it is afterwards."""
    pin: str | None = None
    reason: str = ""
    cost: str = ""


@dataclass(frozen=True, slots=True)
class Boots:
    """`restarts` while their host is upgraded; `in_place` on hosts that are on the target already, for the sake of a pin."""

    restarts: dict[int, Boot] = field(default_factory=dict)
    in_place: tuple[Boot, ...] = ()


def choose_boots(problem: Problem, pending: list[int]) -> Boots:
    """All cold boots of a plan that upgrades these hosts."""
    old = _old_classes(problem, pending)
    restarts = {
        guest: _restart(problem, guest, old) for host in pending for guest in problem.residents[host] if problem.fate[guest] is Fate.RESTART
    }
    return Boots(restarts, tuple(_reversing(problem, old)) if problem.fleet.policy.reversible else ())


def _old_classes(problem: Problem, pending: list[int]) -> dict[str, dict[HostClassId, None]]:
    """By pool, the classes to which a guest would go back."""
    old: dict[str, dict[HostClassId, None]] = defaultdict(dict)
    for host in pending:
        old[problem.hosts[host].pool][problem.classes.hosts_now[host]] = None
    return old


def _may_return(problem: Problem, kind: GuestClassId, host: HostClassId, old: dict[HostClassId, None]) -> bool:
    return any(problem.classes.hop(kind, host, goal).allowed for goal in old)


def _restart(problem: Problem, guest: int, old: dict[str, dict[HostClassId, None]]) -> Boot:
    """A restart in place: unpinned if that loses nothing, else with the newest version that keeps what is asked."""
    host = problem.on[guest]
    now, then = problem.classes.guests[guest], problem.classes.hosts_then[host]
    goals = old[problem.hosts[host].pool]
    pins = problem.boot_pins(guest)
    wants_return = problem.fleet.policy.reversible and problem.guests[guest].migratable
    chosen = pins[0]
    if wants_return:
        chosen = next((pin for pin in pins if _may_return(problem, _booted(problem, now, then, pin), then, goals)), pins[0])
    return _boot(problem, guest, host, now, then, chosen, asked=wants_return and chosen is not None)


def _booted(problem: Problem, kind: GuestClassId, host: HostClassId, pin: str | None) -> GuestClassId:
    fresh = problem.classes.cold_boot(kind, host, pin)
    return kind if fresh is None else fresh


def _boot(problem: Problem, guest: int, host: int, now: GuestClassId, then: HostClassId, pin: str | None, *, asked: bool) -> Boot:
    kind = _booted(problem, now, then, pin)
    if pin is None:
        return Boot(guest=guest, host=host, kind=kind)
    reason = (
        "keeps the way back to the old release open" if asked else f"the guest bears no PSCI version above {problem.guests[guest].psci_max}"
    )
    return Boot(guest=guest, host=host, kind=kind, pin=pin, reason=reason, cost=_cost(problem, now, then, kind, restart=False))


def _cost(problem: Problem, now: GuestClassId, host: HostClassId, pinned: GuestClassId, *, restart: bool) -> str:
    """What the guest would have without the pin, and has not with it."""
    free = problem.classes.guest_class(_booted(problem, now, host, None)).promise
    lost = ", ".join(item.value for item in losses(free, problem.classes.guest_class(pinned).promise))
    return "; ".join(part for part in ("a restart" if restart else "", f"without {lost}" if lost else "") if part) or "nothing"


def _reversing(problem: Problem, old: dict[str, dict[HostClassId, None]]) -> list[Boot]:
    """Guests on upgraded hosts that could not go back, may restart, and could go back with a pin."""
    found = []
    for host in problem.upgraded:
        goals, here = old.get(problem.hosts[host].pool, {}), problem.classes.hosts_now[host]
        for guest in problem.residents[host] if goals else ():
            record, kind = problem.guests[guest], problem.classes.guests[guest]
            if record.migratable and record.restartable and not _may_return(problem, kind, here, goals):
                boot = _reversing_boot(problem, guest, host, goals)
                found += [boot] if boot is not None else []
    return found


def _reversing_boot(problem: Problem, guest: int, host: int, goals: dict[HostClassId, None]) -> Boot | None:
    kind, here = problem.classes.guests[guest], problem.classes.hosts_now[host]
    for pin in PINS:
        if problem.boots(kind, here, pin) and _may_return(problem, _booted(problem, kind, here, pin), here, goals):
            pinned = _booted(problem, kind, here, pin)
            cost = _cost(problem, kind, here, pinned, restart=True)
            return Boot(guest=guest, host=host, kind=pinned, pin=pin, reason="opens the way back to the old release", cost=cost)
    return None
