"""The probe: against a KVM that is the model of one, and what it reads from files and command lines."""

from __future__ import annotations

import array
import ast
import ctypes
import errno
import fcntl
import io
import json
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fleetplan import probe
from fleetplan.firmware.families import others
from fleetplan.firmware.registers import BY_NAME
from fleetplan.firmware.vcpu import VirtualMachine
from fleetplan.fleet.model import HostFacts, Platform, Release
from fleetplan.migration.offers import offer

KVM, VM, VCPU = 100, 200, 300
WORDS = {"pmu": "pmu_v3"}


class ModelKvm:
    """Answers the probe's ioctls as the model of a host does. A GET of a value that is not known reads 0."""

    def __init__(self, kernel: str, midr: int, *, sve: tuple[int, ...] = (), masks: dict[int, int] | None = None) -> None:
        facts = HostFacts(midr=midr, revidr=0, cmdline="quiet", platform=Platform(sve=sve))
        self.kvm = offer(Release(kernel, "qemu-11.1.3"), facts).kvms[0]
        self.midr = midr
        self.masks = masks
        self.has = {126: 1, 165: 48, 170: int(bool(sve)), 230: int(masks is not None)}
        self.sve = sve
        self.machine = VirtualMachine(self.kvm)
        self.open = 0

    def ioctl(self, descriptor: int, request: int, argument: Any = 0, mutate: bool = False) -> Any:
        if request == probe.CREATE_VM:
            self.machine, self.open = VirtualMachine(self.kvm), self.open + 1
            return VM
        if request == probe.CREATE_VCPU:
            self.open += 1
            return VCPU
        if request == probe.CHECK_EXTENSION:
            return self.has.get(argument, 0)
        if request == probe.ARM_VCPU_INIT:
            bits = struct.unpack_from("<I", argument, 4)[0]
            names = [WORDS.get(name, name) for name, bit in probe.FEATURE_BITS.items() if bits >> bit & 1]
            registers = others(self.kvm.profile, midr=self.midr, revidr=0, features=names)  # type: ignore[arg-type]
            self.machine = VirtualMachine(replace(self.kvm, others=registers))
            return self._done(self.machine.init(0, names).errno)  # type: ignore[arg-type]
        if request == probe.ARM_VCPU_FINALIZE:
            return self._done(self.machine.finalize(0).errno)
        if request == probe.GET_REG_LIST:
            refused, ids = self.machine.reg_list(0)
            self._done(refused)
            argument[0] = len(ids)
            argument[1 : len(ids) + 1] = array.array("Q", ids)
            return 0
        if request in {probe.GET_ONE_REG, probe.SET_ONE_REG}:
            return self._register(request, *struct.unpack("<QQ", argument))
        if request == probe.ARM_GET_REG_WRITABLE_MASKS:
            (address,) = struct.unpack_from("<Q", argument)
            table = (ctypes.c_uint64 * probe.FEATURE_ID_RANGE).from_address(address)
            for (op1, crm, op2), mask in (self.masks or {}).items():  # type: ignore[misc]
                table[probe.FEATURE_ID_OP1.index(op1) * 64 + crm * 8 + op2] = mask
            return 0
        if request == probe.CREATE_DEVICE:
            return self._done(None if struct.unpack("<III", argument)[0] == probe.GIC_DEVICES[3] else errno.ENODEV)
        return 0

    def _register(self, request: int, register: int, address: int) -> int:
        if register == probe.SVE_LENGTHS:
            words = [0] * 8
            for length in self.sve:
                words[(length // 128 - 1) // 64] |= 1 << (length // 128 - 1) % 64
            ctypes.memmove(address, struct.pack("<8Q", *words), 64)
            return 0
        if request == probe.SET_ONE_REG:
            return self._done(self.machine.set(0, register, struct.unpack("<Q", ctypes.string_at(address, 8))[0]).errno)
        answer = self.machine.get(0, register)
        size = 1 << (register >> 52 & 0xF)
        ctypes.memmove(address, ((answer.value or 0) & (1 << 8 * size) - 1).to_bytes(size, "little"), size)
        return self._done(answer.errno)

    def _done(self, refused: int | None) -> int:
        if refused is not None:
            raise OSError(int(refused), os.strerror(int(refused)))
        return 0


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(kernel: str = "6.12.117", midr: int = 0x413FD0C1, **more: Any) -> ModelKvm:
        kvm = ModelKvm(kernel, midr, **more)
        monkeypatch.setattr(fcntl, "ioctl", kvm.ioctl)
        monkeypatch.setattr(probe, "open_kvm", lambda: KVM)
        monkeypatch.setattr(os, "close", lambda descriptor: None if descriptor in {KVM, VM, VCPU} else CLOSE(descriptor))
        return kvm

    return made


CLOSE = os.close


def test_it_lists_what_the_kvm_gives(host: Any) -> None:
    kvm = host()
    facts, seen = probe.kvm_facts(KVM)
    errno_of_list, ids = kvm.machine.reg_list(0)
    assert errno_of_list is None
    assert tuple(register for register, _ in seen["lists"][0]["registers"]) == ids
    assert facts["registers"] == seen["lists"][1]["registers"]
    assert {BY_NAME[name].id for name in kvm.kvm.profile.registers} <= set(ids)
    assert dict(facts["registers"])[probe.PSCI_VERSION] == 0x10001
    assert seen["psci_accepted"] == ["0.2", "1.0", "1.1"]
    assert (facts["gic"], facts["features"], facts["ipa_bits"], facts["sve"]) == ([3], ["pmu"], 48, [])
    assert "masks" not in facts
    assert [entry["features"] for entry in seen["lists"]] == [["psci_0_2"], ["psci_0_2", "pmu"]]
    assert len(seen["lists"][0]["registers"]) < len(seen["lists"][1]["registers"])


@pytest.mark.parametrize(("kernel", "accepted"), [("5.10.223", "0.2 1.0"), ("6.18.15", "0.2 1.0 1.1 1.2 1.3")])
def test_accepted_psci_versions_are_tried(host: Any, kernel: str, accepted: str) -> None:
    host(kernel)
    assert probe.accepted_psci(KVM) == accepted.split()


def test_sve_lengths_and_masks(host: Any) -> None:
    host("6.18.15", 0x411FD401, sve=(128, 256), masks={(0, 4, 1): 0xF0, (3, 0, 1): 0x7})
    facts, seen = probe.kvm_facts(KVM)
    assert facts["sve"] == [128, 256]
    assert seen["vcpu_features"] == ["psci_0_2", "pmu", "sve"]
    assert facts["masks"] == {"0x603000000013c021": "0xf0", "0x603000000013d801": "0x7"}


def test_a_dump_of_the_same_host_can_be_restored(host: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kvm = host()
    facts, _ = probe.kvm_facts(KVM)
    dump = tmp_path / "dump.json"
    dump.write_text(json.dumps({"registers": probe.in_hexadecimal(facts["registers"])}))
    before = kvm.open
    assert probe.main(["--restore", str(dump)]) == 0
    assert kvm.open - before == 2
    answer = json.loads(capsys.readouterr().out)
    assert (answer["answer"], answer["refused"]) == ("the CPU registers can be restored", [])
    assert answer["written"] == len(facts["registers"])


def test_a_newer_dump_is_refused_register_by_register(host: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host("6.18.15")
    facts, _ = probe.kvm_facts(KVM)
    dump = tmp_path / "dump.json"
    dump.write_text(json.dumps({"registers": probe.in_hexadecimal(facts["registers"])}))
    host("6.12.117")
    assert probe.main(["--restore", str(dump)]) == 1
    refused = {row["register"]: row for row in json.loads(capsys.readouterr().out)["refused"]}
    assert refused["0x6030000000140000"] == {"register": "0x6030000000140000", "value": "0x10003", "errno": "EINVAL", "there": "0x10001"}
    assert refused["0x6030000000160003"] == {"register": "0x6030000000160003", "value": "0x0", "errno": "ENOENT", "there": None}


ROWS = [(0x6030000000140000, 0x10001), (0x603000000013C021, 0x20)]
DUMPS = {
    "probe": ({"registers": [["0x6030000000140000", "0x10001"], ["0x603000000013c021", "0x20"]]}, "ascending"),
    "qemu": (
        {"ram": {}, "cpu (46)": {"cpreg_vmstate_indexes": [r for r, _ in ROWS], "cpreg_vmstate_values": [v for _, v in ROWS]}},
        "ascending",
    ),
    "qemu, long fields": (
        {
            "cpu": {
                "cpreg_vmstate_indexes": "60 30 00 00 00 14 00 00 60 30 00 00 00 13 c0 21",
                "cpreg_vmstate_values": "00 00 00 00 00 01 00 01 00 00 00 00 00 00 00 20",
            }
        },
        "ascending",
    ),
    "firecracker": (
        {"guest_cpu_config": {"reg_modifiers": [{"addr": "0x6030000000140000", "bitmap": "0b10000000000000001"},
                                                {"addr": "0x603000000013c021", "bitmap": "0b100000"}]}},
        "listed",
    ),
    "cloud hypervisor": (
        {"snapshots": {"vcpu": json.dumps({"Kvm": {"sys_regs": [{"id": r, "addr": v} for r, v in ROWS]}})}},
        "listed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DUMPS)
def test_dumps_of_all_kinds(kind: str, tmp_path: Path) -> None:
    document, order = DUMPS[kind]
    path = tmp_path / "dump"
    path.write_text(json.dumps(document))
    assert probe.read_dump(str(path)) == (ROWS, order)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '"x"', '{"registers": 7}', '{"registers": [[1]]}', '{"sys_regs": [{}]}', '{"reg_modifiers": [{"addr": 1}]}']
)
def test_what_is_no_dump_is_told(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dump"
    path.write_text(text)
    assert probe.main(["--restore", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)", "qemu-7.2.22"),
        ("QEMU emulator version 10.1.0 (qemu-kvm-10.1.0-16.el10)", "qemu-10.1.0-16.el10"),
        ("QEMU emulator version 11.1.3", "qemu-11.1.3"),
        ("cloud-hypervisor v44.0", "cloud-hypervisor-44.0"),
        ("Firecracker v1.10.1", "firecracker-1.10.1"),
        ("bash 5.2", None),
        (None, None),
    ],
)
def test_vmm_names(version: str | None, name: str | None) -> None:
    assert probe.vmm_name(version) == name


def test_a_qemu_command_line_tells_the_guest() -> None:
    line = "qemu-system-aarch64 -name guest=web-1,debug-threads=on -machine virt-10.0,usb=off"
    arguments = [*line.split(), "-global", "host-arm-cpu.kvm-psci-version=1.1"]
    assert probe.guest_of(arguments) == {
        "guest": "web-1",
        "machine": "virt-10.0",
        "psci": "1.1",
    }
    assert probe.guest_of(["qemu-system-aarch64"]) == {}


@pytest.mark.parametrize(
    ("features", "ids"),
    [
        (["psci_0_2"], []),
        (["psci_0_2", "pmu"], [0x603000000013DCE0]),
        (["psci_0_2", "sve"], [0x603000000013C090]),
        (["psci_0_2", "ptrauth_address", "ptrauth_generic"], [0x603000000013C108]),
    ],
)
def test_features_show_in_a_dump(features: list[str], ids: list[int]) -> None:
    assert probe.features_of([(register, 0) for register in ids]) == features


def test_binaries_tell_how_they_load(tmp_path: Path) -> None:
    binary = tmp_path / "qemu"
    for texts, profile in (("", "A-S1"), ("Failed to put registers after init", "A-S2"), ("Could not set register", "A-S3")):
        binary.write_text("ELF" + texts)
        assert probe.loads_as(str(binary)) == profile
    assert probe.loads_as(str(tmp_path / "none")) is None


def test_the_script_is_for_old_pythons_and_stands_alone() -> None:
    source = Path(probe.__file__).read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in imports if isinstance(node, ast.ImportFrom)}
    assert names <= {*sys.stdlib_module_names}


def test_it_says_why_a_host_cannot_be_probed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert probe.main([]) == 3
    assert "no arm64 host (x86_64)" in capsys.readouterr().err
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    for problem, words in ((errno.ENOENT, "no /dev/kvm"), (errno.EACCES, "group `kvm`"), (errno.EBUSY, "cannot be opened")):

        def refuse(*_: object, problem: int = problem) -> int:
            raise OSError(problem, os.strerror(problem))

        monkeypatch.setattr(os, "open", refuse)
        assert probe.main([]) == 3
        assert words in capsys.readouterr().err


def test_the_verb_prints_the_script_itself() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "fleetplan"), "probe", "--emit-script"], capture_output=True, text=True, check=True
    )
    assert done.stdout == Path(probe.__file__).read_text()


def test_a_dump_may_come_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(DUMPS["qemu"][0])))
    assert probe.read_dump("-") == (ROWS, "ascending")
