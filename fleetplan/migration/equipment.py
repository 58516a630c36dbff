"""What a guest needs of a host beside registers: a row each, with what comes of it when the host has not got it.

A row compares what the guest was started with, and what its two hosts have. A guest that says nothing about a row runs with what its
VMM turns on by itself; hosts that say nothing are taken to be alike (`check` says so).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum

import msgspec

from fleetplan.firmware.candidates import Role
from fleetplan.fleet.model import Disks, Equipment, Platform


class Effect(Enum):
    """What comes of it."""

    REFUSED = "refused"
    """The destination does not start."""
    UNDECIDED = "undecided"
    """What is missing would decide."""
    HARMED = "harmed"
    """The guest arrives, and something that it relies on is not as it was."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a row found: `needs` and `offers` in words, or the fact that would decide, and whose it is."""

    effect: Effect
    needs: str = ""
    offers: str = ""
    decided_by: str = ""
    whose: Role = Role.DESTINATION


Check = Callable[[Equipment, Platform, Platform], Finding | None]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that a move may fail on. `key` is the inventory's, and what a waiver names; `name` is for people."""

    key: str
    name: str
    check: Check
    source: str
    fix: str


LEAST_IPA_BITS = 40
"""What a guest of the `virt` machine needs where it does not say: KVM's default, and the machine's high memory map."""


def _ipa(guest: Equipment, _: Platform, there: Platform) -> Finding | None:
    needed, most = guest.ipa_bits, there.ipa_bits
    if most is None:
        return None if needed is None else Finding(effect=Effect.UNDECIDED, decided_by="`ipa_bits` of the destination")
    if most >= (needed or LEAST_IPA_BITS):
        return None
    if needed is None:
        return Finding(effect=Effect.UNDECIDED, decided_by="`ipa_bits` of the guest", whose=Role.GUEST)
    return Finding(effect=Effect.REFUSED, needs=f"{needed} bits", offers=f"{most} bits")


def _sve(guest: Equipment, here: Platform, there: Platform) -> Finding | None:
    if guest.sve is not None:
        if there.sve is None:
            return Finding(effect=Effect.UNDECIDED, decided_by="`sve` of the destination") if guest.sve else None
        # KVM gives a vCPU every length that the host has up to its longest: a set with a gap is refused.
        wanted = {length for length in there.sve if length <= max(guest.sve, default=0)}
        return None if wanted == set(guest.sve) else Finding(effect=Effect.REFUSED, needs=_bits(guest.sve), offers=_bits(there.sve))
    if here.sve is None or there.sve is None or here.sve == there.sve:
        return None
    # `-cpu host` turns on what the host has, and the lengths do not travel.
    return Finding(effect=Effect.HARMED, needs=_bits(here.sve), offers=_bits(there.sve))


def _bits(lengths: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, lengths))} bits" if lengths else "no SVE"


def _features(guest: Equipment, _: Platform, there: Platform) -> Finding | None:
    wanted = [feature for feature in guest.features or () if feature not in NOT_MOVED]
    if not wanted:
        return None
    if there.features is None:
        # Every KVM that is modelled has the PMU and PSCI 0.2 to give; the rest depends on the silicon.
        asked = [feature for feature in wanted if feature != "pmu"]
        return Finding(effect=Effect.UNDECIDED, decided_by="`features` of the destination") if asked else None
    missing = [feature for feature in wanted if feature not in there.features]
    if not missing:
        return None
    return Finding(effect=Effect.REFUSED, needs=", ".join(missing), offers=", ".join(there.features) or "none")


def _tagged(guest: Equipment, _: Platform, __: Platform) -> Finding | None:
    return Finding(effect=Effect.REFUSED, needs="memory tags to be moved") if "mte" in (guest.features or ()) else None


def _protected(guest: Equipment, _: Platform, __: Platform) -> Finding | None:
    return Finding(effect=Effect.REFUSED, needs="memory that its host cannot read") if "protected" in (guest.features or ()) else None


def _nested(guest: Equipment, _: Platform, __: Platform) -> Finding | None:
    if "nested" not in (guest.features or ()):
        return None
    return Finding(
        effect=Effect.UNDECIDED, decided_by="a trial with a guest that runs guests (EL2 state is not modelled)", whose=Role.GUEST
    )


NOT_MOVED = frozenset({"mte", "protected"})
"""Features whose rows refuse any move, whatever the destination has."""


def _gic(guest: Equipment, _: Platform, there: Platform) -> Finding | None:
    if guest.gic is None:
        return None
    if there.gic is None:
        return Finding(effect=Effect.UNDECIDED, decided_by="`gic` of the destination")
    if guest.gic in there.gic:
        return None
    return Finding(effect=Effect.REFUSED, needs=f"GICv{guest.gic}", offers=", ".join(f"GICv{version}" for version in there.gic) or "none")


