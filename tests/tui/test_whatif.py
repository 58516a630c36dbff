"""What somebody does who wonders what if: tries, looks at what is different, takes it back, and keeps the plan or the change."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fleetplan import workflow
from fleetplan.inventory.digest import inventory_digest
from fleetplan.rollout.progress import CancelledError
from fleetplan.tui.situation import Situation
from fleetplan.tui.whatif.change import WishError, line, made, parse, patch_text
from fleetplan.tui.whatif.trial import tried
from fleetplan.tui.work import Watch

from .driving import TODAY, Driver, drive, situation

LINES = (
    "pin web-13",
    "pin web-13 1.0",
    "forbid web-13",
    "forbid web-13 n1-06",
    "hold n1-05",
    "skip n1-05",
    "target 6.18.15 qemu-11.1.2",
    "max-unavailable zone 25%",
    "max-unavailable fleet 1",
    "reserve 12.5%",
)


async def try_(at: Driver, text: str) -> None:
    await at.press("i")
    await at.type(text)
    await at.press("enter")


@pytest.mark.parametrize("text", LINES)
def test_a_change_is_read_as_it_is_written(text: str) -> None:
    assert line(parse(text)) == text


@pytest.mark.parametrize("text", ["", "hold", "pin web-1 7", "reserve 10", "reserve 200%", "max-unavailable moon 1", "max-unavailable 1.5"])
def test_what_is_no_change_is_told_what_could_be_asked(text: str) -> None:
    with pytest.raises(WishError):
        parse(text)


@given(st.text(max_size=40))
def test_no_line_breaks_the_reader(text: str) -> None:
    try:
        again = parse(text)
    except WishError:
        return
    assert parse(line(again)) == again


@pytest.mark.parametrize("text", ["hold nowhere", "skip nowhere", "pin nobody", "pin nobody 1.0", "forbid nobody", "forbid web-13 nowhere"])
def test_names_that_are_not_there_are_refused(text: str) -> None:
    with pytest.raises(WishError, match=r"no (host|guest) `no"):
        made(parse(text), situation("half-upgraded.yaml").study.whole)


def _merged(into: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    for key, value in piece.items():
        into = {**into, key: _merged(into.get(key, {}), value) if isinstance(value, dict) else value}
    return into


FLEET = {
    "fleetplan": 1,
    "target": {"kernel": "6.18.15", "vmm": "qemu-11.1.3"},
    "policy": {"max_unavailable": {"fleet": 2}},
    "hosts": {
        name: {"kernel": "6.12.94", "vmm": "qemu-11.1.3", "cpu": "neoverse-n1", "vcpus": 64, "memory": "256GiB"}
        for name in ("n1-05", "n1-06", "n1-07")
    },
    "guests": {
        name: {"on": host, "vcpus": 4, "memory": "8GiB", "restart": "ok"}
        for name, host in (("web-13", "n1-05"), ("web-14", "n1-05"), ("db-1", "n1-06"))
    },
}


def test_what_is_saved_as_yaml_makes_the_inventory_that_was_tried(tmp_path: Path) -> None:
    file = tmp_path / "fleet.json"
    file.write_text(json.dumps(FLEET))
    changes, fleet = tuple(parse(text) for text in LINES), workflow.study(file, TODAY).whole
    for change in changes:
        fleet = made(change, fleet)
    file.write_text(json.dumps(_merged(FLEET, yaml.safe_load(patch_text(changes, fleet)))))
    assert inventory_digest(workflow.study(file, TODAY).whole) == inventory_digest(fleet)


def test_a_held_host_is_not_upgraded_and_the_difference_says_so() -> None:
    async def look(at: Driver) -> None:
        assert at.app.situation is not None
        before = at.app.situation
        await try_(at, "hold n1-03")
        now = at.app.situation
        assert now.plan is not None
        assert "hold n1-03" in at.surface("changes").text()
        assert "n1-03: wave 1 → not upgraded" in at.surface("difference").text()
        await at.press("u")
        assert at.app.situation is before
        assert "hold n1-03" not in at.surface("changes").text()
        await at.press("u")
        assert "nothing to undo" in at.status
        await at.press("U")
        assert at.app.situation is now
        await at.press("U")
        assert "nothing to do again" in at.status

    drive(look)


def test_changes_add_up_and_each_is_told_by_itself() -> None:
    async def look(at: Driver) -> None:
        await try_(at, "max-unavailable fleet 1")
        await try_(at, "forbid web-13 n1-06")
        assert at.app.situation is not None
        assert at.app.situation.study.whole.policy.max_unavailable.fleet is not None
        assert [line(change) for change in at.app.situation.changes] == ["max-unavailable fleet 1", "forbid web-13 n1-06"]
        last = at.surface("difference").text()
        await at.press("up")
        assert "waves" in at.surface("difference").text()
        assert at.surface("difference").text() != last
        await at.press("1")
        web = [row for row in at.surface("moves").text().splitlines() if " web-13 " in row]
        assert all(" n1-06 " not in row for row in web)

    drive(look)


def test_what_leaves_no_plan_says_why() -> None:
    async def look(at: Driver) -> None:
        await try_(at, "reserve 95%")
        assert "With this there is no safe plan." in at.surface("difference").text()
        await at.press("p")
        assert "there is no plan to save" in at.status

    drive(look)


def test_what_is_not_understood_is_told_and_nothing_changes() -> None:
    async def look(at: Driver) -> None:
        await try_(at, "hold moon")
        assert "no host `moon`" in at.status
        await try_(at, "dance")
        assert "pin GUEST" in at.status
        assert at.app.situation is not None
        assert not at.app.situation.changes

    drive(look)


def test_plan_and_changes_are_saved_to_new_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def look(at: Driver) -> None:
        await at.press("7", "P")
        assert "nothing was changed" in at.status
        await try_(at, "hold n1-03")
        await at.press("p", "P", "P")
        assert "written: fleetplan-patch-1.yaml" in at.status

    drive(look)
    assert yaml.safe_load((tmp_path / "fleetplan-patch.yaml").read_text()) == {"hosts": {"n1-03": {"state": "held"}}}
    plan = json.loads((tmp_path / "fleetplan-plan.json").read_text())
    assert plan["target"]["kernel"] == "6.18.15"


def test_a_change_that_takes_long_shows_a_spinner_and_esc_gives_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, over = Event(), Event()

    def slow(_situation: Situation, _change: object, watch: Watch) -> Situation:
        begun.set()
        while not watch.cancelled and not over.wait(0.01):
            pass
        raise CancelledError

    monkeypatch.setattr("fleetplan.tui.app.tried", slow)

    async def look(at: Driver) -> None:
        await at.pilot.press("i", *"hold", "space", *"n1", "minus", *"05", "enter")
        while not (begun.is_set() and any(turn in at.status for turn in "◐◓◑◒")):
            await at.pilot.pause(0.02)
        await at.pilot.press("escape")
        await at.settle()
        assert "given up" in at.status
        assert at.app.situation is not None
        assert not at.app.situation.changes

    try:
        drive(look)
    finally:
        over.set()


def test_a_plan_with_a_change_is_judged() -> None:
    seen = tried(situation("half-upgraded.yaml"), parse("skip n1-05"), Watch(lambda *_: None))
    assert seen.plan is not None
    assert "n1-05" in seen.plan.skipped
    assert workflow.verify_plan(seen.study, seen.plan) == ()
