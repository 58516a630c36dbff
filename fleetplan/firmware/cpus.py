"""CPUs: who they are, and what of them decides which workarounds KVM offers.

A row per CPU. The membership lists are the kernel's own (proton-pack.c, cpu_errata.c); an unknown property is `None`, never a guess.
A list that moves with the kernel (the BHB loop list) belongs to the kernel's profile and not to the CPU.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import msgspec

LISTS = "kernel-firmware-registers 4.4: MIDR lists of arch/arm64/kernel/proton-pack.c, 5.6.19 to 7.1.13"
CPUTYPE = "arch/arm64/include/asm/cputype.h"
SEEN = "observed: GET_ONE_REG on Debian 5.10.223 to 7.3.4"
DUMPED = "kernel-firmware-registers 10 and Firecracker fingerprints: WORKAROUND_1, _2, _3 = 2, 0, 1"


class Midr(NamedTuple):
    """MIDR_EL1 in parts: `variant` and `revision` are the n and m of rNpM."""

    implementer: int
    part: int
    variant: int
    revision: int


def parts(midr: int) -> Midr:
    """Take MIDR_EL1 apart (Arm ARM, MIDR_EL1)."""
    return Midr(midr >> 24 & 0xFF, midr >> 4 & 0xFFF, midr >> 20 & 0xF, midr & 0xF)


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """One CPU design, all revisions of it.

    `names` are what operators write, the first is ours. `csv2` are the values that ID_AA64PFR0_EL1.CSV2 may have on it (2 counts as 1:
    the kernel asks for zero, three or else); `ssbs`, `ecbhb`, `clrbhb` None: not known or not the same on all revisions.
    `v2_safe`, `v4_safe`, `bhb_safe` and `bhb_firmware` are the kernel's lists; `since_5_10` marks entries that the lists of 5.3 to 5.9
    lack.
    """

    names: tuple[str, ...]
    implementer: int
    part: int
    source: str
    csv2: tuple[int, ...] = (0, 1, 3)
    ssbs: bool | None = None
    ecbhb: bool | None = None
    clrbhb: bool | None = None
    v2_safe: bool = False
    v4_safe: bool = False
    bhb_safe: bool = False
    bhb_firmware: bool = False
    since_5_10: bool = False

    @property
    def name(self) -> str:
        """The name that fleetplan prints."""
        return self.names[0]

    @property
    def model(self) -> tuple[int, int]:
        """Implementer and part, as the kernel's lists name CPUs."""
        return (self.implementer, self.part)


ARM, BROADCOM, CAVIUM, FUJITSU, HISILICON, NVIDIA, QUALCOMM, AMPERE, MICROSOFT, PHYTIUM = (
    0x41, 0x42, 0x43, 0x46, 0x48, 0x4E, 0x51, 0xC0, 0x6D, 0x70,
)  # fmt: skip

