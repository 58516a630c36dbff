"""What a kernel makes of a platform: the levels of its workarounds, and the texts that it shows in sysfs.

A *platform* is what a kernel upgrade does not change: the CPU, and what the host's own firmware answers. Its two halves, branch
prediction (v2, BHB) and store bypass (v4), decide different registers. The rules are those of kernel-firmware-registers 4.1 to 4.4.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from fleetplan.firmware.cpus import Cpu
from fleetplan.firmware.kernels import BhbRule, KernelProfile, Workaround2Era
from fleetplan.firmware.registers import flag_era_value, workaround_2_value
from fleetplan.firmware.vcpu import Levels

UNAFFECTED, MITIGATED, VULNERABLE = 2, 1, 0
"""States of v2 and BHB as levels; the worst over the CPUs of a host is the least (reference 4.1)."""

SSB_VULNERABLE, SSB_UNKNOWN, SSB_DYNAMIC, SSB_UNAFFECTED = 0, 1, 2, 3
"""States of v4, as `Levels.ssb`."""


class Answer(Enum):
    """What the host's firmware says to SMCCC_ARCH_FEATURES of a workaround (observed/README, FIRMWARE)."""

    NONE = "x"
    """Not supported, or no SMCCC 1.1 at all."""
    NEEDED = "0"
    """Needed on this CPU, and there."""
    NOT_HERE = "1"
    """There, but not needed on this CPU."""
    NOT_REQUIRED = "n"
    """Not required (WORKAROUND_2 only)."""


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """The half of a platform that decides v2 and BHB. `csv2` is ID_AA64PFR0_EL1.CSV2, 2 counting as 1."""

    csv2: int
    workaround_1: Answer
    workaround_3: Answer
    ecbhb: bool
    clrbhb: bool


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """The half of a platform that decides v4."""

    ssbs: bool
    workaround_2: Answer


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """What a kernel upgrade does not change."""

    cpu: Cpu
    branch: Branch
    store: Store


class Switches(msgspec.Struct, frozen=True, kw_only=True):
    """The words of a kernel command line that move a level."""

    nospectre_v2: bool = False
    nospectre_bhb: bool = False
    mitigations_off: bool = False
    ssbd: str = "kernel"

    @classmethod
    def parse(cls, cmdline: str) -> Switches:
        """Read /proc/cmdline: the last of equal words wins, words after `--` are for init."""
        found = cls()
        for word in cmdline.split():
            match word.split("=", 1):
                case ["--"]:
                    break
                case ["nospectre_v2"]:
                    found = replace(found, nospectre_v2=True)
                case ["nospectre_bhb"]:
                    found = replace(found, nospectre_bhb=True)
                case ["mitigations", value]:
                    found = replace(found, mitigations_off=value.split(",")[0] == "off")
                case ["ssbd", ("kernel" | "force-on" | "force-off") as value]:
                    found = replace(found, ssbd=value)
                case _:
                    pass
        return found


def spectre_v2_state(cpu: Cpu, branch: Branch, profile: KernelProfile, switches: Switches) -> int:
    """`CSV2 or safe-listed -> unaffected; else firmware: 1 unaffected, 0 mitigated unless disabled; else vulnerable` (4.1)."""
    if branch.csv2 or (cpu.v2_safe and _in_lists_of(cpu, profile)) or branch.workaround_1 is Answer.NOT_HERE:
        return UNAFFECTED
    if branch.workaround_1 is Answer.NEEDED and not (switches.nospectre_v2 or switches.mitigations_off):
        return MITIGATED
    return VULNERABLE


def _in_lists_of(cpu: Cpu, profile: KernelProfile) -> bool:
    return not (cpu.since_5_10 and profile.workaround_2 is Workaround2Era.FLAG)


