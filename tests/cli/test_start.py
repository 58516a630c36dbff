"""When in the week a plan is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleetplan.cli.exits import Exit

Fleetplan = Callable[..., Any]

WINDOWED = """\
fleetplan: 1
target: {kernel: 6.18.15, vmm: qemu-11.1.3}
policy: {max_unavailable: {fleet: 1}, windows: [{days: [tue, fri], start: 22:00, end: 04:00}]}
defaults: {host: {kernel: 6.12.117, vmm: qemu-11.1.3, cpu: neoverse-n1, vcpus: 8, memory: 16GiB, zone: z, pool: p}}
hosts: {a: {}, b: {}}
guests: {g: {on: a, vcpus: 2, memory: 4GiB}}
"""


@pytest.fixture
def windowed(tmp_path: Path) -> Path:
    path = tmp_path / "windowed.yaml"
    path.write_text(WINDOWED)
    return path


def first_start_s(told: Any) -> int:
    return min(int(step["start_s"]) for wave in told.json["waves"] for step in wave["steps"])


@pytest.mark.parametrize(
    ("start", "begins_min", "waits_s"),
    [
        ("Tue 22:00", 2_760, 0),
        ("tue 21:30", 2_730, 1_800),
        ("WED  03:00", 3_060, 0),
        ("Wed 04:00", 3_120, (2 * 24 + 18) * 3_600),
        ("Sun 23:59", 10_079, (24 + 22) * 3_600 + 60),
    ],
)
def test_a_plan_waits_for_windows_from_where_it_is_started(
    fleetplan: Fleetplan, windowed: Path, tmp_path: Path, start: str, begins_min: int, waits_s: int
) -> None:
    path = tmp_path / "plan.json"
    told = fleetplan("plan", windowed, "--start", start, "--format", "json", "-o", path)
    assert (told.code, told.json["begins_min"]) == (Exit.CLEAN, begins_min)
    assert first_start_s(told) == waits_s
    assert fleetplan("verify", windowed, path).code == Exit.CLEAN


def test_without_a_start_it_is_the_first_opening_of_the_week(fleetplan: Fleetplan, windowed: Path) -> None:
    assert fleetplan("plan", windowed, "--format", "json").json["begins_min"] == 2_760
    assert "Times count from Tue 22:00 UTC." in fleetplan("plan", windowed).out
    assert "Times count from Fri 21:05 UTC." in fleetplan("plan", windowed, "--start", "Fri 21:05").out


@pytest.mark.parametrize("start", ["22:00", "Tue", "Tue 24:00", "Tue 7:00", "Tues 22:00", "Die 22:00", ""])
def test_what_is_no_time_of_the_week_is_refused(fleetplan: Fleetplan, windowed: Path, start: str) -> None:
    told = fleetplan("plan", windowed, "--start", start)
    assert told.code == Exit.USAGE
    assert f"`{start}` is no time of the week" in told.err


def test_a_fleet_without_windows_has_no_start(fleetplan: Fleetplan, inventory: Path) -> None:
    told = fleetplan("plan", inventory, "--start", "Tue 22:00")
    assert told.code == Exit.USAGE
    assert "this inventory has none" in told.err
