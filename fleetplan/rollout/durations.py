"""How long steps are forecast to take. Whole seconds, rounded up, the same for planner, judge and bounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fleetplan.fleet.policy import Converge
from fleetplan.rollout.copying import SLOWEST_SHARE

CHECK_S = 10
"""From the first answer of an upgraded host to the comparison of what it offers with what was assumed."""
STOP_S = 30
"""Orderly shutdown of a guest."""
START_S = 30
"""Cold boot of a guest."""
PIN_S = 1
"""Change of a guest's VMM configuration."""
CORDON_S = 0
UNCORDON_S = 1
"""A call to the orchestrator. Not 0: what frees something takes time, so that at equal times it comes before what takes it."""
BACK_S = CHECK_S + UNCORDON_S
"""From the first answer of an upgraded host until it takes guests again."""


def migrations_s(memory_mib: NDArray[np.int64], dirty_mib_s: NDArray[np.int64], link_mib_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """`migration_s` for many at once; the link's rate is that of its slower end."""
    rate = (link_mib_s - dirty_mib_s).clip(min=(-(-link_mib_s // SLOWEST_SHARE)).clip(min=1))
    seconds: NDArray[np.int64] = (-(-memory_mib // rate)).clip(min=1)
    return seconds


def copies_end(
    memory_mib: NDArray[np.int64], dirty_mib_s: NDArray[np.int64], link_mib_s: NDArray[np.int64], converge: Converge
) -> NDArray[np.bool_]:
    """`copy_ends` for many at once. What ends over a link also ends over a faster one."""
    ends = (link_mib_s - dirty_mib_s >= -(-link_mib_s // SLOWEST_SHARE)) | converge.throttle
    if converge.within_s is not None:
        ends &= migrations_s(memory_mib, dirty_mib_s, link_mib_s) <= converge.within_s
    return ends


def best_links(bandwidth_mib_s: NDArray[np.int64], pool: NDArray[np.int32], serving: NDArray[np.bool_]) -> NDArray[np.int64]:
    """By host, the rate of the fastest link to any other host of its pool that serves; 0 where there is no other."""
    first = np.zeros(int(pool.max(initial=-1)) + 1, np.int64)
    np.maximum.at(first, pool[serving], bandwidth_mib_s[serving])
    fastest = serving & (bandwidth_mib_s == first[pool])
    alone = np.bincount(pool[fastest], minlength=len(first)) == 1
    second = np.zeros(len(first), np.int64)
    others = serving & ~(fastest & alone[pool])
    np.maximum.at(second, pool[others], bandwidth_mib_s[others])
    found: NDArray[np.int64] = np.minimum(bandwidth_mib_s, np.where(fastest & alone[pool], second[pool], first[pool]))
    return found


def drain_s(memory_mib: int, bandwidth_mib_s: int) -> int:
    """Least seconds in which one stream of `bandwidth_mib_s` carries `memory_mib` away: for bounds."""
    return memory_mib // max(bandwidth_mib_s, 1)
