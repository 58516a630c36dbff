"""What one kernel's KVM does with a guest's registers, and how a kernel release is named."""

from __future__ import annotations

from enum import Enum

import msgspec

from fleetplan.firmware.errno import Errno


class Workaround2Era(Enum):
    """How SMCCC_ARCH_WORKAROUND_2 is read and checked."""

    FLAG = "flag"
    """5.3 to 5.9: host states 0 to 3, one enable flag per vCPU."""
    HOST = "host"
    """5.10 to 6.11: 0 or 3, SSBS of all CPUs of the host."""
    VM = "vm"
    """From 6.12: 0 or 3, SSBS in this VM's ID_AA64PFR1_EL1."""


class BhbRule(Enum):
    """Which CPUs count as affected by branch history injection where no list names them."""

    NONE = "none"
    """The kernel does not know BHB."""
    OLD = "old"
    """A CPU that no list names is unaffected."""
    NEW = "new"
    """A CPU that no list names is affected."""


class IdRule(Enum):
    """What a restore may write to ID registers."""

    EQUAL = "equal"
    """Only the host's own value."""
    CSV = "csv"
    """As EQUAL, save that CSV2 and CSV3 of ID_AA64PFR0_EL1 may be lowered."""
    FIELDS = "fields"
    """From 6.7: per field, a value not above the host's; exactly by the writable masks where they are known."""


class Listed(Enum):
    """Whether a conditional register family is in KVM_GET_REG_LIST."""

    NEVER = "never"
    ALWAYS = "always"
    BY_FEATURE = "by feature"


class KernelProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What one kernel's KVM does, as far as a guest's save and restore can tell. Two releases with equal profiles act alike.

    `registers` are names of firmware registers in list order. `psci_accepted` are the values that SET takes with PSCI_0_2, ascending;
    empty where there is no register. `psci_default` is what a guest gets that nothing was set for. `loop_cpus` are the CPUs
    (implementer, part) that this kernel mitigates against BHB by a loop.

    The last fields are about registers that are no firmware registers: the timers stand in the table of system registers (which moves
    them in the list), PMMIR_EL1 is listed with the PMU, all fields of 32-bit ID registers may be lowered, so may ID_AA64MMFR1_EL1.HCX,
    and ID_AA64PFR0_EL1.MPAM, ID_AA64MMFR2_EL1.NV read 0 and are ignored when the hardware's value is written. The PMU's version may be
    lowered before 6.7; writes to 32-bit ID registers are dropped on hosts without 32-bit EL0; ASIDBits of ID_AA64MMFR0_EL1 may no longer
    be lowered; L1Ip of CTR_EL0, RAS of ID_AA64PFR0_EL1 and RAS_frac of ID_AA64PFR1_EL1 may change. `pfr1_writable` is the change of 6.12
    that made more fields writable, ID_AA64PFR1_EL1's among them.
    """

    registers: tuple[str, ...]
    psci_default: int
    psci_accepted: tuple[int, ...]
    workaround_2: Workaround2Era
    unknown_id: Errno
    set_checks_size: bool
    vm_wide_features: bool
    bhb: BhbRule
    bhb_obeys_nospectre_bhb: bool
    bhb_obeys_mitigations_off: bool
    loop_cpus: frozenset[tuple[int, int]]
    answers_workaround_3: bool
    smccc: bool
    trng: bool
    pv_time: bool
    vendor_hyp: bool
    psci_system_suspend: bool
    smccc_filter: bool
    id_rule: IdRule
    pfr1_writable: bool
    ctr_writable: bool
    imp_id_writable: bool
    pmu_always_listed: bool
    oslsr_listed: bool
    timers_listed: int
    tcr2_pir: Listed
    ccsidr_normalised: bool
    timers_in_table: bool = False
    pmmir_listed: bool = False
    aa32_ids_writable: bool = False
    hcx_writable: bool = False
    mpam_hidden: bool = False
    nv_hidden: bool = False
    ccidx_hidden: bool = False
    pmu_version_writable: bool = False
    aa32_ids_ignored: bool = False
    asid_bits_fixed: bool = False
    l1ip_writable: bool = False
    ras_writable: bool = False
    answers_workaround_2: bool = False