def _bhb_affected(cpu: Cpu, branch: Branch, profile: KernelProfile) -> bool:
    if branch.csv2 == 3:
        return False
    if profile.bhb is BhbRule.NEW:
        return not cpu.bhb_safe
    return branch.clrbhb or cpu.model in profile.loop_cpus or cpu.bhb_firmware or branch.workaround_3 is Answer.NEEDED


def bhb_state(cpu: Cpu, branch: Branch, profile: KernelProfile, switches: Switches) -> int:
    """`v2 vulnerable or off -> vulnerable; else ECBHB, CLRBHB, loop list, firmware -> mitigated; none -> vulnerable` (4.1)."""
    if profile.bhb is BhbRule.NONE:
        return VULNERABLE
    if not _bhb_affected(cpu, branch, profile):
        return UNAFFECTED
    if spectre_v2_state(cpu, branch, profile, switches) == VULNERABLE:
        return VULNERABLE
    if switches.nospectre_bhb and profile.bhb_obeys_nospectre_bhb:
        return VULNERABLE
    if switches.mitigations_off and profile.bhb_obeys_mitigations_off:
        return VULNERABLE
    helped = branch.ecbhb or branch.clrbhb or cpu.model in profile.loop_cpus or branch.workaround_3 is Answer.NEEDED
    return MITIGATED if helped else VULNERABLE


def v2_affected(cpu: Cpu, branch: Branch) -> bool:
    """Whether the CPU needs help against v2, by the lists of the newest kernel, whatever an older one takes it for."""
    return not (branch.csv2 or cpu.v2_safe or branch.workaround_1 is Answer.NOT_HERE)


def bhb_affected(cpu: Cpu, branch: Branch) -> bool:
    """As `v2_affected`, of BHB: `affected unless CSV2 is 3 or safe-listed` (4.4, the rule of e403e8538359)."""
    return branch.csv2 != 3 and not cpu.bhb_safe


def ssb_affected(cpu: Cpu, store: Store) -> bool:
    """As `v2_affected`, of v4. Firmware is not asked on a CPU that has SSBS (4.1)."""
    return not cpu.v4_safe and (store.ssbs or store.workaround_2 not in {Answer.NOT_HERE, Answer.NOT_REQUIRED})


def ssb_state(cpu: Cpu, store: Store, profile: KernelProfile, switches: Switches) -> int:
    """State of v4. From 5.10 it is a maximum like the others; before, the global ssbd state (4.1, 4.2)."""
    off = switches.mitigations_off or switches.ssbd == "force-off"
    if profile.workaround_2 is Workaround2Era.FLAG:
        return _ssb_before_5_10(store, force_on=switches.ssbd == "force-on" and not switches.mitigations_off, off=off)
    if cpu.v4_safe:
        return SSB_UNAFFECTED
    if store.ssbs:
        return SSB_VULNERABLE if off else SSB_DYNAMIC
    match store.workaround_2:
        case Answer.NEEDED:
            # Without SSBS a guest sees "not required": KVM keeps the mitigation on for it.
            return SSB_VULNERABLE if off else SSB_UNAFFECTED
        case Answer.NOT_HERE | Answer.NOT_REQUIRED:
            return SSB_UNAFFECTED
        case Answer.NONE:
            return SSB_VULNERABLE


def _ssb_before_5_10(store: Store, *, force_on: bool, off: bool) -> int:
    """`UNKNOWN and MITIGATED overwrite the command-line state` of a CPU without SSBS (4.2)."""
    if not store.ssbs and store.workaround_2 is Answer.NONE:
        return SSB_UNKNOWN
    if not store.ssbs and store.workaround_2 is Answer.NOT_REQUIRED:
        return SSB_UNAFFECTED
    if off:
        return SSB_VULNERABLE
    return SSB_UNAFFECTED if force_on else SSB_DYNAMIC


def levels(platform: Platform, profile: KernelProfile, switches: Switches) -> Levels:
    """The levels that this kernel holds on this platform."""
    return Levels(
        spectre_v2=spectre_v2_state(platform.cpu, platform.branch, profile, switches),
        ssb=ssb_state(platform.cpu, platform.store, profile, switches),
        bhb=bhb_state(platform.cpu, platform.branch, profile, switches),
        ssbs=platform.store.ssbs,
    )


