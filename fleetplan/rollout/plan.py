"""A plan and its parts.

A plan is a graph of steps. `after` alone is enough to execute it safely: whoever starts a step when all steps named in its
`after` have ended breaks no invariant, however long steps take in practice. `start_s` and `duration_s` are the forecast under
`rollout.durations`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NewType

import msgspec

from fleetplan.fleet.model import GuestName, HostName, HostState, Release
from fleetplan.fleet.policy import OnFailure
from fleetplan.rollout.part import PartOf

StepId = NewType("StepId", str)


class StepKind(StrEnum):
    """What a step does. `check` looks whether the upgraded host really offers what the plan assumed."""

    CORDON = "cordon"
    MIGRATE = "migrate"
    STOP = "stop"
    START = "start"
    PIN = "pin"
    UPGRADE = "upgrade"
    CHECK = "check"
    UNCORDON = "uncordon"
    GATE = "gate"


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One action on one host or one guest (a gate has neither).

    Cordon, upgrade, check and uncordon have `host`. Stop, start and pin have `guest`, and in `host` the host it is on. Migrate has
    `guest`, `source`, `destination` and the word of its `verdict`. Times are whole seconds from the start of the plan. `note` says
    what a person must do (the pin to set, the approval to give).
    """

    id: StepId
    kind: StepKind
    after: tuple[StepId, ...]
    start_s: int
    duration_s: int
    host: HostName | None = None
    guest: GuestName | None = None
    source: HostName | None = None
    destination: HostName | None = None
    verdict: str | None = None
    note: str | None = None

    @property
    def end_s(self) -> int:
        """When the step ends: half-open, the step no longer runs in this second."""
        return self.start_s + self.duration_s


class Wave(msgspec.Struct, frozen=True, kw_only=True):
    """A numbered set of hosts (from 1) and all steps that belong to it.

    Guests drained in a wave land on hosts upgraded in an earlier wave, or before the plan began; seed moves excepted.
    """

    number: int
    hosts: tuple[HostName, ...]
    steps: Sequence[Step]
    """A tuple, or a view on columns (`rollout.columns.Steps`) where there are very many."""

    def __post_init__(self) -> None:
        """What a decoder gives as a list becomes a tuple: values are frozen."""
        if isinstance(self.steps, list):
            msgspec.structs.force_setattr(self, "steps", tuple(self.steps))


class PlanStatus(StrEnum):
    """What was proved: every bound is reached; or the gap to each bound is stated; or there is no plan."""

    OPTIMAL = "OPTIMAL"
    WITHIN_GAP = "WITHIN_GAP"
    INFEASIBLE = "INFEASIBLE"


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """A PSCI version to fix before a guest's next cold boot. `effective` is the id of the step from which on it counts.

    `without` are the mitigations and services that the guest would find without the pin, and does not with it. `breaks` are the mitigations
    among them that it was promised before.
    """

    guest: GuestName
    psci: str
    effective: StepId
    reason: str
    cost: str
    without: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()


class BlockedOn(StrEnum):
    """Typed reasons why something cannot happen."""

    IMMOVABLE_GUEST = "immovable-guest"
    """A guest may neither migrate nor restart. Names host and guest."""
    FIRMWARE = "firmware"
    """Every landing place refuses the guest. Names guest and, in `because`, the refusals of the moves."""
    CAPACITY = "capacity"
    """Upgraded hosts of the pool have no room. Names the pool and the missing vCPUs and memory."""
    AFFINITY = "affinity"
    """No landing place takes all members of the group that must stay together, or none in the place where the others are."""
    DISRUPTION = "disruption"
    """More members of a group would be stopped with one host than may be disrupted at a time."""
    CONVERGENCE = "convergence"
    """The guest dirties memory faster than any link carries it, or its copy takes longer than policy allows."""
    LAST = "last"
    """Only hosts that go last are left to make room for the others."""
    ANTI_AFFINITY = "anti-affinity"
    """Every landing place with room already has a member of the guest's group."""
    PLACEMENT = "placement"
    """The guest's allow and deny leave no landing place."""
    ALONE = "alone"
    """The guest's host is the only one of its pool that takes guests. Names both."""
    NO_UPGRADED_HOST = "no-upgraded-host"
    """Nothing in the pool is upgraded or empty, and no host can be emptied onto the others."""
    UNAVAILABLE = "unavailable"
    """Dead or held hosts already use up max-unavailable."""
    LIMITS = "limits"
    """There are plans, but none was found with as few waves or moves as asked. Names what was asked and what was found."""
    HOST_CLASS = "host-class"
    """The upgraded hosts of one class are full: the minimum cut between guests and landing places goes through them."""
    PIECES = "pieces"
    """There is room, but in pieces that are too small: for the guest on any host, or for it beside the other guests of its host."""
    ANY_VMM = "any-vmm"
    """No VMM that is known lets the guests move to the kernel. Names the kernel and what was tried."""
    VERDICT = "verdict"
    """A move is refused. The leaf of a chain: carries the judgment's reason as facts."""


