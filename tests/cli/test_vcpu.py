"""Register operations on the model of a host."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleetplan.cli.exits import Exit

Ask = Callable[..., list[dict[str, Any]]]
PSCI, WA1, STD = "0x6030000000140000", "0x6030000000140001", "0x6030000000160000"


@pytest.fixture
def ask(fleetplan: Callable[..., Any], inventory: Path, tmp_path: Path) -> Ask:
    """The answers of `arm-01`, a Neoverse N1 on 6.12.117."""

    def call(*operations: dict[str, Any]) -> list[dict[str, Any]]:
        path = tmp_path / "operations.jsonl"
        path.write_text("".join(json.dumps(operation) + "\n" for operation in operations))
        told = fleetplan("vcpu", inventory, "arm-01", path)
        assert told.code == Exit.CLEAN, told.err
        return [json.loads(line) for line in told.out.splitlines()]

    return call


INIT = {"op": "init", "vcpu": 0, "features": ["psci_0_2"]}


def test_get_set_and_run(ask: Ask) -> None:
    assert ask(
        {"op": "get", "vcpu": 0, "id": PSCI},
        INIT,
        {"op": "get", "vcpu": 0, "id": PSCI},
        {"op": "set", "vcpu": 0, "id": PSCI, "value": "0x10003"},
        {"op": "set", "vcpu": 0, "id": PSCI, "value": "0x10000"},
        {"op": "set", "vcpu": 0, "id": PSCI, "value": None},
        {"op": "get", "vcpu": 0, "id": WA1},
        {"op": "run", "vcpu": 0},
        {"op": "set", "vcpu": 0, "id": STD, "value": "0x0"},
        {"op": "get", "vcpu": 0, "id": "0x6030000000160003"},
    ) == [
        {"errno": "ENOEXEC"},
        {"errno": None},
        {"errno": None, "value": "0x10001"},
        {"errno": "EINVAL"},
        {"errno": None},
        {"errno": "EFAULT"},
        {"errno": None, "value": "0x2"},
        {"errno": None},
        {"errno": "EBUSY"},
        {"errno": "ENOENT"},
    ]


def test_the_list_follows_the_features_of_the_first_init(ask: Ask) -> None:
    _, plain, _, _, with_pmu = ask(
        INIT,
        {"op": "list", "vcpu": 0},
        {"op": "vm"},
        {"op": "init", "vcpu": 0, "features": ["psci_0_2", "pmu_v3"]},
        {"op": "list", "vcpu": 0},
    )
    assert plain["ids"][:7] == with_pmu["ids"][:7]
    assert len(with_pmu["ids"]) - len(plain["ids"]) == 74


def test_calls_of_the_guest(ask: Ask) -> None:
    answers = ask(
        {"op": "vm", "caps": ["arm_system_suspend"]},
        {"op": "hvc", "vcpu": 0, "function": "0x84000000"},
        INIT,
        {"op": "hvc", "vcpu": 0, "function": "0x84000000"},
        {"op": "hvc", "vcpu": 0, "function": "0x8400000a", "arg": "0x8400000e"},
        {"op": "hvc", "vcpu": 0, "function": "0x80000001", "arg": "0x80007fff"},
        {"op": "hvc", "vcpu": 0, "function": "0x84000053", "arg": "0x20"},
    )
    assert answers[1] == {"errno": "ENOEXEC"}
    assert [answer["result"] for answer in answers[3:]] == [
        ["0x10001", "0x0", "0x0", "0x0"],
        ["0x0", "0x0", "0x0", "0x0"],
        ["0xffffffffffffffff", "0x0", "0x0", "0x0"],
        [None, None, None, None],
    ]


def test_what_is_not_known_has_candidates(fleetplan: Callable[..., Any], inventory: Path, tmp_path: Path) -> None:
    inventory.write_text(inventory.read_text().replace("cpu: neoverse-n1, ", ""))
    path = tmp_path / "operations.jsonl"
    path.write_text(json.dumps(INIT) + "\n" + json.dumps({"op": "get", "vcpu": 0, "id": WA1}) + "\n")
    lines = fleetplan("vcpu", inventory, "arm-01", path).out.splitlines()
    assert {answer["value"] for answer in json.loads(lines[1])["candidates"]} == {"0x0", "0x1", "0x2"}


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"op": "dance"}',
        '{"op": "get", "vcpu": 0}',
        '{"op": "get", "vcpu": 0, "id": "6030"}',
        '{"op": "get", "vcpu": -1, "id": "0x0"}',
        '{"op": "init", "vcpu": 0, "features": ["wings"]}',
        '{"op": "vm", "caps": ["wings"]}',
        '{"op": "set", "vcpu": 0, "id": "0x0", "value": "0x10000000000000000"}',
        '{"op": "run", "vcpu": 0, "more": 1}',
    ],
)
def test_a_malformed_line_is_told_before_any_answer(fleetplan: Callable[..., Any], inventory: Path, tmp_path: Path, line: str) -> None:
    path = tmp_path / "operations.jsonl"
    path.write_text(json.dumps(INIT) + "\n" + line + "\n")
    told = fleetplan("vcpu", inventory, "arm-01", path)
    assert told.code == Exit.USAGE
    assert told.out == ""
    assert "operations.jsonl:2:1: error FP128" in told.err
