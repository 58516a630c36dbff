"""The lines that VMMs and libvirt print about a load: one row each, from which the line is both written and read.

A script says which lines a VMM prints when a load ends at a stage, in their order. Sources: QEMU 5.2 to 11.1.3 (migration/vmstate-types.c,
target/arm/machine.c and kvm.c, accel/kvm/kvm-all.c, system/vl.c) and observed logs; the other programs as their rows say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cached_property
from typing import Any

import msgspec

from fleetplan.firmware.encodings import parts, sysreg
from fleetplan.firmware.errno import Errno
from fleetplan.firmware.registers import Block, register_id
from fleetplan.migration.reasons import Stage
from fleetplan.migration.vmm import TOLERANT, Family, Load, Text, VmmProfile

STRERROR: Mapping[Errno, str] = {
    Errno.EPERM: "Operation not permitted",
    Errno.ENOENT: "No such file or directory",
    Errno.EBUSY: "Device or resource busy",
    Errno.EINVAL: "Invalid argument",
}
SYSTEM_REGISTER = "system register "
BLOCKS = {Block.FW: "fw reg", Block.FW_FEAT_BMAP: "fw feat reg"}


# --- what stands in the gaps of a line ------------------------------------------------------------------------------------------------


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A gap: how its value is written, which text can stand there, and how that is read."""

    write: Callable[[Any], str]
    pattern: str
    read: Callable[[str], Any]


def display(text: Text, register: int) -> str:
    """A register as QEMU names it."""
    block = next((words for block, words in BLOCKS.items() if block.value == register >> 16 & 0xFFF), None)
    if block is not None:
        return f"{block} {register & 0xFFFF}"
    encoding = parts(register)
    if encoding is None:
        return f"demuxed reg {register:x}"
    op0, op1, crn, crm, op2 = encoding
    prefix = SYSTEM_REGISTER if text is Text.S4 else ""
    return f"{prefix}op0:{op0} op1:{op1} crn:{crn} crm:{crm} op2:{op2}"


BREAK = r"(?:[ \t]*\n[>|\s]*)?"
"""Where a terminal or a mail program broke the line, within a word too."""
GAP = r"[\s>|]+"


def _literal(text: str) -> str:
    """What reads a text in any layout; in it `#` stands for a decimal number and `@` for a hexadecimal one."""
    numbers = {"#": r"\d+", "@": r"[0-9a-f]+"}
    words = [BREAK.join(numbers.get(letter, re.escape(letter)) for letter in word) for word in text.split(" ")]
    return GAP.join(words)


def _any(*texts: str) -> str:
    return "|".join(_literal(text) for text in texts)


ENCODING = "op0:# op1:# crn:# crm:# op2:#"
SPELLINGS = ("fw feat reg #", "fw reg #", "demuxed reg @", "core reg @", "sve reg @", f"{SYSTEM_REGISTER}{ENCODING}", ENCODING)


def pack(text: str) -> str:
    """A text without its layout: equal for one line however it was broken or quoted."""
    return re.sub(r"[\s>|]+", "", text.lower())


def read_register(text: str) -> int:
    """The id of a register that is named in QEMU's way, whatever its layout."""
    packed = pack(text)
    numbers = [int(number) for number in re.findall(r":(\d+)", packed)]
    if numbers:
        return sysreg(*numbers)
    kind, _, number = packed.rpartition("reg")
    if kind in {"fw", "fwfeat"}:
        return register_id(Block.FW if kind == "fw" else Block.FW_FEAT_BMAP, int(number))
    return int(number, 16)


def _errno(text: str) -> Errno | None:
    packed = pack(text).partition("(oserror")[0]
    return next((errno for errno, words in STRERROR.items() if pack(words) == packed), None)


def _of_code(code: int) -> Errno | None:
    return next((errno for errno in Errno if int(errno) == code), None)


def _os_error(errno: Errno) -> str:
    return f"{STRERROR[errno]} (os error {int(errno)})"


_DECIMAL = Field(write=str, pattern=r"\d+", read=int)
_HEX = Field(write=lambda value: f"{value:x}", pattern=r"[0-9a-f]+", read=lambda text: int(text, 16))
_HEX_0X = Field(write=lambda value: f"{value:#x}", pattern=r"(?:0x)?[0-9a-f]+", read=lambda text: int(text, 16))

