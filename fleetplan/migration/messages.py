"""What VMMs print when a load fails: the words as they stand in the log, by the VMM's kind of text.

Sources: QEMU 5.2 to 11.1.3 (migration/vmstate-types.c, target/arm/machine.c and kvm.c, accel/kvm/kvm-all.c) and observed logs;
cloud-hypervisor and firecracker as named in `vmm.ROWS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleetplan.firmware.encodings import parts
from fleetplan.firmware.errno import Errno
from fleetplan.firmware.registers import BY_ID, Block
from fleetplan.migration.vmm import Load, Text, VmmProfile

IN_CPU = "error while loading state for instance 0x0 of device 'cpu'"
POST_LOAD = f"{IN_CPU}: post load hook failed for: cpu, version_id: 22, minimum_version: 22, ret: -1"
STRERROR = {
    Errno.EPERM: "Operation not permitted",
    Errno.ENOENT: "No such file or directory",
    Errno.EBUSY: "Device or resource busy",
    Errno.EINVAL: "Invalid argument",
}
SYSTEM_REGISTER = "system register "


def length(profile: VmmProfile, brought: int, listed: int) -> tuple[str, ...]:
    """The guest brings more registers than the destination lists (A loads only)."""
    first = f"Invalid value {brought} expecting positive value <= {listed}"
    field = "cpu:cpreg_vmstate_array_len"
    if profile.text is Text.S3:
        element = f"Failed to load element of type int32 le for cpreg_vmstate_array_len: -{int(Errno.EINVAL)}"
        return (first, f"load of migration failed: {STRERROR[Errno.EINVAL]}: {IN_CPU}: {element}")
    return (first, f"Failed to load {field}", IN_CPU, f"load of migration failed: {STRERROR[Errno.EINVAL]}")


def merge(profile: VmmProfile, lacking: Sequence[int], unsent: Sequence[int], *, failed: bool) -> tuple[str, ...]:
    """Registers that the destination lacks, and those that the stream lacks. B loads name each, also when they go on."""
    if profile.load is Load.A:
        return () if not failed else _merge_a(profile)
    lines = [
        f"handle_cpreg_only_in_incoming_stream: {display(profile, register)} in the incoming stream but unknown on the destination: "
        "fail migration"
        for register in lacking
    ]
    lines += [
        f"warning: handle_cpreg_missing_in_incoming_stream: {display(profile, register)} expected by the destination but not in the "
        "incoming stream: skip it"
        for register in unsent
    ]
    if failed:
        reason = Errno.EPERM if profile.load is Load.B0 else Errno.EINVAL
        lines.append(f"load of migration failed: {STRERROR[reason]}: {POST_LOAD}")
    return tuple(lines)


def _merge_a(profile: VmmProfile) -> tuple[str, ...]:
    if profile.text is Text.S3:
        return (f"load of migration failed: {STRERROR[Errno.EPERM]}: {POST_LOAD}",)
    return (IN_CPU, f"load of migration failed: {STRERROR[Errno.EPERM]}")


Refused = tuple[int, int | None, int | None, Errno]
"""id, value written, value that is there, errno."""


def refused(profile: VmmProfile, registers: Sequence[Refused]) -> tuple[str, ...]:
    """Registers whose values the destination's kernel refuses."""
    match profile.text:
        case Text.S1:
            return _merge_a(profile)
        case Text.S2:
            return (IN_CPU, f"Failed to put registers after init: {STRERROR[Errno.EINVAL]}")
        case Text.S3 | Text.S4:
            lines = [line for register in registers for line in _could_not_set(profile, *register)]
            return (*lines, f"Failed to put registers after init: {STRERROR[Errno.EINVAL]}")
        case Text.OWN:
            register, written, _, errno = registers[0]
            return (f"cannot restore vCPU: register {register:#x} value {written or 0:#x}: {STRERROR.get(errno, errno.name)}",)


def _could_not_set(profile: VmmProfile, register: int, written: int | None, there: int | None, errno: Errno) -> Iterator[str]:
    name = display(profile, register)
    if errno is Errno.ENOENT:
        yield f"Could not set register {name}: unknown to KVM"
    elif errno is Errno.EINVAL and written is not None:
        yield f"Could not set register {name} to {written:x}" + (f" (is {there:x})" if there is not None else "")
    else:
        yield f"Could not set register {name}: {STRERROR.get(errno, errno.name)}"


def display(profile: VmmProfile, register: int) -> str:
    """A register as QEMU names it."""
    row = BY_ID.get(register)
    if row is not None:
        return f"fw reg {row.index}" if row.block is Block.FW else f"fw feat reg {row.index}"
    encoding = parts(register)
    if encoding is None:
        return f"demuxed reg {register:x}"
    op0, op1, crn, crm, op2 = encoding
    prefix = SYSTEM_REGISTER if profile.text is Text.S4 else ""
    return f"{prefix}op0:{op0} op1:{op1} crn:{crn} crm:{crm} op2:{op2}"


def no_pin_property(version: str) -> tuple[str, ...]:
    """The destination's VMM does not know `kvm-psci-version`, which libvirt sends along."""
    return (f"Property 'host-arm-cpu.kvm-psci-version' not found (the guest is pinned to {version})",)


def pin_refused(version: str) -> tuple[str, ...]:
    """The destination's kernel does not offer the pinned version."""
    return (
        f"KVM in this kernel does not support PSCI version {version}",
        "Consider setting the kvm-psci-version property on the migration source.",
        f"kvm_init_vcpu: kvm_arch_init_vcpu failed (0): {STRERROR[Errno.EINVAL]}",
    )


def no_machine(machine: str) -> tuple[str, ...]:
    """The destination's VMM does not know the machine type."""
    return (f'unsupported machine type: "{machine}"', "Use -machine help to list supported machines")