TABLE: tuple[Cpu, ...] = (
    # Neither v2, v4 nor BHB.
    Cpu(names=("cortex-a35",), implementer=ARM, part=0xD04, v2_safe=True, v4_safe=True, bhb_safe=True, source=LISTS),
    Cpu(names=("cortex-a53",), implementer=ARM, part=0xD03, v2_safe=True, v4_safe=True, bhb_safe=True, source=LISTS),
    Cpu(names=("cortex-a55",), implementer=ARM, part=0xD05, v2_safe=True, v4_safe=True, bhb_safe=True, source=LISTS),
    Cpu(names=("brahma-b53",), implementer=BROADCOM, part=0x100, v2_safe=True, v4_safe=True, bhb_safe=True, source=LISTS),
    Cpu(names=("kryo-2xx-silver",), implementer=QUALCOMM, part=0x801, v2_safe=True, bhb_safe=True, since_5_10=True, source=LISTS),
    Cpu(
        names=("kryo-3xx-silver",), implementer=QUALCOMM, part=0x803, v2_safe=True, v4_safe=True, bhb_safe=True, since_5_10=True,
        source=LISTS,
    ),
    Cpu(
        names=("kryo-4xx-silver",), implementer=QUALCOMM, part=0x805, v2_safe=True, v4_safe=True, bhb_safe=True, since_5_10=True,
        source=LISTS,
    ),
    Cpu(names=("cortex-a510",), implementer=ARM, part=0xD46, bhb_safe=True, source=LISTS),
    Cpu(names=("cortex-a520",), implementer=ARM, part=0xD80, bhb_safe=True, source=LISTS),
    # No SSBS; help against v2 comes from firmware, save on late revisions that have CSV2.
    Cpu(
        names=("cortex-a57",), implementer=ARM, part=0xD07, ssbs=False, csv2=(0, 1), ecbhb=False, clrbhb=False,
        source=f"{LISTS}; {SEEN}",
    ),
    Cpu(
        names=("cortex-a72", "graviton"), implementer=ARM, part=0xD08, ssbs=False, csv2=(0, 1), ecbhb=False, clrbhb=False,
        source=f"{LISTS}; {SEEN}",
    ),
    Cpu(names=("cortex-a73",), implementer=ARM, part=0xD09, bhb_firmware=True, source=LISTS),
    Cpu(names=("cortex-a75",), implementer=ARM, part=0xD0A, bhb_firmware=True, source=LISTS),
    # SSBS and CSV2: v2 is unaffected, guests look after v4 themselves, BHB is mitigated by the kernel's loop.
    Cpu(
        names=("cortex-a76",), implementer=ARM, part=0xD0B, ssbs=True, csv2=(1,), ecbhb=False, clrbhb=False, source=f"{LISTS}; {SEEN}",
    ),
    Cpu(names=("cortex-a76ae",), implementer=ARM, part=0xD0E, ssbs=True, source=LISTS),
    Cpu(names=("cortex-a77",), implementer=ARM, part=0xD0D, ssbs=True, source=LISTS),
    Cpu(
        names=("neoverse-n1", "ampere-altra", "altra", "graviton2"), implementer=ARM, part=0xD0C, ssbs=True, csv2=(1,), ecbhb=False,
        clrbhb=False, source=f"{LISTS}; {SEEN}; {DUMPED}",
    ),
    Cpu(names=("neoverse-e1",), implementer=ARM, part=0xD4A, source=CPUTYPE),
    Cpu(names=("cortex-a78",), implementer=ARM, part=0xD41, ssbs=True, source=LISTS),
    Cpu(names=("cortex-a78ae",), implementer=ARM, part=0xD42, ssbs=True, source=LISTS),
    Cpu(names=("cortex-a78c",), implementer=ARM, part=0xD4B, ssbs=True, source=LISTS),
    Cpu(names=("cortex-x1",), implementer=ARM, part=0xD44, ssbs=True, source=LISTS),
    Cpu(names=("cortex-x1c",), implementer=ARM, part=0xD4C, ssbs=True, source=LISTS),
    Cpu(names=("neoverse-v1", "graviton3"), implementer=ARM, part=0xD40, ssbs=True, csv2=(1,), source=f"{LISTS}; {DUMPED}"),
    Cpu(names=("cortex-a710",), implementer=ARM, part=0xD47, ssbs=True, source=LISTS),
    Cpu(names=("cortex-x2",), implementer=ARM, part=0xD48, ssbs=True, source=LISTS),
    Cpu(names=("neoverse-n2", "yitian-710"), implementer=ARM, part=0xD49, ssbs=True, source=LISTS),
    Cpu(names=("cobalt-100", "azure-cobalt-100"), implementer=MICROSOFT, part=0xD49, ssbs=True, source=CPUTYPE),
    Cpu(names=("cortex-a715",), implementer=ARM, part=0xD4D, ssbs=True, source=LISTS),
    Cpu(names=("cortex-x3",), implementer=ARM, part=0xD4E, ssbs=True, source=LISTS),
    Cpu(
        names=("neoverse-v2", "grace", "graviton4", "axion"), implementer=ARM, part=0xD4F, ssbs=True, csv2=(1,),
        source=f"{LISTS}; vmm-restore-and-orchestrators 1.6: V2 as N1 and V1",
    ),
    Cpu(names=("cortex-a720",), implementer=ARM, part=0xD81, ssbs=True, source=LISTS),
    Cpu(names=("cortex-a720ae",), implementer=ARM, part=0xD89, ssbs=True, source=LISTS),
    Cpu(names=("cortex-x4",), implementer=ARM, part=0xD82, ssbs=True, source=CPUTYPE),
    Cpu(names=("neoverse-v3", "graviton5"), implementer=ARM, part=0xD84, ssbs=True, source=CPUTYPE),
    Cpu(names=("neoverse-v3ae",), implementer=ARM, part=0xD83, ssbs=True, source=CPUTYPE),
    Cpu(names=("neoverse-n3",), implementer=ARM, part=0xD8E, ssbs=True, source=CPUTYPE),
    Cpu(names=("cortex-x925",), implementer=ARM, part=0xD85, ssbs=True, source=CPUTYPE),
    Cpu(names=("cortex-a725",), implementer=ARM, part=0xD87, ssbs=True, source=CPUTYPE),
    Cpu(names=("kryo-4xx-gold",), implementer=QUALCOMM, part=0x804, source=LISTS),
    # Other server CPUs. Where no list names them, firmware and ID registers decide.
    Cpu(names=("kunpeng-920", "tsv110"), implementer=HISILICON, part=0xD01, v2_safe=True, source=LISTS),
    Cpu(names=("kunpeng-930", "hip09"), implementer=HISILICON, part=0xD02, source=LISTS),
    Cpu(names=("ampere-1", "ampereone"), implementer=AMPERE, part=0xAC3, source=LISTS),
    Cpu(names=("ampere-1a",), implementer=AMPERE, part=0xAC4, source=CPUTYPE),
    Cpu(names=("thunderx",), implementer=CAVIUM, part=0x0A1, source=CPUTYPE),
    Cpu(names=("thunderx-81xx",), implementer=CAVIUM, part=0x0A2, source=CPUTYPE),
    Cpu(names=("thunderx-83xx",), implementer=CAVIUM, part=0x0A3, source=CPUTYPE),
    Cpu(names=("octeontx2-98xx",), implementer=CAVIUM, part=0x0B1, source=CPUTYPE),
    Cpu(names=("thunderx2",), implementer=CAVIUM, part=0x0AF, source=CPUTYPE),
    Cpu(names=("thunderx2-vulcan",), implementer=BROADCOM, part=0x516, source=CPUTYPE),
    Cpu(names=("a64fx",), implementer=FUJITSU, part=0x001, source=CPUTYPE),
    Cpu(names=("falkor", "centriq"), implementer=QUALCOMM, part=0xC00, source=CPUTYPE),
    Cpu(names=("carmel",), implementer=NVIDIA, part=0x004, source=CPUTYPE),
    Cpu(names=("ftc663", "phytium-s2500"), implementer=PHYTIUM, part=0x663, source=CPUTYPE),
)  # fmt: skip

NAMES: tuple[str, ...] = tuple(sorted(name for cpu in TABLE for name in cpu.names))
"""All names that `by_name` knows."""


@cache
def _by_model() -> dict[tuple[int, int], Cpu]:
    return {cpu.model: cpu for cpu in TABLE}


@cache
def _by_name() -> dict[str, Cpu]:
    return {name: cpu for cpu in TABLE for name in cpu.names}


def by_midr(midr: int) -> Cpu | None:
    """The CPU whose MIDR_EL1 this is, any revision."""
    return _by_model().get(parts(midr)[:2])


def by_name(name: str) -> Cpu | None:
    """The CPU of this name; case, blanks and underscores do not count."""
    return _by_name().get(name.strip().lower().replace("_", "-").replace(" ", "-"))


def unlisted(implementer: int, part: int) -> Cpu:
    """A CPU that the table does not know: in no list, all else open."""
    return Cpu(names=(f"{implementer:#04x}/{part:#05x}",), implementer=implementer, part=part, source="no list of the kernel names it")
