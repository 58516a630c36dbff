"""How a value compares with the host's when a restore writes it.

An ID register is sixteen fields of four bits, each a level of some feature. From 6.7 KVM takes a value whose fields are not above the
host's, if the register's writable mask covers the fields that differ (arm64_check_features in arch/arm64/kvm/sys_regs.c). Which way is
safe is a property of the field (ftr_id_* in arch/arm64/kernel/cpufeature.c): mostly lower, for some higher, for some one value alone.
"""

from __future__ import annotations

import msgspec

NIBBLE = 0xF
WHOLE = (1 << 64) - 1


def fields(*shifts: int) -> int:
    """The mask of the four-bit fields that start at these bits."""
    return sum(NIBBLE << shift for shift in shifts)


class Rule(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """What a restore may write to a register.

    `writable` None: any value. 0: only the very value that is there. A mask: the bits of the mask may differ, others must be equal.
    `lowerable`: the writable bits form fields of four bits that may be set to what the host has or lower, save
    `higher` (masks of fields that may not be below the host's, whether or not the rest is lowerable),
    `exact` (mask and value of fields that may differ from the host's by having that value alone),
    `narrow` (masks of fields that are narrower than four bits); fields of `signed` compare as signed numbers.
    Bits of `ignored` are dropped before any comparison. Of each mask in `needs` some bit must be set in what is written.
    """

    writable: int | None = None
    lowerable: bool = False
    signed: int = 0
    higher: tuple[int, ...] = ()
    exact: tuple[tuple[int, int], ...] = ()
    narrow: tuple[int, ...] = ()
    ignored: int = 0
    needs: tuple[int, ...] = ()

    @property
    def particular(self) -> bool:
        """Whether there is any value that is refused."""
        return self.writable is not None or bool(self.higher or self.needs)


FREE = Rule()
"""Context, timers, PMU: whatever the guest has."""
FIXED = Rule(writable=0)
"""Only what is there."""


def accepts(rule: Rule, host: int, written: int) -> bool:
    """Whether a write is taken by a host whose own value is `host`."""
    if not rule.particular:
        return True
    if any(not written & mask for mask in rule.needs) or any(written & mask < host & mask for mask in rule.higher):
        return False
    differing = (host ^ written) & ~rule.ignored & WHOLE
    if rule.writable is None or not differing:
        return True
    if differing & ~rule.writable:
        return False
    return not rule.lowerable or _is_lower(rule, host, written, differing)


def _is_lower(rule: Rule, host: int, written: int, differing: int) -> bool:
    """Whether every field that differs does so in the direction that is safe."""
    if any(differing & mask and written & mask != bits for mask, bits in rule.exact):
        return False
    if any(written & mask > host & mask for mask in rule.narrow):
        return False
    done = sum((*rule.higher, *rule.narrow, *(mask for mask, _ in rule.exact)))
    return all(
        _level(written >> shift & NIBBLE, is_signed=bool(rule.signed >> shift & 1))
        < _level(host >> shift & NIBBLE, is_signed=bool(rule.signed >> shift & 1))
        for shift in range(0, 64, 4)
        if differing & ~done & NIBBLE << shift
    )


def _level(field: int, *, is_signed: bool) -> int:
    """`0xf` of a signed field means "not there" and ranks below 0."""
    return field - 16 if is_signed and field > 7 else field
