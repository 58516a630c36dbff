"""Hosts whose guests cannot all find a place, seen for many hosts at once, without packing any."""

from __future__ import annotations

import numpy as np

from fleetplan.planner.amounts import rows
from fleetplan.planner.grouping import distinct
from fleetplan.planner.occupancy import Occupancy
from fleetplan.rollout.columns import Flags, Numbers, Places

MOST_STEPS = 24
"""Sizes that guests are counted by, the largest first."""


def misfits(occupancy: Occupancy, hosts: Places, landing: Places) -> Flags:
    """Hosts of which it is certain that their guests do not all fit onto the landing hosts, less the host itself.

    Their guests make more pieces of some size than what is free: a guest that lands takes from a host at least the pieces that it makes
    itself. Rules and verdicts are not asked. The others may fit, or not. O((hosts + guests + landing hosts) x MOST_STEPS).
    """
    found = np.zeros(len(hosts), np.bool_)
    owner = np.repeat(np.arange(len(hosts)), occupancy.movers.count(hosts))
    size = rows(occupancy.size, occupancy.movers.many(hosts))
    own = np.full(len(occupancy.used), len(landing), np.int64)
    own[landing] = np.arange(len(landing))
    own = own[hosts]
    free = occupancy.free(landing)
    for step in _steps(size):
        pieces = np.append(_pieces(free, step), 0)
        found |= np.bincount(owner, _pieces(size, step), len(hosts)) > pieces.sum() - pieces[own]
    return found


def _steps(size: Numbers) -> Numbers:
    """Sizes rounded down to powers of two, each once, the largest first."""
    if not len(size):
        return size
    floor = np.where(size > 0, 1 << np.maximum(np.frexp(size)[1] - 1, 0), 0).astype(np.int64)
    first, _ = distinct(*floor.T)
    steps = floor[first]
    largest: Numbers = steps[np.lexsort((*-steps.T, -(steps / np.maximum(steps.max(axis=0), 1)).max(axis=1)))][:MOST_STEPS]
    return largest


def _pieces(amounts: Numbers, step: Numbers) -> Numbers:
    """How often a size goes into each of some amounts."""
    pieces = np.full(len(amounts), np.iinfo(np.int32).max, np.int64)
    for column, each in zip(amounts.T, step.tolist(), strict=True):
        if each:
            np.minimum(pieces, column // each, out=pieces)
    return pieces
