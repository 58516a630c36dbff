"""Which hosts and guests of a fleet a filter picks: the keys, and the columns behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import msgspec

from fleetplan.firmware.cpus import by_midr
from fleetplan.fleet.filter import Column, Filter
from fleetplan.fleet.guest import Guest
from fleetplan.fleet.model import Fleet, Host


def _cpu(host: Host) -> str:
    """The name of a host's CPU, as written, or as its MIDR says."""
    if host.facts.cpu is not None or host.facts.midr is None:
        return host.facts.cpu or ""
    cpu = by_midr(host.facts.midr)
    return cpu.name if cpu is not None else ""


HOST_VALUES: Mapping[str, Callable[[Host], str]] = {
    "host": lambda host: host.name,
    "zone": lambda host: host.zone,
    "rack": lambda host: host.rack,
    "pool": lambda host: host.pool,
    "kernel": lambda host: host.release.kernel,
    "vmm": lambda host: host.release.vmm,
    "cpu": _cpu,
    "state": lambda host: host.state.value,
}
"""Keys of hosts. A guest has them, too: they are those of the host that it is on."""

GUEST_VALUES: Mapping[str, Callable[[Guest], str]] = {
    "migrate": lambda guest: "always" if guest.migratable else "never",
    "restart": lambda guest: "ok" if guest.restartable else "never",
    "born": lambda guest: (guest.born.kernel if guest.born is not None else None) or "",
    "machine": lambda guest: guest.machine or "",
}
"""Keys of guests whose values stand in their templates; `guest`, `on` and `group` come besides."""

KEYS: Mapping[str, str] = {
    "host": "name of a host; of a guest, the host that it is on",
    "guest": "name of a guest; picks no hosts",
    "on": "the host that a guest is on; picks no hosts",
    "group": "group of a guest; `group:''` those of none",
    "zone": "zone of a host, or of the host that a guest is on; so for the next six",
    "rack": "rack",
    "pool": "pool",
    "kernel": "kernel release, as `uname -r` prints it",
    "vmm": "VMM that the host would start",
    "cpu": "name of the CPU, also where only its MIDR is given",
    "state": "up, cordoned, upgrading, down or lost",
    "migrate": "always or never",
    "restart": "ok or never",
    "born": "kernel on which a guest is said to have cold booted",
    "machine": "machine type of a guest",
}
"""Every key of a filter over a fleet, and what it looks at."""


class Selection(msgspec.Struct, frozen=True):
    """Who is picked: 1 or 0 for each host and each guest, in the order of the fleet."""

    hosts: bytes
    guests: bytes

    def __bool__(self) -> bool:
        """Whether anything is picked."""
        return 1 in self.hosts or 1 in self.guests


class FleetColumns(msgspec.Struct, frozen=True, dict=True):
    """The columns of a fleet's hosts and guests; made when first asked for, and kept for the next filter."""

    fleet: Fleet

    @cached_property
    def hosts(self) -> Mapping[str, Column]:
        """By key, a row for each host."""
        return {key: Column(_each(value, self.fleet.hosts)) for key, value in HOST_VALUES.items()}

    @cached_property
    def guests(self) -> Mapping[str, Column]:
        """By key, a row for each guest. What its host says is looked up by host, what many guests share by template."""
        guests = self.fleet.guests
        row = {host.name: number for number, host in enumerate(self.fleet.hosts)}
        order = [row[name] for name in guests.host_names]
        of_host = {key: Column([column.values[number] for number in order], guests.on) for key, column in self.hosts.items()}
        of_template = {key: Column(_each(value, guests.templates), guests.template) for key, value in GUEST_VALUES.items()}
        own = {"guest": Column(list(guests.names)), "on": of_host["host"], "group": Column(guests.group_names, guests.group)}
        return {**of_host, **of_template, **own}

    def select(self, wanted: Filter) -> Selection:
        """The hosts and guests that a filter picks; a word without a key is looked for in a host's or a guest's own name."""
        return Selection(
            wanted.select(self.hosts, ("host",), len(self.fleet.hosts)), wanted.select(self.guests, ("guest",), len(self.fleet.guests))
        )


def _each(value: Callable[..., str], records: Sequence[object]) -> list[str]:
    return [value(record) for record in records]