def _hugepages(guest: Equipment, _: Platform, there: Platform) -> Finding | None:
    if guest.hugepages_kib is None:
        return None
    if there.hugepages_kib is None:
        return Finding(effect=Effect.UNDECIDED, decided_by="`hugepages` of the destination")
    if guest.hugepages_kib in there.hugepages_kib:
        return None
    offers = ", ".join(_kib(size) for size in there.hugepages_kib) or "none"
    return Finding(effect=Effect.REFUSED, needs=f"pages of {_kib(guest.hugepages_kib)}", offers=offers)


def _kib(size: int) -> str:
    for unit, factor in (("GiB", 1 << 20), ("MiB", 1 << 10)):
        if size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} KiB"


def _counter(_: Equipment, here: Platform, there: Platform) -> Finding | None:
    if here.counter_hz is None or there.counter_hz is None or here.counter_hz == there.counter_hz:
        return None
    return Finding(effect=Effect.HARMED, needs=f"{here.counter_hz} Hz", offers=f"{there.counter_hz} Hz")


def _devices(guest: Equipment, _: Platform, __: Platform) -> Finding | None:
    return Finding(effect=Effect.REFUSED, needs=", ".join(guest.devices)) if guest.devices else None


def _disks(guest: Equipment, _: Platform, __: Platform) -> Finding | None:
    return Finding(effect=Effect.REFUSED, needs="disks that lie on its host") if guest.disks is Disks.LOCAL else None


ROWS: tuple[Row, ...] = (
    Row(
        key="devices",
        name="passthrough devices",
        check=_devices,
        source="QEMU hw/vfio/migration.c: a VFIO device without migration support blocks the move",
        fix="Unplug the device for the move, or restart the guest there.",
    ),
    Row(
        key="disks",
        name="local disks",
        check=_disks,
        source="libvirt src/qemu/qemu_migration.c: migration without shared storage is unsafe",
        fix="Copy the disks along (`virsh migrate --copy-storage-all`, and `disks: copied`), or put them on shared storage.",
    ),
    Row(
        key="features",
        name="memory tagging",
        check=_tagged,
        source="QEMU target/arm/kvm.c kvm_arm_enable_mte: adds a migration blocker",
        fix="Restart the guest without MTE, or restart it on the destination.",
    ),
    Row(
        key="features",
        name="protected memory",
        check=_protected,
        source="linux arch/arm64/kvm/pkvm.c: memory of a protected VM is unmapped from the host",
        fix="Restart the guest on the destination.",
    ),
    Row(
        key="features",
        name="nested virtualisation",
        check=_nested,
        source="kernel-firmware-registers 5: EL2 registers are listed by feature from 6.17",
        fix="Restart the guest without nested virtualisation, or try such a move once.",
    ),
    Row(
        key="features",
        name="vCPU features",
        check=_features,
        source="linux arch/arm64/kvm/arm.c kvm_vcpu_init_check_features: EINVAL for a feature that the system lacks",
        fix="Restart the guest without the feature, or choose another destination.",
    ),
    Row(
        key="sve",
        name="SVE vector lengths",
        check=_sve,
        source="linux arch/arm64/kvm/guest.c set_sve_vls; Documentation/virt/kvm/api.rst KVM_REG_ARM64_SVE_VLS",
        fix="Restart the guest with the vector lengths that both hosts have (`-cpu host,sve128=on,...`).",
    ),
    Row(
        key="ipa_bits",
        name="IPA size",
        check=_ipa,
        source="linux arch/arm64/kvm/reset.c: KVM_VM_TYPE_ARM_IPA_SIZE above KVM_CAP_ARM_VM_IPA_SIZE is EINVAL",
        fix="Restart the guest with less memory address space (`-machine virt,highmem=off`), or choose another destination.",
    ),
    Row(
        key="gic",
        name="GIC version",
        check=_gic,
        source="linux arch/arm64/kvm/vgic: GICv2 emulation needs hardware support; the version is fixed when the guest starts",
        fix="Restart the guest with a GIC that both hosts can give (`-machine virt,gic-version=3`).",
    ),
    Row(
        key="hugepages",
        name="hugepage size",
        check=_hugepages,
        source="QEMU backends/hostmem-file.c: the backing store must exist where the guest starts",
        fix="Reserve pages of that size on the destination.",
    ),
    Row(
        key="counter_hz",
        name="counter frequency",
        check=_counter,
        source="CNTFRQ_EL0 is not virtualised: a guest reads it once, at boot",
        fix="Restart the guest on the destination, or accept it with a waiver for `counter_hz`.",
    ),
)


def look(guest: Equipment, here: Platform, there: Platform) -> Iterator[tuple[Row, Finding]]:
    """What every row finds, in the order of the rows."""
    for row in ROWS:
        found = row.check(guest, here, there)
        if found is not None:
            yield row, found
