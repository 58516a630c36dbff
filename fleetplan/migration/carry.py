"""What a guest is, apart from where it is: what it saves, what it was promised, and how hops and boots change that."""

from __future__ import annotations

from collections.abc import Container, Iterable
from itertools import combinations

import msgspec
from msgspec.structs import replace

from fleetplan.firmware import registers as fw
from fleetplan.firmware.candidates import Choices, Fact, Role, agree, either
from fleetplan.firmware.guest_view import GuestView, view
from fleetplan.firmware.vcpu import PFR1, Feature, Kvm, OtherRegister, VirtualMachine
from fleetplan.fleet.model import Equipment


class Carried:
    """The other registers that a guest carries, by id; equal by identity, so that guest classes compare fast."""

    __slots__ = ("registers",)

    def __init__(self, registers: tuple[OtherRegister, ...]) -> None:
        self.registers = {register.id: register for register in registers}


class GuestState(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a guest class.

    `process` is the VMM that runs the guest, where it is another than its host's. `pin` is the value of the PSCI property in its
    configuration, which is sent along, None without one. `psci` is the version that it has, `bitmaps` the service bitmaps by register
    name (empty where its kernel has none). `carried` are its other registers. `promise` is what it saw at its last boot. `waived` are
    the registers whose loss is accepted. `assumed_birth`: where it cold booted is not stated, `assumed_promise`: nor where it looked since;
    then it is taken to have booted where it was, which may not be so. Levels are not here: they are read from the host it is on.
    """

    features: frozenset[Feature]
    psci: int
    bitmaps: tuple[tuple[str, int], ...]
    carried: Carried
    promise: GuestView
    pin: int | None = None
    machine: str | None = None
    equipment: Equipment = Equipment()
    process: str | None = None
    psci_max: int | None = None
    waived: frozenset[str] = frozenset()
    assumed_birth: bool = False
    assumed_promise: bool = False


class Possible(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a guest may be, and what must be so for it."""

    state: GuestState
    given: Choices = ()


Guests = tuple[Possible, ...]
"""All that guests of one class may be, at least one; they differ in what was not known at birth, boot or hop."""


def certainly(state: GuestState) -> Guests:
    """A guest of which all is known."""
    return (Possible(state=state),)


def arrived(choices: Choices, left: Role | None = None) -> Choices:
    """What a guest rests on once it has moved: no longer on what either host alone is, as it carries nothing of that.

    Unless it last looked on the host that it left: then that is its birthplace (`left`).
    """
    found = []
    for fact, options in choices:
        if fact.of == Role.SOURCE.value and left is not None:
            found.append((replace(fact, of=left.value), options))
        elif fact.of not in {Role.SOURCE.value, Role.DESTINATION.value, left}:
            found.append((fact, options))
    return tuple(found)


def distinct(found: Iterable[Possible], kept: Container[Fact] = ()) -> Guests:
    """Each state once; one that may come about in several ways rests on any of them.

    A fact that is the same for all of them makes no difference, and is left out unless it is to be `kept`; so is what they rest on of the
    machine that they are on, where other facts tell them apart already.
    """
    by_state: dict[GuestState, list[Choices]] = {}
    for possible in found:
        by_state.setdefault(possible.state, []).append(possible.given)
    guests = {state: either(given) for state, given in by_state.items()}
    shared = set.intersection(*(set(given) for given in guests.values()))
    idle = {choice for choice in shared if choice[0] not in kept}
    resting = {state: tuple(choice for choice in given if choice not in idle) for state, given in guests.items()}
    lasting = {state: tuple(choice for choice in given if choice[0].of != Role.SOURCE.value) for state, given in resting.items()}
    told_apart = not any(agree(one, other) for one, other in combinations(lasting.values(), 2))
    return tuple(Possible(state=state, given=given) for state, given in (lasting if told_apart else resting).items())


class StartRefusedError(Exception):
    """A VM does not come up: its kernel refuses the pinned PSCI version."""


def start(kvm: Kvm, features: frozenset[Feature], pin: int | None) -> VirtualMachine:
    """A new VM with one vCPU, as a VMM starts it. Raises StartRefusedError."""
    machine = VirtualMachine(kvm)
    if pin == fw.psci_value("0.1"):
        # QEMU leaves the feature out for 0.1.
        features -= {"psci_0_2"}
    machine.init(0, features)
    if pin is not None and machine.set(0, fw.PSCI_VERSION.id, pin).errno is not None:
        raise StartRefusedError
    return machine


def resumed(state: GuestState, kvm: Kvm) -> VirtualMachine:
    """The guest's VM on the host that it is on, with what the guest has."""
    without_psci_0_2 = state.psci == fw.psci_value("0.1")
    machine = start(kvm, state.features, state.psci if without_psci_0_2 else None)
    ssbs_register = state.carried.registers.get(PFR1)
    if ssbs_register is not None and ssbs_register.value is not None:
        machine.set(0, PFR1, ssbs_register.value)
    machine.set(0, fw.PSCI_VERSION.id, state.psci)
    for name, value in state.bitmaps:
        machine.set(0, fw.BY_NAME[name].id, value)
    return machine


def firmware_of(machine: VirtualMachine, kvm: Kvm) -> tuple[int, tuple[tuple[str, int], ...]]:
    """PSCI version and bitmaps that a VM has now."""
    value = machine.get(0, fw.PSCI_VERSION.id).value
    rows = (row for row in fw.REGISTERS if row.kind is fw.Kind.BITMAP and row.name in kvm.profile.registers)
    bitmaps = tuple((row.name, machine.get(0, row.id).value or 0) for row in rows)
    return kvm.profile.psci_default if value is None else value, bitmaps


def born(kvm: Kvm, features: frozenset[Feature], carried: Carried, pin: int | None) -> GuestState:
    """A guest that has just cold booted on a host. Raises StartRefusedError."""
    machine = start(kvm, features, pin)
    psci, bitmaps = firmware_of(machine, kvm)
    return GuestState(features=features, psci=psci, bitmaps=bitmaps, carried=carried, promise=view(machine, kvm), pin=pin)


def rebooted(state: GuestState, kvm: Kvm) -> GuestState:
    """A warm reboot: PSCI version and bitmaps stay, and the guest looks again."""
    return replace(state, promise=view(resumed(state, kvm), kvm), assumed_promise=False)
