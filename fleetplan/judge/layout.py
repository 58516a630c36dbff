"""A plan laid out for judging: its steps by host and by guest, and when each host is what. All of it in columns."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from fleetplan.fleet.model import Fleet, HostState
from fleetplan.migration.classes import ClassTable
from fleetplan.rollout.columns import (
    KIND_CODE,
    NONE,
    STATE_CODE,
    Flags,
    FleetColumns,
    Numbers,
    Places,
    fleet_columns,
    step_columns,
)
from fleetplan.rollout.plan import Plan, Step, StepKind

NEVER = 1 << 62
"""Later than everything."""

BEFORE = -1
"""Earlier than everything that a plan does."""

SEQUENCE = (StepKind.CORDON, StepKind.UPGRADE, StepKind.CHECK, StepKind.UNCORDON)
"""What happens to a host that is upgraded, in this order."""


class Layout:
    """The plan, the fleet, and indices over both. Hosts, guests and steps are numbers; `NONE` where there is none."""

    def __init__(self, fleet: Fleet, classes: ClassTable, plan: Plan, digest: str, columns: FleetColumns | None = None) -> None:
        self.fleet = fleet
        self.classes = classes
        self.plan = plan
        self.digest = digest
        columns = columns or fleet_columns(fleet, classes)
        self.hosts = columns.hosts
        self.guests = columns.guests
        self.resources = columns.resources
        self.steps = step_columns(plan, self.hosts.names, self.guests.names)
        lengths = [len(wave.steps) for wave in plan.waves]
        self.wave_at = np.cumsum([0, *lengths], dtype=np.int64)
        """The steps of wave `k` (from 1) are those from `wave_at[k - 1]` to `wave_at[k]`."""
        self.wave: Places = np.repeat(np.arange(1, len(lengths) + 1, dtype=np.int32), lengths)

    # --- steps --------------------------------------------------------------------------------------------------------------------

    @cached_property
    def _given(self) -> list[Step]:
        """Steps as they stand in a plan whose columns could not be taken as they are."""
        return [step for wave in self.plan.waves for step in wave.steps]

    def record(self, step: int) -> Step:
        """A step as the plan has it."""
        return self.steps.record(step) if self.steps.given_ids is None else self._given[step]

    @cached_property
    def waiting(self) -> Places:
        """The step at the later end of every entry of `steps.after`."""
        return np.repeat(np.arange(len(self.steps), dtype=np.int32), np.diff(self.steps.after_at))

    @cached_property
    def by_kind(self) -> dict[StepKind, Places]:
        """The steps of each kind, in the order of the plan."""
        return {kind: np.flatnonzero(self.steps.kind == code).astype(np.int32) for kind, code in KIND_CODE.items()}

    @property
    def migrations(self) -> Places:
        """All migrations, in the order of the plan."""
        return self.by_kind[StepKind.MIGRATE]

    @cached_property
    def counts(self) -> dict[StepKind, Numbers]:
        """How often each host has each step of the sequence."""
        return {kind: np.bincount(self.steps.host[self.by_kind[kind]], minlength=len(self.hosts.names)) for kind in SEQUENCE}

    @cached_property
    def one(self) -> dict[StepKind, Places]:
        """The only step of a kind that a host has; NONE if it has none, or several."""
        found = {}
        for kind in SEQUENCE:
            steps = self.by_kind[kind]
            only = np.full(len(self.hosts.names), NONE, np.int32)
            only[self.steps.host[steps]] = steps
            only[self.counts[kind] != 1] = NONE
            found[kind] = only
        return found

    @cached_property
    def wave_of_host(self) -> Places:
        """The wave in which a host is upgraded, 0 for never."""
        upgrades = self.by_kind[StepKind.UPGRADE]
        found = np.zeros(len(self.hosts.names), np.int32)
        found[self.steps.host[upgrades]] = self.wave[upgrades]
        return found

    # --- hosts over time ----------------------------------------------------------------------------------------------------------

    def start_of(self, kind: StepKind, missing: int) -> Numbers:
        """By host, when its only step of a kind starts."""
        return self._time(self.steps.start_s, kind, missing)

    def end_of(self, kind: StepKind, missing: int) -> Numbers:
        """By host, when its only step of a kind ends."""
        return self._time(self.steps.end_s, kind, missing)

    def _time(self, times: Numbers, kind: StepKind, missing: int) -> Numbers:
        only = self.one[kind]
        found = np.full(len(only), missing, np.int64)
        there = only != NONE
        found[there] = times[only[there]]
        return found

    @cached_property
    def upgraded_at(self) -> Numbers:
        """From when on a host runs the target release: 0 if it does from the start, NEVER if it does not."""
        return np.where(self.hosts.on_target, 0, self.end_of(StepKind.UPGRADE, NEVER))

    def host_class(self, hosts: Places, at_s: Numbers) -> Places:
        """The classes of hosts at times."""
        there = ~self.hosts.on_target[hosts] & (at_s >= self.upgraded_at[hosts])
        return np.where(there, self.hosts.then[hosts], self.hosts.now[hosts])

    @cached_property
    def held(self) -> Flags:
        """Hosts that do not serve when the plan begins."""
        up: Flags = self.hosts.state != STATE_CODE[HostState.UP]
        return up

    @cached_property
    def alive(self) -> Flags:
        """Hosts that are up or cordoned."""
        return np.isin(self.hosts.state, [STATE_CODE[HostState.UP], STATE_CODE[HostState.CORDONED]])

    @cached_property
    def closed(self) -> tuple[Numbers, Numbers]:
        """By host, the span in which it is unavailable: from cordon, or from the start, to uncordon. From NEVER on: it is not."""
        since = np.where(self.held, 0, self.start_of(StepKind.CORDON, NEVER))
        return since, np.where(since == NEVER, NEVER, self.end_of(StepKind.UNCORDON, NEVER))

    @cached_property
    def busy(self) -> tuple[Numbers, Numbers]:
        """By host, the span from the start of its upgrade to the end of its check. From NEVER on: it has none."""
        since = self.start_of(StepKind.UPGRADE, NEVER)
        checked = self.end_of(StepKind.CHECK, NEVER)
        return since, np.where(checked == NEVER, self.end_of(StepKind.UPGRADE, NEVER), checked)

    # --- guests over time ---------------------------------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> Places:
        """What happens to guests: by guest, then in the order of time.

        Guests to which one thing only happens come last; theirs needs no sorting.
        """
        steps = self.steps
        acted = np.flatnonzero(steps.guest != NONE).astype(np.int32)
        often = np.bincount(steps.guest[acted], minlength=len(self.guests.names)) > 1
        several = often[steps.guest[acted]]
        sort = acted[several]
        order = np.lexsort((steps.end_s[sort], steps.start_s[sort], steps.guest[sort]))
        return np.concatenate((sort[order], acted[~several]))

    @cached_property
    def row_first(self) -> Numbers:
        """For every row, the first row of the same guest."""
        guest = self.steps.guest[self.rows]
        place = np.arange(len(guest))
        begins = np.ones(len(guest), np.bool_)
        begins[1:] = guest[1:] != guest[:-1]
        return np.maximum.accumulate(np.where(begins, place, 0))

    def last_row(self, wanted: Flags) -> Numbers:
        """For every row, the last row before it that is of the same guest and wanted; NONE if there is none."""
        place = np.arange(len(wanted))
        before = np.full(len(wanted), NONE, np.int64)
        before[1:] = np.maximum.accumulate(np.where(wanted, place, NONE))[:-1]
        return np.where(before >= self.row_first, before, NONE)

    def row_is(self, *kinds: StepKind) -> Flags:
        """Rows that are steps of these kinds."""
        wanted = np.zeros(len(KIND_CODE), np.bool_)
        wanted[[KIND_CODE[kind] for kind in kinds]] = True
        return wanted[self.steps.kind[self.rows]]

    @cached_property
    def here(self) -> Places:
        """For every row, where the guest is then: the destination of its last migration, or where it was at the start."""
        arrival = self.last_row(self.row_is(StepKind.MIGRATE))
        return np.where(arrival == NONE, self.guests.on[self.steps.guest[self.rows]], self.steps.destination[self.rows[arrival]])

    @cached_property
    def last_host(self) -> Places:
        """Where each guest is in the end."""
        where = self.guests.on.copy()
        moved = self.rows[self.row_is(StepKind.MIGRATE)]
        where[self.steps.guest[moved]] = self.steps.destination[moved]
        return where

    @cached_property
    def departures(self) -> tuple[Places, Places]:
        """By guest, the migration that takes it off its first host; by step, the one that takes its guest off the destination. Or NONE."""
        moved = self.row_is(StepKind.MIGRATE)
        before = self.last_row(moved)
        first, again = self.rows[moved & (before == NONE)], moved & (before != NONE)
        of_guest = np.full(len(self.guests.names), NONE, np.int32)
        of_step = np.full(len(self.steps), NONE, np.int32)
        of_guest[self.steps.guest[first]] = first
        of_step[self.rows[before[again]]] = self.rows[again]
        return of_guest, of_step

    @cached_property
    def leaves_at(self) -> Numbers:
        """When each guest has left the host where it was at the start; NEVER if it stays."""
        return self._left_at(self.departures[0])

    @cached_property
    def stays_until(self) -> Numbers:
        """By migration, when its guest has left the destination again; NEVER if it stays, and for other steps."""
        return self._left_at(self.departures[1])

    def _left_at(self, departures: Places) -> Numbers:
        found = np.full(len(departures), NEVER, np.int64)
        left = departures != NONE
        found[left] = self.steps.end_s[departures[left]]
        return found


def listed(flagged: Flags, among: Places | None = None) -> Iterator[int]:
    """The numbers that are flagged; `among`: those of its entries."""
    places = np.flatnonzero(flagged)
    return iter((places if among is None else among[places]).tolist())
