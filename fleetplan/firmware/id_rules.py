"""What a restore may write to an ID register, and whether two kernels give it the same value.

Which fields may be lowered is the kernel's `.val` mask of the register (sys_reg_descs in arch/arm64/kvm/sys_regs.c). Which values a
kernel changes on the same hardware is known for the CPUs whose registers were read under several kernels; for any other CPU a value is
known to be the same only under kernels that do not differ in these rules.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from fleetplan.firmware.cpus import by_midr
from fleetplan.firmware.encodings import AARCH32_IDS, AARCH64_IDS, CCSIDR_IDS, by_name
from fleetplan.firmware.id_fields import WHOLE, fields
from fleetplan.firmware.kernels import IdRule, KernelProfile, Listed
from fleetplan.firmware.vcpu import Feature, OtherRegister

SYS_REGS = "arch/arm64/kvm/sys_regs.c, sys_reg_descs, 6.15 to 6.16"
SEEN = "observed: registers of fresh vCPUs on Debian 5.10.223 to 7.3.4, and restore pairs between them"
FIRECRACKER = "observed: Firecracker fingerprints of Neoverse N1 and V1 on 5.10, 6.1 and 6.18"


# --- what may be written ------------------------------------------------------------------------------------------------------------


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """Which fields of one ID register a restore may lower where ID registers are writable.

    A field that does not compare by level is not among them. `more` adds fields by kernel. `ignored` are dropped by kernels that hide
    them.
    """

    register: str
    writable: int
    source: str
    signed: int = 0
    more: Callable[[KernelProfile], int] = lambda _: 0
    ignored: Callable[[KernelProfile], int] = lambda _: 0


ROWS: tuple[Fields, ...] = (
    Fields(
        register="ID_DFR0_EL1",
        writable=fields(0, 24),
        source=f"{SYS_REGS}: PerfMon, CopDbg",
    ),
    Fields(
        register="ID_AA64PFR0_EL1",
        writable=WHOLE & ~fields(16, 20, 24, 28, 32, 40, 44),
        signed=fields(16, 20),
        ignored=lambda kernel: fields(40) if kernel.mpam_hidden else 0,
        source=f"{SYS_REGS}: all but FP, AdvSIMD, GIC, RAS, SVE, MPAM, AMU; {SEEN}",
    ),
    Fields(
        register="ID_AA64PFR1_EL1",
        writable=0,
        more=lambda kernel: fields(0, 4, 32) if kernel.pfr1_writable else 0,
        ignored=lambda kernel: fields(16) if kernel.mpam_hidden else 0,
        source=f"{SYS_REGS}: BT, SSBS, CSV2_frac; {SEEN}",
    ),
    Fields(register="ID_AA64ZFR0_EL1", writable=WHOLE, source=SYS_REGS),
    Fields(
        register="ID_AA64DFR0_EL1",
        writable=fields(0, 8),
        signed=fields(36),
        more=lambda kernel: fields(20, 36) if kernel.imp_id_writable else 0,
        source=f"{SYS_REGS}: DebugVer, PMUVer, and in 6.15 also WRPs, DoubleLock (signed: 0xf is not there); {SEEN}",
    ),
    Fields(register="ID_AA64ISAR0_EL1", writable=WHOLE, source=SYS_REGS),
    Fields(register="ID_AA64ISAR1_EL1", writable=WHOLE & ~fields(4, 8, 24, 28), source=f"{SYS_REGS}: all but APA, API, GPA, GPI"),
    Fields(register="ID_AA64ISAR2_EL1", writable=WHOLE & ~fields(8, 12), source=f"{SYS_REGS}: all but GPA3, APA3"),
    Fields(
        register="ID_AA64MMFR0_EL1",
        writable=WHOLE & ~fields(4, 32, 36, 40),
        signed=fields(24, 28),
        source=f"{SYS_REGS}: all but ASIDBits and the stage 2 granules; TGRAN4, TGRAN64 are signed",
    ),
    Fields(
        register="ID_AA64MMFR1_EL1",
        writable=WHOLE & ~fields(4, 8, 24, 28, 32, 40),
        more=lambda kernel: fields(40) if kernel.hcx_writable else 0,
        source=f"{SYS_REGS}: all but VMIDBits, VH, XNX, TWED, HCX (until it became writable); SpecSEI rises instead; {SEEN}",
    ),
    Fields(
        register="ID_AA64MMFR2_EL1",
        writable=WHOLE & ~fields(20, 24, 36, 40, 56),
        ignored=lambda kernel: fields(24) if kernel.nv_hidden else 0,
        source=f"{SYS_REGS}: all but CCIDX, NV, IDS, FWB, EVT; {SEEN}",
    ),
    Fields(register="ID_AA64MMFR3_EL1", writable=fields(0, 8, 16), source=f"{SYS_REGS}: TCRX, S1PIE, S1POE"),
    Fields(
        register="CTR_EL0",
        writable=0,
        more=lambda kernel: fields(0, 16) | 3 << 28 if kernel.ctr_writable else 0,
        source=f"{SYS_REGS}: IminLine, DminLine, IDC, DIC (bits, here compared as one field); {SEEN}",
    ),
)
CSV2, CSV3 = fields(56), fields(60)
PFR0, CTR, CLIDR = by_name("ID_AA64PFR0_EL1"), by_name("CTR_EL0"), by_name("CLIDR_EL1")
DFR0, DFR0_32 = by_name("ID_AA64DFR0_EL1"), by_name("ID_DFR0_EL1")
IMPLEMENTATION = frozenset({by_name("MIDR_EL1"), by_name("REVIDR_EL1"), by_name("AIDR_EL1")})
_AARCH32, _ID_REGISTERS = frozenset(AARCH32_IDS), frozenset({*AARCH32_IDS, *AARCH64_IDS, CTR})
_CACHES = frozenset({*CCSIDR_IDS, CLIDR})
_ROWS = {by_name(row.register): row for row in ROWS}


@lru_cache(maxsize=8192)
def write_rule(register: int, kernel: KernelProfile) -> OtherRegister:
    """What this kernel lets a restore write; `value` is left open.

    A value of MIDR_EL1, REVIDR_EL1 or AIDR_EL1 may only change with KVM_CAP_ARM_WRITABLE_IMP_ID_REGS, which no VMM turns on by itself.
    """
    if register in IMPLEMENTATION:
        return OtherRegister(id=register, value=None, writable=0)
    if register in _CACHES:
        return OtherRegister(id=register, value=None, writable=None if kernel.ccsidr_normalised else 0)
    if register not in _ID_REGISTERS:
        return OtherRegister(id=register, value=None)
    match kernel.id_rule:
        case IdRule.EQUAL:
            return OtherRegister(id=register, value=None, writable=0)
        case IdRule.CSV:
            return OtherRegister(id=register, value=None, writable=_csv(kernel) if register == PFR0 else 0, lowerable=True)
        case IdRule.FIELDS:
            return _by_fields(register, kernel)


def _csv(kernel: KernelProfile) -> int:
    """CSV2 from 5.10, CSV3 with the kernels that also began to hide the PMU (5.11)."""
    return CSV2 if kernel.pmu_always_listed else CSV2 | CSV3


def _by_fields(register: int, kernel: KernelProfile) -> OtherRegister:
    if register in _AARCH32 and kernel.aa32_ids_writable:
        return OtherRegister(id=register, value=None, writable=WHOLE, lowerable=True)
    row = _ROWS.get(register)
    if row is None:
        return OtherRegister(id=register, value=None, writable=0)
    writable = row.writable | row.more(kernel)
    return OtherRegister(id=register, value=None, writable=writable, lowerable=True, signed=row.signed, ignored=row.ignored(kernel))


# --- what is read -------------------------------------------------------------------------------------------------------------------


class Silicon(NamedTuple):
    """What the values of ID registers are assumed to depend on, beside the kernel and the vCPU's features."""

    midr: int | None
    revidr: int | None


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of a register that the hardware has and that some kernels make 0."""

    register: int
    mask: int
    hardware: int
    by: Callable[[KernelProfile], bool]


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """A CPU design (MIDR_EL1 without variant and revision) whose registers were read under several kernels.

    `debug` is ID_AA64DFR0_EL1 without DebugVer and PMUVer, which are `debug_version` and `pmu_version` in hardware. `csv3`: the
    hardware says that Meltdown does not concern it; else kernels from 5.11 say so. `hidden` are fields that later kernels hide, and
    `settled_in_5_11` registers that kernels up to 5.10 show with more of the hardware (and of the platform) than later ones.
    """

    model: int
    debug: int
    debug_version: int
    pmu_version: int
    source: str
    csv3: bool = True
    hidden: tuple[Hidden, ...] = ()
    settled_in_5_11: frozenset[int] = frozenset()


_V1_HIDDEN = (
    Hidden(register=PFR0, mask=fields(40), hardware=1 << 40, by=lambda kernel: kernel.mpam_hidden),
    Hidden(register=by_name("ID_AA64MMFR2_EL1"), mask=fields(24), hardware=2 << 24, by=lambda kernel: kernel.nv_hidden),
)
_V1_SETTLED = frozenset({DFR0, PFR0, by_name("ID_MMFR4_EL1"), by_name("ID_AA64MMFR2_EL1")})
DESIGNS: tuple[Design, ...] = (
    Design(model=0x410FD070, debug=0x10305000, debug_version=6, pmu_version=1, csv3=False, source=f"{SEEN}: Cortex-A57"),
    Design(model=0x410FD080, debug=0x10305000, debug_version=6, pmu_version=1, csv3=False, source=f"{SEEN}: Cortex-A72"),
    Design(
        model=0x410FD0B0,
        debug=0x10305000,
        debug_version=8,
        pmu_version=4,
        settled_in_5_11=frozenset({DFR0, PFR0}),
        source="Cortex-A76 manual, B2.4 (as in QEMU target/arm/tcg/cpu64.c): the fields of Neoverse N1, which is built on it",
    ),
    Design(
        model=0x410FD0C0,
        debug=0x10305000,
        debug_version=8,
        pmu_version=4,
        settled_in_5_11=frozenset({DFR0}),
        source=f"{SEEN}; {FIRECRACKER}: Neoverse N1",
    ),
    Design(
        model=0x410FD400,
        debug=0xF010305000,
        debug_version=9,
        pmu_version=5,
        hidden=_V1_HIDDEN,
        settled_in_5_11=_V1_SETTLED,
        source=f"{FIRECRACKER}: Neoverse V1; PMUVer from its manual, 3.2.4 (as in QEMU target/arm/tcg/cpu64.c)",
    ),
)
_BY_MODEL = {design.model: design for design in DESIGNS}
_MODEL = 0xFF0FFFF0


def _design(cpu: Silicon) -> Design | None:
    return None if cpu.midr is None else _BY_MODEL.get(cpu.midr & _MODEL)


Features = frozenset[Feature]
Partial = tuple[int, int]
"""A mask of bits that are known, and what they read."""
NOTHING: Partial = (0, 0)


@lru_cache(maxsize=65536)
def partial_value(register: int, kernel: KernelProfile, cpu: Silicon, features: Features) -> Partial:
    """What is known of the value on a fresh vCPU from the CPU alone; all of it where the mask is whole."""
    if register in IMPLEMENTATION:
        value = {by_name("MIDR_EL1"): cpu.midr, by_name("REVIDR_EL1"): cpu.revidr}.get(register)
        return NOTHING if value is None else (WHOLE, value)
    design = _design(cpu)
    if design is None:
        return NOTHING
    if register == DFR0:
        return _debug_features(design, kernel, features)
    if register == DFR0_32:
        pmu = _pmu_version(design, kernel, features)
        return (fields(24), (3 if pmu == 1 else pmu) << 24)
    if register in CCSIDR_IDS and kernel.ccsidr_normalised:
        return (WHOLE, 2)  # one way, one set, lines of 64 bytes
    return _by_hiding(register, design, kernel)


def _pmu_version(design: Design, kernel: KernelProfile, features: Features) -> int:
    """PMUVer: shown up to v8.1 (4) without asking for a PMU in 5.10, later only with one."""
    if kernel.pmu_always_listed:
        return min(4, design.pmu_version)
    return design.pmu_version if "pmu_v3" in features else 0


def _debug_features(design: Design, kernel: KernelProfile, features: Features) -> Partial:
    """ID_AA64DFR0_EL1: DebugVer up to 6 (v8.0) from 5.12 and up to 10 (v8.8) from 6.7. In 5.10 profiling and trace show through."""
    limit = 15 if kernel.pmu_always_listed else 10 if kernel.id_rule is IdRule.FIELDS else 6
    known = WHOLE & ~fields(32, 40) if kernel.pmu_always_listed else WHOLE
    value = design.debug | _pmu_version(design, kernel, features) << 8 | min(limit, design.debug_version)
    return (known, value & known)


def _by_hiding(register: int, design: Design, kernel: KernelProfile) -> Partial:
    mask, bits = NOTHING
    for row in design.hidden:
        if row.register == register:
            mask, bits = mask | row.mask, bits | (0 if row.by(kernel) else row.hardware)
    if register == PFR0 and not design.csv3:
        mask, bits = mask | CSV3, bits | (0 if kernel.pmu_always_listed else 1 << 60)
    return (mask, bits)


@lru_cache(maxsize=65536)
def era(register: int, kernel: KernelProfile, cpu: Silicon, features: Features) -> str:
    """A token such that a register with the same token on another host has the same value; empty where nothing can be said."""
    if cpu.midr is None:
        return ""
    if register in _CACHES:
        step = "made up" if kernel.ccsidr_normalised else "hardware"
    elif register in IMPLEMENTATION:
        step = ""
    elif register in _ID_REGISTERS:
        step = _step(register, kernel, cpu)
    else:
        return ""
    return f"{cpu.midr:x}/{cpu.revidr or 0:x} {'+'.join(sorted(features))} {step}"


def _step(register: int, kernel: KernelProfile, cpu: Silicon) -> str:
    """The part of the token that kernels change."""
    design = _design(cpu)
    if design is not None:
        return "up to 5.10" if kernel.pmu_always_listed and register in design.settled_in_5_11 else "any"
    return _every_step(kernel) if cpu.midr is not None and by_midr(cpu.midr) is not None else _fingerprint(kernel)


@lru_cache(maxsize=256)
def _fingerprint(kernel: KernelProfile) -> str:
    """Everything about a kernel: of a CPU that is in no table, not even features are known."""
    return repr(replace(kernel, loop_cpus=frozenset()))


def _every_step(kernel: KernelProfile) -> str:
    """All changes that may touch a value: kernels that agree here were seen to agree on every CPU observed."""
    tests = (
        kernel.pmu_always_listed,
        kernel.oslsr_listed,
        kernel.ccsidr_normalised,
        kernel.timers_listed > 3,
        kernel.tcr2_pir is Listed.ALWAYS,
        kernel.id_rule is IdRule.FIELDS,
        kernel.ctr_writable,
        kernel.pfr1_writable,
        kernel.tcr2_pir is Listed.BY_FEATURE,
        kernel.imp_id_writable,
        kernel.mpam_hidden,
        kernel.nv_hidden,
    )
    return "".join("01"[test] for test in tests)
