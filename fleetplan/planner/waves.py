"""The search for waves: which hosts in which wave, and where their guests land.

Restricted to plans in which a guest moves once, from an old host to an upgraded one, capacity is a matter of the final assignment:
upgraded hosts only receive. So waves *grow* (hosts with little load first, each making more room than it took) and then *roll*: whole
hosts onto whole hosts. Only where a pool has neither an upgraded nor an empty host, the host with the fewest guests is emptied onto old
ones: a seed.

    invariant of the loop: every wave upgrades at least one host, so there are at most as many waves as hosts
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from fleetplan.planner.amounts import enough, rows, total
from fleetplan.planner.blocks import head_that_fits, in_turn, match, shapes
from fleetplan.planner.budget import Budget, most_of_wave
from fleetplan.planner.failure import Stuck
from fleetplan.planner.grouping import without
from fleetplan.planner.misfits import misfits
from fleetplan.planner.occupancy import Occupancy, fewest_first
from fleetplan.planner.packing import Bins, pack
from fleetplan.planner.problem import Problem
from fleetplan.rollout.columns import NONE, Codes, Flags, Numbers, Places
from fleetplan.rollout.progress import Progress, announce

HELPINGS = 3
"""How often what pools could not use of a wave is handed round."""

PATIENCE = 40
"""Hosts that do not fit before a pool gives up looking for one that does."""

SMALL_POOL = 400
"""In pools with more hosts than this, further hosts are looked for many at a time, where some were found together."""

MOST_SEEDS_TRIED = 200

LONGEST = -1
"""In place of a scarce resource: nothing is scarce, and the hosts that take longest go first."""

CEILING_PER_MILLE = 950
"""How full hosts are filled with single guests, while that costs nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class WaveChoice:
    """What the search decided for one wave: hosts, and for each guest that moves from where to where, with the verdict's code."""

    hosts: Places
    guests: Places
    sources: Places
    goals: Places
    verdicts: Codes


@dataclass(slots=True)
class Making:
    """A wave in the making."""

    budget: Budget
    hosts: list[Places] = field(default_factory=list)
    content: set[int] = field(default_factory=set)
    """Pools that get no second helping: their old hosts take guests in this wave, or they leave late hosts out."""
    homeless: dict[int, Places] = field(default_factory=dict)
    """By pool that could take no host for want of room: the guests of the first host that found none."""

    @property
    def all_hosts(self) -> Places:
        """Hosts that are in the wave."""
        return np.concatenate(self.hosts) if self.hosts else np.zeros(0, np.int32)


