"""A part of a fleet that can be planned by itself: some pools, and of the rest what they notice of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from msgspec.structs import replace

from fleetplan.fleet.model import Fleet, Host, HostName, HostState, Scope
from fleetplan.fleet.policy import MaxUnavailable, Share


def part_of(fleet: Fleet, pools: Collection[str]) -> tuple[Fleet, list[int]]:
    """The fleet that consists of some pools; and the numbers that its guests have in the whole fleet. O(hosts + guests).

    Hosts of other pools that hold slots stay, without guests. Where a group is kept apart over racks or zones, its members elsewhere stay,
    on hosts that need no upgrade. Limits keep their meaning in the whole fleet; where places differ, the least holds for all.
    """
    own = {host.name for host in fleet.hosts if host.pool in pools}
    wide = {name for name, group in fleet.groups.items() if group.apart not in {None, Scope.HOST}}
    guests = fleet.guests
    numbers = [number for number, (host, group) in enumerate(_standing(fleet)) if host in own or group in wide]
    beside = {guests.host_names[guests.on[number]] for number in numbers} - own
    hosts = tuple(_seen(host, host.name in beside, fleet) for host in fleet.hosts if _noticed(host, own, beside))
    limits = _limits(fleet, [host for host in fleet.hosts if host.name in own])
    policy = replace(fleet.policy, max_unavailable=limits)
    return replace(fleet, hosts=hosts, guests=[guests[number] for number in numbers], policy=policy), numbers


def _standing(fleet: Fleet) -> Iterable[tuple[HostName, str | None]]:
    """For each guest, its host and its group."""
    guests = fleet.guests
    groups = (*guests.group_names, None)
    return ((guests.host_names[host], groups[group]) for host, group in zip(guests.on, guests.group, strict=True))


def _noticed(host: Host, own: set[HostName], beside: set[HostName]) -> bool:
    return host.name in own or host.name in beside or host.state is not HostState.UP


def _seen(host: Host, beside: bool, fleet: Fleet) -> Host:
    """A host outside that only holds fellows needs no upgrade."""
    return replace(host, release=fleet.target) if beside and host.state is HostState.UP else host


def _limits(fleet: Fleet, own: list[Host]) -> MaxUnavailable:
    limits = fleet.policy.max_unavailable
    zones, racks = Counter(host.zone for host in fleet.hosts), Counter(host.rack for host in fleet.hosts)
    return MaxUnavailable(
        fleet=_counted(limits.fleet, [len(fleet.hosts)]),
        zone=_counted(limits.zone, [zones[host.zone] for host in own]),
        rack=_counted(limits.rack, [racks[host.rack] for host in own]),
    )


def _counted(share: Share | None, sizes: list[int]) -> Share | None:
    return None if share is None else Share(count=min((share.of(size) for size in sizes), default=0))
