"""fleetplan audit: moments, formats, and what does not go together."""

from __future__ import annotations

import csv
from collections.abc import Callable
from io import StringIO
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


def test_a_moment_may_be_named_in_several_ways(fleetplan: Fleetplan, inventory: Path, plan: Path) -> None:
    def wave(*words: str) -> int:
        found: int = fleetplan("audit", inventory, "--plan", plan, "--format", "json", *words).json["wave"]
        return found

    last = wave("--at", "end")
    assert last > 1
    assert [wave(), wave("--at", "now"), wave("--at", "After  Wave 1"), wave("--at", "wave 1"), wave("--at", "1")] == [0, 0, 1, 1, 1]


def test_the_timeline_begins_now_and_its_moments_are_those_that_can_be_asked_for(fleetplan: Fleetplan, inventory: Path, plan: Path) -> None:
    whole = fleetplan("audit", inventory, "--plan", plan, "--format", "json").json
    for moment in whole["timeline"]:
        then = fleetplan("audit", inventory, "--plan", plan, "--format", "json", "--at", str(moment["wave"])).json
        assert then["exposed"] == {key: moment[key] for key in ("guests", "at_least", "at_most", "flaws")}
    assert whole["exposed"] == {key: whole["timeline"][0][key] for key in ("guests", "at_least", "at_most", "flaws")}


def test_every_guest_is_named_once(fleetplan: Fleetplan, inventory: Path) -> None:
    found = fleetplan("audit", inventory, "--format", "json").json
    names = [guest for band in found["guests"] for guest in band["guests"]]
    rows = list(csv.DictReader(StringIO(fleetplan("audit", inventory, "--format", "csv").out)))
    assert len(set(names)) == len(names) == found["exposed"]["guests"]
    assert [row["guest"] for row in rows] == sorted(names)


@pytest.mark.parametrize(
    "words",
    [
        ("--at", "end"),
        ("--at", "after wave 3"),
        ("--timeline", "--format", "csv"),
        ("--format", "svg"),
        ("--plan", "PLAN", "--timeline"),
        ("--plan", "PLAN", "--at", "after wave 99"),
        ("--at", "yesterday"),
        ("--at", "-1"),
    ],
)
def test_what_does_not_go_together_is_refused(fleetplan: Fleetplan, inventory: Path, plan: Path, words: tuple[str, ...]) -> None:
    done = fleetplan("audit", inventory, *(str(plan) if word == "PLAN" else word for word in words))
    assert done.code == Exit.USAGE
    assert not done.out


def test_a_plan_for_another_fleet_is_refused(fleetplan: Fleetplan, plan: Path) -> None:
    other = Path(__file__).resolve().parent.parent.parent / "inventories" / "small.yaml"
    done = fleetplan("audit", other, "--plan", plan)
    assert done.code in {Exit.USAGE, Exit.REFUTED}
    assert not done.out
