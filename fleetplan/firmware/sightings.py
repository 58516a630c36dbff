"""What a probe says of the kernel that answered it, where the kernel's name leaves several open or is wrong about it.

A name may leave the point release or the distribution's backports open. The list of a fresh vCPU shows much of that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from fleetplan.firmware import registers as fw
from fleetplan.firmware.encodings import CCSIDR_IDS, by_name
from fleetplan.firmware.errno import Errno
from fleetplan.firmware.profile import BhbRule, KernelProfile, Listed

Probe = tuple[tuple[int, int], ...]
"""(id, value) of the registers of a fresh vCPU with PSCI_0_2, in list order."""

PHYSICAL_TIMER, LOCK_STATUS, TRANSLATION = by_name("CNTP_CTL_EL0"), by_name("OSLSR_EL1"), by_name("TCR2_EL1")


def agreeing(known: Iterable[KernelProfile], probe: Probe) -> list[tuple[int, KernelProfile]]:
    """Those kernels that would have answered so, by their number; where there is none, all of them, corrected by what was seen.

    How a kernel arrives at levels is of no account once it was asked, and is left out.
    """
    numbered = [(number, without_levels(profile)) for number, profile in enumerate(known)]
    corrected = [(number, replace(profile, **dict(_seen(profile, dict(probe))))) for number, profile in numbered]
    return [pair for pair, mended in zip(numbered, corrected, strict=True) if pair == mended] or corrected


def without_levels(profile: KernelProfile) -> KernelProfile:
    """A kernel without the rules by which it arrives at levels."""
    return replace(profile, bhb=BhbRule.NONE, loop_cpus=frozenset(), bhb_obeys_nospectre_bhb=False, bhb_obeys_mitigations_off=False)


def _seen(profile: KernelProfile, values: Mapping[int, int]) -> Iterator[tuple[str, Any]]:
    """The fields of a profile that a list decides, as it shows them."""
    firmware = [register for register in values if register in fw.BY_ID]
    registers = tuple(row.name for row in fw.REGISTERS if row.id in values)
    version = values.get(fw.PSCI_VERSION.id, profile.psci_default)
    yield "registers", registers
    yield "psci_default", version
    yield "psci_accepted", fw.versions_up_to(version) if fw.PSCI_VERSION.name in registers else ()
    yield "answers_workaround_3", profile.answers_workaround_3 or fw.WORKAROUND_3.name in registers
    yield "unknown_id", Errno.ENOENT if len(registers) != 1 else Errno.EINVAL
    if len(values) > len(firmware):
        # A whole list, and not firmware registers alone.
        yield "timers_listed", 6 if PHYSICAL_TIMER in values else 3
        yield "oslsr_listed", LOCK_STATUS in values
        yield "ccsidr_normalised", CCSIDR_IDS[3] in values
        yield "tcr2_pir", _translation(profile.tcr2_pir, listed=TRANSLATION in values)


def _translation(by_name_alone: Listed, *, listed: bool) -> Listed:
    """Whether TCR2_EL1 and PIR are listed always or by feature, no list says; only whether they are."""
    if listed:
        return Listed.ALWAYS if by_name_alone is Listed.NEVER else by_name_alone
    return Listed.BY_FEATURE if by_name_alone is Listed.ALWAYS else by_name_alone
