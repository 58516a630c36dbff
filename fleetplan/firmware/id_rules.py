"""What a restore may write to an ID register, and whether two kernels give it the same value.

Which fields may change is the kernel's `.val` mask of the register (sys_reg_descs in arch/arm64/kvm/sys_regs.c). Which values a
kernel changes on the same hardware is known for the CPUs whose registers were read under several kernels; for any other CPU a value is
known to be the same only under kernels that do not differ in these rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from fleetplan.firmware.cpus import by_midr
from fleetplan.firmware.encodings import AARCH32_IDS, AARCH64_IDS, CCSIDR_IDS, by_name
from fleetplan.firmware.id_fields import FIXED, FREE, WHOLE, Rule, fields
from fleetplan.firmware.kernels import IdRule, KernelProfile, Listed
from fleetplan.firmware.sightings import without_levels
from fleetplan.firmware.vcpu import Feature

SYS_REGS = "linux arch/arm64/kvm/sys_regs.c, sys_reg_descs, 6.7 to 6.18"
FTR = "arch/arm64/kernel/cpufeature.c, ftr_*"
SEEN = "observed: registers of fresh vCPUs on Debian 5.10.223 to 7.3.4, and restore pairs between them"
FIRECRACKER = "observed: Firecracker fingerprints of Neoverse N1 and V1 on 5.10, 6.1 and 6.18"


# --- what may be written ------------------------------------------------------------------------------------------------------------


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """Which fields of one ID register a restore may change where ID registers are writable.

    `writable`, `signed`, `higher`, `exact` and `narrow` are as in `id_fields.Rule`. `more` adds writable fields by kernel. `ignored` are
    dropped by kernels that hide them.
    """

    register: str
    writable: int
    source: str
    signed: int = 0
    higher: tuple[int, ...] = ()
    exact: tuple[tuple[int, int], ...] = ()
    narrow: tuple[int, ...] = ()
    more: Callable[[KernelProfile], int] = lambda _: 0
    ignored: Callable[[KernelProfile], int] = lambda _: 0

    def rule(self, kernel: KernelProfile) -> Rule:
        """What a kernel whose ID registers are writable takes."""
        return Rule(
            writable=self.writable | self.more(kernel),
            lowerable=True,
            signed=self.signed,
            higher=self.higher,
            exact=self.exact,
            narrow=self.narrow,
            ignored=self.ignored(kernel),
        )


VIPT = 2 << 14
"""CTR_EL0.L1Ip of a virtually indexed, physically tagged cache: what any guest may be told (cpufeature.c, ftr_ctr)."""
NO_GRANULE = 1
"""ID_AA64MMFR0_EL1.TGRAN*_2 of a page size that stage 2 has not got (cpufeature.c, ftr_id_aa64mmfr0)."""

ROWS: tuple[Fields, ...] = (
    Fields(
        register="ID_DFR0_EL1",
        writable=fields(0, 24),
        signed=fields(24),
        source=f"{SYS_REGS}: PerfMon (signed: 0xf counts as none), CopDbg",
    ),
    Fields(
        register="ID_AA64PFR0_EL1",
        writable=WHOLE & ~fields(16, 20, 24, 28, 32, 40, 44),
        signed=fields(16, 20),
        more=lambda kernel: (fields(24) if kernel.pfr1_writable else 0) | (fields(28) if kernel.ras_writable else 0),
        ignored=lambda kernel: fields(40) if kernel.mpam_hidden else 0,
        source=f"{SYS_REGS}: all but FP, AdvSIMD, GIC (to 6.11), RAS (to 6.16), SVE, MPAM, AMU; {SEEN}",
    ),
    Fields(
        register="ID_AA64PFR1_EL1",
        writable=0,
        more=lambda kernel: (fields(0, 4, 32) if kernel.pfr1_writable else 0) | (fields(12) if kernel.ras_writable else 0),
        ignored=lambda kernel: fields(16) if kernel.mpam_hidden else 0,
        source=f"{SYS_REGS}: BT, SSBS, CSV2_frac from 6.12, RAS_frac from 6.17; {SEEN}",
    ),
    Fields(
        register="ID_AA64PFR2_EL1",
        writable=0,
        more=lambda kernel: fields(32) if kernel.pfr1_writable else 0,
        source=f"{SYS_REGS}: FPMR from 6.12",
    ),
    Fields(register="ID_AA64ZFR0_EL1", writable=WHOLE, source=SYS_REGS),
    Fields(
        register="ID_AA64DFR0_EL1",
        writable=fields(0, 8),
        signed=fields(8, 36),
        more=lambda kernel: fields(20, 36) if kernel.pfr1_writable else 0,
        source=f"{SYS_REGS}: DebugVer, PMUVer (signed: 0xf counts as none), from 6.12 (980c41f554c3) WRPs and DoubleLock (signed); {SEEN}",
    ),
    Fields(register="ID_AA64ISAR0_EL1", writable=WHOLE, source=SYS_REGS),
    Fields(register="ID_AA64ISAR1_EL1", writable=WHOLE & ~fields(4, 8, 24, 28), source=f"{SYS_REGS}: all but APA, API, GPA, GPI"),
    Fields(register="ID_AA64ISAR2_EL1", writable=WHOLE & ~fields(8, 12), source=f"{SYS_REGS}: all but GPA3, APA3"),
    Fields(
        register="ID_AA64MMFR0_EL1",
        writable=WHOLE & ~fields(4, 32, 36, 40),
        signed=fields(24, 28),
        exact=tuple((fields(shift), NO_GRANULE << shift) for shift in (32, 36, 40)),
        more=lambda kernel: (0 if kernel.asid_bits_fixed else fields(4)) | (fields(32, 36, 40) if kernel.imp_id_writable else 0),
        source=f"{SYS_REGS}: all but ASIDBits (from 6.13, 6.12.7) and the stage 2 granules (to 6.14); {FTR}: TGRAN4, TGRAN64 are signed",
    ),
    Fields(
        register="ID_AA64MMFR1_EL1",
        writable=WHOLE & ~fields(4, 8, 28, 32, 40),
        higher=(fields(24),),
        more=lambda kernel: fields(40) if kernel.hcx_writable else 0,
        source=f"{SYS_REGS}: all but VMIDBits, VH, XNX, TWED, HCX (to 6.17); {FTR}: SpecSEI may be raised, not lowered; {SEEN}",
    ),
    Fields(
        register="ID_AA64MMFR2_EL1",
        writable=WHOLE & ~fields(20, 24, 36, 40, 56),
        ignored=lambda kernel: fields(24) if kernel.nv_hidden else 0,
        source=f"{SYS_REGS}: all but CCIDX, NV, IDS, FWB, EVT; {SEEN}",
    ),
    Fields(
        register="ID_AA64MMFR3_EL1",
        writable=0,
        more=lambda kernel: fields(0, 8, 16) if kernel.pfr1_writable else 0,
        source=f"{SYS_REGS}: TCRX, S1PIE, S1POE from 6.12",
    ),
    Fields(
        register="CTR_EL0",
        writable=0,
        exact=((3 << 14, VIPT),),
        narrow=(1 << 28, 1 << 29),
        more=lambda kernel: (fields(0, 16) | 3 << 28 if kernel.ctr_writable else 0) | (3 << 14 if kernel.l1ip_writable else 0),
        source=f"{SYS_REGS}: IminLine, DminLine, IDC, DIC from 6.11, L1Ip from 6.13 (e9b57d7f9740); {SEEN}",
    ),
)
AARCH32_ROWS: tuple[Fields, ...] = (
    Fields(register="ID_DFR0_EL1", writable=WHOLE, signed=fields(24), source=f"{SYS_REGS}: 3f9eacf4f070; {FTR}"),
    Fields(register="ID_MMFR0_EL1", writable=WHOLE, signed=fields(8, 28), source=f"{FTR}: OuterShr, InnerShr are signed"),
    Fields(register="ID_MMFR4_EL1", writable=WHOLE, higher=(fields(0),), source=f"{FTR}: SpecSEI may be raised, not lowered"),
)
"""What is peculiar about 32-bit ID registers, once they are fully writable."""
CSV2, CSV3 = fields(56), fields(60)
PFR0, CTR, CLIDR = by_name("ID_AA64PFR0_EL1"), by_name("CTR_EL0"), by_name("CLIDR_EL1")
DFR0, DFR0_32, PFR0_32 = by_name("ID_AA64DFR0_EL1"), by_name("ID_DFR0_EL1"), by_name("ID_PFR0_EL1")
IMPLEMENTATION = frozenset({by_name("MIDR_EL1"), by_name("REVIDR_EL1"), by_name("AIDR_EL1")})
_AARCH32, _ID_REGISTERS = frozenset(AARCH32_IDS), frozenset({*AARCH32_IDS, *AARCH64_IDS, CTR})
_CACHES = frozenset({*CCSIDR_IDS, CLIDR})
_ROWS = {by_name(row.register): row for row in ROWS}
_AARCH32_ROWS = {by_name(row.register): row for row in AARCH32_ROWS}
_AARCH32_WRITABLE = Rule(writable=WHOLE, lowerable=True)
LOC, UNIFICATION = 7 << 24, 7 << 21 | 7 << 27
"""CLIDR_EL1.LoC; LoUIS and LoUU."""
IDC, LINE_SIZE = 1 << 28, 7
"""CTR_EL0.IDC: cleaning data caches is not needed for what is executed. CCSIDR_EL1.LineSize."""
PMU_FIELDS = {
    DFR0: Rule(writable=fields(8), lowerable=True, signed=fields(8)),
    DFR0_32: Rule(writable=fields(24), lowerable=True, signed=fields(24)),
}


@lru_cache(maxsize=8192)
def write_rule(register: int, kernel: KernelProfile) -> Rule:
    """What this kernel lets a restore write, whatever the host.

    A value of MIDR_EL1, REVIDR_EL1 or AIDR_EL1 may only change with KVM_CAP_ARM_WRITABLE_IMP_ID_REGS, which no VMM turns on by itself.
    """
    if register in IMPLEMENTATION:
        return FIXED
    if register in _CACHES:
        if not kernel.ccsidr_normalised:
            return FIXED
        return FREE if register == CLIDR else Rule(higher=(LINE_SIZE,))
    if register not in _ID_REGISTERS:
        return FREE
    match kernel.id_rule:
        case IdRule.EQUAL:
            return FIXED
        case IdRule.CSV:
            return _before_6_7(register, kernel)
        case IdRule.FIELDS:
            return _by_fields(register, kernel)


def rule_on(register: int, kernel: KernelProfile, host: Mapping[int, int]) -> Rule:
    """What this kernel lets a restore write on a host whose registers read `host`.

    CLIDR_EL1 may not say that data caches need no cleaning where CTR_EL0 says that they do (set_clidr in sys_regs.c). On hosts without
    32-bit EL0, whose 32-bit ID registers read 0, these take and drop any value (aa32_id_visibility, 6.2).
    """
    rule = write_rule(register, kernel)
    if register == CLIDR and rule is FREE and CTR in host and not host[CTR] & IDC:
        return Rule(needs=(LOC, UNIFICATION))
    if register in _AARCH32 and kernel.aa32_ids_ignored and not host.get(PFR0_32, 1):
        return FREE
    return rule


def _before_6_7(register: int, kernel: KernelProfile) -> Rule:
    """CSV2 from 5.10, CSV3 with the kernels that also began to hide the PMU (5.11), the PMU's version from 6.2."""
    if register == PFR0:
        return Rule(writable=CSV2 if kernel.pmu_always_listed else CSV2 | CSV3, lowerable=True)
    if register in PMU_FIELDS and kernel.pmu_version_writable:
        return PMU_FIELDS[register]
    return Rule(writable=0, lowerable=True)


