"""What every guest is to every flaw, at each moment of a rollout: as columns, so that stepping from wave to wave costs no judgments."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fleetplan.fleet.model import Fleet
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.standing import Exposures, Pair, Standings, Tally, tally
from fleetplan.rollout.audit import GONE
from fleetplan.rollout.columns import NONE, FleetColumns, Places
from fleetplan.rollout.history import History, history
from fleetplan.rollout.plan import Plan
from fleetplan.rollout.timeline import Moment, timeline


@dataclass(frozen=True, slots=True, eq=False)
class Census:
    """Guests after `wave` waves. `kind` numbers `pairs` and `standings`, NONE for guests of hosts that are down or lost; `on` are hosts."""

    wave: int
    on: Places
    kind: Places
    pairs: tuple[Pair, ...]
    standings: tuple[Standings, ...]

    @property
    def counts(self) -> list[int]:
        """How many guests are of each pair."""
        found: list[int] = np.bincount(self.kind[self.kind != NONE], minlength=len(self.pairs)).tolist()
        return found

    @property
    def tally(self) -> Tally:
        """How many guests are exposed."""
        return tally(zip(self.standings, self.counts, strict=True))


@dataclass(frozen=True, eq=False)
class Course:
    """Exposure over a rollout; without a plan there is only now. Classes grow while this is asked: ask in a worker."""

    fleet: Fleet
    columns: FleetColumns
    classes: ClassTable
    plan: Plan | None

    @property
    def waves(self) -> int:
        """The number of waves."""
        return len(self.plan.waves) if self.plan is not None else 0

    @cached_property
    def moments(self) -> tuple[Moment, ...]:
        """How many guests are exposed now and after each wave; none without a plan."""
        return timeline(self.fleet, self.classes, self.plan) if self.plan is not None else ()

    @cached_property
    def _known(self) -> Exposures:
        return Exposures(self.classes)

    @cached_property
    def _past(self) -> History | None:
        return history(self.columns, self.classes, self.plan) if self.plan is not None else None

    def at(self, wave: int) -> Census:
        """Guests once the first waves have ended. O(guests + steps), and milliseconds for each pair of classes not seen before."""
        on, kind, where = self._state(wave)
        runs = np.array([host.state not in GONE for host in self.fleet.hosts], np.bool_)[on]
        keys, which = np.unique(np.stack([kind[runs], where[runs]], axis=1), axis=0, return_inverse=True)
        pairs = tuple((int(guest), int(host)) for guest, host in keys.tolist())
        numbers = np.full(len(on), NONE, np.int32)
        numbers[runs] = which.reshape(-1)
        return Census(wave, on, numbers, pairs, tuple(self._known.of(*pair) for pair in pairs))

    def _state(self, wave: int) -> tuple[Places, Places, Places]:
        """Of each guest, its host, its class, and the class of its host."""
        on, kind, hosts, past = self.columns.guests.on.copy(), self.columns.guests.kind.copy(), self.columns.hosts, self._past
        if past is None:
            return on, kind, hosts.now[on]
        entries = past.last(wave)
        on[past.guest[entries]], kind[past.guest[entries]] = past.host[entries], past.kind[entries]
        return on, kind, np.where(past.upgraded_in[on] <= wave, hosts.then[on], hosts.now[on])
