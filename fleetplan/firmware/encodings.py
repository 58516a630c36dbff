"""Names and ids of the registers that are no firmware registers.

Ids are computed from their parts: `arch | size | coprocessor | encoding` (arch/arm64/include/uapi/asm/kvm.h, ARM64_SYS_REG and
KVM_REG_ARM_DEMUX). The timer registers CVAL and CNT have swapped ids; that is ABI.
"""

from __future__ import annotations

from functools import cache

ARM64 = 0x6000000000000000
U32, U64 = 0x0020000000000000, 0x0030000000000000
DEMUX, SYSREG = 0x0011, 0x0013
SOURCE = "arch/arm64/include/asm/sysreg.h and arch/arm64/tools/sysreg, 6.18; ids as observed in KVM_GET_REG_LIST"


def sysreg(op0: int, op1: int, crn: int, crm: int, op2: int) -> int:
    """The id of a system register."""
    return ARM64 | U64 | SYSREG << 16 | op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2


def ccsidr(csselr: int) -> int:
    """The id of CCSIDR_EL1 as seen through CSSELR_EL1 = `csselr` (KVM_REG_ARM_DEMUX_ID_CCSIDR is 0)."""
    return ARM64 | U32 | DEMUX << 16 | csselr


def parts(register: int) -> tuple[int, int, int, int, int] | None:
    """op0, op1, CRn, CRm, op2 of a system register's id, None for any other id."""
    if register >> 16 & 0xFFF != SYSREG:
        return None
    return (register >> 14 & 3, register >> 11 & 7, register >> 7 & 15, register >> 3 & 15, register & 7)


_AARCH32_IDS = (
    ("ID_PFR0_EL1", "ID_PFR1_EL1", "ID_DFR0_EL1", "ID_AFR0_EL1", "ID_MMFR0_EL1", "ID_MMFR1_EL1", "ID_MMFR2_EL1", "ID_MMFR3_EL1"),
    ("ID_ISAR0_EL1", "ID_ISAR1_EL1", "ID_ISAR2_EL1", "ID_ISAR3_EL1", "ID_ISAR4_EL1", "ID_ISAR5_EL1", "ID_MMFR4_EL1", "ID_ISAR6_EL1"),
    ("MVFR0_EL1", "MVFR1_EL1", "MVFR2_EL1", "", "ID_PFR2_EL1", "ID_DFR1_EL1", "ID_MMFR5_EL1", ""),
)
_AARCH64_IDS = (
    ("ID_AA64PFR0_EL1", "ID_AA64PFR1_EL1", "ID_AA64PFR2_EL1", "", "ID_AA64ZFR0_EL1", "ID_AA64SMFR0_EL1", "", "ID_AA64FPFR0_EL1"),
    ("ID_AA64DFR0_EL1", "ID_AA64DFR1_EL1", "ID_AA64DFR2_EL1", "", "ID_AA64AFR0_EL1", "ID_AA64AFR1_EL1", "", ""),
    ("ID_AA64ISAR0_EL1", "ID_AA64ISAR1_EL1", "ID_AA64ISAR2_EL1", "ID_AA64ISAR3_EL1", "", "", "", ""),
    ("ID_AA64MMFR0_EL1", "ID_AA64MMFR1_EL1", "ID_AA64MMFR2_EL1", "ID_AA64MMFR3_EL1", "ID_AA64MMFR4_EL1", "", "", ""),
)
AARCH32_IDS = tuple(sysreg(3, 0, 0, crm, op2) for crm in (1, 2, 3) for op2 in range(8))
AARCH64_IDS = tuple(sysreg(3, 0, 0, crm, op2) for crm in (4, 5, 6, 7) for op2 in range(8))