FIELDS: Mapping[str, Field] = {
    "register": Field(write=str, pattern=_any(*SPELLINGS), read=read_register),
    "id": _HEX_0X,
    "id_decimal": _DECIMAL,
    "written": _HEX,
    "written_0x": _HEX_0X,
    "there": _HEX,
    "errno": Field(write=lambda errno: STRERROR.get(errno, errno.name), pattern=_any(*STRERROR.values()), read=_errno),
    "os_error": Field(write=_os_error, pattern=_any(*(f"{words} (os error #)" for words in STRERROR.values())), read=_errno),
    "code": Field(write=lambda errno: str(int(errno)), pattern=r"\d+", read=lambda text: _of_code(int(text))),
    "brought": _DECIMAL,
    "listed": _DECIMAL,
    "instance": Field(write=hex, pattern=r"(?:0x)?[0-9a-f]+", read=lambda text: int(text, 16)),
    "version": Field(write=str, pattern=r"\d+\.\d+", read=str),
    "machine": Field(write=str, pattern=r"[\w.()-]+", read=str),
    "local_machine": Field(write=str, pattern=r"[\w.()-]+", read=str),
    "emulator": Field(write=str, pattern=r"[^'\s]+", read=str),
    "guest": Field(write=str, pattern=r"[^']*", read=str),
    "direction": Field(write=str, pattern=_any("migration in", "migration out"), read=str),
    "vcpu": _DECIMAL,
    "signal": _DECIMAL,
}
MEANS = {"id": "register", "id_decimal": "register", "written_0x": "written", "os_error": "errno", "code": "errno"}
"""Fields that are another way to write a fact."""


class Role(Enum):
    """What a line is about, which says how often it is printed."""

    ONCE = "once"
    LACKING = "lacking"
    """For each register that only the stream has."""
    UNSENT = "unsent"
    """For each register that only the destination has."""
    REFUSED = "refused"
    """For each register that the destination's kernel refuses."""
    WRAP = "wrap"
    """What libvirt puts around the VMM's words."""
    NOISE = "noise"
    """Says nothing about why."""


class Wording(msgspec.Struct, frozen=True, kw_only=True, dict=True, eq=False):
    """A line. `since` and `until` bound it where its scripts do not: the first VMM version that prints it, the first that does not.

    `implies` is the errno of which the line is printed, where it does not say it.
    """

    name: str
    template: str
    source: str
    role: Role = Role.ONCE
    implies: Errno | None = None
    since: tuple[int, ...] = ()
    until: tuple[int, ...] = ()

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The gaps, in their order."""
        return tuple(re.findall(r"\{(\w+)\}", self.template))

    def write(self, facts: Mapping[str, Any]) -> str:
        """The line with these facts."""
        return self.template.format_map({name: FIELDS[name].write(facts[MEANS.get(name, name)]) for name in self.fields})

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What reads the line: any case, any white space, breaks within words."""
        pieces = re.split(r"\{(\w+)\}", self.template)
        texts, names = pieces[::2], pieces[1::2]
        gaps = [f"(?P<{name}>{FIELDS[name].pattern})" for name in names]
        end = r"(?![0-9a-zA-Z])" if names and not texts[-1] else ""
        return re.compile("".join(_literal(text) + gap for text, gap in zip(texts, [*gaps, end], strict=True)), re.IGNORECASE)

    def read(self, match: re.Match[str]) -> dict[str, Any]:
        """The facts of a line that was found."""
        return {MEANS.get(name, name): FIELDS[name].read(match[name]) for name in self.fields}


# --- the lines ------------------------------------------------------------------------------------------------------------------------

KVM_C, MACHINE_C = "QEMU target/arm/kvm.c", "QEMU target/arm/machine.c"
MIGRATION = "QEMU migration/vmstate.c and migration.c; observed"
IN_CPU_TEXT = "error while loading state for instance {instance} of device 'cpu'"
LIBVIRT = "libvirt 11.3.0 src/qemu/qemu_migration.c and qemu_monitor.c"

