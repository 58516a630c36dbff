"""What is saved and how a list of registers meets another one: length and merge, by the loading VMM's algorithm."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from fleetplan.firmware import registers as fw
from fleetplan.firmware.vcpu import Kvm
from fleetplan.migration.reasons import Stage
from fleetplan.migration.vmm import TOLERANCES, Load, VmmProfile


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the registers of a stream before any is written.

    `stage`: where the load ends (LENGTH, MERGE), None if it goes on. `brought` and `listed` count both lists. `lacking` are registers
    that only the stream has and `unsent` those that only the destination has, ascending. `copied` are the registers that reach the
    destination's kernel, in the order in which they are written.
    """

    stage: Stage | None
    brought: int
    listed: int
    lacking: tuple[int, ...]
    unsent: tuple[int, ...]
    copied: tuple[int, ...]


def saved_ids(kvm: Kvm, saver: VmmProfile) -> tuple[int, ...]:
    """The ids that a process of this VMM saves on a host, in list order."""
    rows = (fw.BY_NAME[row] for row in kvm.profile.registers)
    firmware = (row.id for row in rows if saver.saves_bitmaps or row.kind is not fw.Kind.BITMAP)
    return (*firmware, *(register.id for register in kvm.others))


def listed_ids(kvm: Kvm) -> tuple[int, ...]:
    """All ids that a fresh vCPU lists, in list order."""
    return (*(fw.BY_NAME[row].id for row in kvm.profile.registers), *(register.id for register in kvm.others))


def merge(brought: Collection[int], listed: Collection[int], load: Load, tolerated: Collection[int]) -> Merged:
    """Bring two lists together as the loader does. `tolerated` are the registers whose loss a B1 load accepts, with these values."""
    known, sent = frozenset(listed), frozenset(brought)
    lacking = tuple(sorted(register for register in brought if register not in known))
    unsent = tuple(sorted(register for register in listed if register not in sent))
    common = tuple(sorted(register for register in listed if register in sent))
    stage: Stage | None = None
    match load:
        case Load.A if len(brought) > len(listed):
            # 0 <= src <= dst, else -EINVAL
            stage, common = Stage.LENGTH, ()
        case Load.A if lacking and lacking[0] < max(known):
            # src[v] < dst[i]: return -1. What sorts before has been copied, and is written even so.
            stage, common = Stage.MERGE, tuple(register for register in common if register < lacking[0])
        case Load.A:
            # The loop ends when either list ends: what sorts after the destination's last register is dropped in silence.
            pass
        case Load.B0:
            stage = Stage.MERGE if lacking else None
        case Load.B1:
            # The flag is assigned, not or-ed: the last register that the destination lacks decides alone.
            stage = Stage.MERGE if lacking and lacking[-1] not in tolerated else None
        case Load.B1_FIXED:
            stage = Stage.MERGE if any(register not in tolerated for register in lacking) else None
        case Load.STRICT:
            common = tuple(brought)
    return Merged(stage=stage, brought=len(brought), listed=len(listed), lacking=lacking, unsent=unsent, copied=common)


def tolerated(values: Mapping[int, int | None]) -> frozenset[int]:
    """The registers of a stream whose loss a B1 load accepts. Source: `TOLERANCES`."""
    return frozenset(row.register for row in TOLERANCES if row.register in values and row.only in {None, values[row.register]})


EITHER_SIDE = frozenset(row.register for row in TOLERANCES if row.only is None)
"""Registers that a B1 load passes over in silence, whichever side has them."""
