"""How many guests are exposed now, and after each wave of a plan.

Kept up to date from wave to wave: only guests to which something happened are looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec
import numpy as np

from fleetplan.fleet.model import Fleet
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.standing import Exposures, Pair, Tally, tally
from fleetplan.rollout.audit import GONE
from fleetplan.rollout.columns import Flags, FleetColumns, Numbers, Places, fleet_columns, step_columns
from fleetplan.rollout.history import History, history
from fleetplan.rollout.plan import Plan


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """How many guests are exposed once all steps of the first `wave` waves have ended (0: now), and no other has begun.

    `ends_s` is when the last of them ends, in seconds from the start of the plan.
    """

    wave: int
    ends_s: int
    tally: Tally


def timeline(fleet: Fleet, classes: ClassTable, plan: Plan) -> tuple[Moment, ...]:
    """Every moment of a plan that holds, in order. Guests on hosts that are down or lost count nowhere.

    Complexity: O(guests + steps log steps), and work worth milliseconds per pair of classes.
    """
    columns, known = fleet_columns(fleet, classes), Exposures(classes)
    counts = _counts(fleet, columns, history(columns, classes, plan), len(plan.waves))
    return tuple(
        Moment(wave=wave, ends_s=ends_s, tally=tally((known.of(*pair), number) for pair, number in pairs.items()))
        for wave, (ends_s, pairs) in enumerate(zip(_ends(columns, plan), counts, strict=True))
    )


def _ends(columns: FleetColumns, plan: Plan) -> list[int]:
    """When each moment has come."""
    steps = step_columns(plan, columns.hosts.names, columns.guests.names)
    ends = np.zeros(len(plan.waves) + 1, np.int64)
    np.maximum.at(ends, steps.wave, steps.end_s)
    found: list[int] = np.maximum.accumulate(ends).tolist()
    return found


def _counts(fleet: Fleet, columns: FleetColumns, past: History, waves: int) -> Iterator[Counter[Pair]]:
    """How many guests of each class are on hosts of each class, at every moment."""
    runs = np.array([host.state not in GONE for host in fleet.hosts], np.bool_)
    on, kind = columns.guests.on.copy(), columns.guests.kind.copy()
    where = _class_on(columns, past, on, 0)
    pairs = _pairs(kind, where, runs[on])
    yield +pairs
    order = np.argsort(past.wave, kind="stable")
    starts = np.searchsorted(past.wave[order], np.arange(1, waves + 2))
    for wave in range(1, waves + 1):
        entries = _last(past, order[starts[wave - 1] : starts[wave]])
        guests = past.guest[entries]
        pairs.subtract(_pairs(kind[guests], where[guests], runs[on[guests]]))
        on[guests], kind[guests] = past.host[entries], past.kind[entries]
        where[guests] = _class_on(columns, past, on[guests], wave)
        pairs.update(_pairs(kind[guests], where[guests], runs[on[guests]]))
        yield +pairs


def _last(past: History, entries: Numbers) -> Places:
    """The last entry of each guest; entries are by guest, then in the order of time."""
    guests = past.guest[entries]
    ends = np.ones(len(guests), np.bool_)
    ends[:-1] = guests[1:] != guests[:-1]
    return entries[ends].astype(np.int32)


def _class_on(columns: FleetColumns, past: History, on: Places, wave: int) -> Places:
    """The classes of hosts after a wave."""
    found: Places = np.where(past.upgraded_in[on] <= wave, columns.hosts.then[on], columns.hosts.now[on])
    return found


def _pairs(kind: Places, where: Places, runs: Flags) -> Counter[Pair]:
    """Guests that run, counted by class and class of host."""
    keys, numbers = np.unique(np.stack([kind[runs], where[runs]], axis=1), axis=0, return_counts=True)
    return Counter({(int(guest), int(host)): int(number) for (guest, host), number in zip(keys.tolist(), numbers.tolist(), strict=True)})
