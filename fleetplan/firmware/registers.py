"""The firmware registers: one row each, and the three kinds that say how their values compare and what a SET accepts.

Nothing outside of this file compares values of firmware registers or knows a bit position.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

import msgspec

from fleetplan.firmware.errno import Errno

ARM64 = 0x6000_0000_0000_0000
ARM32 = 0x4000_0000_0000_0000
SIZE_U64 = 0x0030_0000_0000_0000
COPROC_SHIFT = 16
COPROC_MASK = 0x0FFF_0000
ARCH_MASK = 0xFF00_0000_0000_0000
SIZE_MASK = 0x00F0_0000_0000_0000


class Block(Enum):
    """The coprocessor field of an id."""

    FW = 0x0014
    FW_FEAT_BMAP = 0x0016


class Kind(Enum):
    """How values of a register compare."""

    VERSION = "version"
    """One of a set of accepted values; VM-wide, writable at any time, travels with the guest."""
    LEVEL = "level"
    """A check against the host that stores nothing; read from whatever host the guest is on."""
    BITMAP = "bitmap"
    """A subset of what the kernel supports; VM-wide, frozen by the first run, travels with the guest."""


class Change(Enum):
    """What a change of a value is to a guest."""

    SAME = "same"
    GAINED = "gained"
    LOST = "lost"
    DIFFERENT = "different"


class FirmwareRegister(msgspec.Struct, frozen=True, kw_only=True):
    """A row. `words` are values (of a bitmap: bits) in words; for levels, `ladder` gives the values from worst to best.

    `valid` are the bits that a value may have at all.
    """

    name: str
    block: Block
    index: int
    kind: Kind
    words: Mapping[int, str]
    valid: int
    source: str
    ladder: tuple[int, ...] = ()

    @property
    def id(self) -> int:
        """The arm64 id, put together from its parts."""
        return register_id(self.block, self.index)

    @property
    def arm32_id(self) -> int:
        """The id that 32-bit KVM used, up to 5.6."""
        return ARM32 | SIZE_U64 | self.block.value << COPROC_SHIFT | self.index

    @property
    def travels(self) -> bool:
        """Whether the value is the guest's own and goes with it."""
        return self.kind is not Kind.LEVEL


def register_id(block: Block, index: int) -> int:
    """The arm64 id: arch | size | coprocessor << 16 | index."""
    return ARM64 | SIZE_U64 | block.value << COPROC_SHIFT | index


PSCI_VERSION = FirmwareRegister(
    name="PSCI_VERSION",
    block=Block.FW,
    index=0,
    kind=Kind.VERSION,
    words={0x1: "PSCI 0.1", 0x2: "PSCI 0.2", 0x10000: "PSCI 1.0", 0x10001: "PSCI 1.1", 0x10002: "PSCI 1.2", 0x10003: "PSCI 1.3"},
    valid=0xFFFF_FFFF,
    source="linux 85bd0ba1ff98, arch/arm64/include/uapi/asm/kvm.h",
)
WORKAROUND_1 = FirmwareRegister(
    name="SMCCC_ARCH_WORKAROUND_1",
    block=Block.FW,
    index=1,
    kind=Kind.LEVEL,
    words={0: "not available", 1: "available", 2: "not required"},
    valid=0xF,
    ladder=(0, 1, 2),
    source="linux 99adb567632b (5.3)",
)
WORKAROUND_2 = FirmwareRegister(
    name="SMCCC_ARCH_WORKAROUND_2",
    block=Block.FW,
    index=2,
    kind=Kind.LEVEL,
    words={0: "not available", 1: "unknown", 2: "available, disabled", 0x12: "available, enabled", 3: "not required"},
    valid=0x1F,
    ladder=(0, 1, 2, 0x12, 3),
    source="linux 99adb567632b (5.3), 29e8910a566a and 731146770271 (5.10)",
)
WORKAROUND_3 = FirmwareRegister(
    name="SMCCC_ARCH_WORKAROUND_3",
    block=Block.FW,
    index=3,
    kind=Kind.LEVEL,
    words={0: "not available", 1: "available", 2: "not required"},
    valid=0xF,
    ladder=(0, 1, 2),
    source="linux a5905d6af492 (5.17)",
)
STD_BMAP = FirmwareRegister(
    name="STD_BMAP",
    block=Block.FW_FEAT_BMAP,
    index=0,
    kind=Kind.BITMAP,
    words={0: "TRNG"},
    valid=0x1,
    source="linux 05714cab7d63 (5.19)",
)
STD_HYP_BMAP = FirmwareRegister(
    name="STD_HYP_BMAP",
    block=Block.FW_FEAT_BMAP,
    index=1,
    kind=Kind.BITMAP,
    words={0: "PV time"},
    valid=0x1,
    source="linux 428fd6788d4d (5.19)",
)
VENDOR_HYP_BMAP = FirmwareRegister(
    name="VENDOR_HYP_BMAP",
    block=Block.FW_FEAT_BMAP,
    index=2,
    kind=Kind.BITMAP,
    words={0: "vendor features", 1: "PTP"},
    valid=0x3,
    source="linux b22216e1a617 (5.19)",
)
VENDOR_HYP_BMAP_2 = FirmwareRegister(
    name="VENDOR_HYP_BMAP_2",
    block=Block.FW_FEAT_BMAP,
    index=3,
    kind=Kind.BITMAP,
    words={0: "implementation discovery by version", 1: "implementation discovery by CPU"},
    valid=0x3,
    source="linux c0000e58c74e (6.15)",
)

