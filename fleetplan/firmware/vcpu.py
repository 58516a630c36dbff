"""An executable KVM: virtual machines, vCPUs and the register ioctls.

DOOR (types agreed; VirtualMachine is to be filled in).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fleetplan.firmware.kernels import KernelProfile

Feature = Literal["psci_0_2", "pmu_v3", "sve", "ptrauth_address", "ptrauth_generic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Host levels of the workarounds, as the kernel holds them (not as GET encodes them).

    `spectre_v2` and `bhb`: 0 vulnerable, 1 mitigated, 2 unaffected. `ssb` (v4): 0 vulnerable, 1 unknown, 2 mitigated dynamically,
    3 unaffected or mitigated always. `ssbs`: every CPU has SSBS, so guests protect themselves.
    """

    spectre_v2: int
    ssb: int
    bhb: int
    ssbs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRegister:
    """A register that is no firmware register: what a fresh vCPU reads (None: not known) and which bits a restore may change.

    `writable` None: any value may be written (context, timers, PMU). 0: only the very value that is there.
    A mask: the bits of the mask may differ, others must be equal.
    `lowerable`: the writable bits form ID fields that may be set to what the host has or lower; otherwise they are free.
    Fields of `signed` compare as signed numbers, bits of `ignored` are dropped before the comparison (`id_fields.accepts`).
    Where `value` is not known, `partial` may say some of it (a mask, and the bits under it), and registers of equal ids with equal,
    non-empty eras are equal in all other bits.
    """

    id: int
    value: int | None
    writable: int | None = None
    lowerable: bool = False
    signed: int = 0
    ignored: int = 0
    era: str = ""
    partial: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kvm:
    """/dev/kvm of a host: its kernel's rules, its levels, and the other registers that a fresh vCPU lists (in list order).

    `probed` says that `others` is the host's own list and not derived from its kernel and CPU.
    """

    profile: KernelProfile
    levels: Levels
    others: tuple[OtherRegister, ...] = ()
    probed: bool = False
