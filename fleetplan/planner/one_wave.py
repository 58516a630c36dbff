"""One wave of hosts that are given, from the state that is: their guests land where they were to land, or else where there is room.

No wave that follows is looked at, so that this takes a fraction of a plan's time. Landings on upgraded hosts only make room, and where no
host can be emptied onto those, one is emptied onto old hosts (a seed), as in a whole plan.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fleetplan.fleet.model import Fleet, GuestName
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.bounds import ONCE
from fleetplan.planner.budget import UNLIMITED, Budget
from fleetplan.planner.following import Following, Hints
from fleetplan.planner.occupancy import fewest_first
from fleetplan.planner.pins import Boots, choose_boots
from fleetplan.planner.problem import Fate, Problem
from fleetplan.planner.search import sites, skipped
from fleetplan.planner.steps import Layout, critical_path
from fleetplan.planner.trials import timed
from fleetplan.planner.waiting import held_back
from fleetplan.planner.waves import MOST_SEEDS_TRIED, Making, WaveChoice
from fleetplan.planner.ways_back import with_ways_back
from fleetplan.rollout.calendar import first_opening_min
from fleetplan.rollout.columns import Placement, Places, Steps
from fleetplan.rollout.part import PartOf
from fleetplan.rollout.plan import Bound, Bounds, ExtraMoves, Plan, PlanStatus, Wave, WhyTwice


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """A wave, hosts that no slot was left for, and hosts whose guests found no room. `wave` None: none can go."""

    wave: WaveChoice | None
    no_slot: Places
    no_room: Places


class OneWave:
    """A fleet from which single waves are made. Hosts and guests are given by number. Made in O(hosts + guests)."""

    def __init__(self, fleet: Fleet, classes: ClassTable) -> None:
        self.problem = Problem(fleet, classes)
        self.boots = choose_boots(self.problem)
        """What every cold boot would be, of all hosts that are not on the target."""

    def stuck(self, hosts: Places) -> Places:
        """Guests of hosts that can neither move nor restart."""
        guests = self.problem.residents.many(hosts)
        found: Places = guests[self.problem.fate[guests] == Fate.STUCK]
        return found

    def choose(self, hosts: Places, landing: Places, most: int | None = None) -> Choice:
        """As many of these hosts as slots and room allow, in their order. `landing`: where each guest was to land (NONE: anywhere)."""
        return _Given(self.problem, landing).choose(hosts, UNLIMITED if most is None else most)

    def plan(self, choice: WaveChoice, part_of: PartOf, *, digest: str, in_place: Iterable[GuestName] = ()) -> Plan:
        """The plan of a wave. Of guests on hosts that are on the target already, those of `in_place` boot with their pins."""
        problem, boots = self.problem, self._boots_of(choice, set(in_place))
        trial = timed(problem, [choice], boots)
        layout = Layout(problem, [choice], trial.legs, trial.times, boots)
        begins_min = first_opening_min(problem.fleet.policy)
        columns = held_back(problem, layout.columns(), begins_min)
        ((hosts, (first, last)),) = zip(layout.wave_hosts(), layout.wave_spans(), strict=True)
        names = problem.hosts.names
        bounds = _bounds(problem, choice, int(columns.end_s.max(initial=0)))
        made = Plan(
            inventory_digest=digest,
            target=problem.fleet.target,
            begins_min=begins_min,
            status=PlanStatus.OPTIMAL if bounds.makespan_s.met else PlanStatus.WITHIN_GAP,
            waves=(Wave(number=1, hosts=tuple(names[host] for host in hosts.tolist()), steps=Steps(columns, first, last)),),
            pins=layout.pins(),
            critical_path=critical_path(columns),
            bounds=bounds,
            on_failure=problem.fleet.policy.on_failure,
            placement=Placement(problem.guests.names, names, problem.guests.on),
            extra_moves=_extra_moves(problem, choice),
            skipped=skipped(problem),
            sites=sites(problem.fleet),
            part_of=part_of,
        )
        return with_ways_back(problem.fleet, problem.classes, made, problem.columns)

    def _boots_of(self, choice: WaveChoice, in_place: set[GuestName]) -> Boots:
        boots, names = self.boots, self.problem.guests.names
        goes = np.zeros(len(self.problem.hosts.names), np.bool_)
        goes[choice.hosts] = True
        here = goes[self.problem.guests.on[boots.guests]]
        there = np.array([names[guest] in in_place for guest in boots.in_place.tolist()], np.bool_)
        return Boots(boots.guests[here], boots.boot[here], boots.in_place[there], boots.boot_in_place[there], boots.boots)


def _bounds(problem: Problem, choice: WaveChoice, makespan_s: int) -> Bounds:
    """What no wave of these hosts undercuts."""
    moves, longest_s = len(choice.guests), int(problem.away_s[choice.hosts].max())
    return Bounds(
        moves=Bound(plan=moves, bound=moves, by=ONCE),
        waves=Bound(plan=1, bound=1, by="count"),
        makespan_s=Bound(plan=makespan_s, bound=longest_s, by="longest host"),
    )


def _extra_moves(problem: Problem, choice: WaveChoice) -> tuple[ExtraMoves, ...]:
    """Guests that land on old hosts, and must move again."""
    pools = problem.hosts.pool[choice.goals[~problem.upgraded[choice.goals]]]
    return tuple(
        ExtraMoves(pool=problem.hosts.pool_names[pool], moves=int((pools == pool).sum()), why=WhyTwice.NO_ROOM)
        for pool in np.unique(pools).tolist()
    )


class _Given(Following):
    """A search that makes one wave, of hosts that are given."""

    def __init__(self, problem: Problem, landing: Places) -> None:
        super().__init__(problem, Hints([], [], [], landing))

    def choose(self, hosts: Places, most: int) -> Choice:
        """First the hosts whose guests can land where they were to; then what room is left goes to the others as in any search."""
        wave = Making(Budget.of_wave(self.problem, np.zeros(len(self._left), np.bool_), most))
        ok = wave.budget.admits(hosts)
        admitted = hosts[ok]
        wave.hosts.append(self._follow(admitted))
        wave.budget.take(wave.all_hosts)
        others = admitted[~np.isin(admitted, wave.all_hosts)]
        pools = self.problem.hosts.pool[others]
        for pool in np.unique(pools).tolist():
            self._take(pool, others[pools == pool], others[pools == pool], wave)
        chosen = wave.all_hosts
        if not len(chosen):
            chosen = self._seed_first(admitted)
        if not len(chosen):
            return Choice(None, hosts[~ok], admitted)
        self._settle(chosen)
        return Choice(self.waves[0], hosts[~ok], admitted[~np.isin(admitted, chosen)])

    def _follow(self, hosts: Places) -> Places:
        """The same hosts as far as their guests land where they were to, or beside others: whole hosts are left to whole hosts."""
        homeless = [hosts[:0]]
        for pool, guests in self._by_pool(self._land_again(self.occupancy.movers.many(hosts), hosts)):
            opened = self._open(pool)
            homeless.append(self._pack(guests, opened[~np.isin(opened, self.occupancy.whole(opened))]))
        lost = np.unique(self.occupancy.at[np.concatenate(homeless)])
        self._withdraw(self.occupancy.movers.many(lost))
        return hosts[~np.isin(hosts, lost)]

    def _seed_first(self, hosts: Places) -> Places:
        """Empty the host with the fewest guests, where need be onto old hosts of its pool."""
        for host in fewest_first(self.occupancy, hosts)[:MOST_SEEDS_TRIED].tolist():
            members = self.problem.pool_hosts.one(int(self.problem.hosts.pool[host]))
            old = self._old(members[self._left[members] & (members != host)])
            guests = self.occupancy.movers.one(host)
            homeless = self._pack(self._pack(guests, members[self.occupancy.open[members]]), old)
            if not len(homeless):
                return np.array([host], np.int32)
            self._withdraw(guests)
        return hosts[:0]
