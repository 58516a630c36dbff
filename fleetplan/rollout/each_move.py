"""Every landing of a plan with what it is about: the guest's class when it goes, and the classes of both hosts then.

`rollout.moves` counts the kinds of migration; this keeps each of them, in columns, for who shows them one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetplan.migration.classes import ClassTable
from fleetplan.rollout.columns import KIND_CODE, Flags, FleetColumns, Numbers, Places, StepColumns, step_columns
from fleetplan.rollout.history import NEVER, arrivals, history
from fleetplan.rollout.plan import Plan, StepKind


@dataclass(frozen=True, slots=True, eq=False)
class EachMove:
    """An entry for each migration, and for each cold boot, by guest, then in the order of time.

    `step` numbers `steps`. `kind` is the guest's class before, `after` its class afterwards; `here` and `there` are the classes that its
    hosts have then. `upgraded`: the destination runs the target by then, and did not when the plan began.
    """

    steps: StepColumns
    step: Places
    kind: Places
    after: Places
    source: Places
    here: Places
    there: Places
    boots: Flags
    upgraded: Flags


def each_move(columns: FleetColumns, classes: ClassTable, plan: Plan) -> EachMove:
    """All landings of a plan that holds. O(steps log steps)."""
    past = history(columns, classes, plan)
    steps = step_columns(plan, columns.hosts.names, columns.guests.names)
    step = arrivals(steps)
    first = np.ones(len(step), np.bool_)
    first[1:] = past.guest[1:] != past.guest[:-1]
    kind = np.where(first, columns.guests.kind[past.guest], np.roll(past.kind, 1))
    source = np.where(first, columns.guests.on[past.guest], np.roll(past.host, 1))
    back = _back_at(columns, steps)
    starts, hosts = steps.start_s[step], columns.hosts
    here, there = (np.where(starts >= back[host], hosts.then[host], hosts.now[host]) for host in (source, past.host))
    upgraded = (starts >= back[past.host]) & ~hosts.on_target[past.host]
    return EachMove(steps, step, kind, past.kind, source, here, there, past.boots, upgraded)


def _back_at(columns: FleetColumns, steps: StepColumns) -> Numbers:
    """When each host runs the target: 0 if it does from the start."""
    upgrades = np.flatnonzero(steps.kind == KIND_CODE[StepKind.UPGRADE])
    back = np.where(columns.hosts.on_target, 0, NEVER)
    back[steps.host[upgrades]] = steps.end_s[upgrades]
    return back
