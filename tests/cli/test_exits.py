"""Exit codes and streams: data to stdout, talk to stderr."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleetplan import __version__, workflow
from fleetplan.cli.exits import Exit
from fleetplan.cli.group import VERBS

Fleetplan = Callable[..., Any]


def test_version_and_help(fleetplan: Fleetplan) -> None:
    assert __version__ in fleetplan("--version").out
    told = fleetplan("--help")
    assert told.code == Exit.CLEAN
    assert all(verb in told.out for verb in VERBS)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_help(fleetplan: Fleetplan, verb: str) -> None:
    told = fleetplan(verb, "--help")
    assert told.code == Exit.CLEAN
    assert "usage: fleetplan" in told.out.lower()


@pytest.mark.parametrize("arguments", [("nonsense",), ("plan",), ("plan", "x", "--format", "yaml"), ("--nonsense",)])
def test_wrong_usage_is_told_on_stderr(fleetplan: Fleetplan, arguments: tuple[str, ...]) -> None:
    told = fleetplan(*arguments)
    assert told.code == Exit.USAGE
    assert told.out == ""
    assert "Error" in told.err


def test_a_plan_is_data_on_stdout_alone(fleetplan: Fleetplan, inventory: Path) -> None:
    told = fleetplan("plan", inventory, "--format", "json")
    assert told.code == Exit.CLEAN
    assert told.err == ""
    assert told.json["version"] == 1


def test_a_plan_passes_verification_and_a_corrupted_one_does_not(fleetplan: Fleetplan, inventory: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    assert fleetplan("plan", inventory, "-o", plan).code == Exit.CLEAN
    assert fleetplan("verify", inventory, plan, "--format", "json").json == {"version": 1, "ok": True, "violations": []}
    content = json.loads(plan.read_text())
    for wave in content["waves"]:
        wave["steps"] = [step for step in wave["steps"] if step["kind"] != "migrate"]
    plan.write_text(json.dumps(content))
    told = fleetplan("verify", inventory, plan, "--format", "json")
    assert told.code == Exit.REFUTED
    assert told.json["ok"] is False
    assert {violation["invariant"] for violation in told.json["violations"]} == {"order"}


def test_a_truncated_plan_is_no_plan(fleetplan: Fleetplan, inventory: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    fleetplan("plan", inventory, "-o", plan)
    plan.write_bytes(plan.read_bytes()[:300])
    told = fleetplan("verify", inventory, plan)
    assert told.code == Exit.USAGE
    assert "FP126" in told.err


def test_a_plan_for_another_inventory_is_refuted(fleetplan: Fleetplan, inventory: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    fleetplan("plan", inventory, "-o", plan)
    inventory.write_text(inventory.read_text().replace("vcpus: 8, memory: 32GiB}", "vcpus: 9, memory: 32GiB}"))
    told = fleetplan("verify", inventory, plan, "--format", "json")
    assert told.code == Exit.REFUTED
    assert {violation["invariant"] for violation in told.json["violations"]} == {"inventory"}


@pytest.mark.parametrize("verb", ["plan", "registers"])
def test_invalid_input_is_told_on_stderr(fleetplan: Fleetplan, inventory: Path, verb: str) -> None:
    inventory.write_text(inventory.read_text().replace("on: arm-01", "on: arm-001"))
    told = fleetplan(verb, inventory)
    assert told.code == Exit.USAGE
    assert told.out == ""
    assert "fleet.yaml:8:" in told.err
    assert "did you mean `arm-01`?" in told.err


def test_check_tells_invalid_input_in_its_own_format(fleetplan: Fleetplan, inventory: Path) -> None:
    inventory.write_text(inventory.read_text().replace("on: arm-01", "on: arm-001"))
    told = fleetplan("check", inventory, "--format", "json")
    assert told.code == Exit.USAGE
    assert [finding["line"] for finding in told.json["findings"]] == [8]


def test_an_unknown_guest_is_told_with_what_may_be_meant(fleetplan: Fleetplan, inventory: Path) -> None:
    told = fleetplan("verdict", inventory, "web-11", "arm-02")
    assert told.code == Exit.USAGE
    assert "did you mean `web-1`?" in told.err


def test_no_safe_plan_is_an_answer_with_a_code_of_its_own(fleetplan: Fleetplan, inventory: Path, tmp_path: Path) -> None:
    inventory.write_text(inventory.read_text().replace(", restart: ok", ""))
    plan = tmp_path / "plan.json"
    told = fleetplan("plan", inventory, "--format", "json", "-o", plan)
    assert told.code == Exit.NO_PLAN
    assert told.json["status"] == "INFEASIBLE"
    assert told.json == json.loads(plan.read_text())
    assert "db-1" in told.out


def test_a_plan_that_cannot_be_written_leaves_nothing_behind(fleetplan: Fleetplan, inventory: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    told = fleetplan("plan", inventory, "-o", tmp_path / "missing" / "plan.json")
    assert told.code == Exit.USAGE
    assert sorted(tmp_path.iterdir()) == before


def test_a_bug_has_a_code_of_its_own(fleetplan: Fleetplan, inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(workflow, "study", fails)
    told = fleetplan("check", inventory)
    assert told.code == Exit.BUG
    assert "bug in fleetplan" in told.err


def test_fail_on_decides_what_a_finding_means(fleetplan: Fleetplan, inventory: Path) -> None:
    inventory.write_text(inventory.read_text().replace("vcpus: 8, memory: 32GiB}", "vcpus: 81, memory: 32GiB}"))
    assert fleetplan("check", inventory).code == Exit.CLEAN
    assert fleetplan("check", inventory, "--fail-on", "warning").code == Exit.FINDINGS
