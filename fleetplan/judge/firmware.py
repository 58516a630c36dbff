"""Invariants of what moves and boots do to guests: verdicts, PSCI versions, pins."""

from __future__ import annotations

from collections.abc import Iterator

from fleetplan.judge.case import Case
from fleetplan.judge.layout import NEVER, listed
from fleetplan.judge.walk import NO_PIN
from fleetplan.rollout.columns import VERDICTS
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import StepKind


def verdict(case: Case) -> Iterator[Violation]:
    """Each move is judged for the guest and the hosts as they are then; it must be allowed, and be what the plan says."""
    moves, state = case.migrations, case.walk
    for step in listed(~state.allowed[moves] | (state.verdict[moves] != case.steps.verdict[moves]), moves):
        facts = {"claimed": case.record(step).verdict, "verdict": VERDICTS[state.verdict[step]], "allowed": bool(state.allowed[step])}
        yield case.broken(InvariantId.VERDICT, case.guest_subject(step), step, **facts)


def psci_max(case: Case) -> Iterator[Violation]:
    """No cold boot gives a guest a newer PSCI version than it bears."""
    starts = case.by_kind[StepKind.START]
    for step in listed(~case.walk.psci_fits[starts], starts):
        most = case.fleet.guests[case.steps.guest[step]].psci_max
        yield case.broken(InvariantId.PSCI_MAX, case.guest_subject(step), step, psci_max=most)


def pins(case: Case) -> Iterator[Violation]:
    """A listed pin is set by a step, on a host that is not rebooting, and counts from a cold boot that works with it; no other is set."""
    rule, state = InvariantId.PINS, case.walk
    wanted = {pin.guest: pin for pin in case.plan.pins}
    if len(wanted) != len(case.plan.pins):
        yield case.broken(rule, "plan", listed="a guest twice")
    starts = case.by_kind[StepKind.START]
    pinned = {case.steps.id(step): step for step in listed(state.pin[starts] != NO_PIN, starts)}
    for guest, pin in wanted.items():
        step = pinned.get(pin.effective)
        if step is None or case.guests.names[case.steps.guest[step]] != guest:
            yield case.broken(rule, f"guest {guest}", effective=pin.effective, psci=pin.psci)
    for step in case.by_kind[StepKind.PIN].tolist():
        if case.guests.names[case.steps.guest[step]] not in wanted:
            yield case.broken(rule, case.guest_subject(step), step, listed="no")
    yield from _set_while_rebooting(case)
    for step in listed(~state.boots[starts], starts):
        number = int(state.pin[step])
        yield case.broken(rule, case.guest_subject(step), step, starts="no", psci=state.pins[number - 1] if number else None)


def _set_while_rebooting(case: Case) -> Iterator[Violation]:
    steps = case.by_kind[StepKind.PIN]
    since, until = (times[case.steps.host[steps]] for times in case.busy)
    overlap = (since != NEVER) & (case.steps.start_s[steps] < until) & (since < case.steps.end_s[steps])
    for step in listed(overlap, steps):
        yield case.broken(InvariantId.PINS, case.guest_subject(step), step, host="reboots")
