"""The fleet: hosts, guests, releases.

Plain frozen records; guests, of which a fleet has a million, are kept in columns (`fleet.table`). `None` in an optional field means "not
known"; it never means a default. Sizes are MiB, rates MiB/s, times seconds; all are integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase

import msgspec

from fleetplan.fleet.guest import Birth, Disks, Equipment, GroupName, Guest, GuestName, HostName, Reboot, RegisterList
from fleetplan.fleet.policy import Policy, Share, Waiver
from fleetplan.fleet.source import NOWHERE, Location
from fleetplan.fleet.table import GuestTable

__all__ = [
    "Birth",
    "Disks",
    "Equipment",
    "Fleet",
    "Group",
    "GroupName",
    "Guest",
    "GuestName",
    "Host",
    "HostFacts",
    "HostName",
    "HostState",
    "Override",
    "Platform",
    "Reboot",
    "RegisterList",
    "Release",
    "ReleaseFacts",
    "Scope",
    "Workarounds",
]


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
    HELD = "held"
    """A step failed on it: its guests run, nobody comes and nobody is moved off, until a person has looked and says otherwise."""


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
    migration stream. `reboot_s` lasts from the order to reboot until the host answers on its new kernel. `read_on` is the release on which
    `facts` were read, None where it is the one that runs. `reserved_mib` says of every size of pages (in KiB) how much of `memory_mib` is
    reserved in such pages; None: not known. `last`: it is upgraded when all others have been.
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
    reserved_mib: Mapping[int, int] | None = None
    last: bool = False
    read_on: Release | None = None
    at: Location = NOWHERE

    @property
    def facts_of(self) -> Release:
        """The release on which the facts were read."""
        return self.read_on or self.release


class Scope(StrEnum):
    """The places over which members of a group are kept apart, or together."""

    HOST = "host"
    RACK = "rack"
    ZONE = "zone"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Guests with common rules; None: no such rule.

    `apart`: no two members share a host, rack or zone. `together`: members that share one still do after each wave. `max_disrupted`: so
    many members, or that share of them, may migrate or be stopped at a time.
    """

    name: GroupName
    apart: Scope | None = None
    together: Scope | None = None
    max_disrupted: Share | None = None
    at: Location = NOWHERE


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """A fact from `facts/` that a person's YAML replaced."""

    subject: str
    key: str
    at: Location
    fact_at: Location


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an inventory says.

    `hosts` and `guests` are in the order of their names, so that nothing depends on the order of files or lines. Guests may be given as any
    sequence of records.
    """

    target: Release
    hosts: tuple[Host, ...]
    guests: GuestTable = GuestTable.of(())
    groups: Mapping[GroupName, Group] = {}
    policy: Policy = Policy()
    waivers: tuple[Waiver, ...] = ()
    releases: tuple[ReleaseFacts, ...] = ()
    overrides: tuple[Override, ...] = ()
    at: Location = NOWHERE

    def goes_last(self, host: Host) -> bool:
        """Whether a host is upgraded when all others have been."""
        return host.last or any(fnmatchcase(host.name, pattern) for pattern in self.policy.last)

    def those_last(self) -> list[bool]:
        """By host, whether it goes last."""
        return [self.goes_last(host) for host in self.hosts] if self.policy.last else [host.last for host in self.hosts]

    def __post_init__(self) -> None:
        """Guests are a table, however they were given."""
        msgspec.structs.force_setattr(self, "guests", GuestTable.of(self.guests))
