"""Replays register operations on the model of a host, for those who write VMMs and have no such KVM."""

from __future__ import annotations

from typing import Any, assert_never

import msgspec

from fleetplan.firmware.errno import Errno
from fleetplan.firmware.families import others
from fleetplan.firmware.hypercalls import call
from fleetplan.firmware.vcpu import Answer, Feature, Kvm, VirtualMachine
from fleetplan.migration.offers import HostOffer


class Operation(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", forbid_unknown_fields=True):
    """One ioctl, or one call of the guest."""


class NewVm(Operation, frozen=True, kw_only=True, tag="vm"):
    """KVM_CREATE_VM, and capabilities turned on."""

    caps: tuple[str, ...] = ()


class Init(Operation, frozen=True, kw_only=True, tag="init"):
    """KVM_ARM_VCPU_INIT."""

    vcpu: int
    features: tuple[Feature, ...] = ()


class Finalize(Operation, frozen=True, kw_only=True, tag="finalize"):
    """KVM_ARM_VCPU_FINALIZE."""

    vcpu: int


class List(Operation, frozen=True, kw_only=True, tag="list"):
    """KVM_GET_REG_LIST."""

    vcpu: int


class Get(Operation, frozen=True, kw_only=True, tag="get"):
    """KVM_GET_ONE_REG."""

    vcpu: int
    id: str


class Set(Operation, frozen=True, kw_only=True, tag="set"):
    """KVM_SET_ONE_REG; a null value is a pointer that cannot be read."""

    vcpu: int
    id: str
    value: str | None


class Run(Operation, frozen=True, kw_only=True, tag="run"):
    """KVM_RUN."""

    vcpu: int


class Hvc(Operation, frozen=True, kw_only=True, tag="hvc"):
    """A hypercall of the guest."""

    vcpu: int
    function: str
    arg: str = "0x0"


AnyOperation = NewVm | Init | Finalize | List | Get | Set | Run | Hvc
CAPABILITIES = frozenset({"arm_system_suspend"})


class Session:
    """One KVM, and its newest VM."""

    def __init__(self, kvm: Kvm, offered: HostOffer) -> None:
        self._plain = kvm
        self._facts = offered.stated
        self._kvm = kvm
        self._capabilities: frozenset[str] = frozenset()
        self._machine: VirtualMachine | None = None

    def do(self, operation: AnyOperation) -> dict[str, Any]:
        """Carry out one operation; the answer as it is printed."""
        if isinstance(operation, NewVm):
            self._capabilities, self._machine = frozenset(operation.caps), None
            return {"errno": None}
        if self._machine is None:
            self._begin(operation.features if isinstance(operation, Init) else ())
        machine = self._machine
        assert machine is not None  # noqa: S101 - made above
        match operation:
            case Init():
                return _errno(machine.init(operation.vcpu, operation.features))
            case Finalize():
                return _errno(machine.finalize(operation.vcpu))
            case Run():
                return _errno(machine.run(operation.vcpu))
            case List():
                errno, ids = machine.reg_list(operation.vcpu)
                return _refused(errno) if errno is not None else {"errno": None, "ids": [f"{register:#x}" for register in ids]}
            case Get():
                answer = machine.get(operation.vcpu, int(operation.id, 16))
                return _errno(answer) if answer.errno is not None else {"errno": None, "value": _hexadecimal(answer.value)}
            case Set():
                value = None if operation.value is None else int(operation.value, 16)
                return _errno(machine.set(operation.vcpu, int(operation.id, 16), value))
            case Hvc():
                return self._call(machine, operation)
            case _:
                assert_never(operation)

    def _begin(self, features: tuple[Feature, ...]) -> None:
        """A VM whose vCPUs list what these features bring; where the host was probed, what the probe found."""
        if not self._plain.probed:
            registers = others(self._plain.profile, midr=self._facts.midr, revidr=self._facts.revidr, features=features)
            self._kvm = msgspec.structs.replace(self._plain, others=registers)
        self._machine = VirtualMachine(self._kvm, self._capabilities)

    def _call(self, machine: VirtualMachine, operation: Hvc) -> dict[str, Any]:
        if machine.reg_list(operation.vcpu)[0] is Errno.ENOEXEC:
            return _refused(Errno.ENOEXEC)
        result = call(machine, self._kvm, int(operation.function, 16), int(operation.arg, 16), vcpu=operation.vcpu)
        return {"errno": None, "result": [_hexadecimal(word) for word in result]}


def _hexadecimal(value: int | None) -> str | None:
    return None if value is None else f"{value & (1 << 64) - 1:#x}"


def _errno(answer: Answer) -> dict[str, Any]:
    return {"errno": None} if answer.errno is None else _refused(answer.errno)


def _refused(errno: Errno) -> dict[str, Any]:
    return {"errno": errno.name}


def replay(offered: HostOffer, operations: tuple[AnyOperation, ...]) -> list[dict[str, Any]]:
    """The answers in order. Where it is not known what the host is, `candidates` has every answer that it may give."""
    sessions = [Session(kvm, offered) for kvm in offered.kvms]
    found = []
    for operation in operations:
        answers = [session.do(operation) for session in sessions]
        distinct = [answer for nth, answer in enumerate(answers) if answer not in answers[:nth]]
        found.append(distinct[0] if len(distinct) == 1 else {"candidates": distinct})
    return found


def problem(operation: AnyOperation) -> str | None:
    """What is wrong with an operation that has the right shape: numbers that are none, an impossible vCPU, an unknown capability."""
    if isinstance(operation, NewVm):
        unknown = sorted(set(operation.caps) - CAPABILITIES)
        return f"unknown capability `{unknown[0]}`" if unknown else None
    if not 0 <= operation.vcpu < MOST_VCPUS:
        return f"`vcpu` must be from 0 to {MOST_VCPUS - 1}"
    texts = [getattr(operation, name) for name in ("id", "value", "function", "arg") if hasattr(operation, name)]
    wrong = [text for text in texts if text is not None and not _is_number(text)]
    return f"`{wrong[0][:40]}` is no 64-bit number in hex, such as 0x10001" if wrong else None


MOST_VCPUS = 512
"""KVM_MAX_VCPUS of arm64."""


def _is_number(text: str) -> bool:
    try:
        return text[:2] in {"0x", "0X"} and 0 <= int(text, 16) < 1 << 64
    except ValueError:
        return False
