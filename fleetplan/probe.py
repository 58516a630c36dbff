#!/usr/bin/env python3
"""Says what an arm64 host gives a KVM guest, by asking its /dev/kvm; or tries whether a guest's registers can be restored here.

usage: probe.py [--name NAME]                 what this host is, as one JSON object on stdout
       probe.py --restore DUMP [--order O]    whether the CPU registers of a dump can be set in a scratch VM of this host

One file, standard library only (Python 3.8 or later), for `ssh HOST python3 - < probe.py`. It changes nothing on the host: the scratch
VMs have no memory, never run, and go with the process. Needs read and write access to /dev/kvm.

Exit codes: 0 the answer is on stdout (`--restore`: all registers can be set); 1 `--restore`: some cannot; 2 wrong usage, or the dump
cannot be read; 3 this host cannot be probed (the message says why).

Source of the numbers: linux include/uapi/linux/kvm.h and arch/arm64/include/uapi/asm/kvm.h.
"""

from __future__ import annotations

import argparse
import array
import ctypes
import errno
import fcntl
import json
import mmap
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

Registers = List[Tuple[int, int]]
"""(id, value), in the order of a list or a dump."""

Json = Dict[str, Any]

FORMAT = 1

# --- the ABI of /dev/kvm ---------------------------------------------------------------------------------------------------------------

CREATE_VM = 0xAE01
CHECK_EXTENSION = 0xAE03
CREATE_VCPU = 0xAE41
ARM_VCPU_INIT = 0x4020AEAE
ARM_PREFERRED_TARGET = 0x8020AEAF
GET_REG_LIST = 0xC008AEB0
GET_ONE_REG = 0x4010AEAB
SET_ONE_REG = 0x4010AEAC
ARM_GET_REG_WRITABLE_MASKS = 0x8040AEB6
ARM_VCPU_FINALIZE = 0x4004AEC2
CREATE_DEVICE = 0xC00CAEE0

CAPABILITIES = {
    "arm_pmu_v3": 126,
    "arm_inject_serror_esr": 158,
    "arm_vm_ipa_size": 165,
    "arm_sve": 170,
    "arm_ptrauth_address": 171,
    "arm_ptrauth_generic": 172,
    "arm_inject_ext_dabt": 178,
    "steal_time": 187,
    "ptp_kvm": 198,
    "arm_mte": 205,
    "arm_system_suspend": 215,
    "counter_offset": 227,
    "arm_supported_block_sizes": 229,
    "arm_supported_reg_mask_ranges": 230,
    "arm_writable_imp_id_regs": 239,
    "arm_el2": 240,
}
FEATURE_BITS = {"psci_0_2": 2, "pmu": 3, "sve": 4, "ptrauth_address": 5, "ptrauth_generic": 6}
SVE = 4
GIC_DEVICES = {2: 5, 3: 7}
TEST_ONLY = 1

SIZE_SHIFT, SIZE_MASK = 52, 0xF
COPROCESSOR_SHIFT, COPROCESSOR_MASK = 16, 0xFFF
CORE, SVE_REGISTERS = 0x0010, 0x0015
PSCI_VERSION = 0x6030000000140000
SVE_LENGTHS = 0x606000000015FFFF
SYSTEM_REGISTER = 0x6030000000130000
PSCI = {"0.2": 0x2, "1.0": 0x10000, "1.1": 0x10001, "1.2": 0x10002, "1.3": 0x10003}
FEATURE_ID_OP1 = (0, 1, 3)
FEATURE_ID_RANGE = len(FEATURE_ID_OP1) * 8 * 8


class ProbeError(Exception):
    """This host cannot be probed; the text says why, and what to do."""


