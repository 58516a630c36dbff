"""The judge: every invariant afresh, from the plan and the fleet alone.

Shared with whoever made the plan are the values of a plan, the durations and the verdicts; nothing else is believed. A check is a function
per invariant; `CHECKS` has one for every row of `rollout.invariants`, and a test breaks each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from fleetplan.fleet.model import Fleet
from fleetplan.judge import apart, claims, document, firmware, groups, guests, hosts, limits, room, waiting, windows
from fleetplan.judge.case import Case
from fleetplan.migration.classes import ClassTable
from fleetplan.rollout.columns import FleetColumns
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import Plan

Check = Callable[[Case], Iterator[Violation]]

FIRST: Mapping[InvariantId, Check] = {
    InvariantId.INVENTORY: document.inventory,
    InvariantId.STEPS: document.steps,
    InvariantId.ORDER: document.order,
}
"""If one of these is broken, the plan's words have no meaning, and the other checks are not run."""

CHECKS: Mapping[InvariantId, Check] = {
    **FIRST,
    InvariantId.AFTER: waiting.after,
    InvariantId.DURATION: document.duration,
    InvariantId.WAVES: lambda case: chain(document.waves(case), limits.wide_waves(case)),
    InvariantId.GATES: document.gates,
    InvariantId.PLACEMENT: guests.placement,
    InvariantId.LANDING: guests.landing,
    InvariantId.POOL: guests.pool,
    InvariantId.ALLOWED: guests.allowed,
    InvariantId.MIGRATABLE: guests.migratable,
    InvariantId.RESTARTABLE: guests.restartable,
    InvariantId.VERDICT: firmware.verdict,
    InvariantId.PSCI_MAX: firmware.psci_max,
    InvariantId.PINS: firmware.pins,
    InvariantId.CAPACITY: room.capacity,
    InvariantId.RESERVE: room.reserve,
    InvariantId.APART: apart.apart,
    InvariantId.TOGETHER: groups.together,
    InvariantId.UNAVAILABLE: limits.unavailable,
    InvariantId.STREAMS: limits.streams,
    InvariantId.DISRUPTED: groups.disrupted,
    InvariantId.LAST: hosts.last,
    InvariantId.CONVERGES: guests.converges,
    InvariantId.WINDOWS: windows.windows,
    InvariantId.DRAINED: hosts.drained,
    InvariantId.CORDONED: hosts.cordoned,
    InvariantId.UPGRADED: hosts.upgraded,
    InvariantId.RUNNING: guests.running,
    InvariantId.CLAIMS: claims.claims,
}


def verify(fleet: Fleet, classes: ClassTable, plan: Plan, *, digest: str, columns: FleetColumns | None = None) -> list[Violation]:
    """Judge a plan; sorted, empty if it passes. O(steps log steps + hosts + guests).

    `columns` are those of the fleet, where they have been made already.
    """
    case = Case(fleet, classes, plan, digest, columns)
    first = [violation for check in FIRST.values() for violation in check(case)]
    if first:
        return sorted(first)
    rest = (check for name, check in CHECKS.items() if name not in FIRST)
    return sorted(violation for check in rest for violation in check(case))
