"""A guest, and how things are named. What `fleet.model` says of records holds here too."""

from __future__ import annotations

from enum import StrEnum
from typing import NewType

import msgspec

from fleetplan.fleet.source import NOWHERE, Location

HostName = NewType("HostName", str)
GuestName = NewType("GuestName", str)
GroupName = NewType("GroupName", str)

RegisterList = tuple[tuple[int, int], ...]
"""(id, value) in the order in which KVM_GET_REG_LIST gives the ids."""


class Birth(msgspec.Struct, frozen=True, kw_only=True):
    """A guest's last cold boot: on which release, with which PSCI pin, and what it then had, as far as known.

    `psci` is a pin such as "1.0". `registers` is a dump taken at birth.
    """

    kernel: str | None = None
    vmm: str | None = None
    psci: str | None = None
    registers: RegisterList | None = None


class Reboot(msgspec.Struct, frozen=True, kw_only=True):
    """A guest's last warm reboot since its birth, at which it looked again: on the host that it is on, or on another kernel.

    `ever` False: it has not rebooted. `kernel` None: on the host that it is on.
    """

    ever: bool = True
    kernel: str | None = None


class Disks(StrEnum):
    """Where a guest's disks are when it moves."""

    SHARED = "shared"
    COPIED = "copied"
    LOCAL = "local"


class Equipment(msgspec.Struct, frozen=True, kw_only=True):
    """What a guest was started with beside vCPUs and memory. None: what its VMM turns on by itself.

    Fields as in `Platform`; `devices` are host devices passed through to it. `bound_to` is the MIDR_EL1 of the CPUs that its vCPUs are
    bound to, on hosts whose CPUs differ.
    """

    ipa_bits: int | None = None
    sve: tuple[int, ...] | None = None
    features: tuple[str, ...] | None = None
    gic: int | None = None
    hugepages_kib: int | None = None
    devices: tuple[str, ...] = ()
    disks: Disks = Disks.SHARED
    bound_to: int | None = None


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """One VM.

    `migratable` is False for `migrate: never`. `restartable` says whether policy allows a cold boot (`restart: ok`; default no).
    `born` None: assumed to have cold booted on the host it is on. `rebooted` None: not known whether it has looked again since (if it
    hopped: where it is now, or not at all). `psci_max` is the newest PSCI version that the guest bears.
    `vmm` is the VMM of the guest's own running process where it is older than the one installed on its host. `allow` and `deny`
    are host name patterns (fnmatch); an empty `allow` allows every host.
    """

    name: GuestName
    on: HostName
    vcpus: int
    memory_mib: int
    group: GroupName | None = None
    migratable: bool = True
    restartable: bool = False
    born: Birth | None = None
    rebooted: Reboot | None = None
    psci_max: str | None = None
    vmm: str | None = None
    machine: str | None = None
    equipment: Equipment = Equipment()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    dirty_rate_mib_s: int = 0
    at: Location = NOWHERE
