"""What the operator allows and asks for."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase

import msgspec

from fleetplan.fleet.source import NOWHERE, Location


class Share(msgspec.Struct, frozen=True, gc=False):
    """A count, or a share of a whole in thousandths (5 % is 50 per mille)."""

    count: int | None = None
    per_mille: int | None = None

    def of(self, whole: int) -> int:
        """The count that this means for `whole` things: shares are rounded down, but never to none where there is something."""
        if self.count is not None:
            return self.count
        assert self.per_mille is not None  # noqa: S101 - one of the two is always given
        return max(whole * self.per_mille // 1000, min(whole, 1) if self.per_mille else 0)

    def __str__(self) -> str:
        if self.count is not None:
            return str(self.count)
        assert self.per_mille is not None  # noqa: S101 - one of the two is always given
        return f"{self.per_mille / 10:g}%"


class MaxUnavailable(msgspec.Struct, frozen=True, kw_only=True):
    """How many hosts may be unavailable at once: in the whole fleet, in each zone, in each rack. None: no limit of that scope."""

    fleet: Share | None = None
    zone: Share | None = None
    rack: Share | None = None


DEFAULT_MAX_UNAVAILABLE = MaxUnavailable(zone=Share(per_mille=50))
"""Holds where an inventory names no limit at all: 5 % of each zone, at least one host."""


class Immovable(StrEnum):
    """What to do with a guest that cannot be moved off its host."""

    RESTART = "restart"
    """Stop it and start it again in place if its `restart` is ok; otherwise the rollout is blocked on it."""
    SKIP = "skip"
    """Leave its host on the old release."""
    BLOCK = "block"
    """Plan nothing; name the guest."""


class OnHostFailure(StrEnum):
    """What happens to a host whose step failed."""

    HOLD = "hold"
    STOP = "stop"


class OnFailure(msgspec.Struct, frozen=True, kw_only=True):
    """How the rollout goes on when a step fails; carried into the plan for the tools that execute it."""

    host: OnHostFailure = OnHostFailure.HOLD
    wave_stops_after: int = 3
    retries: int = 1


class GateRule(msgspec.Struct, frozen=True, kw_only=True):
    """A barrier asked for: after wave `after` (None: after every wave), wait `soak_s` seconds and, if asked, for an approval.

    `hosts` limits the waves up to and including `after` to so many hosts (a canary).
    """

    after: int | None = None
    soak_s: int = 0
    approval: bool = False
    hosts: int | None = None


class Converge(msgspec.Struct, frozen=True, kw_only=True):
    """Which migrations count as ending.

    `throttle`: the VMM slows down a guest that dirties memory nearly as fast as the link carries it (auto-converge), so that its copy ends
    at a twentieth of the link's rate. Otherwise such a guest cannot be migrated. `within_s`: no copy may take longer; None: no limit.
    """

    throttle: bool = False
    within_s: int | None = None


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A daily time span, in minutes after midnight UTC, in which what disturbs anybody may start. `days` are ISO week days (1 = Monday).

    One that ends before it starts ends on the next day; `start_min` equal to `end_min` is the whole day.
    """

    start_min: int
    end_min: int
    days: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)


class TimeoutAction(StrEnum):
    """What Nova does with a migration that takes too long (`live_migration_timeout_action`)."""

    ABORT = "abort"
    FORCE_COMPLETE = "force_complete"


class KubeVirt(msgspec.Struct, frozen=True, kw_only=True):
    """What KubeVirt's `spec.configuration.migrations`, or a MigrationPolicy, permits."""

    allow_post_copy: bool = False


class Nova(msgspec.Struct, frozen=True, kw_only=True):
    """What `[libvirt]` of nova.conf permits; fields as there, without `live_migration_`."""

    permit_post_copy: bool = False
    timeout_action: TimeoutAction = TimeoutAction.ABORT


class Orchestrators(msgspec.Struct, frozen=True, kw_only=True):
    """How whoever carries out migrations is set up; None: it is not known to carry out any."""

    kubevirt: KubeVirt | None = None
    nova: Nova | None = None


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Limits and choices of the operator.

    `overcommit_*_per_mille`: 1000 = guests' vCPUs (or memory) may sum up to exactly the host's. `reserve_per_mille`: the share of
    each host's capacity that no landing may use. `streams`: migrations that one host may send, and may receive, at a time.
    `reversible`: choose PSCI pins, where they can be carried out, that keep the way back to the old release open: for every guest, for
    none, or for those whose names match a pattern (fnmatch).
    `accept_unknown`: plans may use moves whose verdict is UNKNOWN. `forbid_psci_change`: a move that changes the PSCI version
    that a guest sees is not allowed. `probe_twins`: a probe speaks for the host's twins, which have none of their own. `last` are name
    patterns (fnmatch) of hosts that are upgraded when all others have been. `orchestrators`: how those that carry out migrations are set
    up.
    """

    max_unavailable: MaxUnavailable = DEFAULT_MAX_UNAVAILABLE
    reserve_per_mille: int = 0
    overcommit_vcpus_per_mille: int = 1000
    overcommit_memory_per_mille: int = 1000
    immovable: Immovable = Immovable.RESTART
    gates: tuple[GateRule, ...] = ()
    windows: tuple[Window, ...] = ()
    on_failure: OnFailure = OnFailure()
    reversible: bool | tuple[str, ...] = False
    accept_unknown: bool = False
    forbid_psci_change: bool = False
    streams: int = 1
    converge: Converge = Converge()
    last: tuple[str, ...] = ()
    probe_twins: bool = False
    orchestrators: Orchestrators = Orchestrators()
    at: Location = NOWHERE

    def wants_way_back(self, guest: str) -> bool:
        """Whether the way back of a guest is to be kept open with a PSCI pin."""
        if isinstance(self.reversible, bool):
            return self.reversible
        return any(fnmatchcase(guest, pattern) for pattern in self.reversible)


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """A finding or a loss that somebody answers for.

    `rule` is a rule id (`FP203`) or `register` the name of a firmware register whose loss is accepted. `scope` holds name patterns
    (fnmatch) of hosts or guests. `expires` is an ISO date, on which the waiver no longer holds.
    """

    scope: tuple[str, ...]
    reason: str
    owner: str
    expires: str
    rule: str | None = None
    register: str | None = None
    at: Location = NOWHERE