REGISTERS: tuple[FirmwareRegister, ...] = (
    PSCI_VERSION,
    WORKAROUND_1,
    WORKAROUND_2,
    WORKAROUND_3,
    STD_BMAP,
    STD_HYP_BMAP,
    VENDOR_HYP_BMAP,
    VENDOR_HYP_BMAP_2,
)
"""All of them, in the order in which KVM_GET_REG_LIST gives their ids."""

BY_NAME: Mapping[str, FirmwareRegister] = {row.name: row for row in REGISTERS}
BY_ID: Mapping[int, FirmwareRegister] = {row.id: row for row in REGISTERS}

FRESH_BITMAP: Mapping[str, int] = {row.name: row.valid for row in REGISTERS if row.kind is Kind.BITMAP} | {"VENDOR_HYP_BMAP_2": 0}
"""What a new VM has: every service, save those of VENDOR_HYP_BMAP_2, which a VMM has to opt into."""

ENABLED = 0x10
"""Of WORKAROUND_2: the mitigation is on for this vCPU; legal only beside AVAIL."""
AVAIL_2 = 0x2
NOT_REQUIRED_2 = 0x3


FIRMWARE_BLOCKS = frozenset(block.value << COPROC_SHIFT for block in (Block.FW, Block.FW_FEAT_BMAP))


def is_firmware(register: int) -> bool:
    """Whether an id lies in one of the two blocks, whatever its size, and whether a kernel knows it or not."""
    return register & COPROC_MASK in FIRMWARE_BLOCKS


# --- what a SET accepts: the errno, or None ------------------------------------------------------------------------------------------


def version_refusal(value: int, accepted: Iterable[int], *, psci_0_2: bool) -> Errno | None:
    """A vCPU without PSCI_0_2 has 0.1 and takes nothing else; one with it takes every version of its kernel save 0.1."""
    if value == 0x1:
        return Errno.EINVAL if psci_0_2 else None
    return None if psci_0_2 and value in accepted else Errno.EINVAL


def level_refusal(value: int, host: int) -> Errno | None:
    """WORKAROUND_1 and _3: no other bits than the level's, and not better than the host."""
    return Errno.EINVAL if value & ~0xF or value > host else None


def flag_era_refusal(value: int, host: int) -> Errno | None:
    """WORKAROUND_2 of 5.3 to 5.9: not better than the host's state, ENABLED only beside AVAIL."""
    level = value & 0xF
    if value & ~0x1F or level > host or level not in {AVAIL_2, value}:
        return Errno.EINVAL
    return None


