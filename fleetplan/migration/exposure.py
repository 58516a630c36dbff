"""Whether a guest is exposed to a flaw of its CPU where it is, and why: the rule, when all is known.

What counts is what KVM does and what the guest does, not what a register reads:

* v2 and BHB are mitigated by the guest, which calls its firmware as it learned at its last boot. On a host that mitigates, a guest that
  never learned of it is exposed all the same.
* v4 is mitigated by the guest with SSBS, or by the host for it: up to 5.9 KVM leaves the firmware's mitigation on until the guest turns it
  off, from 5.10 it is always on. The guest need not know.
* A level says what a kernel believes of a CPU; whether the CPU is affected is asked of `firmware.mitigations.affected`.
* No service bitmap of any kernel covers a workaround. A PSCI version below 1.0 hides v2 and BHB from a guest.

That a guest's own kernel may mitigate BHB without its firmware (by a loop, ECBHB or CLRBHB) is not counted: nothing here knows that kernel.
Sources: linux arch/arm64/kvm/hypercalls.c, kvm/hyp (`__set_guest_arch_workaround_state`, 29e8910a566a), kernel/proton-pack.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from fleetplan.firmware import registers as fw
from fleetplan.firmware.guest_view import MITIGATIONS, NOT_REQUIRED, REGISTER_OF, GuestView, Item, answers, losses, view
from fleetplan.firmware.vcpu import Kvm
from fleetplan.migration.carry import GuestState, resumed, start


class Exposure(StrEnum):
    """What a guest is to one flaw, best first."""

    NOT_NEEDED = "not needed"
    """The CPU is not affected."""
    PROTECTED = "protected"
    """By its host, by itself (SSBS), or by firmware calls that it makes; or not needed, where the two cannot be told apart."""
    STALE = "stale"
    """It last booted before it could find the mitigation that its host now gives; a warm reboot heals it."""
    HIDDEN = "hidden"
    """Its host gives it, but what the guest carries (a PSCI version below 1.0) keeps it from finding it; a cold boot heals it."""
    STRIPPED = "stripped"
    """It was told of the mitigation, or that it needs none, and lost that on a hop."""
    EXPOSED = "exposed by its host"
    """The host does not give it."""
    UNKNOWN = "unknown"
    """Facts are missing on which it depends whether the guest is exposed, or in which way."""


SAFE = frozenset({Exposure.NOT_NEEDED, Exposure.PROTECTED})


class Sight(NamedTuple):
    """What a guest was told, what it would be told now, and what a fresh one is told, on a host.

    `says` are the host's answers to a guest that asks, whatever this guest's PSCI version; `ssbs`, whether every CPU has SSBS.
    """

    promise: GuestView
    now: GuestView
    fresh: GuestView
    says: Mapping[Item, int]
    ssbs: bool


def sight(state: GuestState, kvm: Kvm) -> Sight:
    """Ask the model of the host on which a guest is."""
    machine = resumed(state, kvm)
    says = dict(zip(MITIGATIONS, answers(machine, kvm), strict=True))
    return Sight(state.promise, view(machine, kvm), view(start(kvm, state.features, None), kvm), says, kvm.levels.ssbs)


def exposure(item: Item, seen: Sight, *, is_affected: bool) -> Exposure:
    """What a guest is to a flaw, when all is known."""
    if not is_affected:
        return Exposure.NOT_NEEDED
    if _protected(item, seen):
        return Exposure.PROTECTED
    if item in losses(seen.promise, seen.now) or _calls_in_vain(item, seen):
        return Exposure.STRIPPED
    if _finds(item, seen.now):
        return Exposure.STALE
    return Exposure.HIDDEN if _finds(item, seen.fresh) else Exposure.EXPOSED


def _answer(item: Item, seen: GuestView) -> int | None:
    return {
        Item.SPECTRE_V2: seen.workaround_1,
        Item.SPECTRE_V4: seen.workaround_2,
        Item.SPECTRE_BHB: seen.workaround_3,
    }[item]


def _protected(item: Item, seen: Sight) -> bool:
    """By calls that the guest makes and the host heeds; of v4, by SSBS which the guest knows, or by the host without the guest."""
    says = seen.says[item]
    if item is not Item.SPECTRE_V4:
        return says == 0 and _answer(item, seen.promise) == 0
    if seen.promise.ssbs and seen.now.ssbs:
        return True
    # On CPUs with SSBS nobody calls firmware: `there` (up to 5.9) means nothing for a guest that does not know of SSBS.
    return says == NOT_REQUIRED or (says == 0 and not seen.ssbs)


def _calls_in_vain(item: Item, seen: Sight) -> bool:
    """The guest makes calls, and its host takes the CPU for one that needs none."""
    return item is not Item.SPECTRE_V4 and _answer(item, seen.promise) == 0 and seen.says[item] != 0


def _finds(item: Item, seen: GuestView) -> bool:
    """Whether a guest that looks finds something to protect itself with."""
    answer = _answer(item, seen)
    if item is Item.SPECTRE_V4:
        return seen.ssbs or answer in {0, NOT_REQUIRED}
    return answer == 0


def kept_by_bitmap(seen: Sight) -> frozenset[Item]:
    """Services that a fresh guest finds and this one does not, though it asks."""
    asks = fw.finds_smccc(seen.now.psci)
    gone = seen.fresh.services - seen.now.services if asks else frozenset()
    return frozenset(item for item in gone if REGISTER_OF[item].kind is fw.Kind.BITMAP)