EBPF = "Vulnerable: Unprivileged eBPF enabled"


def spectre_v2_texts(v2: int, bhb: int, profile: KernelProfile) -> tuple[str, ...]:
    """Texts of `spectre_v2`: the plain one first, then what a system with unprivileged eBPF shows instead (4.3)."""
    if v2 == VULNERABLE:
        return ("Vulnerable",)
    if profile.bhb is BhbRule.NONE:
        return ("Not affected",) if v2 == UNAFFECTED else ("Mitigation: Branch predictor hardening",)
    if (v2, bhb) == (UNAFFECTED, UNAFFECTED):
        return ("Not affected",)
    who = "CSV2" if v2 == UNAFFECTED else "Branch predictor hardening"
    tail = {UNAFFECTED: "", MITIGATED: ", BHB", VULNERABLE: ", but not BHB"}[bhb]
    text = f"Mitigation: {who}{tail}"
    return (text, EBPF) if bhb == MITIGATED else (text,)


PRCTL = "Mitigation: Speculative Store Bypass disabled via prctl"


def store_bypass_text(cpu: Cpu, store: Store, profile: KernelProfile, switches: Switches) -> str:
    """The text of `spec_store_bypass` (4.3)."""
    state = ssb_state(cpu, store, profile, switches)
    if profile.workaround_2 is not Workaround2Era.FLAG:
        off = switches.mitigations_off or switches.ssbd == "force-off"
        if state == SSB_UNAFFECTED:
            by_firmware = not cpu.v4_safe and not store.ssbs and store.workaround_2 is Answer.NEEDED and not off
            return PRCTL if by_firmware else "Not affected"
        return PRCTL if state == SSB_DYNAMIC else "Vulnerable"
    if _never_seen_unsafe(cpu, store, profile):
        return "Not affected"
    return PRCTL if state in {SSB_DYNAMIC, SSB_UNAFFECTED} else "Vulnerable"


def _never_seen_unsafe(cpu: Cpu, store: Store, profile: KernelProfile) -> bool:
    """5.3 to 5.9 say `Not affected` unless SSBS, a needed workaround or silent firmware is met on a CPU that no list calls safe."""
    listed = cpu.v4_safe and _in_lists_of(cpu, profile)
    if store.workaround_2 is Answer.NEEDED and not store.ssbs:
        return False
    return listed or (not store.ssbs and store.workaround_2 in {Answer.NOT_HERE, Answer.NOT_REQUIRED})


class Texts(NamedTuple):
    """What sysfs shows under /sys/devices/system/cpu/vulnerabilities: all possible texts of each file."""

    spectre_v2: tuple[str, ...]
    spec_store_bypass: tuple[str, ...]


def sysfs(platform: Platform, profile: KernelProfile, switches: Switches) -> Texts:
    """The texts that this kernel shows on this platform."""
    now = levels(platform, profile, switches)
    return Texts(
        spectre_v2_texts(now.spectre_v2, now.bhb, profile),
        (store_bypass_text(platform.cpu, platform.store, profile, switches),),
    )


def read_second(ssb: int, ssbs: bool, profile: KernelProfile) -> int:
    """WORKAROUND_2 as GET_ONE_REG reads it on a fresh vCPU (2.4)."""
    if profile.workaround_2 is Workaround2Era.FLAG:
        return flag_era_value(ssb, enabled=True)
    return workaround_2_value(ssb, ssbs=ssbs)


def read(now: Levels, profile: KernelProfile) -> tuple[int, int, int]:
    """WORKAROUND_1, _2, _3 as GET_ONE_REG reads them on a fresh vCPU (2.3, 2.4)."""
    return (now.spectre_v2, read_second(now.ssb, now.ssbs, profile), now.bhb)
