"""The simulated kernels: two that were, and what a second revision or another mechanism makes of them.

`old` is Linux 4.15, the last that knew PSCI 0.2 alone. `new` is Linux 4.17 where the mechanism is the register. Without the register it is
what 4.16.0 to 4.16.6 were; with a feature bit instead it never was. A second revision takes that `new` for its old kernel.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from msgspec.structs import replace

from fleetplan.firmware import registers as fw
from fleetplan.firmware.errno import Errno
from fleetplan.firmware.kernels import parse, profiles
from fleetplan.firmware.profile import KernelProfile
from fleetplan.firmware.vcpu import Kvm, Levels
from fleetplan.migration.mechanisms.simulation import Kernel, Means

OLD_KERNEL, NEW_KERNEL = "4.15", "4.17"

OLDEST = fw.psci_value("0.2")

CPU = Levels(spectre_v2=1, ssb=fw.ON_DEMAND, bhb=0, ssbs=False)
"""A CPU that firmware helps against Spectre v2 and v4. A kernel tells guests of what it knows itself."""


class Novelty(msgspec.Struct, frozen=True, kw_only=True):
    """What a second revision brings. `psci` is its newest version, None: as before."""

    name: str
    psci: int | None = None
    workaround_2: bool = False


PSCI_1_2 = Novelty(name="PSCI 1.2", psci=fw.psci_value("1.2"))
WORKAROUND_2 = Novelty(name="WORKAROUND_2", workaround_2=True)
BOTH = Novelty(name="PSCI 1.2 and WORKAROUND_2", psci=PSCI_1_2.psci, workaround_2=True)
NOVELTIES = (PSCI_1_2, WORKAROUND_2, BOTH)


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Two kernels under one mechanism. `old_psci` is the version of the old one, which a guest in compat on the new one has."""

    means: Means
    old: Kernel
    new: Kernel

    @property
    def old_psci(self) -> int:
        """What the old kernel gives a plain guest."""
        return self.old.kvm.profile.psci_default

    @property
    def new_psci(self) -> int:
        """What the new kernel gives a plain guest."""
        return self.new.kvm.profile.psci_default

    @property
    def added(self) -> frozenset[str]:
        """Firmware registers that only the new kernel has."""
        return frozenset(self.new.kvm.profile.registers) - frozenset(self.old.kvm.profile.registers)


@lru_cache
def profile(kernel: str) -> KernelProfile:
    """The profile of a release that is known for certain."""
    return profiles(parse(kernel)).options[0].value


def without_register(kernel: KernelProfile) -> KernelProfile:
    """A kernel as it would be without the register PSCI_VERSION: guests have its newest version, and nothing of it is saved."""
    registers = tuple(name for name in kernel.registers if name != fw.PSCI_VERSION.name)
    return replace(kernel, registers=registers, psci_accepted=(), unknown_id=Errno.ENOENT)


def forced(kernel: KernelProfile, version: int) -> KernelProfile:
    """A kernel as a vCPU has it whose feature bit forces a version."""
    return replace(without_register(kernel), psci_default=version)


def first_revision(means: Means) -> World:
    """PSCI 0.2 alone, then 1.0 and what comes with it."""
    return World(means=means, old=Kernel(kvm=Kvm(profile=profile(OLD_KERNEL), levels=CPU)), new=_first_new(means))


def _first_new(means: Means) -> Kernel:
    kvm = Kvm(profile=profile(NEW_KERNEL), levels=CPU)
    if means is Means.REGISTER:
        return Kernel(kvm=kvm)
    bits = {OLDEST: replace(kvm, profile=forced(kvm.profile, OLDEST))} if means is Means.BIT else {}
    return Kernel(kvm=replace(kvm, profile=without_register(kvm.profile)), bits=bits)


def second_revision(means: Means, novelty: Novelty, *, extended: bool) -> World:
    """The first revision's new kernel, and one that brings a novelty. `extended`: the mechanism was given a further register, or bit."""
    old = _first_new(means)
    kvm = _with_novelty(old.kvm, novelty, means)
    bits = {version: replace(kvm, profile=replace(kvm.profile, psci_default=version)) for version in old.bits}
    match means:
        case Means.REGISTER if extended and novelty.workaround_2:
            kvm = replace(kvm, profile=replace(kvm.profile, registers=(*kvm.profile.registers, fw.WORKAROUND_2.name)))
        case Means.BIT if extended:
            bits[old.kvm.profile.psci_default] = old.kvm
    return World(means=means, old=old, new=Kernel(kvm=kvm, bits=bits))


def _with_novelty(kvm: Kvm, novelty: Novelty, means: Means) -> Kvm:
    """A kernel accepts every version that it implements, if it can be asked at all; it tells guests what it knows of v4."""
    known = kvm.profile
    if novelty.psci is not None:
        accepted = (*known.psci_accepted, novelty.psci) if means is Means.REGISTER else ()
        known = replace(known, psci_default=novelty.psci, psci_accepted=accepted)
    return replace(kvm, profile=replace(known, answers_workaround_2=novelty.workaround_2))
