"""Cold boots in a plan: who restarts in place, which PSCI pin that boot gets, and who cannot go back."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from fleetplan.firmware.guest_view import losses
from fleetplan.firmware.registers import BY_NAME, describe
from fleetplan.fleet.model import GuestName
from fleetplan.fleet.policy import Immovable
from fleetplan.migration.classes import GuestClassId, HostClassId
from fleetplan.planner.packing import Landing
from fleetplan.planner.problem import PINS, Fate, Problem
from fleetplan.rollout.plan import PointOfNoReturn


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


# --- who cannot go back --------------------------------------------------------------------------------------------------------------


def points_of_no_return(
    problem: Problem, waves: list[tuple[list[int], dict[int, list[Landing]]]], boots: Boots
) -> tuple[PointOfNoReturn, ...]:
    """By wave, the guests that are then on the target release and could not go back to the old one, in the state they then have."""
    pending = [host for hosts, _ in waves for host in hosts]
    old = _old_classes(problem, pending)
    found: dict[tuple[int, str], list[GuestName]] = defaultdict(list)
    for wave, guest, host, kind in _arrivals(problem, waves, boots):
        goals, here = old.get(problem.hosts[host].pool, {}), problem.classes.hosts_then[host]
        by_restart = problem.guests[guest].restartable and problem.fleet.policy.immovable is Immovable.RESTART
        if goals and not by_restart and not _may_return(problem, kind, here, goals):
            found[wave, _why(problem, kind, here, goals)].append(problem.guests[guest].name)
    return tuple(PointOfNoReturn(wave=wave, guests=tuple(sorted(guests)), reason=why) for (wave, why), guests in sorted(found.items()))


def _arrivals(
    problem: Problem, waves: list[tuple[list[int], dict[int, list[Landing]]]], boots: Boots
) -> list[tuple[int, int, int, GuestClassId]]:
    """Every guest that is on the target release in the end: since which wave (0: from the start), where, and as what."""
    upgraded_in = dict.fromkeys(problem.upgraded, 0) | {host: number for number, (hosts, _) in enumerate(waves, 1) for host in hosts}
    pinned = {boot.guest: boot.kind for boot in boots.in_place}
    kinds = list(problem.classes.guests)
    at = list(problem.on)
    classes = list(problem.classes.hosts_now)
    found = [(0, guest, host, pinned.get(guest, kinds[guest])) for host in problem.upgraded for guest in problem.residents[host]]
    for number, (hosts, landings) in enumerate(waves, 1):
        for host in hosts:
            for guest, there in landings[host]:
                kinds[guest] = problem.classes.hop(kinds[guest], classes[at[guest]], classes[there]).after
                at[guest] = there
                if upgraded_in.get(there, number) < number:
                    found.append((number, guest, there, kinds[guest]))
            found += [
                (number, boot.guest, host, boot.kind)
                for boot in (boots.restarts[g] for g in problem.residents[host] if g in boots.restarts)
            ]
        for host in hosts:
            classes[host] = problem.classes.hosts_then[host]
    return found


def _why(problem: Problem, kind: GuestClassId, host: HostClassId, goals: dict[HostClassId, None]) -> str:
    """The first reason of the first refusal: a register, its value in words, and the errno."""
    goal = next(iter(goals))
    judgment = problem.classes.judgment(kind, host, goal)
    release = problem.classes.host_class(goal).release
    lists = dict(judgment.reasons[0].detail) if judgment.reasons else {}
    if "source_registers" in lists:
        return f"{release} lists {lists['destination_registers']} registers, and the guest brings {lists['source_registers']}"
    for reason in judgment.reasons:
        if reason.register is not None and reason.register in BY_NAME and reason.source is not None:
            word = describe(BY_NAME[reason.register], reason.source)
            errno = f" ({reason.errno.name})" if reason.errno is not None else ""
            return f"{release.kernel} refuses {reason.register} {word}, {reason.source:#x}{errno}"
    first = next((reason.register for reason in judgment.reasons if reason.register is not None), None)
    return f"the move to {release} is {judgment.verdict}" + (f" because of {first}" if first else "")
