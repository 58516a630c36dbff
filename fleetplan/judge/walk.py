"""What guests become: every guest walked through what happens to it.

All guests at once: first the first thing that happens to each, then the second. Of equal moves (guest class, source class, destination
class) one is judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fleetplan.firmware.registers import psci_text, psci_value
from fleetplan.judge.layout import Layout, listed
from fleetplan.rollout.columns import KIND_CODE, NONE, VERDICT_CODE, Codes, Flags, Places
from fleetplan.rollout.distinct import distinct
from fleetplan.rollout.plan import StepKind

NO_PIN = 0
"""Code of a boot without a pin."""


@dataclass(frozen=True, slots=True)
class Walk:
    """By step (migrations and starts): the guest's class before and after; the verdict, and whether it is allowed; the pin of a boot.

    `last` is the class of every guest in the end; `boots` says of a start whether the guest comes up, `psci_fits` whether it bears what it
    then has. `pins` are the PSCI versions that are numbered by `pin`, from 1.
    """

    before: Places
    after: Places
    verdict: Codes
    allowed: Flags
    pin: Places
    boots: Flags
    psci_fits: Flags
    last: Places
    pins: tuple[str, ...]


def walk(case: Layout) -> Walk:
    """Walk all guests through the plan. O(steps), and the longest chain of one guest in numpy steps."""
    size = len(case.steps)
    pins = tuple(sorted({pin.psci for pin in case.plan.pins}))
    state = Walk(
        before=np.zeros(size, np.int32),
        after=np.zeros(size, np.int32),
        verdict=np.zeros(size, np.uint8),
        allowed=np.zeros(size, np.bool_),
        pin=np.zeros(size, np.int32),
        boots=np.ones(size, np.bool_),
        psci_fits=np.ones(size, np.bool_),
        last=case.guests.kind.copy(),
        pins=pins,
    )
    state.pin[case.rows] = _pins(case, pins)
    for steps in _ranks(case):
        kinds = case.steps.kind[steps]
        _hop(case, state, steps[kinds == KIND_CODE[StepKind.MIGRATE]])
        _boot(case, state, steps[kinds == KIND_CODE[StepKind.START]])
    return state


def _ranks(case: Layout) -> Iterator[Places]:
    """The first step of every guest, then the second, and so on."""
    rank = np.arange(len(case.rows)) - case.row_first
    order = np.argsort(rank, kind="stable") if len(rank) and rank.max() else np.arange(len(rank))
    begin = 0
    for end in np.cumsum(np.bincount(rank)).tolist():
        yield case.rows[order[begin:end]]
        begin = end


def _pins(case: Layout, pins: tuple[str, ...]) -> Places:
    """For every row, the pin that was set for the guest before, by number."""
    code = {psci: number for number, psci in enumerate(pins, 1)}
    listed_for = {pin.guest: code[pin.psci] for pin in case.plan.pins}
    set_at = case.last_row(case.row_is(StepKind.PIN))
    found = np.full(len(case.rows), NO_PIN, np.int32)
    for row in listed(case.row_is(StepKind.START) & (set_at != NONE)):
        found[row] = listed_for.get(case.guests.names[case.steps.guest[case.rows[row]]], NO_PIN)
    return found


def _hop(case: Layout, state: Walk, moves: Places) -> None:
    columns = case.steps
    guest, start = columns.guest[moves], columns.start_s[moves]
    before = state.last[guest]
    here, there = case.host_class(columns.source[moves], start), case.host_class(columns.destination[moves], start)
    state.before[moves] = before
    hops, which = distinct(case.classes.hop, before, here, there)
    if hops:
        state.verdict[moves] = np.array([VERDICT_CODE[hop.verdict.value] for hop in hops], np.uint8)[which]
        state.allowed[moves] = np.array([hop.allowed for hop in hops], np.bool_)[which]
        state.last[guest] = state.after[moves] = np.array([hop.after for hop in hops], np.int32)[which]


def _boot(case: Layout, state: Walk, starts: Places) -> None:
    columns = case.steps
    guest = columns.guest[starts]
    before, pin = state.last[guest], state.pin[starts]
    there = case.host_class(columns.host[starts], columns.start_s[starts])
    state.before[starts] = before

    def boot(kind: int, host: int, number: int) -> int | None:
        pin = state.pins[number - 1] if number else None
        return case.classes.cold_boot(kind, host, pin) if pin is None or is_psci(pin) else None

    booted, which = distinct(boot, before, there, pin)
    if booted:
        state.boots[starts] = np.array([kind is not None for kind in booted], np.bool_)[which]
        state.psci_fits[starts] = np.array([_fits(case, kind) for kind in booted], np.bool_)[which]
        after = np.array([NONE if kind is None else kind for kind in booted], np.int32)[which]
        state.last[guest] = state.after[starts] = np.where(after == NONE, before, after)


def is_psci(word: str) -> bool:
    """Whether a word of a plan is a PSCI version, written the one way in which it is written."""
    try:
        value = psci_value(word)
    except ValueError:
        return False
    return value >= 0 and psci_text(value) == word


def _fits(case: Layout, kind: int | None) -> bool:
    most = None if kind is None else case.classes.guest_class(kind).psci_max
    return kind is None or most is None or case.classes.newest_psci(kind) <= most
