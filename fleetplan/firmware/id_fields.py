"""How the fields of a register compare when a restore writes it.

An ID register is sixteen fields of four bits, each a level of some feature. From 6.7 KVM takes a value whose fields are not above the
host's, if the register's writable mask covers the fields that differ (arm64_check_features in arch/arm64/kvm/sys_regs.c).
"""

from __future__ import annotations

NIBBLE = 0xF
WHOLE = (1 << 64) - 1


def fields(*shifts: int) -> int:
    """The mask of the four-bit fields that start at these bits."""
    return sum(NIBBLE << shift for shift in shifts)


def _level(field: int, *, is_signed: bool) -> int:
    """`0xf` of a signed field means "not there" and ranks below 0."""
    return field - 16 if is_signed and field > 7 else field


def accepts(host: int, written: int, *, writable: int | None, lowerable: bool = False, signed: int = 0, ignored: int = 0) -> bool:
    """Whether a write is taken by a host whose own value is `host`.

    `writable` None takes anything, 0 only the same value, a mask only differences under it. With `lowerable` each differing field must
    also be below the host's; fields of `signed` compare as signed numbers. Bits of `ignored` are dropped before anything else.
    """
    if writable is None:
        return True
    differing = (host ^ written) & ~ignored & WHOLE
    if differing & ~writable:
        return False
    if not lowerable:
        return True
    return all(
        _level(written >> shift & NIBBLE, is_signed=bool(signed >> shift & 1))
        < _level(host >> shift & NIBBLE, is_signed=bool(signed >> shift & 1))
        for shift in range(0, 64, 4)
        if differing >> shift & NIBBLE
    )
