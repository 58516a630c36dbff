"""Invariants of guests: where they may go, what their moves do to them, and their restarts."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from fleetplan.firmware.registers import psci_value
from fleetplan.fleet.model import Guest, GuestName, HostName
from fleetplan.fleet.policy import Immovable
from fleetplan.judge.case import Case, broken
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import Step, StepKind


def _moves(case: Case) -> Iterator[tuple[Step, Guest]]:
    for step in case.migrations:
        yield step, case.guests[step.guest or GuestName("")]


def placement(case: Case) -> Iterator[Violation]:
    """Whatever happens to a guest happens where it is, one thing after the other."""
    for guest, steps in case.of_guest.items():
        here, since, stopped = case.guests[guest].on, 0, False
        for step in steps:
            there = step.source if step.kind is StepKind.MIGRATE else step.host
            if there != here or step.destination == here:
                yield broken(InvariantId.PLACEMENT, f"guest {guest}", step, is_on=here)
            elif step.start_s < since:
                yield broken(InvariantId.PLACEMENT, f"guest {guest}", step, busy_until_s=since)
            elif step.kind is StepKind.MIGRATE and stopped:
                yield broken(InvariantId.PLACEMENT, f"guest {guest}", step, state="stopped")
            stopped = step.kind is StepKind.STOP or (stopped and step.kind is not StepKind.START)
            here, since = step.destination or here, step.end_s


def pool(case: Case) -> Iterator[Violation]:
    """Both ends of a migration are in one pool."""
    for step, _ in _moves(case):
        source, destination = (case.hosts[name or HostName("")].pool for name in (step.source, step.destination))
        if source != destination:
            yield broken(InvariantId.POOL, step.id, step, source_pool=source, destination_pool=destination)


def allowed(case: Case) -> Iterator[Violation]:
    """A destination matches `allow` and does not match `deny`."""
    for step, guest in _moves(case):
        name = step.destination or ""
        wanted = not guest.allow or any(fnmatchcase(name, pattern) for pattern in guest.allow)
        if not wanted or any(fnmatchcase(name, pattern) for pattern in guest.deny):
            yield broken(InvariantId.ALLOWED, step.id, step, destination=name)


def migratable(case: Case) -> Iterator[Violation]:
    """Guests with `migrate: never` stay."""
    for step, guest in _moves(case):
        if not guest.migratable:
            yield broken(InvariantId.MIGRATABLE, f"guest {guest.name}", step)


def restartable(case: Case) -> Iterator[Violation]:
    """Only guests that may restart are stopped, and only where policy restarts in place, or for a pin."""
    in_place = case.fleet.policy.immovable is Immovable.RESTART
    pinned = {pin.guest for pin in case.plan.pins}
    for name, steps in case.of_guest.items():
        for step in steps:
            if step.kind is StepKind.STOP and not (case.guests[name].restartable and (in_place or name in pinned)):
                yield broken(InvariantId.RESTARTABLE, f"guest {name}", step)


def verdict(case: Case) -> Iterator[Violation]:
    """Each move is judged for the guest and the hosts as they are then; it must be allowed, and be what the plan says."""
    for guest, journey in case.journeys:
        for step, kind in journey:
            if step.kind is not StepKind.MIGRATE or step.source is None or step.destination is None:
                continue
            source, destination = case.host_class(step.source, step.start_s), case.host_class(step.destination, step.start_s)
            hop = case.classes.hop(kind, source, destination)
            if not hop.allowed or hop.verdict.value != step.verdict:
                yield broken(InvariantId.VERDICT, f"guest {guest}", step, claimed=step.verdict, verdict=hop.verdict, allowed=hop.allowed)


def psci_max(case: Case) -> Iterator[Violation]:
    """No cold boot gives a guest a newer PSCI version than it bears."""
    for guest, step, pin, kind in _boots(case):
        most = case.guests[guest].psci_max
        booted = case.classes.cold_boot(kind, case.host_class(step.host or HostName(""), step.start_s), pin)
        if most is not None and booted is not None and case.classes.newest_psci(booted) > psci_value(most):
            yield broken(InvariantId.PSCI_MAX, f"guest {guest}", step, psci_max=most)


def _boots(case: Case) -> Iterator[tuple[GuestName, Step, str | None, int]]:
    """Every cold boot: the guest, its start step, the pin that counts then, and the class before."""
    pins = {pin.guest: pin.psci for pin in case.plan.pins}
    for guest, journey in case.journeys:
        for step, kind in journey:
            if step.kind is StepKind.START:
                set_before = any(other.kind is StepKind.PIN and other.end_s <= step.start_s for other in case.of_guest[guest])
                yield guest, step, pins.get(guest) if set_before else None, kind


def pins(case: Case) -> Iterator[Violation]:
    """A listed pin is set by a step, and counts from a cold boot that works with it; and no pin is set that is not listed."""
    rule = InvariantId.PINS
    listed = {pin.guest: pin for pin in case.plan.pins}
    if len(listed) != len(case.plan.pins):
        yield broken(rule, "plan", listed="a guest twice")
    boots = {step.id: (guest, pin) for guest, step, pin, _ in _boots(case)}
    for guest, pin in listed.items():
        if boots.get(pin.effective) != (guest, pin.psci):
            yield broken(rule, f"guest {guest}", effective=pin.effective, psci=pin.psci)
    for step in case.steps:
        if step.kind is StepKind.PIN and step.guest not in listed:
            yield broken(rule, f"guest {step.guest}", step, listed="no")
    for guest, step, chosen, kind in _boots(case):
        if case.classes.cold_boot(kind, case.host_class(step.host or HostName(""), step.start_s), chosen) is None:
            yield broken(rule, f"guest {guest}", step, starts="no", psci=chosen)


def running(case: Case) -> Iterator[Violation]:
    """Stops and starts come in pairs, and a start comes after the uncordon of a host that was upgraded meanwhile."""
    for guest, steps in case.of_guest.items():
        stop: Step | None = None
        for step in steps:
            if step.kind is StepKind.STOP:
                if stop is not None:
                    yield broken(InvariantId.RUNNING, f"guest {guest}", step, stopped="twice")
                stop = step
            elif step.kind is StepKind.START:
                if stop is None:
                    yield broken(InvariantId.RUNNING, f"guest {guest}", step, started="without a stop")
                elif _too_early(case, stop, step):
                    yield broken(InvariantId.RUNNING, f"guest {guest}", step, started="before its host serves again")
                stop = None
        if stop is not None:
            yield broken(InvariantId.RUNNING, f"guest {guest}", stop, started="never")


def _too_early(case: Case, stop: Step, start: Step) -> bool:
    upgrade, uncordon = case.one(start.host, StepKind.UPGRADE), case.one(start.host, StepKind.UNCORDON)
    if upgrade is None or uncordon is None or upgrade.start_s < stop.end_s:
        return False
    return start.start_s < uncordon.end_s
