"""What a guest's hypercalls return: PSCI, SMCCC, TRNG, PV time and the vendor services, by the VM's registers.

Sources: arch/arm64/kvm/psci.c, hypercalls.c and trng.c of the kernels named in `timeline`; PSCI DEN0022, SMCCC DEN0028, TRNG DEN0098; every
answer but those that vary is held against observed calls.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fleetplan.firmware import registers as fw
from fleetplan.firmware.guest_view import NOT_SUPPORTED, answers
from fleetplan.firmware.vcpu import Kvm, VirtualMachine

SUCCESS = 0
SMCCC_1_1 = 0x10001
TRNG_1_0 = 0x10000
OWN_AFFINITY_ON = 0
NOTHING_MIGRATES = 2

Result = tuple[int | None, int | None, int | None, int | None]
"""x0 to x3; None where the value varies from call to call. Negative numbers are SMCCC errors."""

VARIES: Result = (None, None, None, None)


class PsciFunction(msgspec.Struct, frozen=True, kw_only=True):
    """A row: the ids of a PSCI function (32-bit, and 64-bit where it has one), and the version that adds it.

    `features` is what PSCI_FEATURES says of it. `capability` is what the VMM has to turn on.
    """

    name: str
    ids: tuple[int, ...]
    since: str
    source: str
    features: int = SUCCESS
    capability: str = ""


PSCI_C = "arch/arm64/kvm/psci.c, kernel-firmware-registers 3.1"
FUNCTIONS: tuple[PsciFunction, ...] = (
    PsciFunction(name="PSCI_VERSION", ids=(0x84000000,), since="0.2", source=PSCI_C),
    PsciFunction(name="CPU_SUSPEND", ids=(0x84000001, 0xC4000001), since="0.2", source=PSCI_C),
    PsciFunction(name="CPU_OFF", ids=(0x84000002,), since="0.2", source=PSCI_C),
    PsciFunction(name="CPU_ON", ids=(0x84000003, 0xC4000003), since="0.2", source=PSCI_C),
    PsciFunction(name="AFFINITY_INFO", ids=(0x84000004, 0xC4000004), since="0.2", source=PSCI_C),
    PsciFunction(name="MIGRATE_INFO_TYPE", ids=(0x84000006,), since="0.2", source=PSCI_C),
    PsciFunction(name="SYSTEM_OFF", ids=(0x84000008,), since="0.2", source=PSCI_C),
    PsciFunction(name="SYSTEM_RESET", ids=(0x84000009,), since="0.2", source=PSCI_C),
    PsciFunction(name="PSCI_FEATURES", ids=(0x8400000A,), since="1.0", source=PSCI_C),
    PsciFunction(
        name="SYSTEM_SUSPEND",
        ids=(0x8400000E, 0xC400000E),
        since="1.0",
        source=f"{PSCI_C}; KVM_CAP_ARM_SYSTEM_SUSPEND (5.19)",
        capability="arm_system_suspend",
    ),
    PsciFunction(name="SYSTEM_RESET2", ids=(0x84000012, 0xC4000012), since="1.1", source=PSCI_C),
    PsciFunction(name="SYSTEM_OFF2", ids=(0x84000015, 0xC4000015), since="1.3", source=PSCI_C, features=1),
)
BY_FUNCTION: Mapping[int, PsciFunction] = {number: row for row in FUNCTIONS for number in row.ids}

VERSION, FEATURES, AFFINITY_INFO, MIGRATE_INFO_TYPE = 0x84000000, 0x8400000A, (0x84000004, 0xC4000004), 0x84000006
SMCCC_VERSION, ARCH_FEATURES = 0x80000000, 0x80000001
WORKAROUNDS = (0x80008000, 0x80007FFF, 0x80003FFF)
PV_TIME_FEATURES = 0xC5000020
TRNG_VERSION, TRNG_FEATURES, TRNG_UUID, TRNG_RND = 0x84000050, 0x84000051, 0x84000052, (0x84000053, 0xC4000053)
KVM_TRNG_UUID: Result = (0xE0210D, 0xEB118443, 0x44527080, 0x4C5A4E55)
VENDOR_UID, VENDOR_FEATURES, PTP = 0x8600FF01, 0x86000000, 0x86000001
KVM_UID: Result = (0xB66FB428, 0xE911C52E, 0x564BCAA9, 0x743A004D)


def call(machine: VirtualMachine, kvm: Kvm, function: int, argument: int = 0, *, vcpu: int = 0) -> Result:
    """HVC with a function id in w0 and one argument in x1."""
    if function in BY_FUNCTION:
        return _value(_psci(machine, kvm, function, argument, vcpu))
    if function in {SMCCC_VERSION, ARCH_FEATURES}:
        return _value(_smccc(machine, kvm, function, argument, vcpu))
    if function in {TRNG_VERSION, TRNG_FEATURES, TRNG_UUID, *TRNG_RND}:
        return _trng(machine, kvm, function, argument, vcpu)
    return _vendor(machine, kvm, function, vcpu)


def _value(x0: int) -> Result:
    return (x0, 0, 0, 0)


def psci_of(machine: VirtualMachine, kvm: Kvm, vcpu: int = 0) -> int:
    """The PSCI version that a vCPU is given; kernels without the register give their default to a vCPU with PSCI_0_2."""
    value = machine.get(vcpu, fw.PSCI_VERSION.id).value
    if value is not None:
        return value
    return kvm.profile.psci_default if machine.has_psci_0_2(vcpu) else fw.psci_value("0.1")


def _has(machine: VirtualMachine, row: PsciFunction | None, psci: int) -> bool:
    if row is None or psci < fw.psci_value(row.since):
        return False
    return not row.capability or machine.has_capability(row.capability)


def _psci(machine: VirtualMachine, kvm: Kvm, function: int, argument: int, vcpu: int) -> int:
    psci = psci_of(machine, kvm, vcpu)
    if not _has(machine, BY_FUNCTION[function], psci):
        return NOT_SUPPORTED
    if function == VERSION:
        return psci
    if function == FEATURES:
        asked = BY_FUNCTION.get(argument)
        if asked is not None and _has(machine, asked, psci):
            return asked.features
        return SUCCESS if argument == SMCCC_VERSION and kvm.profile.smccc else NOT_SUPPORTED
    if function == MIGRATE_INFO_TYPE:
        return NOTHING_MIGRATES
    # Functions that change the machine's state are not carried out here: they would return SUCCESS, or not return.
    return OWN_AFFINITY_ON if function in AFFINITY_INFO else SUCCESS


def _smccc(machine: VirtualMachine, kvm: Kvm, function: int, argument: int, vcpu: int) -> int:
    """Version and features are there whatever the selected PSCI version."""
    if not kvm.profile.smccc:
        return NOT_SUPPORTED
    if function == SMCCC_VERSION:
        return SMCCC_1_1
    if argument in WORKAROUNDS:
        return answers(machine, kvm, vcpu)[WORKAROUNDS.index(argument)]
    if argument == PV_TIME_FEATURES:
        return SUCCESS if _offers(machine, fw.STD_HYP_BMAP, "PV time", vcpu, without=kvm.profile.pv_time) else NOT_SUPPORTED
    return NOT_SUPPORTED


def _offers(machine: VirtualMachine, row: fw.FirmwareRegister, service: str, vcpu: int, *, without: bool) -> bool:
    """Whether a service's bit is set; in kernels without the bitmap, whether they have the service."""
    value = machine.get(vcpu, row.id).value
    return without if value is None else fw.has_bit(row, value, service)