_SINGLE: dict[str, tuple[int, int, int, int, int]] = {
    "MDCCINT_EL1": (2, 0, 0, 2, 0),
    "MDSCR_EL1": (2, 0, 0, 2, 2),
    "OSLSR_EL1": (2, 0, 1, 1, 4),
    "DBGVCR32_EL2": (2, 4, 0, 7, 0),
    "MIDR_EL1": (3, 0, 0, 0, 0),
    "MPIDR_EL1": (3, 0, 0, 0, 5),
    "REVIDR_EL1": (3, 0, 0, 0, 6),
    "SCTLR_EL1": (3, 0, 1, 0, 0),
    "ACTLR_EL1": (3, 0, 1, 0, 1),
    "CPACR_EL1": (3, 0, 1, 0, 2),
    "SCTLR2_EL1": (3, 0, 1, 0, 3),
    "RGSR_EL1": (3, 0, 1, 0, 5),
    "GCR_EL1": (3, 0, 1, 0, 6),
    "ZCR_EL1": (3, 0, 1, 2, 0),
    "TTBR0_EL1": (3, 0, 2, 0, 0),
    "TTBR1_EL1": (3, 0, 2, 0, 1),
    "TCR_EL1": (3, 0, 2, 0, 2),
    "TCR2_EL1": (3, 0, 2, 0, 3),
    "APIAKEYLO_EL1": (3, 0, 2, 1, 0),
    "APIAKEYHI_EL1": (3, 0, 2, 1, 1),
    "APIBKEYLO_EL1": (3, 0, 2, 1, 2),
    "APIBKEYHI_EL1": (3, 0, 2, 1, 3),
    "APDAKEYLO_EL1": (3, 0, 2, 2, 0),
    "APDAKEYHI_EL1": (3, 0, 2, 2, 1),
    "APDBKEYLO_EL1": (3, 0, 2, 2, 2),
    "APDBKEYHI_EL1": (3, 0, 2, 2, 3),
    "APGAKEYLO_EL1": (3, 0, 2, 3, 0),
    "APGAKEYHI_EL1": (3, 0, 2, 3, 1),
    "AFSR0_EL1": (3, 0, 5, 1, 0),
    "AFSR1_EL1": (3, 0, 5, 1, 1),
    "ESR_EL1": (3, 0, 5, 2, 0),
    "TFSR_EL1": (3, 0, 5, 6, 0),
    "TFSRE0_EL1": (3, 0, 5, 6, 1),
    "FAR_EL1": (3, 0, 6, 0, 0),
    "PAR_EL1": (3, 0, 7, 4, 0),
    "PMINTENSET_EL1": (3, 0, 9, 14, 1),
    "PMINTENCLR_EL1": (3, 0, 9, 14, 2),
    "PMMIR_EL1": (3, 0, 9, 14, 6),
    "MAIR_EL1": (3, 0, 10, 2, 0),
    "PIRE0_EL1": (3, 0, 10, 2, 2),
    "PIR_EL1": (3, 0, 10, 2, 3),
    "POR_EL1": (3, 0, 10, 2, 4),
    "AMAIR_EL1": (3, 0, 10, 3, 0),
    "VBAR_EL1": (3, 0, 12, 0, 0),
    "DISR_EL1": (3, 0, 12, 1, 1),
    "CONTEXTIDR_EL1": (3, 0, 13, 0, 1),
    "TPIDR_EL1": (3, 0, 13, 0, 4),
    "CNTKCTL_EL1": (3, 0, 14, 1, 0),
    "CLIDR_EL1": (3, 1, 0, 0, 1),
    "AIDR_EL1": (3, 1, 0, 0, 7),
    "CSSELR_EL1": (3, 2, 0, 0, 0),
    "CTR_EL0": (3, 3, 0, 0, 1),
    "PMCR_EL0": (3, 3, 9, 12, 0),
    "PMCNTENSET_EL0": (3, 3, 9, 12, 1),
    "PMCNTENCLR_EL0": (3, 3, 9, 12, 2),
    "PMOVSCLR_EL0": (3, 3, 9, 12, 3),
    "PMSWINC_EL0": (3, 3, 9, 12, 4),
    "PMSELR_EL0": (3, 3, 9, 12, 5),
    "PMCCNTR_EL0": (3, 3, 9, 13, 0),
    "PMUSERENR_EL0": (3, 3, 9, 14, 0),
    "PMOVSSET_EL0": (3, 3, 9, 14, 3),
    "POR_EL0": (3, 3, 10, 2, 4),
    "TPIDR_EL0": (3, 3, 13, 0, 2),
    "TPIDRRO_EL0": (3, 3, 13, 0, 3),
    "CNTPCT_EL0": (3, 3, 14, 0, 1),
    "CNTVCT_EL0": (3, 3, 14, 3, 2),  # swapped with CNTV_CVAL_EL0: KVM_REG_ARM_TIMER_CNT
    "CNTP_CTL_EL0": (3, 3, 14, 2, 1),
    "CNTP_CVAL_EL0": (3, 3, 14, 2, 2),
    "CNTV_CTL_EL0": (3, 3, 14, 3, 1),
    "CNTV_CVAL_EL0": (3, 3, 14, 0, 2),  # swapped with CNTVCT_EL0: KVM_REG_ARM_TIMER_CVAL
    "PMCCFILTR_EL0": (3, 3, 14, 15, 7),
    "DACR32_EL2": (3, 4, 3, 0, 0),
    "IFSR32_EL2": (3, 4, 5, 0, 1),
    "FPEXC32_EL2": (3, 4, 5, 3, 0),
}

DEBUG_IDS = tuple(sysreg(2, 0, 0, n, op2) for n in range(16) for op2 in (4, 5, 6, 7))
"""DBGBVR<n>, DBGBCR<n>, DBGWVR<n>, DBGWCR<n>."""
EVENT_IDS = tuple(sysreg(3, 3, 14, base + n // 8, n % 8) for base in (8, 12) for n in range(31))
"""PMEVCNTR<n>, PMEVTYPER<n>."""
CCSIDR_IDS = tuple(ccsidr(csselr) for csselr in range(14))


@cache
def _names() -> dict[int, str]:
    names = {sysreg(*encoding): name for name, encoding in _SINGLE.items()}
    ids = (*AARCH32_IDS, *AARCH64_IDS)
    texts = (name for row in (*_AARCH32_IDS, *_AARCH64_IDS) for name in row)
    names |= {register: name for register, name in zip(ids, texts, strict=True) if name}
    names |= {
        register: f"{kind}{n // 4}_EL1"
        for n, register in enumerate(DEBUG_IDS)
        for kind in (("DBGBVR", "DBGBCR", "DBGWVR", "DBGWCR")[n % 4],)
    }
    names |= {register: f"{'PMEVCNTR' if n < 31 else 'PMEVTYPER'}{n % 31}_EL0" for n, register in enumerate(EVENT_IDS)}
    return names


@cache
def _ids() -> dict[str, int]:
    return {name: register for register, name in _names().items()}


def name(register: int) -> str:
    """What to call a register: its architectural name, `CCSIDR_EL1[n]`, `S3_0_C0_C6_4` where it has none, or the id in hex."""
    if register in _names():
        return _names()[register]
    encoding = parts(register)
    if encoding is not None:
        return "S{}_{}_C{}_C{}_{}".format(*encoding)
    if register >> 16 & 0xFFF == DEMUX:
        return f"CCSIDR_EL1[{register & 0xFF}]"
    return f"{register:#x}"


def by_name(text: str) -> int:
    """The id of a named system register. Raises KeyError for a name that is not in the table."""
    return _ids()[text]
