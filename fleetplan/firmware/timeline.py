"""Every change of KVM's firmware registers, and of what else decides a restore, from 4.4 to 7.3: a row each.

A row says from which mainline release on a kernel has the change, and from which point release on each stable branch has it. Where a
point release is not proven, the branch has a range in which both answers are possible.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from fleetplan.firmware.errno import Errno
from fleetplan.firmware.profile import BhbRule, IdRule, KernelProfile, Listed, Workaround2Era

Branch = tuple[int, int]
"""(major, minor) of a release series."""

NEVER = 1_000_000
"""A point release that does not come."""

OLDEST_MODELLED: Branch = (4, 4)
NEWEST_KNOWN: Branch = (7, 3)

OLDEST = KernelProfile(
    registers=(),
    psci_default=0x2,
    psci_accepted=(),
    workaround_2=Workaround2Era.FLAG,
    unknown_id=Errno.ENOENT,
    set_checks_size=False,
    vm_wide_features=False,
    bhb=BhbRule.NONE,
    bhb_obeys_nospectre_bhb=False,
    bhb_obeys_mitigations_off=False,
    loop_cpus=frozenset(),
    answers_workaround_3=False,
    smccc=False,
    trng=False,
    pv_time=False,
    vendor_hyp=False,
    psci_system_suspend=False,
    smccc_filter=False,
    id_rule=IdRule.EQUAL,
    pfr1_writable=False,
    ctr_writable=False,
    imp_id_writable=False,
    pmu_always_listed=True,
    oslsr_listed=False,
    timers_listed=3,
    tcr2_pir=Listed.NEVER,
    ccsidr_normalised=False,
)
"""4.4: PSCI 0.2 and no register (linux 4.4.121, arch/arm/kvm/psci.c)."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A change.

    `sets` are fields with their new value; `adds` registers and `loops` CPUs come on top of what is there. `since` is the first
    mainline series that has it from its first release on. `stable` gives the first point release of older branches; a pair (a, b)
    says that the change came after point release a - 1 and not after b, so releases from a to b - 1 may have it or not.
    """

    what: str
    since: Branch
    source: str
    sets: Mapping[str, Any] | None = None
    adds: tuple[str, ...] = ()
    loops: frozenset[tuple[int, int]] = frozenset()
    stable: Mapping[Branch, int | tuple[int, int]] | None = None
    until: Branch | None = None

    def holds(self, branch: Branch, patch: int) -> tuple[bool, ...]:
        """Whether a release has the change: (True,), (False,), or both where that is not proven."""
        if self.until is not None and branch >= self.until:
            return (False,)
        first = (self.stable or {}).get(branch, 0 if branch >= self.since else NEVER)
        if isinstance(first, int):
            return (patch >= first,)
        possible, certain = first
        if possible <= patch < certain:
            return (False, True)
        return (patch >= certain,)


def _arm(*parts: int) -> frozenset[tuple[int, int]]:
    return frozenset((0x41, part) for part in parts)


ROWS: tuple[Row, ...] = (
    Row(
        what="guests get PSCI 1.0 and SMCCC 1.1 with ARCH_FEATURES",
        since=(4, 16),
        stable={(4, 15): 4, (4, 14): (15, 40), (4, 9): (80, 97), (4, 4): (122, NEVER)},
        sets={"psci_default": 0x10000, "smccc": True},
        source="linux 09e6be12effd; Debian changelog.old (4.15.4); 4.14.20 inferred from the stable review batch; 4.9.97 read in a vendor "
        "tree; 4.4.121 read without it, later 4.4 not proven",
    ),
    Row(
        what="register PSCI_VERSION",
        since=(4, 17),
        stable={(4, 16): 7, (4, 15): NEVER, (4, 14): (34, 275), (4, 9): (90, 185)},
        sets={"psci_accepted": (0x2, 0x10000), "unknown_id": Errno.EINVAL},
        adds=("PSCI_VERSION",),
        source="linux 85bd0ba1ff98; Debian changelog.old (4.16.7); present in a 4.14 tree with WORKAROUND_3 and in a merge of 4.9.185",
    ),
    Row(
        what="ARCH_FEATURES answers WORKAROUND_2",
        since=(4, 18),
        stable={(4, 17): (1, NEVER), (4, 14): (15, 275), (4, 9): (80, 185)},
        sets={"answers_workaround_2": True},
        source="linux 5d81f7dc9bca (4.18-rc); 4.17.0 came before it, later 4.17 not proven; there in the trees of 4.14 and 4.9 read",
    ),
    Row(
        what="registers WORKAROUND_1 and _2; unknown ids answer ENOENT",
        since=(5, 3),
        sets={"unknown_id": Errno.ENOENT},
        adds=("SMCCC_ARCH_WORKAROUND_1", "SMCCC_ARCH_WORKAROUND_2"),
        source="linux 99adb567632b, KVM/arm 5.3 pull",
    ),
    Row(what="PV time", since=(5, 5), sets={"pv_time": True}, source="linux 5.6.19 read; 5.5 by the merge window"),
    Row(
        what="WORKAROUND_2 reads 0 or 3; CSV2 of ID_AA64PFR0_EL1 may be lowered",
        since=(5, 10),
        sets={"workaround_2": Workaround2Era.HOST, "id_rule": IdRule.CSV},
        source="linux 29e8910a566a, 731146770271 (5.10); 5.10.13 read",
    ),
    Row(
        what="PMU registers are listed with the PMU only",
        since=(5, 11),
        sets={"pmu_always_listed": False},
        source="linux 11663111cd49 (5.11)",
    ),
    Row(what="TRNG", since=(5, 12), sets={"trng": True}, source="linux a8e190cdae1b (kvm-arm64/rng-5.12)"),
    Row(
        what="vendor features and PTP",
        since=(5, 13),
        sets={"vendor_hyp": True},
        source="absent in linux 5.10.262, present in 6.1.4; 5.13 by the merge window",
    ),
    Row(
        what="ARCH_FEATURES answers WORKAROUND_3, by the loop lists of the time",
        since=(5, 17),
        stable={
            (5, 16): 14,
            (5, 15): 28,
            (5, 10): 105,
            (5, 4): 186,
            (4, 19): 236,
            (4, 14): 275,
            (4, 9): 310,
        },
        sets={"answers_workaround_3": True, "bhb": BhbRule.OLD, "bhb_obeys_mitigations_off": True},
        loops=_arm(0xD07, 0xD08, 0xD0B, 0xD0D, 0xD0C, 0xD41, 0xD42, 0xD4B, 0xD44, 0xD47, 0xD48, 0xD49, 0xD40),
        source="linux a5905d6af492; stable review mails of 5.4.186, 4.19.236, 4.14.275, 4.9.310; Debian changelogs of 5.10.105, 5.16.14; "
        "long-term trees read by point release (5.15.28)",
    ),
    Row(
        what="register WORKAROUND_3",
        since=(5, 17),
        stable={(5, 16): 14, (5, 15): 28, (5, 10): 105, (5, 4): 186},
        adds=("SMCCC_ARCH_WORKAROUND_3",),
        source="as above; the notes of the 4.x backports say that the register part was taken out",
    ),
    Row(
        what="PSCI 1.1 with SYSTEM_RESET2; OSLSR_EL1 listed",
        since=(5, 18),
        sets={"psci_default": 0x10001, "psci_accepted": (0x2, 0x10000, 0x10001), "oslsr_listed": True},
        source="linux 512865d83fd9 (5.18)",
    ),
    Row(
        what="service bitmaps; SYSTEM_SUSPEND",
        since=(5, 19),
        adds=("STD_BMAP", "STD_HYP_BMAP", "VENDOR_HYP_BMAP"),
        sets={"psci_system_suspend": True},
        source="linux 05714cab7d63, 428fd6788d4d, b22216e1a617 (5.19)",
    ),
    Row(
        what="Ampere1 in the loop lists",
        since=(6, 1),
        stable={(6, 0): 7, (5, 15): 77, (5, 10): 153},
        loops=frozenset({(0xC0, 0xAC3)}),
        source="Debian changelogs (6.0.7, 5.10.153); long-term trees read by point release (5.15.77)",
    ),
    Row(
        what="nospectre_bhb is obeyed",
        since=(6, 1),
        stable={(5, 15): 186, (5, 10): 239},
        sets={"bhb_obeys_nospectre_bhb": True},
        source="long-term trees read by point release (5.15.186, 5.10.239); observed on 6.1.192, not on 5.10.223",
    ),
    Row(
        what="PMUVer and PerfMon may be lowered; 32-bit ID registers of hosts without 32-bit EL0 take and drop any value",
        since=(6, 2),
        sets={"pmu_version_writable": True, "aa32_ids_ignored": True},
        source="KVM/arm 6.2 pull; set_id_aa64dfr0_el1 and aa32_id_visibility in sys_regs.c",
    ),
    Row(
        what="SET refuses a wrong size before it copies",
        since=(6, 3),
        stable={(6, 1): 26, (5, 15): 110, (5, 10): 180},
        sets={"set_checks_size": True},
        source="linux a25bc8486f9c; Debian changelogs; long-term trees read by point release",
    ),
    Row(
        what="CCSIDR_EL1 and CLIDR_EL1 are made up by KVM",
        since=(6, 3),
        sets={"ccsidr_normalised": True, "ccidx_hidden": True},
        source="observed: 3 host entries on 6.1.192, 14 made-up ones on 6.12.117, and CCIDX (Neoverse V1, Cortex-A710) on 6.1.192 only; "
        "linux 7af0c2534f4c (6.3)",
    ),
    Row(
        what="SMCCC filter; 6 timer registers listed",
        since=(6, 4),
        sets={"smccc_filter": True, "timers_listed": 6},
        source="KVM/arm 6.4 pull; 6.12.8 read",
    ),
    Row(
        what="vCPU features are VM-wide; TCR2_EL1, PIRE0_EL1, PIR_EL1 always listed",
        since=(6, 5),
        sets={"vm_wide_features": True, "tcr2_pir": Listed.ALWAYS},
        source="linux 2251e9ff1573 (6.5); 6.5.3 read",
    ),
    Row(
        what="ID registers are VM-wide and writable per field",
        since=(6, 7),
        sets={"id_rule": IdRule.FIELDS},
        source="KVM/arm 6.7 pull; 6.12.8 read",
    ),
    Row(what="CTR_EL0 writable", since=(6, 11), sets={"ctr_writable": True}, source="linux 6.11.11 read"),
    Row(
        what="WORKAROUND_2 by the VM's own SSBS; more fields of ID registers writable (PFR1, DFR0, GIC, MMFR3)",
        since=(6, 12),
        sets={"workaround_2": Workaround2Era.VM, "pfr1_writable": True},
        source="linux e8d164974cfa, 980c41f554c3, 5cb57a1aff75 (KVM pulls of 6.12-rc1 and 6.12-rc5)",
    ),
    Row(
        what="MPAM hidden and ignored on a write",
        since=(6, 13),
        stable={(6, 12): 6, (6, 6): 67},
        sets={"mpam_hidden": True},
        source="Debian changelog (6.12.6); long-term tree read by point release (6.6.67)",
    ),
    Row(
        what="ID_AA64MMFR0_EL1.ASIDBits may no longer be lowered",
        since=(6, 13),
        stable={(6, 12): 7},
        sets={"asid_bits_fixed": True},
        source="Debian changelog (6.12.7); stable review mail of the change to ID_AA64MMFR0_EL1",
    ),
    Row(
        what="CTR_EL0.L1Ip writable",
        since=(6, 13),
        sets={"l1ip_writable": True},
        source="linux e9b57d7f9740 (KVM pull of 6.13)",
    ),
    Row(
        what="PSCI 1.3 with SYSTEM_OFF2; TCR2_EL1 and PIR by feature",
        since=(6, 13),
        sets={
            "psci_default": 0x10003,
            "psci_accepted": (0x2, 0x10000, 0x10001, 0x10002, 0x10003),
            "tcr2_pir": Listed.BY_FEATURE,
        },
        source="linux 8be82d536a9f, 0fcb4eea5345, a68cddbe47ef (6.13)",
    ),
    Row(
        what="CPUs that no list names count as affected by BHB; longer lists",
        since=(6, 15),
        stable={
            (6, 14): 3,
            (6, 13): (0, NEVER),
            (6, 12): 24,
            (6, 6): 88,
            (6, 1): 135,
            (5, 15): 181,
            (5, 10): 239,
        },
        sets={"bhb": BhbRule.NEW},
        loops=_arm(0xD0E, 0xD4D, 0xD81, 0xD4E, 0xD4F) | {(0x51, 0x804)},
        source="linux e403e8538359; Debian changelogs (6.12.24, 6.1.135, 5.10.239); long-term trees (5.15.181, 6.6.88); Ubuntu (6.14.3); "
        "6.13.y not proven",
    ),
    Row(
        what="Cortex-X1C in the loop lists",
        since=(6, 15),
        stable={(6, 14): 3, (6, 13): (0, NEVER), (6, 12): (24, 31), (6, 6): 91, (6, 1): (135, 141), (5, 15): 186, (5, 10): 239},
        loops=_arm(0xD4C),
        source="long-term trees read by point release (6.6.91, 5.15.186, 5.10.239)",
    ),
    Row(
        what="HIP09 in the loop lists",
        since=(6, 15),
        stable={(6, 14): (3, NEVER), (6, 13): (0, NEVER), (6, 12): 31, (6, 6): 93, (6, 1): 141, (5, 15): NEVER},
        loops=frozenset({(0x48, 0xD02)}),
        source="Debian changelogs (6.12.31, 6.1.141); long-term tree (6.6.93); absent from 5.10.262 and 5.15",
    ),
    Row(
        what="TSV110 in the loop lists",
        since=(6, 19),
        stable={(6, 12): 75, (6, 6): 128, (6, 1): 165, (5, 15): 202, (5, 10): 252},
        loops=frozenset({(0x48, 0xD01)}),
        source="Debian changelogs (6.12.75, 6.1.165, 5.10.252); long-term trees (5.15.202, 6.6.128); absent from 6.17.8 and 6.18.15",
    ),
    Row(
        what="Cortex-A720AE in the loop lists",
        since=(6, 19),
        stable={(6, 18): (0, 15)},
        loops=_arm(0xD89),
        source="linux 6.18.15, 6.19.11, 7.1.13 read; absent from 6.17.8",
    ),
    Row(
        what="register VENDOR_HYP_BMAP_2; MIDR, REVIDR and AIDR writable with their capability",
        since=(6, 15),
        adds=("VENDOR_HYP_BMAP_2",),
        sets={"imp_id_writable": True},
        source="linux c0000e58c74e, KVM/arm 6.15 pull",
    ),
    Row(
        what="ID_AA64MMFR2_EL1.NV hidden and ignored on a write",
        since=(6, 15),
        sets={"nv_hidden": True},
        source="linux 9d6745572899 (KVM/arm 6.15 pull); observed: not on 6.12.117, on 6.16.3",
    ),
    Row(
        what="RAS of ID_AA64PFR0_EL1 and RAS_frac of ID_AA64PFR1_EL1 writable",
        since=(6, 17),
        sets={"ras_writable": True},
        source="linux 1fab657cb2a0, 7a765aa88e34 (6.17-rc)",
    ),
    Row(
        what="32-bit ID registers fully writable",
        since=(6, 18),
        stable={(6, 17): 9, (6, 16): NEVER, (6, 12): 60},
        sets={"aa32_ids_writable": True},
        source="linux 3f9eacf4f070 (6.18-rc); stable review of 6.17.9 (6.16.y had ended); Debian changelog of 6.12 (6.12.60); observed on "
        "6.12.117 and 6.18.15, not on 6.16.3",
    ),
    Row(
        what="timers stand in the table of system registers",
        since=(6, 18),
        sets={"timers_in_table": True},
        source="linux 6.17.8 (not yet) and 6.18.15 (moved) read; observed on 6.18.15, not on 6.16.3",
    ),
    Row(
        what="ID_AA64MMFR1_EL1.HCX may be lowered",
        since=(6, 18),
        sets={"hcx_writable": True},
        source="patch of 2025-09-11, after the merge window of 6.17; observed on 6.18.15, not on 6.16.3",
    ),
    Row(
        what="the command line no longer switches the BHB mitigation off",
        since=(6, 18),
        stable={(6, 18): (0, 5)},
        until=(7, 2),
        sets={"bhb_obeys_nospectre_bhb": False, "bhb_obeys_mitigations_off": False},
        source="linux 6.17.8 (obeyed), 6.18.15 (not) read; observed obeyed from 6.1 to 6.17, not on 6.18.5, 6.18.15, 6.19.14, "
        "7.0.4, 7.0.13, 7.1.3, 7.1.13, again on 7.2.6, 7.2.13 and 7.3.4",
    ),
    Row(
        what="PMMIR_EL1 listed with the PMU",
        since=(7, 3),
        sets={"pmmir_listed": True},
        source="observed on 7.3.4, not on 6.18.15 and 7.2.13; the lists of 6.19.11 and 7.1.13 are those of 6.18.15",
    ),
)


def apply(profile: dict[str, Any], row: Row) -> None:
    """Put a change onto the fields of a profile."""
    profile.update(row.sets or {})
    profile["registers"] = (*profile["registers"], *row.adds)
    profile["loop_cpus"] = profile["loop_cpus"] | row.loops
