"""The registers that are no firmware registers: which ones a kernel lists, what they read, and what a restore may write.

Core registers (coprocessor 0x0010) and SVE registers (0x0015) are left out: VMMs carry them by other means. Modelled are: debug,
timer, PMU, pointer authentication, context, cache, implementation and ID registers, TCR2/PIR and ZCR_EL1, from 5.10 on as observed and
before by the rules of kernel-firmware-registers 5. Not modelled: MTE, S1POE, SCTLR2 and nested virtualisation, which need a VM that
asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from fleetplan.firmware import encodings
from fleetplan.firmware import registers as fw
from fleetplan.firmware.encodings import AARCH32_IDS, AARCH64_IDS, CCSIDR_IDS, DEBUG_IDS, EVENT_IDS, by_name
from fleetplan.firmware.id_fields import FIXED, WHOLE, accepts, fields
from fleetplan.firmware.id_rules import CSV2, IMPLEMENTATION, PFR0, SHOW_FIRMWARE, SILENT, Silicon, era, partial_value, rule_on
from fleetplan.firmware.kernels import KernelProfile, Listed, Workaround2Era
from fleetplan.firmware.vcpu import Feature, OtherRegister

name = encodings.name
"""What to call a register in text."""

SEEN = "observed: KVM_GET_REG_LIST on Debian 5.10.223 to 7.3.4"
REFERENCE = "kernel-firmware-registers 5"
Features = frozenset[Feature]


class Place(Enum):
    """Where in the list a register stands: timers, invariants, the sorted table, cache sizes."""

    TIMERS = 0
    INVARIANT = 1
    TABLE = 2
    CACHES = 3


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """Registers that come and go together.

    `place` is where they stand unless they are in the table (`in_table`), `modelled` what is said of reading and writing them.
    """

    name: str
    ids: tuple[int, ...]
    modelled: str
    source: str
    listed: Callable[[KernelProfile, Features], bool] = lambda _kernel, _features: True
    place: Place = Place.TABLE
    in_table: Callable[[KernelProfile], bool] = lambda _kernel: True


def _named(text: str) -> tuple[int, ...]:
    return tuple(by_name(word) for word in text.split())


FAMILIES: tuple[Family, ...] = (
    Family(
        name="debug",
        modelled="listed on every kernel; any value is taken, none is predicted",
        ids=(*DEBUG_IDS, *_named("MDCCINT_EL1 MDSCR_EL1 DBGVCR32_EL2")),
        source=SEEN,
    ),
    Family(
        name="OS lock status",
        modelled="listed from 5.18; any value is taken, though KVM refuses bits beyond OSLK and OSLM from 6.2",
        ids=_named("OSLSR_EL1"),
        listed=lambda kernel, _: kernel.oslsr_listed,
        source=f"{REFERENCE}: OSLSR_EL1 listed from 5.18; {SEEN}",
    ),
    Family(
        name="virtual timer",
        modelled="place in the list; any value is taken: they are the guest's clock, and the counter's frequency is compared apart",
        ids=_named("CNTV_CTL_EL0 CNTVCT_EL0 CNTV_CVAL_EL0"),
        place=Place.TIMERS,
        in_table=lambda kernel: kernel.timers_in_table,
        source=f"{REFERENCE}: in the table from 6.18; {SEEN}",
    ),
    Family(
        name="physical timer",
        modelled="listed from 6.4; any value is taken",
        ids=_named("CNTP_CTL_EL0 CNTPCT_EL0 CNTP_CVAL_EL0"),
        listed=lambda kernel, _: kernel.timers_listed > 3,
        place=Place.TIMERS,
        in_table=lambda kernel: kernel.timers_in_table,
        source=f"{REFERENCE}: listed from 6.4; {SEEN}",
    ),
    Family(
        name="implementation",
        modelled="up to 6.14 one's own value only (the CPU's MIDR_EL1 and REVIDR_EL1), later too, as no VMM turns the capability on",
        ids=_named("MIDR_EL1 REVIDR_EL1"),
        place=Place.INVARIANT,
        in_table=lambda kernel: kernel.imp_id_writable,
        source=f"{REFERENCE}: invariant up to 6.14; {SEEN}",
    ),
    Family(
        name="cache levels",
        modelled="up to 6.2 one's own value only; later what CTR_EL0 of the host bears",
        ids=_named("CLIDR_EL1"),
        place=Place.INVARIANT,
        in_table=lambda kernel: kernel.ccsidr_normalised,
        source=f"{REFERENCE}: invariant up to 6.1, fabricated from CTR_EL0 after (7af0c2534f4c, 6.3); {SEEN}",
    ),
    Family(
        name="auxiliary implementation",
        modelled="one's own value only; 0 on every CPU seen",
        ids=_named("AIDR_EL1"),
        place=Place.INVARIANT,
        in_table=lambda kernel: kernel.imp_id_writable,
        source=f"{REFERENCE}: invariant up to 6.14; {SEEN}",
    ),
    Family(
        name="cache type",
        modelled="one's own value only; from 6.11 per field",
        ids=_named("CTR_EL0"),
        place=Place.INVARIANT,
        in_table=lambda kernel: kernel.ctr_writable,
        source=f"{REFERENCE}: invariant until it became writable; {SEEN}",
    ),
    Family(name="affinity", modelled="any value is taken: VMMs set it by the vCPU's number", ids=_named("MPIDR_EL1"), source=SEEN),
    Family(
        name="32-bit ID registers",
        modelled="values of known CPU designs by kernel; equal up to 6.6 (except the PMU's version from 6.2), later per field",
        ids=AARCH32_IDS,
        source=SEEN,
    ),
    Family(
        name="64-bit ID registers",
        modelled="values of known CPU designs by kernel; up to 6.6 equal except CSV2, CSV3, PMUVer, "
        "later per field and by the host's writable masks where those were read",
        ids=tuple(register for register in AARCH64_IDS if register != by_name("ID_AA64ZFR0_EL1")),
        source=SEEN,
    ),
    Family(
        name="SVE features",
        modelled="listed from 5.9.9 and 5.10 also without SVE; equal up to 6.6, later per field",
        ids=_named("ID_AA64ZFR0_EL1"),
        listed=lambda kernel, features: "sve" in features or kernel.workaround_2 is not Workaround2Era.FLAG,
        source=f"{REFERENCE}: ID registers no longer hidden from 5.9.9 and 5.10; {SEEN}",
    ),
    Family(
        name="context",
        modelled="listed on every kernel; any value is taken: the guest's own state",
        ids=_named(
            "SCTLR_EL1 ACTLR_EL1 CPACR_EL1 TTBR0_EL1 TTBR1_EL1 TCR_EL1 AFSR0_EL1 AFSR1_EL1 ESR_EL1 FAR_EL1 PAR_EL1 MAIR_EL1 AMAIR_EL1 "
            "VBAR_EL1 DISR_EL1 CONTEXTIDR_EL1 TPIDR_EL1 CNTKCTL_EL1 CSSELR_EL1 TPIDR_EL0 TPIDRRO_EL0 DACR32_EL2 IFSR32_EL2 FPEXC32_EL2"
        ),
        source=SEEN,
    ),
    Family(
        name="SVE vector length",
        modelled="listed with SVE; any value is taken",
        ids=_named("ZCR_EL1"),
        listed=lambda _, features: "sve" in features,
        source=SEEN,
    ),
    Family(
        name="extended translation control",
        modelled="listed from 6.5 on every vCPU, from 6.13 only where the CPU has it",
        ids=_named("TCR2_EL1 PIRE0_EL1 PIR_EL1"),
        # By feature means that the VM has TCRX or S1PIE: no CPU of the table does.
        listed=lambda kernel, _: kernel.tcr2_pir is Listed.ALWAYS,
        source=f"{REFERENCE}: always from 6.5, by feature from 6.13 (0fcb4eea5345, a68cddbe47ef); {SEEN}",
    ),
    Family(
        name="pointer authentication keys",
        modelled="listed with the feature; any value is taken: the guest's own keys",
        ids=_named(
            "APIAKEYLO_EL1 APIAKEYHI_EL1 APIBKEYLO_EL1 APIBKEYHI_EL1 APDAKEYLO_EL1 APDAKEYHI_EL1 APDBKEYLO_EL1 APDBKEYHI_EL1 "
            "APGAKEYLO_EL1 APGAKEYHI_EL1"
        ),
        listed=lambda _, features: bool({"ptrauth_address", "ptrauth_generic"} & features),
        source=SEEN,
    ),
    Family(
        name="PMU",
        modelled="listed without the feature up to 5.10; any value is taken",
        ids=(
            *_named(
                "PMINTENSET_EL1 PMINTENCLR_EL1 PMCR_EL0 PMCNTENSET_EL0 PMCNTENCLR_EL0 PMOVSCLR_EL0 PMSWINC_EL0 PMSELR_EL0 "
                "PMCCNTR_EL0 PMUSERENR_EL0 PMOVSSET_EL0 PMCCFILTR_EL0"
            ),
            *EVENT_IDS,
        ),
        listed=lambda kernel, features: kernel.pmu_always_listed or "pmu_v3" in features,
        source=f"{REFERENCE}: hidden without KVM_ARM_VCPU_PMU_V3 from 5.11 (11663111cd49); {SEEN}",
    ),
    Family(
        name="PMU machine identification",
        modelled="listed with the PMU from the kernel that has it; any value is taken",
        ids=_named("PMMIR_EL1"),
        listed=lambda kernel, features: kernel.pmmir_listed and "pmu_v3" in features,
        source="observed: listed with the PMU on 7.3.4, not on 6.18.15",
    ),
    Family(
        name="cache sizes",
        modelled="up to 6.2 one's own value only; later any whose lines are no shorter than the host's",
        ids=CCSIDR_IDS[:3],
        place=Place.CACHES,
        in_table=lambda _: False,
        source=f"{REFERENCE}: entries by the host's caches; {SEEN} (three on every CPU seen)",
    ),
    Family(
        name="normalised cache sizes",
        modelled="listed once values are made up, one for every CSSELR_EL1; any whose lines are no shorter than the host's",
        ids=CCSIDR_IDS[3:],
        listed=lambda kernel, _: kernel.ccsidr_normalised,
        place=Place.CACHES,
        in_table=lambda _: False,
        source=f"{REFERENCE}: one entry for every CSSELR_EL1 once values are made up; {SEEN}",
    ),
)

_SWAPPED = {by_name("CNTVCT_EL0"): by_name("CNTV_CVAL_EL0"), by_name("CNTV_CVAL_EL0"): by_name("CNTVCT_EL0")}


def _position(family: Family, kernel: KernelProfile, nth: int, register: int) -> tuple[int, int]:
    """The table is sorted by encoding, the two timer registers by their true ones; what stands before keeps the families' order."""
    if family.place is not Place.TABLE and not family.in_table(kernel):
        return (family.place.value, nth)
    return (Place.TABLE.value, _SWAPPED.get(register, register))