def _trng(machine: VirtualMachine, kvm: Kvm, function: int, argument: int, vcpu: int) -> Result:
    if not _offers(machine, fw.STD_BMAP, "TRNG", vcpu, without=kvm.profile.trng):
        return _value(NOT_SUPPORTED)
    if function == TRNG_VERSION:
        return _value(TRNG_1_0)
    if function == TRNG_FEATURES:
        return _value(SUCCESS if argument in {TRNG_VERSION, TRNG_FEATURES, TRNG_UUID, *TRNG_RND} else NOT_SUPPORTED)
    return KVM_TRNG_UUID if function == TRNG_UUID else VARIES


def _vendor(machine: VirtualMachine, kvm: Kvm, function: int, vcpu: int) -> Result:
    """Vendor services; all other functions, PV time without an address among them, are not supported."""
    without = kvm.profile.vendor_hyp
    if function == PTP and _offers(machine, fw.VENDOR_HYP_BMAP, "PTP", vcpu, without=without):
        return VARIES
    if function in {VENDOR_UID, VENDOR_FEATURES} and _offers(machine, fw.VENDOR_HYP_BMAP, "vendor features", vcpu, without=without):
        return KVM_UID if function == VENDOR_UID else _vendor_features(machine, vcpu)
    return _value(NOT_SUPPORTED)


def _vendor_features(machine: VirtualMachine, vcpu: int) -> Result:
    """The first word is VENDOR_HYP_BMAP, the third VENDOR_HYP_BMAP_2 (functions 64 to 127)."""
    first, third = (machine.get(vcpu, row.id).value for row in (fw.VENDOR_HYP_BMAP, fw.VENDOR_HYP_BMAP_2))
    return (fw.VENDOR_HYP_BMAP.valid if first is None else first, 0, third or 0, 0)
