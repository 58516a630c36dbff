"""The judge: every invariant afresh, from the plan and the fleet alone.

Shared with whoever made the plan are the values of a plan, the durations and the verdicts; nothing else is believed. A check is a function
per invariant; `CHECKS` has one for every row of `rollout.invariants`, and a test breaks each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from fleetplan.fleet.model import Fleet
from fleetplan.judge import document, guests, hosts
from fleetplan.judge.case import Case
from fleetplan.migration.classes import ClassTable
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
    InvariantId.AFTER: document.after,
    InvariantId.DURATION: document.duration,
    InvariantId.WAVES: document.waves,
    InvariantId.GATES: document.gates,
    InvariantId.PLACEMENT: guests.placement,
    InvariantId.LANDING: hosts.landing,
    InvariantId.POOL: guests.pool,
    InvariantId.ALLOWED: guests.allowed,
    InvariantId.MIGRATABLE: guests.migratable,
    InvariantId.RESTARTABLE: guests.restartable,
    InvariantId.VERDICT: guests.verdict,
    InvariantId.PSCI_MAX: guests.psci_max,
    InvariantId.PINS: guests.pins,
    InvariantId.CAPACITY: hosts.capacity,
    InvariantId.RESERVE: hosts.reserve,
    InvariantId.APART: hosts.apart,
    InvariantId.UNAVAILABLE: hosts.unavailable,
    InvariantId.STREAMS: hosts.streams,
    InvariantId.DRAINED: hosts.drained,
    InvariantId.CORDONED: hosts.cordoned,
    InvariantId.UPGRADED: hosts.upgraded,
    InvariantId.RUNNING: guests.running,
    InvariantId.CLAIMS: document.claims,
}


def verify(fleet: Fleet, classes: ClassTable, plan: Plan, *, digest: str) -> list[Violation]:
    """Judge a plan; sorted, empty if it passes. O(steps log steps + hosts + guests)."""
    case = Case(fleet, classes, plan, digest)
    first = [violation for check in FIRST.values() for violation in check(case)]
    if first:
        return sorted(first)
    rest = (check for name, check in CHECKS.items() if name not in FIRST)
    return sorted(violation for check in rest for violation in check(case))
