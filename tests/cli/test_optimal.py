"""`plan --optimal`: better plans where the solver is there, and a word where it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleetplan.cli.exits import Exit
from fleetplan.planner.exact import improve

Fleetplan = Callable[..., Any]


def test_what_was_proved_is_in_the_plan_and_the_plan_passes_verification(fleetplan: Fleetplan, inventory: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    told = fleetplan("plan", inventory, "--optimal", "2", "--format", "json", "-o", plan)
    assert (told.code, told.err) == (Exit.CLEAN, "")
    assert told.json["status"] == "OPTIMAL"
    assert fleetplan("verify", inventory, plan).code == Exit.CLEAN


def test_a_missing_solver_is_told(fleetplan: Fleetplan, inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleetplan.planner.exact.solver.find_spec", lambda _: None)
    told = fleetplan("plan", inventory, "--optimal", "2")
    assert (told.code, told.out) == (Exit.USAGE, "")
    assert "pip install 'fleetplan[optimal]'" in told.err


def test_a_fleet_that_is_too_large_is_told(fleetplan: Fleetplan, inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(improve, "MOST_LANDINGS", 0)
    told = fleetplan("plan", inventory, "--optimal", "2")
    assert (told.code, told.out) == (Exit.USAGE, "")
    assert "too large" in told.err


def test_no_time_is_wrong_usage(fleetplan: Fleetplan, inventory: Path) -> None:
    assert fleetplan("plan", inventory, "--optimal", "0").code == Exit.USAGE


def test_that_there_is_no_plan_is_said_to_be_proved(fleetplan: Fleetplan, inventory: Path) -> None:
    """No guest fits on another host, and none is empty."""
    text = inventory.read_text().replace("  arm-03: {like: arm-01}\n", "").replace("vcpus: 8, memory: 32GiB", "vcpus: 80, memory: 32GiB")
    inventory.write_text(text.replace(", migrate: never, restart: ok", ""))
    for arguments in ((), ("--optimal", "2")):
        told = fleetplan("plan", inventory, *arguments)
        assert told.code == Exit.NO_PLAN
        assert "exists: that is proved" in told.out
        assert fleetplan("plan", inventory, *arguments, "--format", "json").json["proved"] is True
