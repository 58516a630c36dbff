"""A plan for one wave of a rollout that goes on: what of the rollout it is, which hosts it leaves for later, and why some of them wait."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from fleetplan.fleet.model import GuestName, HostName


class Barrier(msgspec.Struct, frozen=True, kw_only=True):
    """A gate after wave `after`: how long it lasts at least, and what it waits for, in the words of its step."""

    after: int
    soak_s: int
    note: str


class WhyWaits(StrEnum):
    """Why a host does not go now, though it is not on the target."""

    NOT_IN_PLAN = "not-in-plan"
    """The approved plan does not upgrade it."""
    OTHER_RELEASE = "other-release"
    """It runs another release than when the plan was approved."""
    RESTART = "restart"
    """Guests on it would have to restart, which was not approved."""
    PIN = "pin"
    """Guests on it would boot with another PSCI pin than was approved."""
    LOSS = "loss"
    """Moves of guests on it lose something, or nobody knows whether they do, and nobody has answered for these guests."""
    STUCK = "stuck"
    """Guests on it can neither move nor restart."""
    NO_ROOM = "no-room"
    """Guests on it found no landing place."""
    SLOTS = "slots"
    """Dead, held and cordoned hosts use up max-unavailable."""
    STATE = "state"
    """It is held, upgrading, down or lost."""


TO_APPROVE = frozenset({WhyWaits.NOT_IN_PLAN, WhyWaits.OTHER_RELEASE, WhyWaits.RESTART, WhyWaits.PIN, WhyWaits.LOSS})
"""What a new approval would settle."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A host that waits, and the guests that are the reason. `what` is the state, the release or the pins that it is about."""

    host: HostName
    why: WhyWaits
    guests: tuple[GuestName, ...] = ()
    what: str = ""


class PartOf(msgspec.Struct, frozen=True, kw_only=True):
    """The rollout that a plan is a part of.

    `approved` is the digest of what was approved, `wave` the number of the plan's only wave there; where hosts of earlier waves were left
    over it has those, too, and `wave` is that of the last. `behind` is the gate before it. `later` are the hosts that live, are not on the
    target, and do not go with it; `waiting` says which hosts do not go when it is their turn, and why.
    """

    approved: str
    wave: int
    behind: Barrier | None
    later: tuple[HostName, ...]
    waiting: tuple[Waiting, ...] = ()
