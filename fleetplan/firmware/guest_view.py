"""What a guest's PSCI and SMCCC calls return, for a register file on a kernel; and what one view has that another has not.

A guest looks once, at boot: the view at its last boot is its *promise*. Functions and answers: linux Documentation/virt/kvm/arm and the
observed calls; SMCCC DEN0028, PSCI DEN0022, TRNG DEN0098.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from fleetplan.firmware import registers as fw
from fleetplan.firmware.profile import KernelProfile
from fleetplan.firmware.vcpu import Kvm, VirtualMachine

NOT_SUPPORTED = -1
NOT_REQUIRED = -2


class Item(StrEnum):
    """Something that a guest can find, use, and miss."""

    SPECTRE_V2 = "spectre-v2"
    SPECTRE_V4 = "spectre-v4"
    SPECTRE_BHB = "spectre-bhb"
    TRNG = "TRNG"
    PV_TIME = "PV time"
    VENDOR_FEATURES = "vendor features"
    PTP = "PTP"
    SYSTEM_RESET2 = "SYSTEM_RESET2"
    SYSTEM_OFF2 = "SYSTEM_OFF2"


MITIGATIONS = (Item.SPECTRE_V2, Item.SPECTRE_V4, Item.SPECTRE_BHB)

REGISTER_OF: Mapping[Item, fw.FirmwareRegister] = {
    Item.SPECTRE_V2: fw.WORKAROUND_1,
    Item.SPECTRE_V4: fw.WORKAROUND_2,
    Item.SPECTRE_BHB: fw.WORKAROUND_3,
    Item.TRNG: fw.STD_BMAP,
    Item.PV_TIME: fw.STD_HYP_BMAP,
    Item.VENDOR_FEATURES: fw.VENDOR_HYP_BMAP,
    Item.PTP: fw.VENDOR_HYP_BMAP,
    Item.SYSTEM_RESET2: fw.PSCI_VERSION,
    Item.SYSTEM_OFF2: fw.PSCI_VERSION,
}
"""The register that decides each."""


class GuestView(msgspec.Struct, frozen=True, kw_only=True):
    """What a guest sees.

    `psci` is the PSCI version. The workarounds are answers of ARCH_FEATURES: 0 needed and there, 1 not needed here, -1 not there,
    -2 not required; None where the guest never asks (PSCI below 1.0, or a kernel without SMCCC). `ssbs`: the guest protects itself
    against v4. `services` are what else it finds.
    """

    psci: int
    workaround_1: int | None
    workaround_2: int | None
    workaround_3: int | None
    ssbs: bool
    services: frozenset[Item]


def view(machine: VirtualMachine, kvm: Kvm, vcpu: int = 0) -> GuestView:
    """What a guest that looks now would find: a Linux guest, which asks for SMCCC only from PSCI 1.0 on."""
    profile = kvm.profile
    psci = _version(machine, profile, vcpu)
    asks = profile.smccc and fw.finds_smccc(psci)
    first, second, third = answers(machine, kvm, vcpu)
    return GuestView(
        psci=psci,
        workaround_1=first if asks else None,
        workaround_2=second if asks else None,
        workaround_3=third if asks else None,
        ssbs=machine.ssbs(vcpu),
        services=frozenset(_psci_services(psci)) | (frozenset(_services(machine, profile, vcpu)) if asks else frozenset()),
    )


def _version(machine: VirtualMachine, profile: KernelProfile, vcpu: int) -> int:
    value = machine.get(vcpu, fw.PSCI_VERSION.id).value
    return profile.psci_default if value is None else value


def answers(machine: VirtualMachine, kvm: Kvm, vcpu: int = 0) -> tuple[int, int, int]:
    """ARCH_FEATURES of WORKAROUND_1, _2, _3: `1 and 3: level 0 -> -1, 1 -> 0, 2 -> 1; 2: 0 -> -1, 3 -> -2`.

    Kernels that answer without having the register are asked through their host's level.
    """
    levels = kvm.levels
    first = levels.spectre_v2 - 1 if kvm.profile.smccc else NOT_SUPPORTED
    third = levels.bhb - 1 if kvm.profile.answers_workaround_3 else NOT_SUPPORTED
    return first, _second(machine, kvm, vcpu), third


def _second(machine: VirtualMachine, kvm: Kvm, vcpu: int) -> int:
    """From 4.18 on. Up to 5.9 a host that mitigates on demand answers SUCCESS; from 5.10 only `not required`, or nothing."""
    if not kvm.profile.answers_workaround_2:
        return NOT_SUPPORTED
    value = machine.get(vcpu, fw.WORKAROUND_2.id).value
    state = kvm.levels.ssb if value is None else value & ~fw.ENABLED
    return {fw.AVAIL_2: 0, fw.NOT_REQUIRED_2: NOT_REQUIRED}.get(state, NOT_SUPPORTED)


def _psci_services(psci: int) -> list[Item]:
    found = []
    if psci >= fw.psci_value("1.1"):
        found.append(Item.SYSTEM_RESET2)
    if psci >= fw.psci_value("1.3"):
        found.append(Item.SYSTEM_OFF2)
    return found


def _services(machine: VirtualMachine, profile: KernelProfile, vcpu: int) -> list[Item]:
    """Services behind bitmaps, or there without one in kernels before the bitmaps."""
    before = {
        Item.TRNG: profile.trng,
        Item.PV_TIME: profile.pv_time,
        Item.VENDOR_FEATURES: profile.vendor_hyp,
        Item.PTP: profile.vendor_hyp,
    }
    found = []
    for item, there in before.items():
        value = machine.get(vcpu, REGISTER_OF[item].id).value
        if there and (value is None or fw.has_bit(REGISTER_OF[item], value, item.value)):
            found.append(item)
    return found


# --- what differs --------------------------------------------------------------------------------------------------------------------


def losses(promise: GuestView, now: GuestView) -> tuple[Item, ...]:
    """What the guest was promised at its last boot, and does not have now."""
    lost = []
    if _worse(promise.workaround_1, now.workaround_1):
        lost.append(Item.SPECTRE_V2)
    if _worse(promise.workaround_2, now.workaround_2) and not now.ssbs:
        lost.append(Item.SPECTRE_V4)
    if promise.ssbs and not now.ssbs and now.workaround_2 != NOT_REQUIRED and Item.SPECTRE_V4 not in lost:
        lost.append(Item.SPECTRE_V4)
    if _worse(promise.workaround_3, now.workaround_3):
        lost.append(Item.SPECTRE_BHB)
    return (*lost, *(item for item in Item if item in promise.services and item not in now.services))


def gains(promise: GuestView, now: GuestView) -> tuple[Item, ...]:
    """What is there now and was not at the last boot; the guest finds it when it looks again."""
    return losses(now, promise)


def _worse(promised: int | None, now: int | None) -> bool:
    """Whether an answer of ARCH_FEATURES got worse: a guest told `not needed` (1, -2) never calls; one told `there` (0) does.

    A guest that never asked was promised nothing.
    """
    order = {None: 0, NOT_SUPPORTED: 0, 0: 1, 1: 2, NOT_REQUIRED: 2}
    return order[now] < order[promised]
