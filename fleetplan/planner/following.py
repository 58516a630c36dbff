"""A search that follows a previous plan as far as it can: the same hosts in the same order, the same landings where they still hold.

What no longer holds is left to the plain search: guests whose landing is taken find another, hosts that cannot be emptied in their wave
come later. So a plan that was approved changes only where the fleet did.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetplan.planner.problem import Problem
from fleetplan.planner.waves import Making, Search
from fleetplan.rollout.columns import KIND_CODE, NONE, Flags, Ints, Places, StepColumns, step_columns
from fleetplan.rollout.plan import Plan, StepKind
from fleetplan.rollout.progress import Progress


@dataclass(frozen=True, slots=True, eq=False)
class Hints:
    """What a previous plan did, in the numbers of a problem. `landing` is where each guest landed in the end (NONE: nowhere).

    `waves` are its hosts by wave; `guests` and `goals` the landings of each wave, the early ones on old hosts (seeds) included.
    """

    waves: list[Places]
    guests: list[Places]
    goals: list[Places]
    landing: Places


def hints_of(problem: Problem, previous: Plan) -> Hints:
    """Read a plan that was made for another state of the fleet; hosts and guests that are gone are left out. O(steps log steps)."""
    steps = step_columns(previous, problem.hosts.names, problem.guests.names)
    upgrades = _in_time(steps, StepKind.UPGRADE)
    upgrades = upgrades[steps.host[upgrades] >= 0]
    moves = _in_time(steps, StepKind.MIGRATE)
    moves = moves[(steps.guest[moves] >= 0) & (steps.destination[moves] >= 0)]
    landing = np.full(len(problem.guests.names), NONE, np.int32)
    # Of several migrations of a guest the last stays.
    landing[steps.guest[moves]] = steps.destination[moves]
    waves = range(1, len(previous.waves) + 1)
    by_wave = [moves[steps.wave[moves] == wave] for wave in waves]
    return Hints(
        waves=[steps.host[upgrades[steps.wave[upgrades] == wave]] for wave in waves],
        guests=[steps.guest[each] for each in by_wave],
        goals=[steps.destination[each] for each in by_wave],
        landing=landing,
    )


def _in_time(steps: StepColumns, kind: StepKind) -> Places:
    some = np.flatnonzero(steps.kind == KIND_CODE[kind])
    found: Places = some[np.argsort(steps.start_s[some], kind="stable")].astype(np.int32)
    return found


class Following(Search):
    """A search that makes the waves of a previous plan first."""

    def __init__(self, problem: Problem, hints: Hints, progress: Progress | None = None, most_waves: int = 0) -> None:
        super().__init__(problem, progress, most_waves=most_waves)
        self._hints = hints
        self._landing = hints.landing.copy()
        """Where each guest landed in the wave that is followed; of guests of other waves, in the end."""
        self._next = 0
        self._late: Places = np.zeros(0, np.int32)
        """Hosts of waves that have gone by, and could not go with them."""

    def _wave(self) -> Making:
        """The next wave of the previous plan of which anything can be done; then those of the plain search."""
        while self._next < len(self._hints.waves):
            hosts = np.concatenate((self._late, self._hints.waves[self._next]))
            self._landing[self._hints.guests[self._next]] = self._hints.goals[self._next]
            self._next += 1
            hosts = hosts[self._left[hosts]]
            wave = self._new_wave()
            taken = self._follow(hosts[wave.budget.admits(hosts)])
            self._late = hosts[~np.isin(hosts, taken)]
            if len(taken):
                wave.hosts.append(taken)
                return wave
        return super()._wave()

    def _follow(self, hosts: Places) -> Places:
        """Land the guests of hosts where they landed before, or else where there is room; the hosts that could be emptied."""
        guests = self.occupancy.movers.many(hosts)
        homeless = [self._spill(left, self._open(pool)) for pool, left in self._by_pool(self._land_again(guests, hosts))]
        lost = np.unique(self.occupancy.at[np.concatenate((*homeless, guests[:0]))])
        self._withdraw(self.occupancy.movers.many(lost))
        return hosts[~np.isin(hosts, lost)]

    def _land_again(self, guests: Places, leaving: Places) -> Places:
        """Land guests as before, as far as the place takes guests, is of their pool, and has room; who has none."""
        goal, pool = self._landing[guests], self.problem.hosts.pool
        ok = (goal != NONE) & self._takes(leaving)[goal] & (pool[goal] == pool[self.occupancy.at[guests]])
        goals, owner = np.unique(goal[ok], return_inverse=True)
        over = self._land_blocks(guests[ok], owner, goals.astype(np.int32), np.zeros(len(goals), np.bool_))
        return np.concatenate((guests[~ok], over))

    def _takes(self, leaving: Places) -> Flags:
        """Hosts that are upgraded and open; and old ones that go in a later wave, where the previous plan had a seed land on them."""
        later: Flags = self._left & ~self.problem.cordoned
        later[leaving] = False
        return self.occupancy.open | later

    def _by_pool(self, guests: Ints) -> list[tuple[int, Places]]:
        pool = self.problem.hosts.pool[self.occupancy.at[guests]]
        return [(number, guests[pool == number]) for number in np.unique(pool).tolist()]