TOO_MANY = Wording(
    name="too-many",
    template="Invalid value {brought} expecting positive value <= {listed}",
    source="QEMU migration/vmstate-types.c get_int32_le; observed",
)
ARRAY = Wording(name="array", template="Failed to load cpu:cpreg_vmstate_array_len", source=MIGRATION)
IN_CPU = Wording(name="in-cpu", template=IN_CPU_TEXT, source=MIGRATION)
LOAD_FAILED = Wording(name="load-failed", template="load of migration failed: {errno}", source=MIGRATION)
ELEMENT = Wording(
    name="element",
    template=f"load of migration failed: {{errno}}: {IN_CPU_TEXT}: "
    "Failed to load element of type int32 le for cpreg_vmstate_array_len: -22",
    source="QEMU 10.2.2 migration/vmstate.c",
)
POST_LOAD = Wording(
    name="post-load",
    template=f"load of migration failed: {{errno}}: {IN_CPU_TEXT}: "
    "post load hook failed for: cpu, version_id: 22, minimum_version: 22, ret: -1",
    source="QEMU 10.2.2 migration/vmstate.c; observed on 11.1.3",
)
UNKNOWN_THERE = Wording(
    name="unknown-there",
    template="handle_cpreg_only_in_incoming_stream: {register} in the incoming stream but unknown on the destination: fail migration",
    role=Role.LACKING,
    source=f"{MACHINE_C} of 11.0.3; observed on 11.1.3",
)
NOT_SENT = Wording(
    name="not-sent",
    template="warning: handle_cpreg_missing_in_incoming_stream: {register} expected by the destination but not in the incoming stream: "
    "skip it",
    role=Role.UNSENT,
    source=f"{MACHINE_C} of 11.0.3 (warn_report); observed on 11.1.3",
)
REFUSED_IS = Wording(
    name="refused-is",
    implies=Errno.EINVAL,
    template="Could not set register {register} to {written} (is {there})",
    role=Role.REFUSED,
    source=f"{KVM_C} write_list_to_kvmstate, 10.2.2; observed on 11.1.3",
)
REFUSED = Wording(
    name="refused",
    implies=Errno.EINVAL,
    template="Could not set register {register} to {written}",
    role=Role.REFUSED,
    source=f"{KVM_C}, where the value cannot be read",
)
REFUSED_UNKNOWN = Wording(
    name="refused-unknown",
    implies=Errno.ENOENT,
    template="Could not set register {register}: unknown to KVM",
    role=Role.REFUSED,
    source=f"{KVM_C}, ENOENT",
)
REFUSED_ERRNO = Wording(
    name="refused-errno", template="Could not set register {register}: {errno}", role=Role.REFUSED, source=f"{KVM_C}, any other errno"
)
PUT_REGISTERS = Wording(
    name="put-registers",
    template="Failed to put registers after init: {errno}",
    source="QEMU accel/kvm/kvm-all.c do_kvm_cpu_synchronize_post_init from 8.2 (7191f24c7f); observed on 10.0.13 and 11.1.3",
)
NO_PIN_PROPERTY = Wording(
    name="no-pin-property",
    template="can't apply global host-arm-cpu.kvm-psci-version={version}: Property 'host-arm-cpu.kvm-psci-version' not found",
    source="QEMU qom/object.c object_apply_global_props and object_property_find_err; not observed",
)
NO_PIN_PROPERTY_BARE = Wording(
    name="no-pin-property-bare",
    template="Property 'host-arm-cpu.kvm-psci-version' not found",
    source="QEMU qom/object.c object_property_find_err; not observed",
)
PSCI_UNSUPPORTED = Wording(
    name="psci-unsupported",
    template="KVM in this kernel does not support PSCI version {version}",
    source=f"{KVM_C} of 11.0.3; observed on 11.1.3",
)
PSCI_HINT = Wording(
    name="psci-hint",
    template="Consider setting the kvm-psci-version property on the migration source.",
    source=f"{KVM_C} of 11.0.3; observed",
)
PSCI_INVALID = Wording(name="psci-invalid", template="Invalid PSCI version.", source=f"{KVM_C} of 11.0.3")
VCPU_FAILED = Wording(
    name="vcpu-failed", template="kvm_init_vcpu: kvm_arch_init_vcpu failed ({vcpu}): {errno}", source="QEMU accel/kvm/kvm-all.c; observed"
)
NO_MACHINE = Wording(
    name="no-machine",
    template='unsupported machine type: "{machine}"',
    since=(9, 1),
    source="QEMU system/vl.c select_machine; the name is printed since mid 2024",
)
NO_MACHINE_UNNAMED = Wording(name="no-machine-unnamed", template="unsupported machine type", until=(9, 1), source="QEMU softmmu/vl.c")
MACHINE_HINT = Wording(name="machine-hint", template="Use -machine help to list supported machines", source="QEMU system/vl.c")
OTHER_MACHINE = Wording(
    name="other-machine",
    template="Machine type received is '{machine}' and local is '{local_machine}'",
    source="QEMU migration/savevm.c configuration_post_load",
)
FIRECRACKER_SET = Wording(
    name="firecracker-set",
    template="Failed to set register {id} to value {written_0x}: {os_error}",
    role=Role.REFUSED,
    source="firecracker src/vmm/src/arch/aarch64/vcpu.rs VcpuArchError::SetOneReg",
)
FIRECRACKER_SET_OLD = Wording(
    name="firecracker-set-old",
    template="Failed to set register {id_decimal}: {os_error}",
    role=Role.REFUSED,
    source="firecracker 05a32b1c2bf6 src/vmm/src/arch/aarch64/vcpu.rs VcpuError::SetOneReg",
)
FIRECRACKER_DEBUG = Wording(
    name="firecracker-debug",
    template='SetOneReg({id_decimal}, "{written_0x}", Error({code}))',
    role=Role.REFUSED,
    source="firecracker 81b38b9da, debug form of RestoreState(SetOneReg(id, value, errno))",
)
CLOUD_HYPERVISOR_SET = Wording(
    name="cloud-hypervisor-set",
    template="Failed to set system register: {os_error}",
    source="cloud-hypervisor hypervisor/src/cpu.rs SetSysRegister",
)
CLOUD_HYPERVISOR_STATE = Wording(
    name="cloud-hypervisor-state",
    template="Could not set the vCPU state SetSysRegister({os_error})",
    source="cloud-hypervisor vmm/src/cpu.rs, debug form of SetSysRegister",
)
CLOSED_MONITOR = Wording(
    name="libvirt-closed", template="QEMU unexpectedly closed the monitor (vm='{guest}')", role=Role.WRAP, source=f"{LIBVIRT}:498"
)
EXITED = Wording(
    name="libvirt-exited",
    template="process exited while connecting to monitor",
    role=Role.WRAP,
    source="libvirt src/qemu/qemu_process.c qemuProcessWaitForMonitor, to 9.0.0 and later",
)
JOB_FAILED = Wording(name="libvirt-job", template="job '{direction}' failed:", role=Role.WRAP, source=f"{LIBVIRT}:2043-2060")
JOB_UNEXPECTED = Wording(
    name="libvirt-unexpected", template="job '{direction}' unexpectedly failed", role=Role.WRAP, source=f"{LIBVIRT}:2043-2060"
)
JOB_POST_COPY = Wording(
    name="libvirt-post-copy", template="job '{direction}' failed in post-copy phase", role=Role.WRAP, source=f"{LIBVIRT}:2043-2060"
)
LIBVIRT_MACHINE = Wording(
    name="libvirt-machine",
    template="Emulator '{emulator}' does not support machine type '{machine}'",
    source="libvirt src/qemu/qemu_validate.c: said before QEMU is started",
)
TERMINATED = Wording(
    name="terminated", template="terminating on signal {signal}", role=Role.NOISE, source="QEMU system/runstate.c; observed"
)
MONITOR = Wording(
    name="monitor", template="monitor - type 'help' for more information", role=Role.NOISE, source="QEMU monitor/hmp.c; observed"
)