class Vm:
    """A scratch VM with one vCPU, as a VMM makes it. Raises OSError where KVM refuses."""

    def __init__(self, kvm: int, features: Sequence[str], psci: int | None = None) -> None:
        self.kvm = kvm
        self.vm = fcntl.ioctl(kvm, CREATE_VM, 0)
        self.vcpu = fcntl.ioctl(self.vm, CREATE_VCPU, 0)
        init = bytearray(32)
        fcntl.ioctl(self.vm, ARM_PREFERRED_TARGET, init)
        bits = sum(1 << FEATURE_BITS[feature] for feature in features)
        struct.pack_into("<I", init, 4, bits)
        fcntl.ioctl(self.vcpu, ARM_VCPU_INIT, bytes(init))
        self.lengths = self._sve_lengths() if "sve" in features else ()
        if psci is not None:
            self.write(PSCI_VERSION, psci)

    def _sve_lengths(self) -> tuple[int, ...]:
        """Vector lengths in bits, ascending; then the vCPU is finalised."""
        words = struct.unpack("<8Q", self.read_bytes(SVE_LENGTHS))
        lengths = tuple(128 * (64 * word + bit + 1) for word in range(8) for bit in range(64) if words[word] >> bit & 1)
        fcntl.ioctl(self.vcpu, ARM_VCPU_FINALIZE, struct.pack("<i", SVE))
        return lengths

    def close(self) -> None:
        """Let the VM go."""
        os.close(self.vcpu)
        os.close(self.vm)

    def __enter__(self) -> Vm:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ids(self) -> list[int]:
        """What KVM_GET_REG_LIST gives, in its order."""
        most = 4096
        buffer = array.array("Q", [most] + [0] * most)
        fcntl.ioctl(self.vcpu, GET_REG_LIST, buffer, True)
        return list(buffer[1 : buffer[0] + 1])

    def read_bytes(self, register: int) -> bytes:
        """KVM_GET_ONE_REG of any size."""
        value = ctypes.create_string_buffer(1 << (register >> SIZE_SHIFT & SIZE_MASK))
        fcntl.ioctl(self.vcpu, GET_ONE_REG, struct.pack("<QQ", register, ctypes.addressof(value)))
        return value.raw

    def read(self, register: int) -> int:
        """KVM_GET_ONE_REG of a number."""
        return int.from_bytes(self.read_bytes(register), "little")

    def write(self, register: int, value: int) -> None:
        """KVM_SET_ONE_REG."""
        raw = value.to_bytes(1 << (register >> SIZE_SHIFT & SIZE_MASK), "little")
        buffer = ctypes.create_string_buffer(raw, len(raw))
        fcntl.ioctl(self.vcpu, SET_ONE_REG, struct.pack("<QQ", register, ctypes.addressof(buffer)))

    def registers(self) -> Registers:
        """Id and value of every register that a VMM migrates, in list order: all but core and vector registers."""
        wanted = [register for register in self.ids() if is_migrated(register)]
        return [(register, self.read(register)) for register in wanted]


def system_register(op1: int, crn: int, crm: int, op2: int) -> int:
    """The id of a system register of op0 3."""
    return SYSTEM_REGISTER | 3 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2


def is_migrated(register: int) -> bool:
    """Whether QEMU takes a register into its stream (target/arm/kvm.c: core and SVE registers travel otherwise)."""
    return register >> COPROCESSOR_SHIFT & COPROCESSOR_MASK not in (CORE, SVE_REGISTERS)


def open_kvm() -> int:
    """/dev/kvm; or the reason why not."""
    if platform.machine() != "aarch64":
        message = f"this is no arm64 host ({platform.machine()})"
        raise ProbeError(message)
    try:
        return os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        message = "there is no /dev/kvm: the kernel has no KVM, or was not booted at EL2"
        raise ProbeError(message) from None
    except PermissionError:
        message = "no right to open /dev/kvm: run this as root, or as a member of the group `kvm`"
        raise ProbeError(message) from None
    except OSError as problem:
        message = f"/dev/kvm cannot be opened: {problem.strerror}"
        raise ProbeError(message) from None


