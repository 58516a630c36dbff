"""`next` and `simulate` as a user calls them: exit codes, and what comes out where."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleetplan.cli.exits import Exit

Fleetplan = Callable[..., Any]


@pytest.fixture
def plan(fleetplan: Fleetplan, inventory: Path, tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    assert fleetplan("plan", inventory, "-o", path).code == Exit.CLEAN
    return path


def test_a_wave_is_a_plan_that_verify_takes(fleetplan: Fleetplan, inventory: Path, plan: Path, tmp_path: Path) -> None:
    wave, after = tmp_path / "wave.json", ("--state-after", "1")
    told = fleetplan("next", inventory, plan, *after, "--format", "json", "-o", wave)
    assert told.code == Exit.CLEAN
    assert told.json == json.loads(wave.read_text())
    assert told.json["part_of"]["wave"] == 2
    assert fleetplan("verify", inventory, wave, "--previous", plan, *after).code == Exit.CLEAN
    assert fleetplan("verify", inventory, wave).code == Exit.REFUTED


def test_next_says_when_nothing_is_left_and_when_nothing_can_go(fleetplan: Fleetplan, inventory: Path, plan: Path) -> None:
    assert fleetplan("next", inventory, plan, "--state-after", "3", "--format", "json").json["status"] == "FINISHED"
    text = inventory.read_text()
    inventory.write_text(text.replace("arm-03: {like: arm-01}", "arm-03: {like: arm-01, state: held}"))
    told = fleetplan("next", inventory, plan)
    assert told.code == Exit.NO_PLAN
    assert "arm-03: it is held" in told.out
    inventory.write_text(text.replace("6.18.15", "7.1.2"))
    other = fleetplan("next", inventory, plan)
    assert other.code == Exit.NO_PLAN
    assert "Another target needs a new plan and its approval" in other.out
    assert fleetplan("next", inventory, inventory).code == Exit.USAGE


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), Exit.CLEAN),
        (("--fail-move", "0.2", "--seed", "3"), Exit.CLEAN),
        (("--fail-move", "1"), Exit.FINDINGS),
        (("--fail-host", "1"), Exit.NO_PLAN),
        (("--fail-move", "2"), Exit.USAGE),
        (("--churn", "much"), Exit.USAGE),
    ],
)
def test_simulate_ends_with_its_exit_code(fleetplan: Fleetplan, inventory: Path, options: tuple[str, ...], code: Exit) -> None:
    assert fleetplan("simulate", inventory, *options).code == code


def test_simulate_takes_an_approved_plan_to_the_same_target(fleetplan: Fleetplan, inventory: Path, plan: Path) -> None:
    assert fleetplan("simulate", inventory, plan).out == fleetplan("simulate", inventory).out
    inventory.write_text(inventory.read_text().replace("6.18.15", "7.1.2"))
    told = fleetplan("simulate", inventory, plan)
    assert told.code == Exit.USAGE
    assert "7.1.2" in told.err
    assert "6.18.15" in told.err


def test_what_cannot_be_planned_is_not_rolled_forward(fleetplan: Fleetplan, inventory: Path) -> None:
    inventory.write_text(inventory.read_text().replace("migrate: never, restart: ok", "migrate: never"))
    told = fleetplan("simulate", inventory)
    assert (told.code, told.out) == (Exit.NO_PLAN, "")
    assert "may neither migrate nor restart" in told.err
