"""`explain` as a user types it: guests, messages in any shape, rules, and what is neither."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleetplan.cli.exits import Exit

REFUSED = "Could not set register fw reg 0 to 10003 (is 10001)"


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A guest of the new half that cannot go back, one that was captured, one of which no birth is known."""
    path = tmp_path / "fleet.yaml"
    path.write_text(
        """\
fleetplan: 1
target: {kernel: 6.18.15, vmm: qemu-11.1.3}
hosts:
  old: {kernel: 6.12.117, vmm: qemu-11.1.3, midr: 0x413fd0c1, revidr: 0x0, cmdline: quiet, vcpus: 80, memory: 256GiB}
  new: {like: old, kernel: 6.18.15}
guests:
  born-new: {on: new, vcpus: 8, memory: 32GiB, restart: ok, born: {kernel: 6.18.15}}
  captured: {on: new, vcpus: 8, memory: 32GiB, born: {kernel: 6.12.117, registers: [["0x6030000000140000", "0x10001"]]}}
  silent: {on: old, vcpus: 8, memory: 32GiB}
"""
    )
    return path


def test_a_guest_s_birth_says_how_it_is_known(fleetplan: Callable[..., Any], fleet: Path) -> None:
    known = {
        name: fleetplan("explain", fleet, name, "--format", "json").json["born"]["known"] for name in ("born-new", "captured", "silent")
    }
    assert known == {"born-new": "given", "captured": "captured", "silent": "assumed"}
    assert "assumed from its host" in fleetplan("explain", fleet, "silent").out


def test_a_guest_s_registers_stand_beside_its_host_s(fleetplan: Callable[..., Any], fleet: Path) -> None:
    told = fleetplan("explain", fleet, "silent", "--format", "json").json
    psci = told["registers"][0]
    assert (psci["guest"], psci["host"], psci["host_upgraded"]) == (["0x10001"], ["0x10001"], ["0x10003"])
    assert told["promise"][0]["psci"] == "1.1"


def test_destinations_say_whether_there_is_a_way_back(fleetplan: Callable[..., Any], fleet: Path) -> None:
    told = fleetplan("explain", fleet, "silent", "--format", "json").json["destinations"]
    assert [(one["hosts"], one["verdict"], one["way_back"]) for one in told] == [(["new"], "SAFE", True)]
    blocked = fleetplan("explain", fleet, "born-new", "--format", "json").json
    assert [(one["hosts"], one["verdict"], one["stage"]) for one in blocked["destinations"] if not one["upgraded"]] == [
        (["old"], "FAILS", "set")
    ]
    assert [way["psci"] for way in blocked["moves"][0]["ways"] if way["kind"] == "restart"] == ["1.1"]


