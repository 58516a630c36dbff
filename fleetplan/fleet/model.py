"""The fleet: hosts, guests, releases.

Plain frozen records. `None` in an optional field means "not known"; it never means a default. Sizes are MiB, rates MiB/s,
times seconds; all are integers. Records are `msgspec` structs because a fleet has a million of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NewType

import msgspec

from fleetplan.fleet.policy import Policy, Waiver
from fleetplan.fleet.source import NOWHERE, Location

HostName = NewType("HostName", str)
GuestName = NewType("GuestName", str)
GroupName = NewType("GroupName", str)


class Release(msgspec.Struct, frozen=True, order=True, gc=False):
    """The software of a host, as its names are written: `uname -r` and the VMM with its version.

    What the names mean is known to `firmware.kernels` and `migration.vmm`.
    """

    kernel: str
    vmm: str

    def __str__(self) -> str:
        return f"{self.kernel} with {self.vmm}"


class HostState(StrEnum):
    """Whether a host can serve, take part, or is gone."""

    UP = "up"
    CORDONED = "cordoned"
    UPGRADING = "upgrading"
    DOWN = "down"
    LOST = "lost"


class Workarounds(msgspec.Struct, frozen=True, gc=False):
    """Levels of the SMCCC workarounds as a fresh GET_ONE_REG on the host reads them."""

    arch_workaround_1: int | None = None
    arch_workaround_2: int | None = None
    arch_workaround_3: int | None = None


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """What a host can give a guest beside registers. None: not known, and taken to be as on the other hosts.

    `ipa_bits` is the largest size of a guest's physical address space. `sve` are vector lengths in bits, ascending (empty: no SVE).
    `features` are vCPU features beyond the plain one (`pmu`, `pauth`, `mte`, `nested`, `protected`). `gic` are the versions that a
    guest's interrupt controller may have. `hugepages_kib` are the sizes of reserved pages. `counter_hz` is CNTFRQ_EL0.
    """

    ipa_bits: int | None = None
    sve: tuple[int, ...] | None = None
    features: tuple[str, ...] | None = None
    gic: tuple[int, ...] | None = None
    hugepages_kib: tuple[int, ...] | None = None
    counter_hz: int | None = None


RegisterList = tuple[tuple[int, int], ...]
"""(id, value) in the order in which KVM_GET_REG_LIST gives the ids."""


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the silicon and the kernel's view of it; what tells host classes apart beside the release.

    `midr` and `revidr` are the values of MIDR_EL1 and REVIDR_EL1 of the host's CPUs; `other_midrs` are further ones, of a host whose CPUs
    differ. `cpu` is a name such as
    `neoverse-n1`, for when they are not known. `vulnerabilities` maps a sysfs file name to its text. `registers` is a probe's
    answer: what a fresh vCPU with PSCI_0_2 (and what else the VMM turns on) lists and reads. `masks` maps a register id to the
    bits that userspace may write (KVM_ARM_GET_REG_WRITABLE_MASKS). `vmm_profile` names how the VMM loads a stream, where its version does
    not say (`migration.vmm.PROFILES`). `firmware` is the platform firmware and its version.
    """

    cpu: str | None = None
    midr: int | None = None
    other_midrs: tuple[int, ...] = ()
    revidr: int | None = None
    cmdline: str | None = None
    vulnerabilities: Mapping[str, str] | None = None
    workarounds: Workarounds | None = None
    registers: RegisterList | None = None
    masks: Mapping[int, int] | None = None
    vmm_profile: str | None = None
    firmware: str | None = None
    platform: Platform = Platform()


class ReleaseFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a host of this kind offers once it runs this release: a probe made elsewhere, said to hold here (`releases:`).

    Applies to hosts whose `cpu` and `midr` equal those given in `facts` (one that is None matches any).
    """

    release: Release
    facts: HostFacts
    at: Location = NOWHERE


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """An arm64 machine that runs KVM.

    `vcpus` is the number of CPUs that guests' vCPUs are counted against, before overcommit. `bandwidth_mib_s` is the rate of one
    migration stream. `reboot_s` lasts from the order to reboot until the host answers on its new kernel.
    """

    name: HostName
    release: Release
    vcpus: int
    memory_mib: int
    facts: HostFacts = HostFacts()
    zone: str = "default"
    rack: str = "default"
    pool: str = "default"
    address: str | None = None
    state: HostState = HostState.UP
    bandwidth_mib_s: int = 2_980
    reboot_s: int = 300
    at: Location = NOWHERE


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


class Scope(StrEnum):
    """The places over which members of a group are kept apart."""

    HOST = "host"
    RACK = "rack"
    ZONE = "zone"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Guests with a common placement rule. `apart` None: no rule."""

    name: GroupName
    apart: Scope | None = None
    at: Location = NOWHERE


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """A fact from `facts/` that a person's YAML replaced."""

    subject: str
    key: str
    at: Location
    fact_at: Location


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an inventory says.

    `hosts` and `guests` are in the order of their names, so that nothing depends on the order of files or lines.
    """

    target: Release
    hosts: tuple[Host, ...]
    guests: tuple[Guest, ...] = ()
    groups: Mapping[GroupName, Group] = {}
    policy: Policy = Policy()
    waivers: tuple[Waiver, ...] = ()
    releases: tuple[ReleaseFacts, ...] = ()
    overrides: tuple[Override, ...] = ()
    at: Location = NOWHERE
