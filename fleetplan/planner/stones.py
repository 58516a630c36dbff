"""A release on the way: where guests cannot go to the target at once, and can in two rollouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from fleetplan.fleet.model import Fleet, Release
from fleetplan.migration.classes import ClassTable
from fleetplan.rollout.plan import Plan, Remedy, RemedyKind
from fleetplan.rollout.state import State, after_wave

Once = Callable[[Fleet, ClassTable], Plan | None]
"""One search for a plan."""


def stepping_stones(fleet: Fleet, classes: ClassTable, blocked: list[int], once: Once) -> Iterator[Remedy]:
    """The first release on offer by which the blocked guests get to the target: by judgment, and then by two plans one after the other.

    Offered are the kernels and VMMs that the inventory names, in every combination. O(releases x classes), and two searches for each that
    passes by judgment, until one holds.
    """
    from fleetplan.migration.openings import releases_on_offer  # noqa: PLC0415 - networkx only where there is no plan

    for via in releases_on_offer(fleet):
        if via != fleet.target and all(_passes(fleet, classes, guest, via) for guest in _kinds(fleet, classes, blocked)):
            first = replace(fleet, target=via)
            table = classes.beside(first)
            plan = once(first, table)
            if plan is not None and _goes_on(after_wave(first, table, plan, len(plan.waves)), fleet.target, once):
                yield Remedy(kind=RemedyKind.STEPPING_STONE, facts={"via": str(via), "then": str(fleet.target)})
                return


def _goes_on(state: State, target: Release, once: Once) -> bool:
    fleet = replace(state.fleet, target=target)
    return once(fleet, State(fleet, state.states).classes()) is not None


def _kinds(fleet: Fleet, classes: ClassTable, guests: list[int]) -> list[int]:
    """One guest of each class and host class."""
    place = {host.name: number for number, host in enumerate(fleet.hosts)}
    first: dict[tuple[int, int], int] = {}
    for guest in guests:
        host = place[fleet.guests.host_names[fleet.guests.on[guest]]]
        first.setdefault((classes.guests[guest], classes.hosts_now[host]), guest)
    return list(first.values())


def _passes(fleet: Fleet, classes: ClassTable, guest: int, via: Release) -> bool:
    """Whether there are two hops that are allowed: to some host of the guest's pool on the release, and from there to one on the target."""
    record = fleet.guests[guest]
    pool = next(host.pool for host in fleet.hosts if host.name == record.on)
    place = next(number for number, host in enumerate(fleet.hosts) if host.name == record.on)
    members = [number for number, host in enumerate(fleet.hosts) if host.pool == pool]
    between, goals = classes.hosts_on(via), {classes.hosts_then[number] for number in members}
    for stone in {between[number] for number in members}:
        hop = classes.hop(classes.guests[guest], classes.hosts_now[place], stone)
        if record.migratable and hop.allowed and any(classes.hop(hop.after, stone, goal).allowed for goal in goals):
            return True
    return False
