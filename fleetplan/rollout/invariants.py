"""The invariants that every plan keeps: their names, and how a break of one is said. The rows are in `invariant_rows`.

*Continuous* invariants hold at every instant of the plan; *final* ones when its last step has ended; *static* ones are about the
plan as a document. At equal times ends come before starts (intervals are half-open).
"""

from __future__ import annotations

from enum import Enum, StrEnum

import msgspec


class When(Enum):
    """When an invariant holds."""

    STATIC = "static"
    CONTINUOUS = "continuous"
    FINAL = "final"


class InvariantId(StrEnum):
    """Stable names, as they stand in violations."""

    INVENTORY = "inventory"
    STEPS = "steps"
    ORDER = "order"
    AFTER = "after"
    DURATION = "duration"
    WAVES = "waves"
    GATES = "gates"
    PLACEMENT = "placement"
    LANDING = "landing"
    POOL = "pool"
    ALLOWED = "allowed"
    MIGRATABLE = "migratable"
    RESTARTABLE = "restartable"
    VERDICT = "verdict"
    PSCI_MAX = "psci-max"
    PINS = "pins"
    CAPACITY = "capacity"
    RESERVE = "reserve"
    APART = "apart"
    TOGETHER = "together"
    UNAVAILABLE = "unavailable"
    STREAMS = "streams"
    DISRUPTED = "disrupted"
    LAST = "last"
    CONVERGES = "converges"
    WINDOWS = "windows"
    DRAINED = "drained"
    CORDONED = "cordoned"
    UPGRADED = "upgraded"
    RUNNING = "running"
    CLAIMS = "claims"


class Invariant(msgspec.Struct, frozen=True, kw_only=True):
    """A row: what must hold (`law`), over what it is quantified, and when.

    `help` says why, and what becomes of what is broken already; `decided_by` names the keys of an inventory that decide it.
    """

    id: InvariantId
    scope: str
    when: When
    law: str
    help: str
    decided_by: str


class Violation(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One break of an invariant. `facts` are ready for a sentence: names to values, numbers as text with their unit in the name."""

    invariant: InvariantId
    subject: str
    at_s: int = 0
    steps: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
