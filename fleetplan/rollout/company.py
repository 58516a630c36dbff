"""Whether a host has company: without another host in its pool nobody leaves it, or comes back to it later."""

from __future__ import annotations

import numpy as np

from fleetplan.rollout.columns import Numbers, Places
from fleetplan.rollout.history import NEVER


def company_since(pool: Places, since: Numbers) -> Numbers:
    """For each host, since when another one of its pool takes guests; NEVER if none does.

    `since` is when each host itself begins to (NEVER: it does not). O(hosts log hosts).
    """
    order = np.lexsort((since, pool))
    by_pool = pool[order]
    first = np.flatnonzero(np.concatenate(([True], by_pool[1:] != by_pool[:-1]))) if len(pool) else np.zeros(0, np.int64)
    sizes = np.diff(np.append(first, len(pool)))
    found = np.repeat(since[order][first], sizes)
    second = np.minimum(first + 1, len(pool) - 1)
    found[first] = np.where(sizes > 1, since[order][second], NEVER)
    company = np.empty(len(pool), np.int64)
    company[order] = found
    return company