def flag_era_enables(value: int) -> bool | None:
    """What an accepted SET does to the vCPU's flag; None leaves it alone."""
    return bool(value & ENABLED) if value & 0xF == AVAIL_2 else None


def workaround_2_refusal(value: int, host: int) -> Errno | None:
    """WORKAROUND_2 from 5.10: 0 and 1 mean `not available`, 2 and 3 `not required`; not better than the host."""
    level = value & 0xF
    if value & ~0x1F or (value & ENABLED and level != AVAIL_2) or level > NOT_REQUIRED_2:
        return Errno.EINVAL
    return Errno.EINVAL if level >= AVAIL_2 and host != NOT_REQUIRED_2 else None


def bitmap_refusal(value: int, *, supported: int, current: int, ran: bool) -> Errno | None:
    """An unsupported bit is refused first, also after the first run; then any change after the first run."""
    if value & ~supported:
        return Errno.EINVAL
    return Errno.EBUSY if ran and value != current else None


# --- what a GET reads of a host's state of v4 (0 vulnerable, 1 unknown, 2 mitigated on demand, 3 unaffected) --------------------------

ON_DEMAND, NO_HARM = 2, 3


def flag_era_value(state: int, *, enabled: bool) -> int:
    """WORKAROUND_2 of 5.3 to 5.9: the host's state, and ENABLED where the vCPU's flag is set on a host that mitigates on demand."""
    return state | ENABLED if state == ON_DEMAND and enabled else state


def workaround_2_value(state: int, *, ssbs: bool) -> int:
    """WORKAROUND_2 from 5.10: `not required` for a host without harm, and where KVM mitigates for guests without SSBS; else nothing."""
    return NOT_REQUIRED_2 if state == NO_HARM or (state == ON_DEMAND and not ssbs) else 0


# --- what values mean ----------------------------------------------------------------------------------------------------------------


def describe(register: FirmwareRegister, value: int) -> str:
    """A value in words."""
    if register.kind is not Kind.BITMAP:
        return register.words.get(value, "no value that is known")
    bits = [word for bit, word in register.words.items() if value >> bit & 1]
    return ", ".join(bits) or "none"


def change(register: FirmwareRegister, before: int, after: int) -> Change:
    """What a guest that had `before` makes of `after`."""
    if before == after:
        return Change.SAME
    if register.kind is Kind.VERSION:
        return Change.DIFFERENT
    if register.kind is Kind.BITMAP:
        return Change.LOST if before & ~after else Change.GAINED
    return Change.GAINED if _rung(register, after) > _rung(register, before) else Change.LOST


def _rung(register: FirmwareRegister, value: int) -> int:
    return register.ladder.index(value) if value in register.ladder else -1


def gives_nothing(register: FirmwareRegister, value: int) -> bool:
    """Whether a value gives the guest nothing that it could miss: only an empty bitmap does."""
    return register.kind is Kind.BITMAP and value == 0


def has_bit(register: FirmwareRegister, value: int, word: str) -> bool:
    """Whether a bitmap's value has the bit of this name."""
    return any(value >> bit & 1 for bit, name in register.words.items() if name == word)


def psci_value(text: str) -> int:
    """`1.1` as 0x10001. Raises ValueError if it is no version."""
    major, _, minor = text.partition(".")
    return int(major) << 16 | int(minor)


def versions_up_to(newest: int) -> tuple[int, ...]:
    """The PSCI versions that a kernel takes whose newest this is, ascending: all from 0.2 on."""
    return tuple(sorted({value for value in PSCI_VERSION.words if 0x1 < value < newest} | {newest}))


def psci_text(value: int) -> str:
    """0x10001 as `1.1`."""
    return f"{value >> 16}.{value & 0xFFFF}"


def finds_smccc(psci_version: int) -> bool:
    """A Linux guest looks for SMCCC 1.1, and with it for workarounds and services, only when its PSCI is at least 1.0."""
    return psci_version >= 0x10000
