"""The invariants that every plan keeps: one row each. The judge checks every row; a corruption in the tests breaks every row.

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
    UNAVAILABLE = "unavailable"
    STREAMS = "streams"
    DRAINED = "drained"
    CORDONED = "cordoned"
    UPGRADED = "upgraded"
    RUNNING = "running"
    CLAIMS = "claims"


class Invariant(msgspec.Struct, frozen=True, kw_only=True):
    """A row: what must hold, over what it is quantified, and when."""

    id: InvariantId
    scope: str
    when: When
    law: str


INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        id=InvariantId.INVENTORY,
        scope="plan",
        when=When.STATIC,
        law="The plan's digest, target and placement are those of the inventory it is judged against.",
    ),
    Invariant(
        id=InvariantId.STEPS,
        scope="step",
        when=When.STATIC,
        law="Step ids are unique, a step names what its kind needs and nothing else, every host and guest that it names exists, and its "
        "times are times.",
    ),
    Invariant(
        id=InvariantId.ORDER,
        scope="step",
        when=When.STATIC,
        law="Every id in `after` exists, and a step starts only when all of them have ended.",
    ),
    Invariant(
        id=InvariantId.AFTER,
        scope="step",
        when=When.STATIC,
        law="Waiting for `after` alone is enough, whatever steps take: what must not happen at once, or in another order, is in order by "
        "`after`. That holds for a host's and a guest's own steps, and for who shares streams, slots of max-unavailable, room and places.",
    ),
    Invariant(
        id=InvariantId.DURATION,
        scope="step",
        when=When.STATIC,
        law="No step is forecast to be shorter than the durations model says.",
    ),
    Invariant(
        id=InvariantId.WAVES,
        scope="wave",
        when=When.STATIC,
        law="Waves are numbered from 1, a host is upgraded in one wave only, and the wave that names it has its steps. A guest "
        "lands on a host upgraded in an earlier wave or before the plan, or, as a seed move, on a host of a later wave: of the plan, or of "
        "the rollout that the plan is one wave of.",
    ),
    Invariant(
        id=InvariantId.GATES,
        scope="wave",
        when=When.STATIC,
        law="A gate that policy asks for after a wave exists, lasts as long as its soak, waits for every step of the waves up to it, "
        "and every step of later waves waits for it. Waves up to a canary gate have no more hosts than it allows.",
    ),
    Invariant(
        id=InvariantId.PLACEMENT,
        scope="guest",
        when=When.CONTINUOUS,
        law="A guest moves from the host where it is then, to another host, and one migration at a time.",
    ),
    Invariant(
        id=InvariantId.LANDING,
        scope="migration",
        when=When.CONTINUOUS,
        law="While a migration runs its destination is up and not cordoned, and its source is up.",
    ),
    Invariant(
        id=InvariantId.POOL,
        scope="migration",
        when=When.STATIC,
        law="Source and destination are in one pool.",
    ),
    Invariant(
        id=InvariantId.ALLOWED,
        scope="migration",
        when=When.STATIC,
        law="The destination matches the guest's `allow` and not its `deny`.",
    ),
    Invariant(
        id=InvariantId.MIGRATABLE,
        scope="guest",
        when=When.STATIC,
        law="A guest with `migrate: never` does not migrate.",
    ),
    Invariant(
        id=InvariantId.RESTARTABLE,
        scope="guest",
        when=When.STATIC,
        law="Only a guest with `restart: ok` is stopped, and only where policy restarts guests in place or for a pin.",
    ),
    Invariant(
        id=InvariantId.VERDICT,
        scope="migration",
        when=When.CONTINUOUS,
        law="The verdict of the move, judged for the guest as it is then and the hosts as they are then, is the one stated, and "
        "policy or a waiver allows it.",
    ),
    Invariant(
        id=InvariantId.PSCI_MAX,
        scope="guest",
        when=When.CONTINUOUS,
        law="No guest cold boots into a PSCI version above its `psci_max`.",
    ),
    Invariant(
        id=InvariantId.PINS,
        scope="guest",
        when=When.CONTINUOUS,
        law="A pin listed is set by a pin step, on a host that is not rebooting, before the cold boot from which it is said to count; "
        "every VMM that the guest starts under afterwards knows the property, and its kernel accepts the version.",
    ),
    Invariant(
        id=InvariantId.CAPACITY,
        scope="host",
        when=When.CONTINUOUS,
        law="The vCPUs and the memory of the guests on a host, arriving and leaving ones included, are within its capacity with "
        "overcommit; a host over-committed from the start takes no guest until it is not.",
    ),
    Invariant(
        id=InvariantId.RESERVE,
        scope="host",
        when=When.CONTINUOUS,
        law="No landing takes a host above its capacity less the reserve.",
    ),
    Invariant(
        id=InvariantId.APART,
        scope="group",
        when=When.CONTINUOUS,
        law="Members of a group kept apart share no host, rack or zone, both ends of a migration counted, beyond what was so at the start.",
    ),
    Invariant(
        id=InvariantId.UNAVAILABLE,
        scope="fleet, zone, rack",
        when=When.CONTINUOUS,
        law="No more hosts are unavailable (from cordon to uncordon, down, lost, held) than max-unavailable allows.",
    ),
    Invariant(
        id=InvariantId.STREAMS,
        scope="host",
        when=When.CONTINUOUS,
        law="A host sends no more migrations at a time than policy's streams, and receives no more.",
    ),
    Invariant(
        id=InvariantId.DRAINED,
        scope="host",
        when=When.CONTINUOUS,
        law="While a host is upgraded or checked no guest runs on it.",
    ),
    Invariant(
        id=InvariantId.CORDONED,
        scope="host",
        when=When.CONTINUOUS,
        law="A host is cordoned before its guests leave, upgraded while cordoned, checked after the upgrade, uncordoned after the "
        "check; each once.",
    ),
    Invariant(
        id=InvariantId.UPGRADED,
        scope="host",
        when=When.FINAL,
        law="Every host that lives ends on the target release, save those the plan says it skips as policy allows, and those that "
        "a plan for one wave of a rollout names as left to later waves.",
    ),
    Invariant(
        id=InvariantId.RUNNING,
        scope="guest",
        when=When.FINAL,
        law="Every guest that was stopped has been started again where it was stopped, after its host's uncordon if that host was "
        "upgraded meanwhile.",
    ),
    Invariant(
        id=InvariantId.CLAIMS,
        scope="plan",
        when=When.STATIC,
        law="What the plan says of itself is so: moves, waves, makespan, status, critical path, the old release, and for every wave the "
        "guests that no move of their own takes back to it.",
    ),
)


class Violation(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One break of an invariant. `facts` are ready for a sentence: names to values, numbers as text with their unit in the name."""

    invariant: InvariantId
    subject: str
    at_s: int = 0
    steps: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
