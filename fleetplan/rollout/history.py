"""What becomes of guests in a plan: where each is and what it is, after every migration and every cold boot.

For plans that hold (the judge looks at every plan before anything else does). All guests at once: first the first thing that happens to
each, then the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fleetplan.migration.classes import ClassTable
from fleetplan.rollout.columns import KIND_CODE, NONE, Flags, FleetColumns, Numbers, Places, StepColumns, step_columns
from fleetplan.rollout.distinct import distinct
from fleetplan.rollout.plan import Plan, StepKind

NEVER = 1 << 62
NO_PIN = 0
"""Number of a boot without a new pin."""


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """An entry for every migration and every cold boot, by guest, then in the order of time.

    `host` and `kind` are where the guest is then, and its class. `pin` numbers `pins` from 1 (`NO_PIN`: a migration, or a boot with the pin
    that its configuration has). `upgraded_in` says of hosts in which wave they are upgraded: 0 for those that run the target when the plan
    begins, NEVER for those that it leaves as they are.
    """

    guest: Places
    wave: Places
    host: Places
    kind: Places
    boots: Flags
    pin: Places
    pins: tuple[str, ...]
    upgraded_in: Numbers

    def last(self, wave: int) -> Places:
        """The last entries of guests up to a wave, one for each guest that has any."""
        entries = np.flatnonzero(self.wave <= wave)
        guests = self.guest[entries]
        ends = np.ones(len(guests), np.bool_)
        ends[:-1] = guests[1:] != guests[:-1]
        found: Places = entries[ends].astype(np.int32)
        return found


def history(columns: FleetColumns, classes: ClassTable, plan: Plan) -> History:
    """The history of a plan. O(steps log steps), and the longest chain of one guest in numpy steps."""
    steps = step_columns(plan, columns.hosts.names, columns.guests.names)
    events = arrivals(steps)
    boots = steps.kind[events] == KIND_CODE[StepKind.START]
    host = np.where(boots, steps.host[events], steps.destination[events])
    pins = tuple(sorted({pin.psci for pin in plan.pins}))
    upgrades = np.flatnonzero(steps.kind == KIND_CODE[StepKind.UPGRADE])
    upgraded_at = np.where(columns.hosts.on_target, 0, NEVER)
    upgraded_at[steps.host[upgrades]] = steps.end_s[upgrades]
    upgraded_in = np.where(columns.hosts.on_target, 0, NEVER)
    upgraded_in[steps.host[upgrades]] = steps.wave[upgrades]
    found = History(
        guest=steps.guest[events],
        wave=steps.wave[events],
        host=host,
        kind=np.zeros(len(events), np.int32),
        boots=boots,
        pin=_pins(columns, plan, steps, events, pins),
        pins=pins,
        upgraded_in=upgraded_in,
    )
    _walk(found, columns, classes, upgraded_at, steps.start_s[events])
    return found


def arrivals(steps: StepColumns) -> Places:
    """Migrations and starts, by guest, then in the order of time. Only those of guests that have several are sorted: they are few."""
    acts = np.flatnonzero((steps.kind == KIND_CODE[StepKind.MIGRATE]) | (steps.kind == KIND_CODE[StepKind.START])).astype(np.int32)
    guest = steps.guest[acts]
    count = np.bincount(guest)
    found = np.empty(len(acts), np.int32)
    found[(np.cumsum(count) - count)[guest]] = acts
    several = acts[count[guest] > 1]
    order = np.lexsort((steps.start_s[several], steps.guest[several]))
    found[np.repeat(count > 1, count)] = several[order]
    return found


def _pins(columns: FleetColumns, plan: Plan, steps: StepColumns, events: Places, pins: tuple[str, ...]) -> Places:
    """The pin that each boot is the first to have: set by a step that has ended when the boot starts."""
    found = np.full(len(events), NO_PIN, np.int32)
    sets = np.flatnonzero(steps.kind == KIND_CODE[StepKind.PIN])
    if not len(sets):
        return found
    set_at = np.full(len(columns.guests.names), NEVER, np.int64)
    set_at[steps.guest[sets]] = steps.end_s[sets]
    number = {pin.guest: pins.index(pin.psci) + 1 for pin in plan.pins}
    starts = steps.kind[events] == KIND_CODE[StepKind.START]
    for event in np.flatnonzero(starts & (set_at[steps.guest[events]] <= steps.start_s[events])).tolist():
        found[event] = number[columns.guests.names[steps.guest[events[event]]]]
    return found


def _walk(found: History, columns: FleetColumns, classes: ClassTable, upgraded_at: Numbers, start_s: Numbers) -> None:
    """Work out `kind`."""
    hosts, on, kind = columns.hosts, columns.guests.on.copy(), columns.guests.kind.copy()

    def class_of(host: Places, when: Numbers) -> Places:
        return np.where(when >= upgraded_at[host], hosts.then[host], hosts.now[host])

    def boot(before: int, there: int, pin: int) -> int:
        fresh = classes.cold_boot(before, there, found.pins[pin - 1] if pin else None)
        return before if fresh is None else fresh

    for events in _ranks(found.guest):
        moves, starts = events[~found.boots[events]], events[found.boots[events]]
        guest = found.guest[moves]
        hops, which = distinct(classes.hop, kind[guest], class_of(on[guest], start_s[moves]), class_of(found.host[moves], start_s[moves]))
        found.kind[moves] = np.array([hop.after for hop in hops], np.int32)[which]
        booted, which = distinct(boot, kind[found.guest[starts]], class_of(found.host[starts], start_s[starts]), found.pin[starts])
        found.kind[starts] = np.array(booted, np.int32)[which]
        kind[found.guest[events]], on[found.guest[events]] = found.kind[events], found.host[events]


def _ranks(guest: Places) -> Iterator[Places]:
    """The first entry of every guest, then the second, and so on."""
    place = np.arange(len(guest))
    begins = np.ones(len(guest), np.bool_)
    begins[1:] = guest[1:] != guest[:-1]
    rank = place - np.maximum.accumulate(np.where(begins, place, 0))
    for number in range(int(rank.max(initial=NONE)) + 1):
        yield np.flatnonzero(rank == number).astype(np.int32)
