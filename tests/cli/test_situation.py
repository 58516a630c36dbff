"""Plans that begin after a wave of another plan, or lead to another release."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleetplan.cli.exits import Exit

Fleetplan = Callable[..., Any]
OLD = "6.12.117,qemu-11.1.3"


@pytest.fixture
def plan(fleetplan: Fleetplan, inventory: Path, tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    assert fleetplan("plan", inventory, "-o", path).code == Exit.CLEAN
    return path


def test_a_rollout_goes_back_from_the_middle(fleetplan: Fleetplan, inventory: Path, plan: Path, tmp_path: Path) -> None:
    """The way back upgrades the hosts of the first waves only, and holds from that state, and from no other."""
    middle, back = ("--previous", plan, "--state-after", "1"), tmp_path / "back.json"
    told = fleetplan("plan", inventory, *middle, "--target", OLD, "--format", "json", "-o", back)
    assert told.code == Exit.CLEAN
    forth = fleetplan("plan", inventory, "--format", "json").json
    assert [host for wave in told.json["waves"] for host in wave["hosts"]] == forth["waves"][0]["hosts"]
    assert told.json["target"] == forth["back_to"]
    assert fleetplan("verify", inventory, back, *middle, "--target", OLD).code == Exit.CLEAN
    assert fleetplan("verify", inventory, back, "--previous", plan, "--state-after", "2", "--target", OLD).code == Exit.REFUTED
    assert fleetplan("verify", inventory, back).code == Exit.REFUTED


def test_after_the_last_wave_nothing_is_left_to_do(fleetplan: Fleetplan, inventory: Path, plan: Path) -> None:
    waves = len(fleetplan("plan", inventory, "--format", "json").json["waves"])
    told = fleetplan("plan", inventory, "--previous", plan, "--state-after", waves)
    assert told.code == Exit.CLEAN
    assert "Nothing to do" in told.out


def test_another_target_alone(fleetplan: Fleetplan, inventory: Path) -> None:
    assert "Nothing to do" in fleetplan("plan", inventory, "--target", OLD).out
    assert fleetplan("plan", inventory, "--target", "7.1.2,qemu-11.1.3", "--format", "json").json["target"]["kernel"] == "7.1.2"


def test_courses_are_compared_with_their_sums(fleetplan: Fleetplan, inventory: Path, plan: Path) -> None:
    told = fleetplan(
        "plan", inventory, "--target", "7.1.2,qemu-11.1.3", "--compare", "--format", "json", "--previous", plan, "--state-after", 1
    )
    finish, now = told.json["courses"]
    assert [each["target"]["kernel"] for each in finish["added"]["plans"]] == ["6.18.15", "7.1.2"]
    assert [each["target"]["kernel"] for each in now["added"]["plans"]] == ["7.1.2"]
    for key in ("upgrades", "moves", "restarts", "waves", "makespan_s"):
        assert finish["added"][key] == sum(each[key] for each in finish["added"]["plans"])
    assert now["added"]["upgrades"] == 3
    assert now["added"]["waiting_s"] < finish["added"]["waiting_s"]


def test_a_course_that_does_not_exist_says_why(fleetplan: Fleetplan, inventory: Path) -> None:
    text = inventory.read_text().replace("migrate: never, restart: ok", "migrate: never")
    inventory.write_text(text)
    told = fleetplan("plan", inventory, "--target", "7.1.2,qemu-11.1.3", "--compare")
    assert told.code == Exit.NO_PLAN
    assert told.out.count("may neither migrate nor restart") == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--state-after", "1"), "--previous"),
        (("--state-after", "-1", "--previous", "PLAN"), "--state-after"),
        (("--state-after", "99", "--previous", "PLAN"), "the waves of this plan are 1 to"),
        (("--target", "6.12.117"), "a comma"),
        (("--target", "linux,qemu-11.1.3"), "linux"),
        (("--target", "6.12.117,emacs"), "emacs"),
        (("--compare",), "--target"),
        (("--previous", "PLAN", "--optimal", "1"), "take one of them"),
        (("--previous", "INVENTORY", "--state-after", "1"), "INVENTORY"),
    ],
)
def test_wrong_situations_are_refused(fleetplan: Fleetplan, inventory: Path, plan: Path, options: tuple[str, ...], words: str) -> None:
    given = {"PLAN": plan, "INVENTORY": inventory}
    told = fleetplan("plan", inventory, *(given.get(option, option) for option in options))
    assert told.code == Exit.USAGE
    assert told.out == ""
    assert (inventory.name if words == "INVENTORY" else words) in told.err


def test_a_previous_plan_of_another_fleet_is_refused(fleetplan: Fleetplan, inventory: Path, plan: Path) -> None:
    inventory.write_text(inventory.read_text().replace("web-1", "web-2"))
    told = fleetplan("plan", inventory, "--previous", plan, "--state-after", "1")
    assert told.code == Exit.REFUTED
    assert "refutes" in told.err


def test_a_previous_plan_is_followed_and_the_share_is_told(fleetplan: Fleetplan, inventory: Path, plan: Path) -> None:
    told = fleetplan("plan", inventory, "--previous", plan, "--format", "json")
    assert told.code == Exit.CLEAN
    assert told.err == "Guests that land in both plans: 1; on the same host: 1 (100 %).\n"
    assert told.json == fleetplan("plan", inventory, "--format", "json").json
