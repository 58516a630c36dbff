"""One move with all that an operator asks: the verdict, what a failure costs, what libvirt says on top, what would make it work."""

from __future__ import annotations

import msgspec

from fleetplan.fleet.model import Guest, Host, Release
from fleetplan.migration import messages
from fleetplan.migration.classes import ClassTable, GuestClassId, HostClassId
from fleetplan.migration.reasons import Judgment, Verdict
from fleetplan.migration.ways import Move, Way, ways
from fleetplan.rollout.copying import migration_s


class MoveReport(msgspec.Struct, frozen=True, kw_only=True):
    """A move. `allowed`: whether a plan may use it. `copy_s` is the forecast of the copy, whose size is the guest's memory.

    `libvirt` is what libvirt may say on top of the VMM's words, one form or the other.
    """

    guest: Guest
    source: Host
    destination: Host
    goal: Release
    judgment: Judgment
    allowed: bool
    copy_s: int
    libvirt: tuple[str, ...] = ()
    ways: tuple[Way, ...] = ()


def report(move: Move, classes: ClassTable, kind: GuestClassId, here: HostClassId, there: HostClassId) -> MoveReport:
    """Report on a move whose classes are known. Ways are sought only where it is not allowed."""
    judgment, hop = classes.judgment(kind, here, there), classes.hop(kind, here, there)
    return MoveReport(
        guest=move.guest,
        source=move.source,
        destination=move.destination,
        goal=move.goal,
        judgment=judgment,
        allowed=hop.allowed,
        copy_s=migration_s(move.guest, move.source, move.destination),
        libvirt=_libvirt(judgment, classes, there),
        ways=() if hop.allowed else ways(move),
    )


def _libvirt(judgment: Judgment, classes: ClassTable, there: HostClassId) -> tuple[str, ...]:
    if judgment.verdict is not Verdict.FAILS:
        return ()
    return messages.wrapped(classes.host_class(there).vmms[0], judgment.stage, judgment.messages)
