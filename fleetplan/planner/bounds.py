"""What no plan can undercut, for the same fleet, policy and gates. One function per bound, with the argument why it is one.

Some hold for every plan, some for plans with the fewest moves that are possible (`Among`). They are taken over the hosts that the plan
upgrades. A wave is a set of hosts that can be away together, so it has no more hosts of a place than that has slots.

Notation: hosts h with load(h), what the guests take that must leave; room(h), what landings may take of it once those have left; away(h),
the least time from cordon to uncordon; M, the slots of a place. Sources: planning study, section 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fleetplan.planner.problem import Fate, Problem, Slots
from fleetplan.planner.steps import gates_after, soak_s
from fleetplan.rollout.columns import Flags, Numbers, Places
from fleetplan.rollout.durations import BACK_S, STOP_S
from fleetplan.rollout.plan import Among, Bound, Bounds

MEMORY = 1
"""The resource that is copied."""

MOST_STEPS = 200
"""So many reboots one after the other are looked at."""

ONCE, TWICE = "each guest once", "first hosts twice"


Named = tuple[int, str]
"""A bound and its name."""


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """What the bounds ask of a pool: its hosts that are upgraded, by load; and what room there is before."""

    hosts: Places
    load: Numbers
    room: Numbers
    free: Numbers
    """What landings may take of hosts that are on the target."""
    movers: Numbers


class Floor:
    """The bounds of one problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.hosts: Places = np.flatnonzero(problem.pending).astype(np.int32)
        self.gates = problem.fleet.policy.gates

    def bounds(self, moves: int, waves: int, makespan_s: int) -> Bounds:
        """The best bound of each kind. Those for plans with the fewest moves count only for a plan that has no more."""
        fewest = self.moves
        count = self.waves_by_count
        waves_among, waves_bound = Among.ALL_PLANS, (count, "count")
        times_among, time_bound = Among.ALL_PLANS, self.time_bound(count)
        if moves == fewest[0]:
            growth = self.waves_by_growth
            if growth is not None and growth > count:
                waves_among, waves_bound = Among.FEWEST_MOVES, (growth, "growth")
            grown = max(self.time_bound(self.waves), self.time_by_growth)
            if grown[0] > time_bound[0]:
                times_among, time_bound = Among.FEWEST_MOVES, grown
        return Bounds(
            moves=Bound(plan=moves, bound=fewest[0], by=fewest[1]),
            waves=Bound(plan=waves, bound=waves_bound[0], by=waves_bound[1], among=waves_among),
            makespan_s=Bound(plan=makespan_s, bound=time_bound[0], by=time_bound[1], among=times_among),
        )

    def time_bound(self, waves: int) -> Named:
        """The greatest of the bounds on time that hold for every plan, `waves` being a bound on waves."""
        if not len(self.hosts):
            return 0, "nothing"
        soaks = self.soaks_s(waves)
        found = [(self.longest_host, "longest host"), (self.area, "area"), (self.room_area, "room")]
        found = [(seconds + soaks, name) for seconds, name in found]
        if any(rule.after is None for rule in self.gates):
            found.append((self.barriers + soaks, "barriers"))
        return max(found)

    @property
    def movers(self) -> int:
        """Guests that must move."""
        return sum(int(pool.movers.sum()) for pool in self._pools)

    @cached_property
    def _pools(self) -> list[_Pool]:
        problem = self.problem
        on, size = problem.guests.on, problem.guests.size
        moving = problem.fate == Fate.MOVE
        total, resources = len(problem.hosts.names), range(size.shape[1])
        load = np.stack([np.bincount(on[moving], size[moving, resource], total) for resource in resources], axis=1).astype(np.int64)
        used = np.stack([np.bincount(on, size[:, resource], total) for resource in resources], axis=1).astype(np.int64)
        count = np.bincount(on[moving], minlength=total)
        free = np.maximum(problem.room - used, 0)
        room = np.maximum(problem.room - used + load, 0)
        found = []
        for pool in range(len(problem.hosts.pool_names)):
            members = problem.pool_hosts.one(pool)
            hosts, done = members[problem.pending[members]], members[problem.upgraded[members]]
            if len(hosts):
                found.append(_Pool(hosts, load[hosts], room[hosts], free[done].sum(axis=0), count[hosts]))
        return found

    # --- moves --------------------------------------------------------------------------------------------------------------------

    @cached_property
    def moves(self) -> Named:
        """Every guest that must leave its host moves once; and where the first host with guests cannot be emptied onto upgraded ones, more.

        Before the first host that has guests to move is empty, a pool has no upgraded room but on hosts that are upgraded already, and on
        those that have nobody to move. The guests of that host that do not fit there even if sizes were divisible go to old hosts, and move
        again. The least of them over all hosts that could be the first is needed in every plan.
        """
        twice = sum(self.twice.values())
        return self.movers + twice, TWICE if twice else ONCE

    @cached_property
    def twice(self) -> dict[int, int]:
        """By pool that is upgraded, moves beyond one a guest that every plan has."""
        return {int(self.problem.hosts.pool[pool.hosts[0]]): self._twice(pool) for pool in self._pools}

    def _twice(self, pool: _Pool) -> int:
        idle = pool.movers == 0
        busy = np.flatnonzero(~idle)
        room = pool.free + pool.room[idle].sum(axis=0)
        if not len(busy) or (pool.load[busy] <= room).all(axis=1).any():
            return 0
        return min(self._left_over(int(pool.hosts[place]), room) for place in busy.tolist())

    def _left_over(self, host: int, room: Numbers) -> int:
        """How many guests of a host find no place in some room, at least: the smallest of each resource go first."""
        problem = self.problem
        guests = problem.residents.one(host)
        size = np.sort(problem.guests.size[guests[problem.fate[guests] == Fate.MOVE]], axis=0)
        fit = (np.cumsum(size, axis=0) <= room).sum(axis=0)
        return len(size) - int(fit.min())

    @property
    def waves(self) -> int:
        """The bound on waves for plans with the fewest moves."""
        return max(self.waves_by_count, self.waves_by_growth or 0)

    # --- waves --------------------------------------------------------------------------------------------------------------------

    @cached_property
    def waves_by_count(self) -> int:
        """No wave has more hosts of a place than its slots, nor than a canary gate allows; who makes room goes before who needs it.

        In a pool without upgraded hosts, hosts with guests to move cannot all go in the first wave: their guests need an upgraded host, or
        an old one that goes later.
        """
        if not len(self.hosts):
            return 0
        counts = [1]
        for slots in self.problem.slots:
            there = np.bincount(slots.place[self.hosts], minlength=len(slots.limit))
            some = (there > 0) & (slots.most > 0)
            counts += (-(-there[some] // slots.most[some])).tolist()
        counts.append(1 + any(pool.movers.any() and not self._has_upgraded(pool) for pool in self._pools))
        return max(*counts, self._waves_by_canary())

    def _has_upgraded(self, pool: _Pool) -> bool:
        problem = self.problem
        members = problem.pool_hosts.one(int(problem.hosts.pool[pool.hosts[0]]))
        return bool(problem.upgraded[members].any())

    def _waves_by_canary(self) -> int:
        """Hosts that the gates leave to each of the first waves, the rest in one."""
        left, number = len(self.hosts), 0
        while left > 0:
            number += 1
            limits = [rule.hosts for rule in self.gates if rule.hosts and (rule.after is None or number <= rule.after)]
            left -= min(limits, default=left)
        return number

    @cached_property
    def waves_by_growth(self) -> int | None:
        """Where each guest moves once, a wave drains no more than fits into what was upgraded in the waves before.

        As if sizes were divisible, and each resource by itself: with room R, no more hosts are drained than the smallest loads that sum
        up to R; and d upgraded hosts make no more room than the d largest rooms. Both grow with what they are given, so the recursion
        gives the most hosts of a pool that can be upgraded after k waves; and of a place no more than all its pools together, nor than M
        a wave. The first host of a pool, where it must be emptied onto old ones, needs none of that room. None: not even so is there a
        plan.
        """
        if not len(self.hosts):
            return 0
        after = [self._growth(pool) for pool in self._pools]
        return None if None in after else self._waves_after(after)

    def waves_with(self, seeds: Mapping[int, int]) -> int:
        """The bound of `waves_by_growth` where the first wave empties so many hosts of each pool onto old ones; very many if it is None."""
        pools = [(pool, int(self.problem.hosts.pool[pool.hosts[0]])) for pool in self._pools]
        after = [self._growth(pool, seeds.get(number, 0)) for pool, number in pools]
        return MOST_STEPS if None in after else max(self._waves_after(after), self.waves_by_count)

    def _waves_after(self, after: list[list[int] | None]) -> int:
        """Waves by what pools can have done after each wave."""
        steps: list[list[int]] = [each for each in after if each is not None]
        return max(
            *map(len, steps),
            *(self._waves_of_place(slots, place, steps) for slots in self.problem.slots for place in slots.used(self.hosts)),
            1,
        )

    def _growth(self, pool: _Pool, seeds: int = 0) -> list[int] | None:
        """The most hosts of a pool that are upgraded after wave 1, 2, ..., if the first empties some onto old ones."""
        fit, most = _Fit.of(pool), self._most_at_once(pool.hosts)
        beside = seeds or int(self._twice(pool) > 0)
        done, steps = 0, []
        while done < len(pool.hosts):
            able = min(fit.hosts(pool.free, done) + beside, len(pool.hosts), done + most)
            if able <= done:
                return None
            done = able
            steps.append(done)
        return steps

    def _waves_of_place(self, slots: Slots, place: int, after: list[list[int]]) -> int:
        """Waves until all hosts of a place can be upgraded, with its slots, by what its pools can."""
        inside = slots.place == place
        counts = [int(inside[pool.hosts].sum()) for pool in self._pools]
        total, done, wave = sum(counts), 0, 0
        while done < total:
            able = sum(min(steps[min(wave, len(steps) - 1)], count) for steps, count in zip(after, counts, strict=True))
            done = min(able, done + int(slots.most[place]))
            wave += 1
        return wave

    def _most_at_once(self, hosts: Places) -> int:
        """The most hosts of a pool in one wave: as many as the places in which it has hosts have slots."""
        found = len(hosts)
        for slots in self.problem.slots:
            there = np.bincount(slots.place[hosts], minlength=len(slots.limit))
            found = min(found, int(np.minimum(there, slots.most).sum()))
        return found

    # --- time ---------------------------------------------------------------------------------------------------------------------

    @cached_property
    def longest_host(self) -> int:
        """The plan is not shorter than any host is away."""
        return int(self.problem.away_s[self.hosts].max(initial=0))

    @cached_property
    def area(self) -> int:
        """In each place: the times that its hosts are away, summed up, fit into its slots. While a gate soaks nobody is away."""
        shares = [0]
        for slots in self.problem.slots:
            away = np.bincount(slots.place[self.hosts], self.problem.away_s[self.hosts], len(slots.limit)).astype(np.int64)
            some = slots.most > 0
            shares += (-(-away[some] // slots.most[some])).tolist()
        return max(shares)

    @cached_property
    def room_area(self) -> int:
        """In each pool: hosts that reboot hold no guests that move, so their rooms fit into what is free of the whole pool at any time.

        What is free is the room of all hosts that serve, less the guests that move (each is somewhere, at every time) and those that
        stay. A host is without guests for its reboot and check at least. So sum(room x reboot) <= free x time, for each resource.
        """
        problem, shares = self.problem, [0]
        for pool in self._pools:
            empty_s = (problem.hosts.reboot_s[pool.hosts] + BACK_S)[:, None]
            free = pool.free + pool.room.sum(axis=0) + self._slack(pool) - pool.load.sum(axis=0)
            area = (pool.room * empty_s).sum(axis=0)
            some = free > 0
            shares += (-(-area[some] // free[some])).tolist()
        return max(shares)

    def _slack(self, pool: _Pool) -> Numbers:
        """What over-committed hosts hold beyond their room, and what old hosts of the pool that are not upgraded may take as seeds."""
        problem = self.problem
        members = problem.pool_hosts.one(int(problem.hosts.pool[pool.hosts[0]]))
        others = members[~problem.pending[members] & ~problem.upgraded[members]]
        slack: Numbers = np.maximum(pool.load - pool.room, 0).sum(axis=0) + problem.room[others].sum(axis=0)
        return slack

    @cached_property
    def barriers(self) -> int:
        """With a gate after every wave: the k-th longest wave of a place lasts as long as its (k M + 1)-th longest host, k from 0.

        k waves have at most k M hosts, so one of the k M + 1 longest is in another wave, which is no shorter.
        """
        found = [0]
        for slots in self.problem.slots:
            place = slots.place[self.hosts]
            order = np.lexsort((-self.problem.away_s[self.hosts], place))
            away, place = self.problem.away_s[self.hosts][order], place[order]
            starts = np.searchsorted(place, place)
            heads = (np.arange(len(place)) - starts) % np.maximum(slots.most[place], 1) == 0
            found.append(int(np.bincount(place[heads], away[heads]).max(initial=0)))
        return max(found)

    @cached_property
    def time_by_growth(self) -> Named:
        """Where each guest moves once, and no pool needs a seed: few hosts are away to any purpose before there is room.

        Let r be the shortest reboot with check and uncordon. A host that is open at a time was empty r before. So before (k + 1) r no
        more hosts of a pool are empty than G(k), where G(0) fit into the room that is there, and G(k) into that and what G(k - 1) hosts
        leave (the recursion of `waves_by_growth`, without slots). Until then, of the times that the hosts of a place are away, has passed
        to any purpose: the reboots of G(k) hosts, and the copies for which there was room. The rest takes its M slots from then on.
        """
        problem, best = self.problem, 0
        if len(self.hosts) and self.moves[1] == ONCE:
            shortest = int((problem.hosts.reboot_s[self.hosts] + BACK_S).min())
            for slots in problem.slots:
                for place in slots.used(self.hosts):
                    hosts = self.hosts[slots.place[self.hosts] == place]
                    best = max(best, self._grown(hosts, int(slots.most[place]), shortest))
        return best + (self.soaks_s(self.waves_by_count) if best else 0), "growth"

    def _grown(self, hosts: Places, most: int, shortest: int) -> int:
        problem = self.problem
        inside = np.zeros(len(problem.hosts.names), np.bool_)
        inside[hosts] = True
        pools = [(pool, _Fit.of(pool), int(inside[pool.hosts].sum())) for pool in self._pools if inside[pool.hosts].any()]
        tails = problem.hosts.reboot_s[hosts] + BACK_S + STOP_S
        reboots = np.concatenate(([0], np.cumsum(-np.sort(-tails))))
        total, slowest = int(problem.away_s[hosts].sum()), self._slowest(inside)
        best, before = 0, [0] * len(pools)
        for step in range(1, MOST_STEPS):
            empty = [fit.hosts(pool.free, done) for (pool, fit, _), done in zip(pools, before, strict=True)]
            drained = sum(min(count, of) for count, (_, _, of) in zip(empty, pools, strict=True))
            room = sum(int(pool.free[MEMORY] + fit.rooms[done, MEMORY]) for (pool, fit, _), done in zip(pools, before, strict=True))
            rest = total - int(reboots[drained]) - int(np.ceil(room * slowest))
            bound = step * shortest + -(-rest // most)
            if rest <= 0 or bound <= best:
                break
            best, before = bound, empty
        return best

    def _slowest(self, inside: Flags) -> float:
        """The most seconds a MiB that any guest of some hosts takes to copy."""
        problem = self.problem
        movers = np.flatnonzero((problem.fate == Fate.MOVE) & inside[problem.guests.on])
        on = problem.guests.on[movers]
        return float((problem.copies_s(movers, on, on) / np.maximum(problem.guests.size[movers, MEMORY], 1)).max(initial=0))

    def soaks_s(self, waves: int) -> int:
        """Gates between the waves that there must be."""
        return sum(soak_s(rules) for rules in gates_after(self.problem, waves).values())


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """How many hosts of a pool fit into some room, as if sizes were divisible; and how much room so many of them make."""

    loads: Numbers
    """Of each resource the loads, the smallest first, summed up."""
    rooms: Numbers
    """Of each resource the rooms, the largest first, summed up, from 0 on."""
    idle: int
    """Hosts that nobody has to leave."""

    @classmethod
    def of(cls, pool: _Pool) -> _Fit:
        """Sorted once."""
        loads = np.cumsum(np.sort(pool.load, axis=0), axis=0)
        rooms = np.cumsum(-np.sort(-pool.room, axis=0), axis=0)
        return cls(loads, np.concatenate((np.zeros((1, pool.room.shape[1]), np.int64), rooms)), int((pool.movers == 0).sum()))

    def hosts(self, free: Numbers, done: int) -> int:
        """The most hosts that can be drained when `done` of them are upgraded, and `free` was there before."""
        room = free + self.rooms[done]
        return min(int(np.searchsorted(self.loads[:, resource], room[resource], "right")) for resource in range(len(room)))