def capability(kvm: int, number: int) -> int:
    """KVM_CHECK_EXTENSION; 0 where it is not known."""
    try:
        return fcntl.ioctl(kvm, CHECK_EXTENSION, number)
    except OSError:
        return 0


# --- what KVM gives a guest ------------------------------------------------------------------------------------------------------------


def offered_features(kvm: int) -> list[str]:
    """What QEMU's `-cpu host` turns on here, in the order of their bits."""
    given = ["psci_0_2"]
    if capability(kvm, CAPABILITIES["arm_pmu_v3"]):
        given.append("pmu")
    if capability(kvm, CAPABILITIES["arm_sve"]):
        given.append("sve")
    if capability(kvm, CAPABILITIES["arm_ptrauth_address"]) and capability(kvm, CAPABILITIES["arm_ptrauth_generic"]):
        given += ["ptrauth_address", "ptrauth_generic"]
    return given


def accepted_psci(kvm: int) -> list[str]:
    """The PSCI versions that a VM can be pinned to."""
    return [version for version, value in PSCI.items() if takes_psci(kvm, value)]


def takes_psci(kvm: int, value: int) -> bool:
    """Whether a VM comes up with this PSCI version."""
    try:
        Vm(kvm, ["psci_0_2"], psci=value).close()
    except OSError:
        return False
    return True