class Search:
    """The state of one search.

    `seeds`: by pool, how many hosts to empty onto old ones in the first wave. `most_waves`: up to so many waves, hosts that open late need
    not take another one. `longest_first`: hosts that take longest go first, even where others make more room.
    """

    def __init__(
        self,
        problem: Problem,
        progress: Progress | None = None,
        *,
        seeds: Mapping[int, int] | None = None,
        most_waves: int = 0,
        longest_first: bool = False,
    ) -> None:
        self.problem = problem
        self.occupancy = Occupancy(problem)
        self.waves: list[WaveChoice] = []
        self._progress = progress
        self.seeds = seeds or {}
        self._seeds = dict(self.seeds)
        self._most_waves = most_waves
        self._longest_first = longest_first
        self._orders: dict[tuple[int, int], Places] = {}
        """Hosts of a pool that were pending once, in the order of growing by a scarce resource or LONGEST."""
        self._left: Flags = problem.pending.copy()
        self._total = int(problem.pending.sum())
        self._shape = shapes(problem)
        self._opens_s: Numbers = np.zeros(len(self._left), np.int64)
        """About when each host is open again, if slots are free when they are needed."""
        self._pools = [pool for pool in range(len(problem.hosts.pool_names)) if problem.pending[problem.pool_hosts.one(pool)].any()]

    def run(self) -> Stuck | None:
        """All waves; what it was stuck on, if it was."""
        while True:
            left = np.flatnonzero(self._left)
            announce(self._progress, "waves", self._total - len(left), self._total)
            if not len(left):
                return None
            wave = self._wave()
            if not wave.hosts:
                return Stuck(self.occupancy, np.flatnonzero(self._in_turn), wave.homeless)
            self._settle(wave.all_hosts)

    # --- one wave -----------------------------------------------------------------------------------------------------------------

    def _wave(self) -> Making:
        wave = self._new_wave()
        pools = self._pools
        for _ in range(HELPINGS):
            pending = {pool: self._pending(pool, wave) for pool in pools}
            pools = [pool for pool in pools if len(pending[pool])]
            wishes = [self._wish(pool, pending[pool], wave) for pool in pools]
            grants = wave.budget.share_out(wishes, [len(pending[pool]) for pool in pools])
            used_up = []
            for pool, granted in zip(pools, grants, strict=True):
                if len(granted) and self._take(pool, pending[pool], granted, wave) == len(granted) and pool not in wave.content:
                    used_up.append(pool)
            pools = used_up
        return wave

    def _new_wave(self) -> Making:
        most = most_of_wave(self.problem.fleet.policy, len(self.waves) + 1)
        return Making(Budget.of_wave(self.problem, self.problem.pending & ~self._left, most))

    def _pending(self, pool: int, wave: Making) -> Places:
        """Hosts of a pool that are in no wave yet, and whose turn it is."""
        hosts = self.problem.pool_hosts.one(pool)
        return without(hosts[self._in_turn[hosts]], wave.all_hosts)

    @property
    def _in_turn(self) -> Flags:
        """Hosts that are in no wave yet; of these, those that go last when no others are left."""
        others: Flags = self._left & ~self.problem.last
        return others if others.any() else self._left

    def _open(self, pool: int) -> Places:
        hosts = self.problem.pool_hosts.one(pool)
        return hosts[self.occupancy.open[hosts]]

    def _wish(self, pool: int, pending: Places, wave: Making) -> Places:
        """As many hosts as the pool's free room might take, but one at least when it is first asked."""
        opened = self._open(pool)
        if self._seeds.get(pool):
            idle = int((self.occupancy.mover_count[pending] == 0).sum())
            return fewest_first(self.occupancy, pending)[: idle + self._seeds[pool]]
        hosts, count = self._growing(pending, opened)
        whole = self.occupancy.whole(opened)
        early = self._early(pending, whole)
        if len(early) < min(len(whole), count):
            wave.content.add(pool)
            count = len(early)
        return hosts[: max(count, 0 if wave.hosts else 1)]

    def _early(self, pending: Places, whole: Places) -> Places:
        """Whole hosts that should take another one. Those that open late leave the last hosts to the others, as far as waves allow.

        The time is looked for by which the whole hosts, one after the other on each, have taken all that are pending.
        """
        waves = self._most_waves - len(self.waves)
        if len(whole) * waves <= len(pending):
            return whole
        begins, lasts = self._opens_s[whole], int(self.problem.away_s[pending].mean()) + 1
        low, high = 0, int(begins.max()) + lasts * (waves + 1)
        while low < high:
            middle = (low + high) // 2
            if np.clip((middle - begins) // lasts, 0, waves).sum() >= len(pending):
                high = middle
            else:
                low = middle + 1
        early: Places = whole[begins + lasts <= high]
        return early

    def _growing(self, pending: Places, opened: Places) -> tuple[Places, int]:
        """Hosts in the order in which they make most room for what they take, and how many of them the free room might take.

        Where it might take all of them, or the search is told so, those that take longest come first.
        """
        occupancy = self.occupancy
        load, gain = total(rows(occupancy.load, pending)), total(np.maximum(occupancy.vacated(pending), 1))
        room = total(occupancy.free(opened))
        scarce = LONGEST if self._longest_first or (load <= room).all() else int(np.argmax(load / gain))
        ordered = self._in_order(pending, scarce)
        return ordered, _head(rows(occupancy.load, ordered), room)

    def _in_order(self, pending: Places, scarce: int) -> Places:
        """Pending hosts of one pool, held ones first: by what they take of the scarce resource for what they make room for of it.

        A pool is sorted once, for the numbers of a host stay the same until guests land on it as seeds.
        """
        pool = int(self.problem.hosts.pool[pending[0]])
        if (pool, scarce) not in self._orders:
            hosts = self.problem.pool_hosts.one(pool)
            self._orders[pool, scarce] = self._sorted(hosts[self._left[hosts]], scarce)
        chosen = np.zeros(len(self._left), np.bool_)
        chosen[pending] = True
        ordered = self._orders[pool, scarce]
        return ordered[chosen[ordered]]

    def _sorted(self, hosts: Places, scarce: int) -> Places:
        later = ~self.problem.held[hosts]
        if scarce == LONGEST:
            return hosts[np.lexsort((hosts, -self.problem.expected_s[hosts], later))]
        load, gain = self.occupancy.load[hosts], np.maximum(self.occupancy.vacated(hosts), 1)
        return hosts[np.lexsort((hosts, load.sum(axis=1), load[:, scarce] / gain[:, scarce], later))]

    def _take(self, pool: int, pending: Places, granted: Places, wave: Making) -> int:
        """Take as many hosts of a pool as were granted, or as there is room for; how many that were."""
        problem = self.problem
        budget = wave.budget.within(granted, problem.hosts.zone, len(problem.hosts.zone_names))
        opened = self._open(pool)
        whole = self._early(pending, self.occupancy.whole(opened))
        seeds = self._seeds.pop(pool, 0)
        if seeds:
            wave.content.add(pool)
            taken = self._seed_many(pending, opened, len(granted), budget)
        elif len(whole) >= len(granted):
            used = opened[self._opens_s[opened] <= self._opens_s[whole].max(initial=0)]
            taken = self._roll(pending, used, whole, budget)
        else:
            taken = self._grow(pending, opened, whole, len(granted), budget)
        if len(taken) < len(granted) and not seeds:
            budget.take(taken)
            large = len(pending) > SMALL_POOL and len(taken) > 0
            more, homeless = (self._some_more if large else self._one_by_one)(pending, taken, opened, budget)
            taken = np.concatenate((taken, more))
            if not len(taken) and not np.isin(self.problem.hosts.pool[wave.all_hosts], pool).any():
                wave.content.add(pool)
                taken = self._seed(pending, opened, budget)
                if not len(taken) and homeless is not None:
                    wave.homeless[pool] = homeless
        wave.budget.take(taken)
        wave.hosts += [taken] if len(taken) else []
        return len(taken)

    # --- grow ---------------------------------------------------------------------------------------------------------------------

    def _grow(self, pending: Places, opened: Places, whole: Places, most: int, budget: Budget) -> Places:
        """Fill all free room with the hosts that make most room; fewer hosts, until all their guests find a place."""
        ordered, count = self._growing(pending, opened)
        ordered = ordered[budget.admits(ordered)]
        count = min(count, most, len(ordered))
        while count > len(whole):
            chosen = ordered[:count]
            guests = self.occupancy.movers.many(chosen)
            fewer = max(1, count * 3 // 100)
            homeless = self._pack(guests, opened, whole=fewer == 1)
            lost = np.unique(self.occupancy.at[homeless])
            if len(lost) < fewer:
                self._withdraw(self.occupancy.movers.many(lost))
                return without(chosen, lost)
            self._withdraw(guests)
            count -= fewer
        if not len(whole):
            return ordered[:0]
        budget.most = min(budget.most, len(whole))
        taken = self._roll(pending, opened, whole, budget)
        budget.most = most
        return taken

    def _pack(self, guests: Places, hosts: Places, *, whole: bool = False) -> Places:
        """Land guests as tightly as they go; who found no place (`whole`: whether there is anybody who found none)."""
        return pack(self.occupancy, guests, Bins.of(self.occupancy, hosts), whole=whole)

    def _withdraw(self, guests: Places) -> None:
        self.occupancy.withdraw(guests[self.occupancy.goal[guests] != NONE])

    def _one_by_one(self, pending: Places, taken: Places, opened: Places, budget: Budget) -> tuple[Places, Places | None]:
        """Further hosts that fit, the one with the least load first; and, if nothing is taken, who was the first to find no place."""
        occupancy = self.occupancy
        ordered, _ = self._growing(pending, opened)
        ordered = without(ordered, taken)
        hopeless, admitted = misfits(occupancy, ordered, opened), budget.admits_each(ordered)
        found: list[int] = []
        misses, first_homeless = 0, None
        for place, host in enumerate(ordered.tolist()):
            if misses > PATIENCE or budget.most <= 0:
                break
            if not admitted[place]:
                continue
            told = first_homeless is not None or bool(found) or len(taken) > 0
            if told and hopeless[place]:
                misses += 1
                continue
            guests = occupancy.movers.one(host)
            homeless = self._pack(guests, opened, whole=told)
            if len(homeless):
                first_homeless = homeless if first_homeless is None else first_homeless
                self._withdraw(guests)
                misses += 1
            else:
                budget.take(np.array([host], np.int32))
                admitted = budget.admits_each(ordered)
                found.append(host)
        return np.array(found, np.int32), first_homeless

    def _some_more(self, pending: Places, taken: Places, opened: Places, budget: Budget) -> tuple[Places, Places | None]:
        """As `_one_by_one`, many at a time: half as many after each time that not all fit."""
        ordered, _ = self._growing(pending, opened)
        ordered = without(ordered, taken)
        found: list[Places] = []
        count = budget.most
        while count > 0:
            some = ordered[budget.admits(ordered)][:count]
            guests = self.occupancy.movers.many(some)
            if len(some) and not len(self._pack(guests, opened)):
                budget.take(some)
                found.append(some)
                ordered = without(ordered, some)
                count = min(count, budget.most)
            else:
                self._withdraw(guests)
                count //= 2
        return np.concatenate([np.zeros(0, np.int32), *found]), None

    # --- roll ---------------------------------------------------------------------------------------------------------------------

    def _roll(self, pending: Places, opened: Places, whole: Places, budget: Budget) -> Places:
        """Whole hosts onto whole hosts, all shapes in turn, the longest first; guests that do not fit go where there is room."""
        problem, occupancy = self.problem, self.occupancy
        ordered = pending[in_turn(self._shape[pending], problem.expected_s[pending])]
        ordered = ordered[np.argsort(~problem.held[ordered], kind="stable")]
        chosen = ordered[budget.admits(ordered)]
        goal, fits = match(occupancy, chosen, whole, self._shape, self._opens_s)
        guests = occupancy.movers.many(chosen)
        owner = np.repeat(np.arange(len(chosen)), occupancy.movers.count(chosen))
        spilled = self._land_blocks(guests, owner, goal, fits)
        homeless = self._spill(spilled, opened)
        lost = np.unique(occupancy.at[homeless])
        self._withdraw(occupancy.movers.many(lost))
        return without(chosen, lost)

    def _land_blocks(self, guests: Places, owner: Numbers, goal: Places, fits: Flags) -> Places:
        """Land the guests of matched hosts; those that may not, or do not fit, are left over."""
        problem, occupancy = self.problem, self.occupancy
        there = goal[owner]
        ok = there != NONE
        tight = np.flatnonzero(ok & ~fits[owner])
        if len(tight):
            room = np.zeros((len(goal), problem.room.shape[1]), np.int64)
            matched = np.flatnonzero(goal != NONE)
            room[matched] = occupancy.free(goal[matched])
            ok[tight] = head_that_fits(occupancy.size[guests[tight]], owner[tight], room)
        ok[ok] = self._may_land(guests[ok], there[ok])
        some = np.flatnonzero(ok)
        ok[some[occupancy.clashes(guests[some], there[some])]] = False
        unit = problem.together.unit[guests]
        ok &= (unit == NONE) | ~np.isin(unit, unit[~ok])
        occupancy.enter(guests[ok], there[ok])
        over: Places = guests[~ok]
        return over

    def _may_land(self, guests: Places, hosts: Places) -> Flags:
        problem, occupancy = self.problem, self.occupancy
        source = occupancy.host_class[occupancy.at[guests]]
        allowed, _, _ = problem.hops.look(occupancy.kind[guests], source, occupancy.host_class[hosts])
        for place in np.flatnonzero(problem.choosy[guests]).tolist():
            allowed[place] &= problem.may_land(int(guests[place]))[hosts[place]]
        return allowed

    def _spill(self, guests: Places, opened: Places) -> Places:
        """Land single guests: below the ceiling and spread out first, then wherever they fit; who found no place."""
        if len(guests):
            partly = without(opened, self.occupancy.whole(opened))
            guests = pack(self.occupancy, guests, Bins.of(self.occupancy, partly, CEILING_PER_MILLE), spread=True)
        return self._pack(guests, opened) if len(guests) else guests

    # --- seeds --------------------------------------------------------------------------------------------------------------------

    def _old(self, pending: Places) -> Places:
        if not len(pending):
            return pending
        hosts = self.problem.pool_hosts.one(int(self.problem.hosts.pool[pending[0]]))
        later = hosts[self._left[hosts] & ~self._in_turn[hosts]]
        old: Places = np.concatenate((pending, later))
        return old[~self.problem.cordoned[old]]

    def _seed(self, pending: Places, opened: Places, budget: Budget) -> Places:
        """Empty the host with the fewest guests, where need be onto old hosts: those guests move twice."""
        ordered = fewest_first(self.occupancy, pending)
        ordered = ordered[budget.admits_each(ordered)][:MOST_SEEDS_TRIED]
        old = self._old(pending)
        for host in ordered[~misfits(self.occupancy, ordered, np.concatenate((opened, old)))].tolist():
            guests = self.occupancy.movers.one(host)
            homeless = self._pack(guests, opened)
            homeless = self._pack(homeless, old[old != host], whole=True) if len(homeless) else homeless
            if not len(homeless):
                return np.array([host], np.int32)
            self._withdraw(guests)
        return ordered[:0]

    def _seed_many(self, pending: Places, opened: Places, count: int, budget: Budget) -> Places:
        """Empty several hosts at once, where need be onto old ones; fewer, until all their guests find a place."""
        ordered = fewest_first(self.occupancy, pending)
        ordered = ordered[budget.admits(ordered)]
        old = self._old(pending)
        while count > 0:
            chosen = ordered[:count]
            guests = self.occupancy.movers.many(chosen)
            homeless = self._pack(guests, opened)
            homeless = pack(self.occupancy, homeless, Bins.of(self.occupancy, without(old, chosen)), spread=True)
            if not len(homeless):
                return chosen
            self._withdraw(guests)
            count -= max(1, count // 10)
        return ordered[:0]

    # --- the end of a wave --------------------------------------------------------------------------------------------------------

    def _settle(self, hosts: Places) -> None:
        occupancy = self.occupancy
        guests = occupancy.movers.many(hosts)
        sources, goals = occupancy.at[guests], occupancy.goal[guests]
        verdicts = occupancy.settle(hosts, guests)
        if not occupancy.open[goals].all():
            self._orders.clear()
        begins = np.zeros(len(self._left), np.int64)
        np.maximum.at(begins, sources, self._opens_s[goals])
        self._opens_s[hosts] = begins[hosts] + self.problem.away_s[hosts]
        self._left[hosts] = False
        self.waves.append(WaveChoice(hosts, guests, sources, goals, verdicts))


def _head(load: Numbers, room: Numbers) -> int:
    """How many of some loads, the first ones, fit into a room."""
    return int(np.argmin(np.append(enough(np.cumsum(load, axis=0), room), False)))