def test_what_is_gone_since_the_last_boot_is_said(fleetplan: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(
        """\
fleetplan: 1
target: {kernel: 6.12.117, vmm: qemu-11.1.3}
hosts:
  bare:
    {kernel: 6.12.117, vmm: qemu-11.1.3, midr: 0x410fd083, revidr: 0x0, cmdline: quiet, vcpus: 16, memory: 64GiB,
     workarounds: {arch_workaround_1: 0, arch_workaround_2: 0, arch_workaround_3: 0}}
guests:
  web-1:
    on: bare
    vcpus: 8
    memory: 32GiB
    rebooted: never
    born: {kernel: 6.12.117, registers: [["0x6030000000140001", "0x1"], ["0x6030000000140002", "0x0"], ["0x6030000000140003", "0x1"]]}
"""
    )
    told = fleetplan("explain", path, "web-1", "--format", "json").json
    assert (told["gone"], told["unseen"]) == (["spectre-v2", "spectre-bhb"], [])
    assert "exposed to Spectre v2, Spectre BHB" in fleetplan("explain", path, "web-1").out


def test_with_a_host_the_verdict_is_told_in_full_now_and_then(fleetplan: Callable[..., Any], fleet: Path) -> None:
    told = fleetplan("explain", fleet, "born-new", "old")
    assert told.code == Exit.CLEAN
    assert "To old on 6.12.117 with qemu-11.1.3" in told.out
    assert "To old on 6.18.15 with qemu-11.1.3" in told.out
    assert REFUSED in told.out


@pytest.mark.parametrize("arguments", [[REFUSED], REFUSED.split(), ["--message", REFUSED], ["-"]])
def test_a_message_is_explained_however_it_is_given(
    fleetplan: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff 2026-11-24T10:33:21Z qemu-system-aarch64: " + REFUSED.encode())))
    told = fleetplan("explain", *arguments, "--format", "json")
    (register,) = told.json["registers"]
    assert (register["register"], register["written_words"], register["there_words"]) == (
        "PSCI_VERSION",
        "PSCI 1.3 (0x10003)",
        "PSCI 1.1 (0x10001)",
    )
    assert [(cause["kernel"], cause["leaving"]) for cause in register["causes"]] == [("6.13", "newer")]
    assert "set" in told.json["stages"]
    assert told.json["moves"] is None


@pytest.mark.parametrize("shape", [["INVENTORY", REFUSED], ["--inventory", "INVENTORY", REFUSED], ["INVENTORY", "--message", REFUSED]])
def test_with_an_inventory_the_moves_that_would_print_it_are_named(fleetplan: Callable[..., Any], fleet: Path, shape: list[str]) -> None:
    told = fleetplan("explain", *(str(fleet) if word == "INVENTORY" else word for word in shape), "--format", "json")
    assert [(one["guests"], one["source"], one["destinations"]) for one in told.json["moves"]] == [(["born-new"], "new", ["old"])]


def test_moves_between_pools_are_not_named(fleetplan: Callable[..., Any], fleet: Path) -> None:
    fleet.write_text(fleet.read_text().replace("guests:", "  apart: {like: old, pool: other}\nguests:"))
    told = fleetplan("explain", fleet, REFUSED, "--format", "json")
    assert [one["destinations"] for one in told.json["moves"]] == [["old"]]


def test_a_length_says_whose_lists_these_are(fleetplan: Callable[..., Any]) -> None:
    counts = fleetplan("explain", "Invalid value 258 expecting positive value <= 237", "--format", "json").json["counts"][0]
    assert {"first": "6.5", "last": "6.12"} in counts["source_kernels"]
    assert {"first": "5.10", "last": "5.10"} in counts["destination_kernels"]


def test_eleven_registers_with_one_cause_are_one_point(fleetplan: Callable[..., Any]) -> None:
    text = "handle_cpreg_only_in_incoming_stream: demuxed reg {:x} in the incoming stream but unknown on the destination: fail migration"
    told = fleetplan("explain", "\n".join(text.format(0x6020000000110003 + number) for number in range(11)))
    assert "11 registers, CCSIDR_EL1[3]" in told.out
    assert "from a kernel of 6.3 or later to an older one" in told.out


def test_a_register_alone_is_explained(fleetplan: Callable[..., Any]) -> None:
    assert "OSLSR_EL1" in fleetplan("explain", "S2_0_C1_C1_4").out


def test_unknown_text_is_a_finding_with_its_neighbour(fleetplan: Callable[..., Any]) -> None:
    told = fleetplan("explain", "Could not write a register fw reg zero to ten")
    assert told.code == Exit.FINDINGS
    assert "Nothing of this text is known." in told.out
    assert "Could not set register" in told.out


def test_a_rule_is_shown_with_its_fix(fleetplan: Callable[..., Any]) -> None:
    from fleetplan.findings.catalogue import RULES

    for name, rule in RULES.items():
        told = fleetplan("explain", name.lower(), "--format", "json")
        assert (told.code, told.json["fix"]) == (Exit.CLEAN, rule.fix)
    told = fleetplan("explain", "FP999")
    assert told.code == Exit.USAGE
    assert "no rule `FP999`" in told.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say what"),
        ([" "], "the message is empty"),
        (["INVENTORY"], "name a guest"),
        (["no/such.yaml", "web"], "no/such.yaml"),
        (["INVENTORY", "silnet"], "did you mean `silent`?"),
        (["INVENTORY", "silent", "odl"], "did you mean `old`?"),
        (["INVENTORY", "silent", "old", "new"], "at most one host"),
    ],
)
def test_wrong_use_is_told(fleetplan: Callable[..., Any], fleet: Path, arguments: list[str], said: str) -> None:
    told = fleetplan("explain", *(str(fleet) if word == "INVENTORY" else word for word in arguments))
    assert told.code == Exit.USAGE
    assert said in told.err.replace("\n", " ")


def test_a_waiver_that_is_shown_can_be_pasted(fleetplan: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    text = """\
fleetplan: 1
target: {kernel: 6.12.117, vmm: qemu-11.1.3}
hosts:
  a: {kernel: 6.12.117, vmm: qemu-11.1.3, midr: 0x413fd0c1, revidr: 0x0, cmdline: quiet, vcpus: 80, memory: 256GiB, counter_hz: 25000000}
  b: {like: a, counter_hz: 100000000}
guests:
  web-1: {on: a, vcpus: 8, memory: 32GiB}
"""
    path.write_text(text)
    day = ("--as-of", "2026-11-24")
    told = fleetplan("verdict", path, "web-1", "b", *day)
    lines = told.out[told.out.index("waivers:") - 4 :].splitlines()
    path.write_text(text + "\n".join(line[4:] for line in lines if line.startswith("    ")) + "\n")
    again = fleetplan("verdict", path, "web-1", "b", "--format", "json", *day)
    assert (again.code, again.json["verdict"], again.json["allowed"]) == (Exit.CLEAN, "STRIPS", True)
