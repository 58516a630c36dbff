"""Every answer about firmware registers that real kernels gave, against the model (`scripts/compact_observed.py`)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleetplan.firmware.errno import Errno
from fleetplan.firmware.hypercalls import VENDOR_FEATURES, Result, call
from fleetplan.firmware.kernels import parse, profiles
from fleetplan.firmware.profile import KernelProfile, Workaround2Era
from fleetplan.firmware.registers import ARM64, BY_ID, BY_NAME, Block, register_id
from fleetplan.firmware.vcpu import Kvm, Levels, VirtualMachine

DATA = json.loads((Path(__file__).resolve().parent.parent / "data" / "firmware.json").read_text())
HOSTS = DATA["hosts"]
U32 = 0x0020_0000_0000_0000


def body(host: dict[str, Any], section: str) -> Any:
    return DATA["bodies"][host[section]]


def profile_of(host: dict[str, Any]) -> KernelProfile:
    known = profiles(parse(host["kernel"])).known
    assert known is not None, host["kernel"]
    return known


def kvm_of(host: dict[str, Any]) -> Kvm:
    """KVM of the host, its levels taken from what a fresh vCPU read there."""
    fresh = {name: int(answers["default"], 16) for name, answers in body(host, "set")["psci02"].items() if "default" in answers}
    second = fresh.get("SMCCC_ARCH_WORKAROUND_2", 0)
    profile = profile_of(host)
    assert profile.workaround_2 is not Workaround2Era.FLAG
    levels = Levels(
        spectre_v2=fresh.get("SMCCC_ARCH_WORKAROUND_1", 0),
        ssb=3 if second == 3 else 0,
        bhb=fresh.get("SMCCC_ARCH_WORKAROUND_3", 0),
        ssbs=False,
    )
    return Kvm(profile=profile, levels=levels)


def machine_of(host: dict[str, Any]) -> VirtualMachine:
    return VirtualMachine(kvm_of(host))


def id_of(name: str) -> int:
    """The id of a register as the observations name it: `PSCI_VERSION`, `FW_REG_4(unassigned)`, `STD_BMAP as U32`."""
    if name.endswith(" as U32"):
        return BY_NAME[name.removesuffix(" as U32")].id & ~0x0030_0000_0000_0000 | U32 | ARM64
    if "(unassigned)" in name:
        stem, index = name.removesuffix("(unassigned)").rsplit("_", 1)
        return register_id(Block.FW if stem == "FW_REG" else Block.FW_FEAT_BMAP, int(index, 0))
    return BY_NAME[name].id


def ready(host: dict[str, Any], features: tuple[Any, ...] = ("psci_0_2",), vcpus: int = 1) -> VirtualMachine:
    machine = machine_of(host)
    for vcpu in range(vcpus):
        assert machine.init(vcpu, features).errno is None
    return machine


def errno(answer: Any) -> int:
    return int(answer.errno or 0)


def outcomes(answers: dict[str, Any]) -> Iterator[tuple[int, str, int]]:
    """`22>d` and its values: the errno, what a GET read next, and the value written."""
    for key, values in answers.items():
        if ">" in key:
            number, _, after = key.partition(">")
            for value in values.split():
                yield int(number), after, int(value, 16)


def read_back(machine: VirtualMachine, register: int, written: int, default: int | None) -> str:
    answer = machine.get(0, register)
    if answer.errno is not None:
        return f"!{int(answer.errno)}"
    if answer.value == written:
        return "="
    return "d" if answer.value == default else "?"


def check_sets(host: dict[str, Any], answers: dict[str, Any], runner: int | None, features: tuple[Any, ...]) -> int:
    """Write every value to a VM of its own; `runner` is the vCPU that ran before."""
    checked = 0
    for name, of_register in answers.items():
        register = id_of(name)
        for number, after, value in outcomes(of_register):
            machine = ready(host, features, vcpus=2)
            default = machine.get(0, register).value
            if "default" in of_register:
                assert default == int(of_register["default"], 16), (host["name"], name)
            if runner is not None:
                assert machine.run(runner).errno is None
            assert errno(machine.set(0, register, value)) == number, (host["name"], name, hex(value))
            found = read_back(machine, register, value, default)
            assert found == after or (after == "d" and found == "=" and value == default), (host["name"], name, hex(value))
            checked += 1
    return checked


def test_every_answer_of_every_host() -> None:
    counts: Counter[str] = Counter()
    for host in HOSTS:
        sets = body(host, "set")
        counts["set"] += check_sets(host, sets["psci02"], None, ("psci_0_2",))
        counts["set without PSCI_0_2"] += check_sets(host, sets.get("none", {}), None, ())
        if "set_after_run" in host:
            after = body(host, "set_after_run")
            counts["set after its own run"] += check_sets(host, after["same_vcpu_ran"], 0, ("psci_0_2",))
            other = after["other_vcpu_ran"]
            answers = after["same_vcpu_ran"] if isinstance(other, str) else other
            counts["set after another's run"] += check_sets(host, answers, 1, ("psci_0_2",))
    assert counts["set"] > 15_000
    assert counts["set after another's run"] > 10_000


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host["name"])
def test_what_is_changed_before_the_run_stays(host: dict[str, Any]) -> None:
    for name, seen in (body(host, "changed_then_run") if "changed_then_run" in host else {}).items():
        machine, register = ready(host), id_of(name)
        assert machine.get(0, register).value == int(seen["def"], 16)
        changed = int(seen["chg"], 16)
        assert machine.set(0, register, changed).errno is None
        assert machine.run(0).errno is None
        for value, (number, after) in ((None, seen["pre"]), (changed, seen["same"]), (int(seen["def"], 16), seen["back"])):
            # `pre` reads what there is after the run; the other two write and read.
            answer = machine.set(0, register, value) if value is not None else machine.get(0, register)
            assert errno(answer) == number, (host["name"], name)
            assert machine.get(0, register).value == int(after, 16), (host["name"], name)


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host["name"])
def test_state_belongs_to_the_vm_or_to_the_host(host: dict[str, Any]) -> None:
    for name, seen in (body(host, "scope") if "scope" in host else {}).items():
        machine, register = ready(host, vcpus=2), id_of(name)
        assert errno(machine.set(0, register, int(seen["chg"], 16))) == seen["set"]
        assert machine.get(0, register).value == int(seen["cpu0"], 16)
        assert machine.get(1, register).value == int(seen["cpu1"], 16)
        assert errno(machine.init(0)) == seen["reinit"][0]
        assert machine.get(0, register).value == int(seen["reinit"][1], 16)
        assert errno(machine.init(2)) == seen["latecpu"][0]
        assert machine.get(2, register).value == int(seen["latecpu"][1], 16)
        assert machine.get(0, register).value == int(seen["latecpu"][2], 16)


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host["name"])
def test_the_list_begins_with_the_firmware_registers(host: dict[str, Any]) -> None:
    refusal, ids = ready(host).reg_list(0)
    assert refusal is None
    assert [f"{register:x}" for register in ids] == body(host, "listed")


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host["name"])
def test_nothing_answers_before_init(host: dict[str, Any]) -> None:
    machine = machine_of(host)
    assert machine.reg_list(0)[0] is Errno.ENOEXEC
    assert machine.run(0).errno is Errno.ENOEXEC
    machine.init(1)
    for register in (*BY_ID, register_id(Block.FW, 9)):
        assert machine.get(0, register).errno is Errno.ENOEXEC
        assert machine.set(0, register, 0).errno is Errno.ENOEXEC


# --- what the guest's calls return ---------------------------------------------------------------------------------------------------

REGISTER_OF = {
    "psci": "PSCI_VERSION",
    "wa1": "SMCCC_ARCH_WORKAROUND_1",
    "wa2": "SMCCC_ARCH_WORKAROUND_2",
    "wa3": "SMCCC_ARCH_WORKAROUND_3",
    "std": "STD_BMAP",
    "stdhyp": "STD_HYP_BMAP",
    "vendor": "VENDOR_HYP_BMAP",
    "vendor2": "VENDOR_HYP_BMAP_2",
}


def told(result: Result) -> Any:
    """A result as the observations write it: x0 alone where the rest is 0, small numbers as integers."""
    if None in result:
        return "varies"
    x0 = result[0]
    assert x0 is not None
    if any(result[1:]):
        return ",".join(f"{word:x}" for word in result)
    return x0 if -10 < x0 < 10 else f"{x0:x}"


def agrees(result: Result, seen: Any) -> bool:
    found = told(result)
    if seen == ">=0":
        return found == "varies"
    if seen == "<0":
        return isinstance(found, int) and found < 0
    return found == seen or (isinstance(seen, str) and seen.endswith(",0,0,0") and str(found) == seen.partition(",")[0])


def test_every_call_of_every_guest() -> None:
    counts: Counter[str] = Counter()
    for host in HOSTS:
        guest = body(host, "guest")
        default = dict(zip(DATA["calls"], guest["default"], strict=True))
        for setting, differs in guest.items():
            counts[setting.partition("=")[0]] += check_calls(host, setting, default if setting == "default" else {**default, **differs})
    print(dict(counts))
    assert sum(counts.values()) > 100_000


def check_calls(host: dict[str, Any], setting: str, wanted: dict[str, Any]) -> int:
    """Put a setting onto a new VM, and make every call."""
    kvm = kvm_of(host)
    capabilities = frozenset({"arm_system_suspend"} if "syssuspend" in setting else ())
    if "cap" in wanted:
        assert not kvm.profile.psci_system_suspend
        return 1
    machine = VirtualMachine(kvm, capabilities)
    machine.init(0, () if setting == "nofeature" else ("psci_0_2",))
    name, _, value = setting.replace("+syssuspend", "").partition("=")
    if value:
        answer = machine.set(0, BY_NAME[REGISTER_OF[name]].id, int(value, 16))
        assert errno(answer) == wanted.get("set", 0), (host["name"], setting)
        if answer.errno is not None:
            return 1
    for text, seen in wanted.items():
        function, argument = (int(part, 16) for part in text.removesuffix(")").split("("))
        result = call(machine, kvm, function, argument)
        if function == VENDOR_FEATURES and isinstance(seen, int):
            # Most observations kept x0 alone of this call.
            result = (result[0], 0, 0, 0)
        assert agrees(result, seen), (host["name"], setting, text, seen, result)
    return len(wanted)