def writable_masks(kvm: int) -> dict[str, str] | None:
    """Bits that userspace may write, by register id; None where the kernel has not got the ioctl (before 6.7)."""
    if not capability(kvm, CAPABILITIES["arm_supported_reg_mask_ranges"]):
        return None
    masks = (ctypes.c_uint64 * FEATURE_ID_RANGE)()
    with Vm(kvm, ["psci_0_2"]) as vm:
        fcntl.ioctl(vm.vm, ARM_GET_REG_WRITABLE_MASKS, bytearray(struct.pack("<QI13I", ctypes.addressof(masks), 0, *[0] * 13)))
    found = {}
    for place, mask in enumerate(masks):
        op1, crm, op2 = FEATURE_ID_OP1[place // 64], place // 8 % 8, place % 8
        if mask:
            found[f"{system_register(op1, 0, crm, op2):#x}"] = f"{mask:#x}"
    return found


def gic_versions(kvm: int) -> list[int]:
    """GIC versions that a VM can be given."""
    found = []
    for version, device in GIC_DEVICES.items():
        with Vm(kvm, ["psci_0_2"]) as vm:
            try:
                fcntl.ioctl(vm.vm, CREATE_DEVICE, struct.pack("<III", device, 0, TEST_ONLY))
            except OSError:
                continue
            found.append(version)
    return found


def vcpu_variants(features: list[str]) -> list[list[str]]:
    """Feature sets whose register lists are taken: plain, and each thing that `-cpu host` turns on, and all of it."""
    plain = ["psci_0_2"]
    variants = [plain]
    variants += [[*plain, feature] for feature in ("pmu", "sve") if feature in features]
    return variants + ([features] if features not in variants else [])


def kvm_facts(kvm: int) -> tuple[Json, Json]:
    """What the inventory takes, and under `probe` what else was seen."""
    features = offered_features(kvm)
    lists: list[Json] = []
    lengths: tuple[int, ...] = ()
    for variant in vcpu_variants(features):
        with Vm(kvm, variant) as vm:
            lengths = vm.lengths or lengths
            lists.append({"features": variant, "registers": vm.registers()})
    masks = writable_masks(kvm)
    capabilities = {name: capability(kvm, number) for name, number in CAPABILITIES.items()}
    named = [("pmu", "arm_pmu_v3"), ("pauth", "arm_ptrauth_address"), ("mte", "arm_mte"), ("nested", "arm_el2")]
    facts: Json = {
        "registers": next(entry["registers"] for entry in lists if entry["features"] == features),
        "ipa_bits": capabilities["arm_vm_ipa_size"] or 40,
        "sve": list(lengths),
        "features": [word for word, name in named if capabilities[name]],
        "gic": gic_versions(kvm),
    }
    if masks is not None:
        facts["masks"] = masks
    return facts, {"psci_accepted": accepted_psci(kvm), "capabilities": capabilities, "vcpu_features": features, "lists": lists}


# --- what the host says of itself ------------------------------------------------------------------------------------------------------


def text_of(path: str | Path) -> str | None:
    """A small file's text, None if it cannot be read."""
    try:
        with Path(path).open("rb") as stream:
            return stream.read(1 << 20).decode("utf-8", "replace").rstrip("\n\0")
    except OSError:
        return None


def cpus() -> list[Json]:
    """MIDR_EL1 and REVIDR_EL1 of every CPU, by number."""
    found = []
    for folder in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/regs/identification"):
        midr, revidr = text_of(folder / "midr_el1"), text_of(folder / "revidr_el1")
        if midr is not None:
            place = int(folder.parts[-3][len("cpu") :])
            found.append({"cpu": place, "midr": f"{int(midr, 0):#x}", "revidr": f"{int(revidr or '0', 0):#x}"})
    return sorted(found, key=lambda entry: entry["cpu"])


def vulnerabilities() -> dict[str, str]:
    """What sysfs says of each flaw."""
    found = {}
    for path in sorted(Path("/sys/devices/system/cpu/vulnerabilities").glob("*")):
        text = text_of(path)
        if text is not None:
            found[path.name] = text
    return found


def memory() -> tuple[int | None, dict[int, int]]:
    """MiB in all, and the pages that are reserved: KiB to their number."""
    total = re.search(r"^MemTotal:\s+(\d+) kB", text_of("/proc/meminfo") or "", re.MULTILINE)
    pages = {}
    for folder in Path("/sys/kernel/mm/hugepages").glob("hugepages-*kB"):
        size = int(folder.name[len("hugepages-") : -len("kB")])
        pages[size] = int(text_of(folder / "nr_hugepages") or 0)
    return int(total.group(1)) // 1024 if total else None, dict(sorted(pages.items()))


def platform_firmware() -> str | None:
    """Vendor, version and date of the platform firmware, by DMI or the device tree."""
    parts = [text_of("/sys/class/dmi/id/" + name) for name in ("bios_vendor", "bios_version", "bios_date")]
    words = " ".join(part.strip() for part in parts if part)
    return words or text_of("/proc/device-tree/model")


def counter_hz() -> int | None:
    """CNTFRQ_EL0. No file has it, so two instructions read it, in a process of their own; None if that may not be."""
    code = struct.pack("<II", 0xD53BE000, 0xD65F03C0)  # mrs x0, cntfrq_el0; ret
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            descriptor = os.memfd_create("probe")
            os.write(descriptor, code.ljust(mmap.PAGESIZE, b"\0"))
            rights = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
            page = mmap.mmap(descriptor, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE, prot=rights)
            address = ctypes.addressof(ctypes.c_char.from_buffer(page))
            os.write(writer, struct.pack("<Q", ctypes.CFUNCTYPE(ctypes.c_uint64)(address)()))
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        answer = stream.read(8)
    os.waitpid(child, 0)
    return struct.unpack("<Q", answer)[0] or None if len(answer) == 8 else None


# --- VMMs ------------------------------------------------------------------------------------------------------------------------------

BINARIES = ("qemu-system-aarch64", "qemu-kvm", "/usr/libexec/qemu-kvm", "cloud-hypervisor", "firecracker", "crosvm")
MARKS = (
    (b"arm_register_cpreg_mig_tolerance", "B1-S4"),
    (b"handle_cpreg_only_in_incoming_stream", "B0-S4"),
    (b"Could not set register", "A-S3"),
    (b"Failed to put registers after init", "A-S2"),
)
"""Texts of a QEMU that tell how it loads registers, whatever its version says; the first that is there decides."""


def version_of(binary: str) -> str | None:
    """The first line that a program says of its version, None if it says nothing."""
    try:
        done = subprocess.run([binary, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return lines[0][:300] if lines else None


def vmm_name(version: str | None) -> str | None:
    """`QEMU emulator version 10.1.0 (qemu-kvm-10.1.0-16.el10)` -> `qemu-10.1.0-16.el10`; None for what is no VMM."""
    match = re.match(r"QEMU emulator version (\d[\d.]*)(?: \((?P<package>[^)]*)\))?", version or "")
    if match:
        release = re.search(rf"-{re.escape(match.group(1))}(-[\w.+~]+)$", match.group("package") or "")
        return "qemu-" + match.group(1) + (release.group(1) if release else "")
    match = re.match(r"(?i)(cloud-hypervisor|firecracker|crosvm)\s+v?(\d[\d.]*)", version or "")
    return f"{match.group(1).lower()}-{match.group(2)}" if match else None


def loads_as(path: str) -> str | None:
    """How a QEMU loads registers, by what its binary contains; None where it cannot be read."""
    try:
        with Path(path).open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as image:
            return next((profile for text, profile in MARKS if image.find(text) >= 0), "A-S1")
    except (OSError, ValueError):
        return None


def installed_vmms() -> list[Json]:
    """Every VMM that can be started here, the first of `BINARIES` first."""
    found: list[Json] = []
    for binary in BINARIES:
        path = shutil.which(binary)
        version = version_of(path) if path else None
        name = vmm_name(version)
        if path and name:
            entry: Json = {"path": path, "vmm": name, "version": version}
            if name.startswith("qemu-"):
                entry["vmm_profile"] = loads_as(path)
                entry["knows_psci_pin"] = contains(path, b"kvm-psci-version")
            found.append(entry)
    return found


def contains(path: str, text: bytes) -> bool | None:
    """Whether a binary contains a text; None where it cannot be read."""
    try:
        with Path(path).open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as image:
            return image.find(text) >= 0
    except (OSError, ValueError):
        return None


def running_vmms() -> list[Json]:
    """Every VMM process: it may be older than what is installed, and what it saves is its own business."""
    found = []
    names = {Path(binary).name for binary in BINARIES}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            target = os.readlink(folder / "exe")  # noqa: PTH115 - the text itself is wanted: it says "(deleted)"
        except OSError:
            continue
        if Path(target).name.replace(" (deleted)", "") not in names:
            continue
        entry: Json = {"pid": int(folder.name), "vmm": vmm_name(version_of(str(folder / "exe")))}
        entry["replaced"] = target.endswith(" (deleted)")
        entry.update(guest_of((text_of(folder / "cmdline") or "").split("\0")))
        found.append(entry)
    return sorted(found, key=lambda entry: entry["pid"])


def guest_of(arguments: list[str]) -> Json:
    """Name, machine type and PSCI pin of a guest, as they stand in the command line of its QEMU."""
    options = dict(zip(arguments, arguments[1:]))  # noqa: RUF007 - `pairwise` came with 3.10
    name = re.match(r"(?:guest=)?([^,]+)", options.get("-name", options.get("--id", "")))
    machine = re.match(r"(?:type=)?([^,]+)", options.get("-machine", options.get("-M", "")))
    pin = re.search(r"kvm-psci-version=(\d+\.\d+)", "\n".join(arguments))
    found = {"guest": name and name.group(1), "machine": machine and machine.group(1), "psci": pin and pin.group(1)}
    return {key: value for key, value in found.items() if value}


# --- the host as a whole ---------------------------------------------------------------------------------------------------------------


def host_facts(name: str | None) -> Json:
    """The JSON object: keys of the inventory, and `probe` for the rest."""
    kvm = open_kvm()
    try:
        given, seen = kvm_facts(kvm)
    except OSError as problem:
        message = f"KVM refuses a scratch VM: {problem.strerror}"
        raise ProbeError(message) from None
    finally:
        os.close(kvm)
    found, (total, pages), vmms = cpus(), memory(), installed_vmms()
    facts: Json = {
        "host": name or platform.node(),
        "kernel": platform.release(),
        "vmm": vmms[0]["vmm"] if vmms else None,
        "vmm_profile": vmms[0].get("vmm_profile") if vmms else None,
        "midr": list(dict.fromkeys(entry["midr"] for entry in found)),
        "revidr": found[0]["revidr"] if len({entry["revidr"] for entry in found}) == 1 else None,
        "cmdline": text_of("/proc/cmdline"),
        "vulnerabilities": vulnerabilities(),
        "firmware": platform_firmware(),
        "vcpus": os.cpu_count(),
        "memory": f"{total}MiB" if total else None,
        "hugepages": [f"{size}KiB" for size, count in pages.items() if count],
        "counter_hz": counter_hz(),
    }
    facts.update(given)
    facts["registers"] = in_hexadecimal(facts["registers"])
    for entry in seen["lists"]:
        entry["registers"] = in_hexadecimal(entry["registers"])
    seen.update(format=FORMAT, build=platform.version(), cpus=found, hugepages=pages, installed=vmms, running=running_vmms())
    return dict({key: value for key, value in facts.items() if value is not None}, probe=seen)


def in_hexadecimal(registers: Registers) -> list[list[str]]:
    """Registers as an inventory has them."""
    return [[f"{register:#x}", f"{value:#x}"] for register, value in registers]


# --- restoring a dump ------------------------------------------------------------------------------------------------------------------


class DumpError(Exception):
    """The dump is none of the kinds that are known."""


Dump = Tuple[Registers, str]
"""Registers, and the order in which the VMM that made the dump writes them: `ascending` (QEMU) or `listed`."""


def read_dump(path: str) -> Dump:
    """A dump of any known kind. Raises DumpError."""
    try:
        document = json.loads(sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        message = f"{path} cannot be read: {problem}"
        raise DumpError(message) from None
    for reader in (probe_dump, qemu_dump, firecracker_dump, cloud_hypervisor_dump):
        try:
            found = reader(document)
        except (AttributeError, KeyError, TypeError, ValueError):
            continue
        if found:
            return found
    message = f"{path} is no dump that is known: a probe, analyze-migration.py of QEMU, Firecracker, Cloud Hypervisor"
    raise DumpError(message)


def number(value: Any) -> int:
    """A number, or a text of one."""
    return value if isinstance(value, int) else int(value, 0)


def probe_dump(document: Any) -> Dump | None:
    """What this probe printed of a host."""
    if isinstance(document, dict) and isinstance(document.get("registers"), list):
        return [(number(register), number(value)) for register, value in document["registers"]], "ascending"
    return None


def qemu_dump(document: Any) -> Dump | None:
    """What `analyze-migration.py -f STREAM` prints: a section `cpu (N)` with ids and values of the registers."""
    for name, section in document.items() if isinstance(document, dict) else ():
        if re.match(r"cpu( \(\d+\))?$", name) and isinstance(section, dict) and "cpreg_vmstate_indexes" in section:
            ids, values = words_of(section["cpreg_vmstate_indexes"]), words_of(section["cpreg_vmstate_values"])
            return list(zip(ids, values)), "ascending"
    return None


def words_of(field: Any) -> list[int]:
    """64-bit words: a list of numbers, or bytes in hex as the script prints long fields."""
    if isinstance(field, list):
        return [number(word) & (1 << 64) - 1 for word in field]
    raw = bytes.fromhex(re.sub(r"[^0-9a-fA-F]", "", field))
    return [word for (word,) in struct.iter_unpack(">Q", raw)]


def firecracker_dump(document: Any) -> Dump | None:
    """A fingerprint or a CPU template dump: `reg_modifiers` with `addr` and `bitmap`."""
    template = document.get("guest_cpu_config", document) if isinstance(document, dict) else {}
    rows = template.get("reg_modifiers") if isinstance(template, dict) else None
    if not rows:
        return None
    return [(number(row["addr"]), int(row["bitmap"].replace("0b", "").replace("x", "0"), 2)) for row in rows], "listed"


def cloud_hypervisor_dump(document: Any) -> Dump | None:
    """A vCPU's state: `sys_regs` with `id` and `addr`, wherever it stands in the snapshot."""
    if isinstance(document, dict):
        rows = document.get("sys_regs")
        if isinstance(rows, list) and rows and isinstance(rows[0], dict) and {"id", "addr"} <= rows[0].keys():
            return [(number(row["id"]), number(row["addr"])) for row in rows], "listed"
    inner = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    for value in inner:
        try:
            found = cloud_hypervisor_dump(json.loads(value) if isinstance(value, str) and value[:1] == "{" else value)
        except ValueError:
            continue
        if found:
            return found
    return None


def features_of(registers: Registers) -> list[str]:
    """The vCPU features that a dump shows: PMU and pointer authentication registers are listed only with them."""
    ids = {register for register, _ in registers}
    features = ["psci_0_2"]
    if system_register(3, 9, 12, 0) in ids:
        features.append("pmu")
    if system_register(0, 1, 2, 0) in ids:
        features.append("sve")
    if system_register(0, 2, 1, 0) in ids:
        features += ["ptrauth_address", "ptrauth_generic"]
    return features


def restore(registers: Registers, order: str) -> Json:
    """Write a dump to a scratch vCPU; every register that is refused, with what is there."""
    kvm = open_kvm()
    try:
        with Vm(kvm, [feature for feature in features_of(registers) if feature in offered_features(kvm)]) as vm:
            known = set(vm.ids())
            writes = [(register, value) for register, value in registers if is_migrated(register)]
            refused = []
            for register, value in sorted(writes) if order == "ascending" else writes:
                try:
                    vm.write(register, value)
                except (OSError, OverflowError) as problem:
                    code = errno.errorcode.get(getattr(problem, "errno", None) or errno.EINVAL)
                    there = f"{vm.read(register):#x}" if register in known else None
                    refused.append({"register": f"{register:#x}", "value": f"{value:#x}", "errno": code, "there": there})
    except OSError as problem:
        message = f"KVM refuses a scratch VM with the features of the dump: {problem.strerror}"
        raise ProbeError(message) from None
    finally:
        os.close(kvm)
    return {
        "format": FORMAT,
        "host": platform.node(),
        "kernel": platform.release(),
        "order": order,
        "written": len(writes),
        "refused": refused,
        "answer": "no" if refused else "the CPU registers can be restored",
        "not_seen": "devices, interrupt controller, memory, and the VMM's own checks of the list of registers",
    }


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Print the answer; returns the exit code."""
    parser = argparse.ArgumentParser(prog="fleetplan probe", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--name", help="the host's name in the inventory (default: its own)")
    parser.add_argument("--restore", metavar="DUMP", help="try to set the registers of a guest's dump (a file, or - for stdin)")
    orders = ("ascending", "listed")
    parser.add_argument("--order", choices=orders, help="the order of writing (default: that of the VMM that made the dump)")
    options = parser.parse_args(arguments)
    try:
        if options.restore is None:
            answer, code = host_facts(options.name), 0
        else:
            registers, order = read_dump(options.restore)
            answer = restore(registers, options.order or order)
            code = 1 if answer["refused"] else 0
    except (DumpError, ProbeError) as problem:
        print(f"probe: {problem}", file=sys.stderr)
        return 2 if isinstance(problem, DumpError) else 3
    print(json.dumps(answer, sort_keys=False))
    return code


if __name__ == "__main__":
    sys.exit(main())
