"""A rollout as it passes: where hosts and guests are at any second of the plan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np

from fleetplan.output.risk import Stand
from fleetplan.rollout.columns import KIND_CODE, Codes, FleetColumns, Numbers, Places, StepColumns
from fleetplan.rollout.history import NEVER
from fleetplan.rollout.plan import Plan, StepKind
from fleetplan.tui.fleet.picture import NUMBER, Picture, filled, stands, worst
from fleetplan.tui.moves.landings import Landings


class Turn(msgspec.Struct, frozen=True):
    """When a host is upgraded: it is cordoned, goes away, and is back."""

    wave: int
    cordon_s: int
    away_s: int
    back_s: int


@dataclass(frozen=True, eq=False)
class Journey:
    """The plan of a fleet, by time. Without a plan nothing ever happens."""

    columns: FleetColumns
    landings: Landings
    plan: Plan | None
    steps: StepColumns | None

    @cached_property
    def end_s(self) -> int:
        """When the last step ends."""
        return int(self.steps.end_s.max(initial=0)) if self.steps is not None else 0

    @cached_property
    def events(self) -> Numbers:
        """The moments at which something begins or ends, ascending; at least the first."""
        if self.steps is None:
            return np.zeros(1, np.int64)
        return np.unique(np.concatenate((np.zeros(1, np.int64), self.steps.start_s, self.steps.end_s)))

    @cached_property
    def times(self) -> tuple[Numbers, Numbers, Numbers, Places]:
        """By host, when it is cordoned, goes away and is back (NEVER if it stays), and its wave (0)."""
        hosts = len(self.columns.hosts.names)
        never = [np.full(hosts, NEVER, np.int64) for _ in range(3)]
        wave = np.zeros(hosts, np.int32)
        if self.steps is not None:
            for found, kind, when in zip(
                never,
                (StepKind.CORDON, StepKind.UPGRADE, StepKind.UNCORDON),
                (self.steps.start_s, self.steps.start_s, self.steps.end_s),
                strict=True,
            ):
                rows = np.flatnonzero(self.steps.kind == KIND_CODE[kind])
                found[self.steps.host[rows]] = when[rows]
                wave[self.steps.host[rows]] = self.steps.wave[rows]
        return never[0], never[1], never[2], wave

    def turn(self, host: int) -> Turn | None:
        """When a host has its turn; None, if it never has."""
        cordon, away, back, wave = self.times
        return Turn(int(wave[host]), int(cordon[host]), int(away[host]), int(back[host])) if wave[host] else None

    @cached_property
    def _arrivals(self) -> tuple[Numbers, Places, Places]:
        """Landings in the order in which they end: when, which guest, where."""
        found = self.landings
        ends = found.start_s + found.duration_s
        order = np.argsort(ends, kind="stable") if found.planned else np.arange(0)
        return ends[order], found.guest[order], found.destination[order]

    @cached_property
    def _before(self) -> Picture:
        return Picture(stands(self.columns, self.plan), *filled(self.columns, self.columns.guests.on), self._worst(-1))

    def _worst(self, at_s: int) -> Places:
        left = np.flatnonzero(self.landings.start_s > at_s) if self.landings.planned else slice(None)
        return worst(len(self.columns.hosts.names), self.landings, left)

    def at(self, at_s: int | None = None) -> Picture:
        """The fleet at a second of the plan; None: before it begins. O(guests + landings)."""
        if at_s is None or self.steps is None:
            return self._before
        ends, guest, destination = self._arrivals
        so_far = int(np.searchsorted(ends, at_s, side="right"))
        on = self.columns.guests.on.copy()
        on[guest[:so_far]] = destination[:so_far]
        used, guests = filled(self.columns, on)
        return Picture(self._stands(at_s), used, guests, self._worst(at_s))

    def _stands(self, at_s: int) -> Codes:
        cordon, away, back, _ = self.times
        found = self._before.stand.copy()
        for stand, since in ((Stand.DRAINING, cordon), (Stand.AWAY, away), (Stand.DONE, back)):
            found[since <= at_s] = NUMBER[stand]
        return found

    def moving(self, at_s: int) -> int:
        """How many guests are on their way."""
        found = self.landings
        return int(((found.start_s <= at_s) & (at_s < found.start_s + found.duration_s) & (found.source != found.destination)).sum())

    def landed(self, at_s: int) -> int:
        """How many landings have ended."""
        return int(np.searchsorted(self._arrivals[0], at_s, side="right"))
