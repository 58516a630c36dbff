"""A guest on its way between two simulated kernels under a simulated userspace: start, boot, save, start there, load, look.

What a kernel gives and accepts is the executable KVM's business (`firmware.vcpu`), how two register lists meet that of `stream.merge`,
what the guest finds that of `firmware.guest_view`. Here stand only the rules that these do not have: feature bits of KVM_ARM_VCPU_INIT
that force a PSCI version, and what a userspace asks for, leaves out of the stream, and puts into it beside registers.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from fleetplan.firmware import registers as fw
from fleetplan.firmware.errno import Errno
from fleetplan.firmware.guest_view import GuestView, Item, gains, losses, view
from fleetplan.firmware.vcpu import Kvm, VirtualMachine
from fleetplan.migration.reasons import Stage, Verdict
from fleetplan.migration.stream import merge, tolerated
from fleetplan.migration.vmm import Load

PRESUMED = fw.psci_value("0.2")
"""What a userspace takes a kernel to have that can be asked nothing. Wrong for 4.16.0 to 4.16.6, which have 1.0 and no register."""


class Means(StrEnum):
    """What a kernel offers so that a guest can be given an older PSCI version than its newest."""

    REGISTER = "register"
    """PSCI_VERSION: any version that the kernel implements, read and written by GET and SET_ONE_REG."""
    BIT = "bit"
    """A feature bit of KVM_ARM_VCPU_INIT, which forces one version; nothing of it is listed."""
    NONE = "none"
    """Nothing: a guest has its host's newest."""