# --- which of them a VMM prints -------------------------------------------------------------------------------------------------------


class Script(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is printed when a load ends at a stage (AFTER: goes well). `then` are lines that may take the place of the last ones.

    `knows_pin` None: whether the VMM has the pin's property makes no difference.
    """

    name: str
    stage: Stage
    lines: tuple[Wording, ...]
    family: Family = Family.QEMU
    loads: frozenset[Load] = frozenset(Load)
    texts: frozenset[Text] = frozenset(Text)
    errno: Errno = Errno.EINVAL
    knows_pin: bool | None = None
    then: tuple[Wording, ...] = ()

    def of(self, profile: VmmProfile) -> bool:
        """Whether a VMM speaks so."""
        pin = self.knows_pin is None or self.knows_pin == profile.knows_pin
        return pin and profile.family is self.family and profile.load in self.loads and profile.text in self.texts

    @property
    def may_print(self) -> frozenset[Wording]:
        """All lines that may stand in the log."""
        return frozenset((*self.lines, *self.then))


A, B0, B1 = frozenset({Load.A}), frozenset({Load.B0}), TOLERANT
OLD = frozenset({Text.S1, Text.S2})
S1, S2, S3, S4 = (frozenset({text}) for text in (Text.S1, Text.S2, Text.S3, Text.S4))
REFUSALS = (REFUSED_IS, REFUSED, REFUSED_UNKNOWN, REFUSED_ERRNO)
NAMED = (UNKNOWN_THERE, NOT_SENT)
PUT_OLD = (IN_CPU, PUT_REGISTERS)
PUT = (*REFUSALS, PUT_REGISTERS)
MACHINE_LINES = (NO_MACHINE, NO_MACHINE_UNNAMED, MACHINE_HINT, LIBVIRT_MACHINE)

SCRIPTS: tuple[Script, ...] = (
    Script(name="length", stage=Stage.LENGTH, loads=A, texts=OLD, lines=(TOO_MANY, ARRAY, IN_CPU, LOAD_FAILED)),
    Script(name="length-10.2", stage=Stage.LENGTH, loads=A, texts=S3, lines=(TOO_MANY, ELEMENT)),
    Script(name="merge-7", stage=Stage.MERGE, loads=A, texts=S1, lines=(IN_CPU, LOAD_FAILED), errno=Errno.EPERM),
    Script(name="merge-8", stage=Stage.MERGE, loads=A, texts=S2, lines=(IN_CPU, LOAD_FAILED), errno=Errno.EPERM, then=PUT_OLD),
    Script(name="merge-10.2", stage=Stage.MERGE, loads=A, texts=S3, lines=(POST_LOAD,), errno=Errno.EPERM, then=PUT),
    Script(name="merge-11.0", stage=Stage.MERGE, loads=B0, texts=S4, lines=(*NAMED, POST_LOAD), errno=Errno.EPERM, then=PUT),
    Script(name="merge-11.1", stage=Stage.MERGE, loads=B1, texts=S4, lines=(*NAMED, POST_LOAD), then=PUT),
    Script(name="set-7", stage=Stage.SET, loads=A, texts=S1, lines=(IN_CPU, LOAD_FAILED), errno=Errno.EPERM),
    Script(name="set-8", stage=Stage.SET, loads=A, texts=S2, lines=PUT_OLD),
    Script(name="set-10.2", stage=Stage.SET, loads=A, texts=S3, lines=PUT),
    Script(name="set-11.0", stage=Stage.SET, loads=B0, texts=S4, lines=(NOT_SENT, *PUT)),
    Script(name="set-11.1", stage=Stage.SET, loads=B1, texts=S4, lines=(*NAMED, *PUT)),
    Script(name="well-11.0", stage=Stage.AFTER, loads=B0, texts=S4, lines=(NOT_SENT,)),
    Script(name="well-11.1", stage=Stage.AFTER, loads=B1, texts=S4, lines=NAMED),
    Script(name="no-pin-property", stage=Stage.START, knows_pin=False, lines=(NO_PIN_PROPERTY,), then=(NO_PIN_PROPERTY_BARE,)),
    Script(name="pin-refused", stage=Stage.START, knows_pin=True, lines=(PSCI_UNSUPPORTED, PSCI_HINT, PSCI_INVALID, VCPU_FAILED)),
    Script(name="no-machine", stage=Stage.START, lines=MACHINE_LINES),
    Script(name="other-machine", stage=Stage.START, lines=(OTHER_MACHINE, LOAD_FAILED)),
    Script(
        name="firecracker",
        stage=Stage.SET,
        family=Family.FIRECRACKER,
        lines=(FIRECRACKER_SET,),
        then=(FIRECRACKER_SET_OLD, FIRECRACKER_DEBUG),
    ),
    Script(
        name="cloud-hypervisor",
        stage=Stage.SET,
        family=Family.CLOUD_HYPERVISOR,
        lines=(CLOUD_HYPERVISOR_SET,),
        then=(CLOUD_HYPERVISOR_STATE,),
    ),
)
BY_NAME: Mapping[str, Script] = {script.name: script for script in SCRIPTS}
WRAPS = (CLOSED_MONITOR, EXITED, JOB_FAILED, JOB_UNEXPECTED, JOB_POST_COPY)

WORDINGS: tuple[Wording, ...] = tuple(
    dict.fromkeys((*(line for script in SCRIPTS for line in (*script.lines, *script.then)), *WRAPS, TERMINATED, MONITOR))
)
"""Every line that is known."""


def script(profile: VmmProfile, stage: Stage) -> Script | None:
    """What a VMM prints when a load ends at a stage, None where its words are not known."""
    return next((row for row in SCRIPTS if row.stage is stage and row.of(profile)), None)
