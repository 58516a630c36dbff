"""Hosts -> host classes, guests -> guest classes, and every move between them judged once.

DOOR (the class below is the agreed interface of planner, judge, findings and output).
"""

from __future__ import annotations

from dataclasses import dataclass

from fleetplan.fleet.model import Fleet
from fleetplan.migration.verdict import Verdict

HostClassId = int
GuestClassId = int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A move of a guest class from one host class to another: its verdict, whether policy allows a plan to use it, and what the
    guest is afterwards (its own class again where it stays behind).
    """

    verdict: Verdict
    allowed: bool
    after: GuestClassId


class ClassTable:
    """The classes of a fleet.

    `hosts_now[i]` and `hosts_then[i]` are the classes of `fleet.hosts[i]` as it is, and once upgraded to the target (equal where it
    already is there); `guests[j]` that of `fleet.guests[j]` as it is now, on the host it is on. Ids are small integers that are
    stable for one inventory; new guest classes appear as guests hop and restart (a closure, not computed per guest).
    """

    hosts_now: list[HostClassId]
    hosts_then: list[HostClassId]
    guests: list[GuestClassId]

    def __init__(self, fleet: Fleet) -> None:
        raise NotImplementedError

    def hop(self, guest: GuestClassId, source: HostClassId, destination: HostClassId) -> Hop:
        """Judge a move (memoised)."""
        raise NotImplementedError

    def cold_boot(self, guest: GuestClassId, host: HostClassId, psci: str | None = None) -> GuestClassId | None:
        """The class after a cold boot on a host, with a PSCI pin or (None) with the pin that its configuration already has.

        None: the guest does not start there with that pin (property not known to the VMM, version refused by the kernel).
        """
        raise NotImplementedError