class Skill(StrEnum):
    """What a userspace may be taught, beside saving all registers that are listed and starting a plain vCPU."""

    ASK = "ask"
    """Ask for compat: write the register, or set the bit, before the guest boots."""
    HIDE = "hide"
    """Leave the registers that the old kernel does not have out of the list of a guest that was started in compat."""
    CARRY = "carry"
    """Write the feature bits into the stream, and set them at the destination."""


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """A simulated kernel: the KVM that a plain vCPU gets, and the one that a vCPU gets whose feature bit forces a PSCI version."""

    kvm: Kvm
    bits: Mapping[int, Kvm] = {}


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What ended a move: the register (None: a feature bit) with the value that was to be set.

    `errno` is the kernel's; None where the userspace saw for itself that the destination lacks the register.
    """

    stage: Stage
    register: str | None
    value: int
    errno: Errno | None


class Origin(StrEnum):
    """Why the guest has the PSCI version that it has at the destination."""

    TRAVELS = "travels"
    """The stream brought it, as a register or as a feature bit."""
    ASKED = "asked"
    """The destination was started with it."""
    DEFAULT = "default"
    """Nothing said so: it is what that kernel gives a guest."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a move comes to.

    `before` is what the guest saw at its boot on the source, `after` what it would find at the destination if it looked (None: it
    stays on the source). `regardless` is what it would find had every refusal been passed over; it equals `after` where none was.
    `origin` is of the PSCI version in `regardless`. `asked` is the version that the destination was started with.
    """

    verdict: Verdict
    stage: Stage
    before: GuestView
    after: GuestView | None
    regardless: GuestView
    origin: Origin
    asked: int | None = None
    refusal: Refusal | None = None
    dropped: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[Item, ...]:
        """What the guest saw at its boot and would miss, also where a refusal keeps it from that."""
        return losses(self.before, self.regardless)

    @property
    def same(self) -> bool:
        """Whether the destination would show the guest what it saw."""
        return not (self.lost or gains(self.before, self.regardless) or self.before.psci != self.regardless.psci)


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A VM that was started. `wish` is the version that was asked for, `bit` the version that a feature bit forces.

    `origin` says whose word the kernel had for the version before anything was loaded.
    """

    machine: VirtualMachine
    kvm: Kvm
    wish: int | None
    bit: int | None
    origin: Origin

    @property
    def seen(self) -> GuestView:
        """What a guest that looks now finds."""
        return view(self.machine, self.kvm)


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent: registers in list order, and the feature bit where userspace carries it."""

    registers: Mapping[int, int]
    bit: int | None


class Userspace(msgspec.Struct, frozen=True, kw_only=True):
    """A simulated VMM, the same on both hosts.

    `bits` are the versions for which it knows a feature bit. `hides` are the registers that it leaves out of the list of a guest that it
    started in compat, if it was taught to.
    """

    means: Means
    skills: frozenset[Skill]
    load: Load = Load.A
    bits: frozenset[int] = frozenset()
    hides: frozenset[str] = frozenset()

    def can_state(self, version: int) -> bool:
        """Whether there is a way to ask a kernel for this version, whatever the kernel then says."""
        match self.means:
            case Means.REGISTER:
                return True
            case Means.BIT:
                return version in self.bits
            case Means.NONE:
                return False

    def start(self, kernel: Kernel, wish: int | None, carried: int | None = None) -> Running | Refusal:
        """Start a VM with the version that is wished for (None: the kernel's newest) and the feature bit that a stream brought.

        A wish that the kernel cannot be told is dropped where that kernel is taken to have nothing else; a carried bit is not.
        """
        if self.means is Means.BIT and wish is not None:
            return self._running(kernel, wish, wish if wish in kernel.bits else None, Origin.ASKED)
        if carried is not None:
            unknown = Refusal(stage=Stage.START, register=None, value=carried, errno=Errno.EINVAL)
            return self._running(kernel, wish, carried, Origin.TRAVELS) if carried in kernel.bits else unknown
        vm = self._running(kernel, wish, None, Origin.DEFAULT)
        if wish is None or self.means is not Means.REGISTER:
            return vm
        errno = vm.machine.set(0, fw.PSCI_VERSION.id, wish).errno
        if errno is None:
            return replace(vm, origin=Origin.ASKED)
        presumed = errno is Errno.ENOENT and wish == PRESUMED
        return vm if presumed else Refusal(stage=Stage.START, register=fw.PSCI_VERSION.name, value=wish, errno=errno)

    def _running(self, kernel: Kernel, wish: int | None, bit: int | None, origin: Origin) -> Running:
        kvm = kernel.kvm if bit is None else kernel.bits[bit]
        machine = VirtualMachine(kvm)
        machine.init(0)
        return Running(machine=machine, kvm=kvm, wish=wish, bit=bit, origin=Origin.DEFAULT if bit is None else origin)

    def listed(self, vm: Running) -> tuple[int, ...]:
        """The registers that it saves of a VM, and loads into one, in list order."""
        hidden = self.hides if Skill.HIDE in self.skills and vm.wish is not None else frozenset[str]()
        return tuple(fw.BY_NAME[name].id for name in vm.kvm.profile.registers if name not in hidden)

    def save(self, vm: Running) -> Stream:
        """What it sends of a VM."""
        registers = {register: vm.machine.get(0, register).value or 0 for register in self.listed(vm)}
        return Stream(registers=registers, bit=vm.bit if Skill.CARRY in self.skills else None)


def migrate(userspace: Userspace, source: Kernel, here: int | None, destination: Kernel, there: int | None) -> Outcome | None:
    """Boot a guest on the source and move it. `here` and `there` are the versions that both VMs are asked for, None: the newest.

    None where there is no such guest or no such destination, because nothing can be asked for what is wished.
    """
    if any(wish is not None and not userspace.can_state(wish) for wish in (here, there)):
        return None
    left = userspace.start(source, here)
    if isinstance(left, Refusal):
        return None
    before, stream = left.seen, userspace.save(left)
    entered = userspace.start(destination, there, stream.bit)
    if isinstance(entered, Refusal):
        plain = userspace.start(destination, None)
        assert isinstance(plain, Running)  # noqa: S101 - a plain start is never refused
        return _stays(before, stream, plain, entered, there)
    return _loaded(userspace, before, stream, entered)


def restorable(userspace: Userspace, source: Kernel, here: int | None, destination: Kernel) -> bool:
    """Whether every register of the guest can be set in a new guest of the destination, started without any wish."""
    left, scratch = userspace.start(source, here), userspace.start(destination, None)
    if isinstance(left, Refusal) or isinstance(scratch, Refusal):
        return False
    return all(scratch.machine.set(0, register, value).errno is None for register, value in userspace.save(left).registers.items())


def _loaded(userspace: Userspace, before: GuestView, stream: Stream, entered: Running) -> Outcome:
    """Load a stream into a started VM by the loader's algorithm, then look."""
    merged = merge(stream.registers, userspace.listed(entered), userspace.load, tolerated(stream.registers))
    if merged.stage is not None:
        first = merged.lacking[0]
        return _stays(before, stream, entered, _refusal(merged.stage, first, stream, None), entered.wish)
    for register in merged.copied:
        errno = entered.machine.set(0, register, stream.registers[register]).errno
        if errno is not None:
            return _stays(before, stream, entered, _refusal(Stage.SET, register, stream, errno), entered.wish)
    dropped = tuple(register for register in merged.lacking if not fw.gives_nothing(fw.BY_ID[register], stream.registers[register]))
    moved = Outcome(
        verdict=Verdict.SAFE,
        stage=Stage.AFTER,
        before=before,
        after=entered.seen,
        regardless=entered.seen,
        origin=_origin(entered, merged.copied),
        asked=entered.wish,
        dropped=tuple(fw.BY_ID[register].name for register in dropped),
    )
    if moved.lost or dropped:
        return replace(moved, verdict=Verdict.STRIPS)
    return moved if moved.same else replace(moved, verdict=Verdict.CHANGES)


def _refusal(stage: Stage, register: int, stream: Stream, errno: Errno | None) -> Refusal:
    return Refusal(stage=stage, register=fw.BY_ID[register].name, value=stream.registers[register], errno=errno)


def _stays(before: GuestView, stream: Stream, entered: Running, refusal: Refusal, asked: int | None) -> Outcome:
    """The move fails. What would have been is found by writing all that can be written, and looking."""
    taken = tuple(register for register, value in stream.registers.items() if entered.machine.set(0, register, value).errno is None)
    return Outcome(
        verdict=Verdict.FAILS,
        stage=refusal.stage,
        before=before,
        after=None,
        regardless=entered.seen,
        origin=_origin(entered, taken),
        asked=asked,
        refusal=refusal,
    )


def _origin(entered: Running, written: tuple[int, ...]) -> Origin:
    return Origin.TRAVELS if fw.PSCI_VERSION.id in written else entered.origin