@lru_cache(maxsize=1024)
def listed(kernel: KernelProfile, features: Features = frozenset()) -> tuple[int, ...]:
    """The ids that a fresh vCPU lists, in list order."""
    places = [
        (_position(family, kernel, nth, register), register)
        for nth, (family, register) in enumerate((family, register) for family in FAMILIES for register in family.ids)
        if family.listed(kernel, features)
    ]
    return tuple(register for _, register in sorted(places))


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a fresh vCPU of the same host listed and read while the host ran `kernel`: (id, value), in list order."""

    kernel: KernelProfile
    registers: tuple[tuple[int, int], ...]


def others(
    profile: KernelProfile,
    *,
    midr: int | None,
    revidr: int | None,
    features: Iterable[Feature] = (),
    probe: tuple[tuple[int, int], ...] | None = None,
    masks: Mapping[int, int] | None = None,
    seen: Seen | None = None,
    firmware: int = 0,
    unaffected: bool | None = None,
) -> tuple[OtherRegister, ...]:
    """The registers, beside firmware, core and SVE registers, that a fresh vCPU has on a host, in list order.

    `probe` is the host's own list on this kernel and decides ids and values; `masks` are its writable masks and decide what a restore
    may change. `seen` is a probe from before a kernel upgrade: values that no kernel change touches are taken over, and registers that
    the CPU has beyond this model stay. `firmware` is what the host's firmware may answer, `unaffected` whether
    the kernel holds the host for unaffected by Spectre v2. Where a value is not known,
    `era` and `partial` say what it has in common with others.
    """
    wanted = frozenset(features)
    cpu = Silicon(midr, revidr)
    found = _probed(profile, cpu, wanted, probe) if probe is not None else _predicted(profile, cpu, wanted, seen)
    found = _of_firmware(found, firmware) if firmware else found
    found = _of_level(found, unaffected=unaffected) if unaffected is not None else found
    return tuple(_masked(register, masks) for register in found) if masks else found


@lru_cache(maxsize=256)
def _of_firmware(found: tuple[OtherRegister, ...], firmware: int) -> tuple[OtherRegister, ...]:
    return tuple(replace(register, firmware=firmware) if register.id in SHOW_FIRMWARE else register for register in found)


@lru_cache(maxsize=256)
def _of_level(found: tuple[OtherRegister, ...], *, unaffected: bool) -> tuple[OtherRegister, ...]:
    """KVM shows a guest CSV2 = 1 where the host is unaffected by Spectre v2, and else 0 (sys_regs.c, ID_AA64PFR0_EL1)."""
    return tuple(_with_bits(register, CSV2, (CSV2 & -CSV2) * unaffected) if register.id == PFR0 else register for register in found)


def _with_bits(register: OtherRegister, mask: int, bits: int) -> OtherRegister:
    if register.value is not None:
        return register
    known, values = register.partial
    return replace(register, partial=(known | mask, values & ~mask | bits))


class Shown(msgspec.Struct, frozen=True):
    """Fields of a register that read 0 on a vCPU without a feature."""

    register: int
    mask: int
    feature: Feature
    source: str


WITH_AND_WITHOUT = "observed: lists of one host with and without the feature, kernels from 6.1 to 7.2"
SHOWN: tuple[Shown, ...] = (
    Shown(by_name("ID_AA64DFR0_EL1"), fields(8), "pmu_v3", WITH_AND_WITHOUT),
    Shown(by_name("ID_DFR0_EL1"), fields(24), "pmu_v3", WITH_AND_WITHOUT),
    Shown(by_name("ID_AA64PFR0_EL1"), fields(32), "sve", WITH_AND_WITHOUT),
    Shown(by_name("ID_AA64ZFR0_EL1"), WHOLE, "sve", WITH_AND_WITHOUT),
    Shown(by_name("ID_AA64ISAR1_EL1"), fields(4, 8, 24, 28), "ptrauth_address", WITH_AND_WITHOUT),
    Shown(by_name("ID_AA64ISAR2_EL1"), fields(8, 12), "ptrauth_address", "linux arch/arm64/kvm/sys_regs.c: APA3 and GPA3"),
)
"""MTE, which shows in ID_AA64PFR1_EL1, is never turned on by a VMM of its own accord."""


def shows_features(register: int) -> bool:
    """Whether a register's value depends on a vCPU's features."""
    return register in _SHOWN_IN


_SHOWN_IN = frozenset(row.register for row in SHOWN)


def without(register: OtherRegister, features: frozenset[Feature], profile: KernelProfile) -> OtherRegister:
    """A register whose value is known, as a vCPU without these features has it."""
    if register.value is None:
        return register
    # Up to 5.10 the PMU shows whether it was asked for or not.
    gone = features - {"pmu_v3"} if profile.pmu_always_listed else features
    mask = sum(row.mask for row in SHOWN if row.register == register.id and row.feature in gone)
    return replace(register, value=register.value & ~mask)


def is_other(register: int) -> bool:
    """Whether an id belongs to the registers of this module."""
    return register >> 16 & 0xFFF in {encodings.DEMUX, encodings.SYSREG}


def is_new(register: int) -> bool:
    """Whether an id is that of a firmware register which the table has not got: one that a kernel to come has added."""
    return fw.is_firmware(register) and register not in fw.BY_ID


@lru_cache(maxsize=256)
def _probed(profile: KernelProfile, cpu: Silicon, features: Features, probe: tuple[tuple[int, int], ...]) -> tuple[OtherRegister, ...]:
    host = dict(probe)
    found = []
    for register, value in probe:
        if is_other(register):
            token = era(register, profile, cpu, features)
            found.append(OtherRegister(id=register, value=value, rule=rule_on(register, profile, host), era=token))
        elif is_new(register):
            # A host takes its own value. What it makes of another one is not known.
            found.append(OtherRegister(id=register, value=None, rule=FIXED, era=f"reads {value:#x}"))
    return tuple(found)


def _masked(register: OtherRegister, masks: Mapping[int, int]) -> OtherRegister:
    """A mask that the kernel stated replaces ours, field by field as before.

    Context registers have none and stay free; nor does one free what only a capability makes writable, which no VMM turns on.
    """
    if register.rule.writable is None or register.id not in masks or register.id in IMPLEMENTATION:
        return register
    return replace(register, rule=replace(register.rule, writable=masks[register.id], lowerable=True))


@lru_cache(maxsize=1024)
def _predicted(profile: KernelProfile, cpu: Silicon, features: Features, seen: Seen | None) -> tuple[OtherRegister, ...]:
    values = dict(seen.registers) if seen is not None else {}
    ids = listed(profile, features) if seen is None else _carried_over(profile, features, seen)
    found = []
    for register in ids:
        token, (mask, bits) = era(register, profile, cpu, features), partial_value(register, profile, cpu, features)
        value = bits if mask == WHOLE else None
        if value is None and seen is not None and register in values and token == era(register, seen.kernel, cpu, features):
            value = values[register] & ~mask | bits
        rule = rule_on(register, profile, values)
        found.append(OtherRegister(id=register, value=value, rule=rule, era=token, partial=(mask, bits)))
    return tuple(found)


def _carried_over(profile: KernelProfile, features: Features, seen: Seen) -> tuple[int, ...]:
    """The predicted list, corrected by how the host differed from the prediction before."""
    before, had = set(listed(seen.kernel, features)), [register for register, _ in seen.registers if is_other(register)]
    gone, extra = before - set(had), [register for register in had if register not in before]
    return (*(register for register in listed(profile, features) if register not in gone), *extra)


def restorable(register: OtherRegister, written: int) -> bool | None:
    """Whether the host takes a value for one of its registers; None where its own value is not known and decides."""
    if not register.rule.particular:
        return True
    return None if register.value is None else accepts(register.rule, register.value, written)


def moves(source: OtherRegister, destination: OtherRegister) -> bool | None:
    """Whether the destination takes what a fresh vCPU of the source reads; None where what is known does not say.

    Bits known on both sides may refute; they prove only if all are known, or if the eras say that the rest is equal.
    """
    if destination.rule.writable is None:
        # Bounds on cache registers. Any CPU of a kind keeps within its own, and of another kind MIDR_EL1 is refused.
        return source.value is None or accepts(destination.rule, destination.value or 0, source.value)
    (source_mask, written), (mask, host) = _known_bits(source), _known_bits(destination)
    both = source_mask & mask
    if not accepts(destination.rule, host & both, written & both):
        return False
    rest_is_equal = bool(source.era) and source.era == destination.era and source_mask | both == mask | both
    return True if both == WHOLE or (rest_is_equal and _same_firmware(source, destination)) else None


def _same_firmware(source: OtherRegister, destination: OtherRegister) -> bool:
    """Whether what registers say of EL3 is equal, or at most less than on a machine that is known to have it, and so may be written."""
    if not source.firmware or not destination.firmware or source.firmware & destination.firmware:
        return True
    has_el3 = not destination.firmware & SILENT
    rule = destination.rule
    lowerable = rule.lowerable and rule.writable is not None and SHOW_FIRMWARE[destination.id] & ~rule.writable == 0
    return has_el3 and (lowerable or not source.firmware & SILENT)


def _known_bits(register: OtherRegister) -> tuple[int, int]:
    return register.partial if register.value is None else (WHOLE, register.value)


# --- two kernels on the same hardware -----------------------------------------------------------------------------------------------


class Difference(Enum):
    """How a register differs between two kernels on the same hardware, as a guest moves from the first to the second."""

    ADDED = "added"
    """Only the second kernel lists it."""
    REMOVED = "removed"
    """Only the first kernel lists it."""
    REFUSED = "refused"
    """The second kernel refuses the value that the first one gives."""
    UNDECIDED = "undecided"
    """The values may differ, and the second kernel does not take every value."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One register that does not simply carry over from one kernel to another."""

    id: int
    difference: Difference
    source: str

    @property
    def name(self) -> str:
        """What to call the register."""
        return name(self.id)


def changes(
    a: KernelProfile, b: KernelProfile, *, midr: int | None = None, revidr: int | None = None, features: Iterable[Feature] = ()
) -> tuple[Change, ...]:
    """What becomes of the registers of a guest that was born on `a` and moves to `b`, on the same hardware; by ascending id."""
    before, after = (
        {register.id: register for register in others(kernel, midr=midr, revidr=revidr, features=features)} for kernel in (a, b)
    )
    found = []
    for register in sorted(before.keys() | after.keys()):
        difference = _difference(before.get(register), after.get(register))
        if difference is not None:
            found.append(Change(id=register, difference=difference, source=source_of(register)))
    return tuple(found)


def _difference(before: OtherRegister | None, after: OtherRegister | None) -> Difference | None:
    if before is None:
        return Difference.ADDED
    if after is None:
        return Difference.REMOVED
    match moves(before, after):
        case True:
            return None
        case False:
            return Difference.REFUSED
        case None:
            return Difference.UNDECIDED


@lru_cache(maxsize=512)
def source_of(register: int) -> str:
    """Where the facts about a register's family stand."""
    return next((family.source for family in FAMILIES if register in family.ids), "not modelled")