def _by_fields(register: int, kernel: KernelProfile) -> Rule:
    if register in _AARCH32 and kernel.aa32_ids_writable:
        return _AARCH32_ROWS[register].rule(kernel) if register in _AARCH32_ROWS else _AARCH32_WRITABLE
    return _ROWS[register].rule(kernel) if register in _ROWS else FIXED


# --- what is read -------------------------------------------------------------------------------------------------------------------


class Silicon(NamedTuple):
    """What the values of ID registers are assumed to depend on, beside the kernel and the vCPU's features."""

    midr: int | None
    revidr: int | None


SILENT = 1
"""Of `OtherRegister.firmware`: a firmware that answers for nothing, and may not be there at all."""
SHOW_FIRMWARE = {PFR0: fields(12), by_name("ID_PFR1_EL1"): fields(4), DFR0_32: fields(4)}
"""Fields about EL3 (EL3, Security, CopSDbg), which read 0 on machines that have no firmware above the hypervisor (observed)."""


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
    Hidden(register=by_name("ID_AA64MMFR2_EL1"), mask=fields(20), hardware=1 << 20, by=lambda kernel: kernel.ccidx_hidden),
    Hidden(register=by_name("ID_MMFR4_EL1"), mask=fields(24), hardware=1 << 24, by=lambda kernel: kernel.ccidx_hidden),
)
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
        settled_in_5_11=frozenset({DFR0, PFR0}),
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
    """Everything about a kernel's registers: of a CPU that is in no table, not even features are known."""
    return repr(without_levels(kernel))


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
        kernel.ccidx_hidden,
    )
    return "".join("01"[test] for test in tests)
