"""What a destination refuses before anything is copied: another VMM, a property, a machine type, what it has not got for the guest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from fleetplan.firmware import registers as fw
from fleetplan.firmware.errno import Errno
from fleetplan.firmware.vcpu import Kvm
from fleetplan.fleet.model import Platform
from fleetplan.migration.carry import GuestState
from fleetplan.migration.equipment import Effect, Finding, Row, look
from fleetplan.migration.reasons import Reason, ReasonKind, Stage
from fleetplan.migration.vmm import Family, VmmProfile, knows_machine

Refusal = tuple[Reason, tuple[str, ...]]
"""Why the destination does not start, and what it prints."""


def refusals(guest: GuestState, saver: VmmProfile, loader: VmmProfile, here: Platform, there: Platform) -> Iterator[Refusal]:
    """What the destination refuses; reasons of kind UNDECIDED where that is not known, of stage AFTER for what does not keep it away."""
    if saver.family is not loader.family:
        detail = (("saver", saver.family.value), ("loader", loader.family.value))
        yield Reason(kind=ReasonKind.DIFFERENT_VMM, stage=Stage.START, detail=detail), ()
        return
    if guest.pin is not None and not loader.knows_pin:
        reason = Reason(
            kind=ReasonKind.NO_PIN_PROPERTY, stage=Stage.START, register=fw.PSCI_VERSION.name, id=fw.PSCI_VERSION.id, source=guest.pin
        )
        from fleetplan.migration.messages import no_pin_property  # noqa: PLC0415 - most moves print nothing

        yield reason, no_pin_property(fw.psci_text(guest.pin))
    if loader.family is Family.QEMU:
        yield from _machine(guest.machine, saver, loader)
    for row, found in look(guest.equipment, here, there):
        yield _equipment(row, found), ()


def _machine(machine: str | None, saver: VmmProfile, loader: VmmProfile) -> Iterator[Refusal]:
    """A machine type that is not given may be any that the guest's own VMM knows; `virt` is the newest of whatever VMM starts it."""
    if machine is None:
        if saver.machines is not None and loader.machines is not None and saver.machines[1] < loader.machines[0]:
            yield _unknown_machine("virt-{}.{}".format(*saver.machines[1]), loader)
    elif machine == "virt":
        if saver.machines != loader.machines:
            # QEMU migration/savevm.c, configuration_post_load: the received name must be the local one.
            yield _undecided_machine("the versioned machine type behind `virt`, which the guest's XML or `info qom-tree` shows")
    elif knows_machine(loader, machine) is False:
        yield _unknown_machine(machine, loader)
    elif knows_machine(loader, machine) is None and saver != loader:
        yield _undecided_machine(f"whether `-machine help` of the destination's VMM lists {machine}")


def _unknown_machine(machine: str, loader: VmmProfile) -> Refusal:
    from fleetplan.migration.messages import no_machine  # noqa: PLC0415 - most moves print nothing

    return Reason(kind=ReasonKind.MACHINE_TYPE, stage=Stage.START, detail=(("machine", machine),)), no_machine(loader, machine)


def _undecided_machine(decided_by: str) -> Refusal:
    return Reason(kind=ReasonKind.UNDECIDED, stage=Stage.START, detail=(("decided_by", decided_by),)), ()


def _equipment(row: Row, found: Finding) -> Reason:
    match found.effect:
        case Effect.UNDECIDED:
            detail = (("name", row.name), ("decided_by", found.decided_by), ("whose", found.whose.value))
            return Reason(kind=ReasonKind.UNDECIDED, stage=Stage.START, detail=detail)
        case Effect.REFUSED | Effect.HARMED:
            stage = Stage.START if found.effect is Effect.REFUSED else Stage.AFTER
            facts = {"key": row.key, "name": row.name, "needs": found.needs, "offers": found.offers, "fix": row.fix}
            return Reason(kind=ReasonKind.EQUIPMENT, stage=stage, detail=tuple((name, text) for name, text in facts.items() if text))
        case _:
            assert_never(found.effect)


def pin_refused(guest: GuestState, there: Kvm) -> Refusal:
    """The destination's kernel does not offer the version that the guest is pinned to."""
    reason = Reason(
        kind=ReasonKind.PIN_REFUSED,
        stage=Stage.START,
        register=fw.PSCI_VERSION.name,
        id=fw.PSCI_VERSION.id,
        source=guest.pin,
        destination=there.profile.psci_default,
        errno=Errno.EINVAL,
    )
    from fleetplan.migration.messages import pin_refused  # noqa: PLC0415 - most moves print nothing

    return reason, pin_refused(fw.psci_text(guest.pin or 0))
