"""How many hosts to empty onto old ones in the first wave: moves that are spent to have fewer waves, or to end sooner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetplan.planner.bounds import Floor
from fleetplan.planner.budget import UNLIMITED, Budget
from fleetplan.planner.occupancy import Occupancy, fewest_first
from fleetplan.planner.problem import Problem
from fleetplan.rollout.columns import Places

Seeds = dict[int, int]
"""By pool, hosts that are emptied onto old ones in the first wave, beside those that nobody has to leave."""


@dataclass(frozen=True, slots=True, eq=False)
class Seedbed:
    """What seeds a problem has room for. `most`: by pool, hosts of the first wave, less those that take guests anyway.

    `cost`: by pool, the guests that move twice for so many seeds, from 0 on.
    """

    most: Seeds
    cost: dict[int, list[int]]

    def of_share(self, per_mille: int) -> Seeds:
        """That share of the most, rounded up."""
        return {pool: -(-most * per_mille // 1000) for pool, most in self.most.items() if most}

    def within(self, moves: int) -> Seeds:
        """The greatest share of the most that costs no more than so many moves."""
        low, high = 0, 1000
        while low < high:
            middle = (low + high + 1) // 2
            if self._cost(self.of_share(middle)) <= moves:
                low = middle
            else:
                high = middle - 1
        return self.of_share(low)

    def _cost(self, seeds: Seeds) -> int:
        return sum(self.cost[pool][count] for pool, count in seeds.items())


def seedbed(problem: Problem) -> Seedbed:
    """The most seeds of each pool, and what they cost at most."""
    occupancy = Occupancy(problem)
    pools = [pool for pool in range(len(problem.hosts.pool_names)) if problem.pending[problem.pool_hosts.one(pool)].any()]
    hosts = [_pending(problem, pool) for pool in pools]
    budget = Budget.of_wave(problem, np.zeros(len(problem.pending), np.bool_), UNLIMITED)
    shares = budget.share_out([fewest_first(occupancy, each) for each in hosts], [len(each) for each in hosts])
    most: Seeds = {}
    cost: dict[int, list[int]] = {}
    for pool, share in zip(pools, shares, strict=True):
        movers = occupancy.mover_count[share]
        opened = problem.pool_hosts.one(pool)
        idle = int((movers == 0).sum()) + len(occupancy.whole(opened))
        busy = movers[movers > 0]
        most[pool] = max(min(len(share) - idle, len(busy)), 0)
        cost[pool] = [0, *np.cumsum(busy).tolist()]
    return Seedbed(most, cost)


def for_waves(floor: Floor, bed: Seedbed, waves: int) -> list[Seeds]:
    """Seeds with which a rollout may have no more than so many waves, the fewest first, as the bound on growth has it."""
    low, high = 0, 1000
    while low < high:
        middle = (low + high) // 2
        if floor.waves_with(bed.of_share(middle)) <= waves:
            high = middle
        else:
            low = middle + 1
    shares = dict.fromkeys((low, (low + 1000) // 2, 1000))
    return [bed.of_share(share) for share in shares]


def _pending(problem: Problem, pool: int) -> Places:
    hosts = problem.pool_hosts.one(pool)
    pending: Places = hosts[problem.pending[hosts]]
    return pending
