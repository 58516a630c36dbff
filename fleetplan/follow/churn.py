"""What tenants do between two waves of a simulation: guests are deleted, and others like those that are there are created."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, HostState, Reboot
from fleetplan.fleet.table import NO_GROUP, OWN, GuestTable, Names
from fleetplan.fleet.table import Places as Spots
from fleetplan.follow.chance import Chances
from fleetplan.migration.carry import Guests
from fleetplan.migration.classes import ClassTable, GuestClassId, GuestStates
from fleetplan.migration.ways import may_land
from fleetplan.planner.problem import capacities
from fleetplan.rollout.columns import STATE_CODE, Flags, Numbers, fleet_columns
from fleetplan.rollout.state import State

TRIES = 40
"""Hosts that are looked at for a birth, before it is given up for want of room."""


@dataclass(frozen=True, slots=True)
class Newborn:
    """A guest that is created: like guest `like`, on host `host`; its record and its class."""

    name: GuestName
    like: int
    host: int
    record: Guest
    kind: GuestClassId


@dataclass(frozen=True, slots=True)
class Churned:
    """The fleet after a wave's churn, and how many guests went and came."""

    state: State
    gone: int
    born: int


def churn(state: State, chances: Chances, number: int) -> Churned:
    """Delete guests and create others, after wave `number`. Guests of dead hosts stay. O(guests) if there is any churn."""
    if not chances.churn:
        return Churned(state, 0, 0)
    fleet, classes = state.fleet, state.classes()
    alive = {host.name for host in fleet.hosts if host.state in {HostState.UP, HostState.CORDONED, HostState.HELD}}
    there = [name in alive for name in fleet.guests.host_names]
    names = list(fleet.guests.names)
    stays = np.array(
        [not (there[on] and chances.guest_goes(number, name)) for name, on in zip(names, fleet.guests.on, strict=True)], np.bool_
    )
    born = list(_births(fleet, classes, chances, number, stays))
    return Churned(_with(state, classes, stays, born), int((~stays).sum()), len(born))


def _births(fleet: Fleet, classes: ClassTable, chances: Chances, number: int, stays: Flags) -> Iterator[Newborn]:
    """Guests like those that are there and may move, on open hosts of their pools that have room for them; in no group."""
    columns = fleet_columns(fleet, classes)
    _, room = capacities(columns.hosts.size, fleet.policy)
    free: Numbers = room.copy()
    kept, known = np.flatnonzero(stays), set(fleet.guests.names)
    np.subtract.at(free, columns.guests.on[kept], columns.guests.size[kept])
    open_ = [
        np.flatnonzero((columns.hosts.pool == pool) & (columns.hosts.state == STATE_CODE[HostState.UP]))
        for pool in range(len(columns.hosts.pool_names))
    ]
    for guest, name in enumerate(fleet.guests.names):
        if columns.guests.migratable[guest] and chances.guest_comes(number, name):
            hosts = open_[columns.hosts.pool[columns.guests.on[guest]]]
            born = _born(fleet, classes, guest, _spread(hosts, chances.pick(f"birth/{number}/{name}", max(len(hosts), 1))), free, number)
            if born is not None and born.name not in known:
                known.add(born.name)
                free[born.host] -= columns.guests.size[guest]
                yield born


def _spread(hosts: Numbers, first: int) -> list[int]:
    """Some hosts, from one of them on."""
    found: list[int] = np.roll(hosts, -first)[:TRIES].tolist()
    return found


def _born(fleet: Fleet, classes: ClassTable, like: int, hosts: list[int], free: Numbers, number: int) -> Newborn | None:
    """A guest like another one on the first host that has room for it and on which it starts."""
    model = fleet.guests[like]
    for place in hosts:
        host = fleet.hosts[place]
        fits = free[place][0] >= model.vcpus and free[place][1] >= model.memory_mib
        if fits and may_land(model, host) and classes.bears(classes.guests[like], classes.hosts_now[place]):
            kind = classes.cold_boot(classes.guests[like], classes.hosts_now[place])
            born = Birth(kernel=host.release.kernel, vmm=host.release.vmm, psci=model.born.psci if model.born is not None else None)
            name = GuestName(f"{model.name.split('+')[0]}+{number}")
            record = replace(model, name=name, on=host.name, group=None, born=born, rebooted=Reboot(ever=False), vmm=None)
            return None if kind is None else Newborn(name, like, place, record, kind)
    return None


# --- the table with and without them --------------------------------------------------------------------------------------------------


def _with(state: State, classes: ClassTable, stays: Flags, born: list[Newborn]) -> State:
    """The guests that stay and those that came, in the order of their names."""
    guests, kept = state.fleet.guests, np.flatnonzero(stays)
    every = list(guests.names)
    names: list[GuestName] = [*(every[place] for place in kept.tolist()), *(each.name for each in born)]
    order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
    like = np.array([each.like for each in born], np.int64)
    rows = np.concatenate((kept, like))[order]
    table, number = _Templates(guests), {name: place for place, name in enumerate(guests.host_names)}
    hosts = [*guests.host_names]
    for each in born:
        if each.record.on not in number:
            number[each.record.on] = len(hosts)
            hosts.append(each.record.on)

    def column(old: array[int], added: list[int]) -> array[int]:
        values = np.concatenate((np.asarray(old)[kept], np.array(added, np.asarray(old).dtype)))[order]
        return array(old.typecode, values.tobytes())

    sizes = np.asarray(guests.sizes).reshape(-1, 2)[rows]
    found = GuestTable(
        names=Names.of(names[place] for place in order.tolist()),
        on=column(guests.on, [number[each.record.on] for each in born]),
        host_names=tuple(hosts),
        sizes=array("q", sizes.tobytes()),
        group=column(guests.group, [NO_GROUP] * len(born)),
        group_names=guests.group_names,
        dirty_rate_mib_s=array("q", np.asarray(guests.dirty_rate_mib_s)[rows].tobytes()),
        template=column(guests.template, [table.number(each.record) for each in born]),
        templates=tuple(table.templates),
        places=Spots(guests.places.files, *(array("I", np.asarray(part)[rows].tobytes()) for part in _spots(guests.places))),
    )
    kinds: list[Guests] = [*state.states.kinds, *(classes.possible(each.kind) for each in born)]
    of = column(state.states.of, list(range(len(state.states.kinds), len(kinds))))
    return State(replace(state.fleet, guests=found), GuestStates(kinds=tuple(kinds), of=of))


def _spots(places: Spots) -> tuple[array[int], array[int], array[int]]:
    return places.file, places.line, places.column


class _Templates:
    """The templates of a table, and new ones."""

    def __init__(self, guests: GuestTable) -> None:
        self.templates: list[Guest] = list(guests.templates)
        self._known: dict[Guest | tuple[object, ...], int] = {}

    def number(self, record: Guest) -> int:
        """The number of the template that a guest like this has."""
        key = tuple(getattr(record, name) for name in record.__struct_fields__ if name not in OWN)
        number = self._known.setdefault(key, len(self.templates))
        if number == len(self.templates):
            self.templates.append(record)
        return number