class Cause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A link of the chain that explains why there is no plan: what is blocked on what, with the things' names, down to facts.

    `facts` are ready for a sentence: names to values, numbers as text with their unit in the name (`missing_memory_mib`).
    """

    blocked_on: BlockedOn
    facts: Mapping[str, str] = {}
    because: tuple[Cause, ...] = ()


class PointOfNoReturn(msgspec.Struct, frozen=True, kw_only=True):
    """From the end of wave `wave` on (0: before the plan begins) these guests cannot go back to the old release.

    `until` is the wave at whose end they can again (a PSCI pin then counts); None: they cannot as long as the plan lasts.
    """

    wave: int
    guests: tuple[GuestName, ...]
    why: Cause
    until: int | None = None

    def closed_after(self, wave: int) -> bool:
        """Whether the way back is closed after a wave."""
        return self.wave <= wave and (self.until is None or wave < self.until)


class Among(StrEnum):
    """The plans that a bound is proved for."""

    ALL_PLANS = "all plans"
    FEWEST_MOVES = "plans with the fewest moves"


class ClosedBirth(msgspec.Struct, frozen=True, kw_only=True):
    """From the end of wave `wave` on, a plain guest that is born on one of these hosts cannot migrate back to the old release.

    They are `hosts` hosts of one class in `pool`, counted at the end of the plan; `like` is the first by name. `pin` is the newest PSCI
    version that, pinned at birth, keeps the way open; None: no pin does.
    """

    wave: int
    pool: str
    like: HostName
    hosts: int
    pin: str | None
    why: Cause


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan reaches, and what no plan of the same fleet and policy can undercut: no plan at all, or none with as few moves.

    `by` names the argument for the bound; a plan that a bound is not proved for has another one.
    """

    plan: int
    bound: int
    by: str = ""
    among: Among = Among.ALL_PLANS

    @property
    def met(self) -> bool:
        """Whether the plan is proved to be the best in this respect."""
        return self.plan == self.bound


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """`moves` counts migrate steps, `waves` waves, `makespan_s` the end of the last step."""

    moves: Bound
    waves: Bound
    makespan_s: Bound


class WhyTwice(StrEnum):
    """Why guests of a pool move twice."""

    NO_UPGRADED_HOST = "no-upgraded-host"
    """No host of the pool was upgraded or empty: the first one is emptied onto old ones."""
    NO_ROOM = "no-room"
    """Guests of no host found places on those that were upgraded."""
    ASKED = "asked"
    """Moves are spent, as asked, to have fewer waves or less time."""


class ExtraMoves(msgspec.Struct, frozen=True, kw_only=True):
    """Moves of a pool beyond one per guest."""

    pool: str
    moves: int
    why: WhyTwice


class HostSite(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A host as it is when the plan begins, and how to reach it."""

    vmm: str
    kernel: str
    address: str | None = None
    zone: str = "default"
    state: HostState = HostState.UP


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout from the state in the inventory to the target.

    `placement` maps every guest to its host at the start; `sites` every host to what runbooks need; `skipped` lists hosts that stay
    as they are and why; `extra_moves` says where and why guests move twice. `back_to` is the release that the way back leads to, which
    most hosts had before: the points of no return are about it, and so are births. None where nothing is upgraded. `begins_min` says when
    in the week the plan is to be started, in minutes after Monday 00:00 UTC (None: at any time); where policy has windows, the forecast
    waits for them from there. `part_of` says of which rollout the plan is one wave; None: it is a whole one.
    """

    version: int = 1
    inventory_digest: str
    target: Release
    status: PlanStatus
    begins_min: int | None = None
    waves: tuple[Wave, ...]
    pins: tuple[Pin, ...] = ()
    back_to: Release | None = None
    points_of_no_return: tuple[PointOfNoReturn, ...] = ()
    closed_births: tuple[ClosedBirth, ...] = ()
    critical_path: tuple[StepId, ...] = ()
    bounds: Bounds
    on_failure: OnFailure = OnFailure()
    skipped: Mapping[HostName, str] = {}
    extra_moves: tuple[ExtraMoves, ...] = ()
    sites: Mapping[HostName, HostSite] = {}
    placement: Mapping[GuestName, HostName] = {}
    part_of: PartOf | None = None

    @property
    def waves_before(self) -> int:
        """Waves of its rollout that come before the first of the plan: gates are counted with them."""
        return 0 if self.part_of is None else self.part_of.wave - 1

    @property
    def later(self) -> tuple[HostName, ...]:
        """Hosts that the plan leaves to later waves of its rollout."""
        return () if self.part_of is None else self.part_of.later


class RemedyKind(StrEnum):
    """What would help."""

    ADD_HOST = "add-host"
    ALLOW_RESTART = "allow-restart"
    SKIP_HOSTS = "skip-hosts"
    RAISE_MAX_UNAVAILABLE = "raise-max-unavailable"
    LOWER_RESERVE = "lower-reserve"
    RAISE_OVERCOMMIT = "raise-overcommit"
    RELAX_GROUP = "relax-group"
    RELAX_PLACEMENT = "relax-placement"
    RELAX_POLICY = "relax-policy"
    RELAX_LAST = "relax-last"
    RELAX_TOGETHER = "relax-together"
    RAISE_MAX_DISRUPTED = "raise-max-disrupted"
    THROTTLE = "throttle"
    PIN_AND_RESTART = "pin-and-restart"
    CHANGE_RELEASE = "change-release"
    STEPPING_STONE = "stepping-stone"
    """Two rollouts, by a release between."""
    ACCEPT_LOSS = "accept-loss"
    PROBE = "probe"
    TOGETHER = "together"


class Remedy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change of inventory or policy, or several `together`, of which none can be left out.

    `tried`: the search was run with it, and finds a plan. `alone`: for the whole fleet; else only for the pool that `facts` name, while
    others are blocked, too.
    """

    kind: RemedyKind
    facts: Mapping[str, str] = {}
    tried: bool = False
    alone: bool = True
    together: tuple[Remedy, ...] = ()


class Infeasible(msgspec.Struct, frozen=True, kw_only=True):
    """No safe plan was found: why, and what would help (cheapest first).

    `proved`: there is none, whatever the order of hosts and wherever guests land, in which guests leave a host only for its upgrade.
    """

    version: int = 1
    inventory_digest: str
    target: Release
    proved: bool = False
    causes: tuple[Cause, ...]
    remedies: tuple[Remedy, ...] = ()
