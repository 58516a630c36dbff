"""What somebody does in each view."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetplan.tui.fleet.surface import MapSurface
from fleetplan.tui.matrix.surface import GridSurface
from fleetplan.tui.table.view import TableView
from fleetplan.tui.waves.surface import TimelineSurface

from .driving import ROOT, Driver, drive


def test_the_map_goes_into_a_host_and_on_into_a_guest_and_esc_goes_back_one_level_at_a_time() -> None:
    async def look(at: Driver) -> None:
        await at.press("2", "down", "enter")
        assert at.heading.splitlines()[0].split(" ▸ ")[2:4][0] == "Fleet"
        assert "n1-04" in at.heading
        assert "now, 6.12.117" in at.screen
        await at.press("enter")
        guest = at.app.trail.here.subject
        assert guest in at.heading
        assert "Firmware registers" in at.screen
        await at.press("escape")
        assert at.app.trail.here.subject == "n1-04"
        await at.press("escape")
        assert at.app.trail.here.view == "fleet"
        assert at.app.query_one(MapSurface).host is not None

    drive(look)


def test_the_map_is_walked_filtered_and_clicked() -> None:
    async def look(at: Driver) -> None:
        surface = at.app.query_one("#map", MapSurface)
        await at.press("2", "right", "l", "left", "h", "j", "k", "pagedown", "pageup")
        assert surface.host == 0
        await at.press("slash")
        await at.type("zone:b")
        await at.press("enter")
        assert "zone b" in surface.text()
        assert "zone a" not in surface.text()
        await at.press("escape", "x")
        assert surface.text().count("↻") == len(surface.shown)
        await at.press("x")
        await at.pilot.click("#map", offset=(14, 2))
        await at.settle()
        assert surface.host == 3

    drive(look)


def test_the_rollout_is_stepped_through_played_and_wound_back() -> None:
    async def look(at: Driver) -> None:
        await at.press("3")
        scene = at.surface("scene")
        assert "0:00:00 of 0:18:00" in scene.text()
        await at.press("right", "l")
        assert "leaves" in scene.text()
        await at.press("left", "h")
        assert "0:00:00 of" in scene.text()
        await at.press("right_square_bracket", "right_square_bracket")
        assert "wave 3 of 3" in scene.text()
        await at.press("left_square_bracket")
        assert "wave 2 of 3" in scene.text()
        await at.press("end")
        assert "to come: nothing" in scene.text()
        assert "10 upgraded" in scene.text()
        await at.press("space")
        assert scene.text().startswith("▶ 0:0")
        before = scene.text()
        while scene.text() == before:
            await at.pilot.pause(0.1)
        assert scene.text().startswith("▶ 0:0")
        await at.press("space", "home")
        assert scene.text().startswith("‖ 0:00:00")

    drive(look)


def test_the_critical_path_is_lit_and_says_what_it_waits_for() -> None:
    async def look(at: Driver) -> None:
        await at.press("3")
        bars = at.surface("timeline").text().splitlines()[1:]
        assert [line.split()[2] for line in bars if line.startswith("◆")] == ["n1-03", "n1-05", "n1-02"]
        await at.press("down", "down", "j", "k", "down", "pagedown")
        assert "critical path, n1-02:" in at.surface("scene").text()
        await at.press("pageup")
        await at.pilot.click("#timeline", offset=(40, 2))
        await at.settle()
        assert at.app.query_one(TimelineSurface).cursor == 1
        assert not at.surface("scene").text().startswith("‖ 0:00:00")
        await at.press("enter")
        assert at.app.trail.here.subject == "n1-03"

    drive(look)


def test_without_a_plan_the_waves_say_why_and_what_would_help() -> None:
    async def look(at: Driver) -> None:
        await at.press("3")
        assert "No safe plan" in at.screen
        await at.press("5")
        assert "no pins" in at.screen

    drive(look, "no-safe-plan.yaml")


def test_the_matrix_marks_one_way_doors_and_tells_of_each_move() -> None:
    async def look(at: Driver) -> None:
        await at.press("4")
        assert "≈ CHANGES!" in at.surface("grid").text()
        assert "At the target" in at.surface("grid").text()
        assert "FAILS at set" in at.surface("cell").text()
        await at.press("left", "left")
        assert "one-way door: no allowed migration leads back" in at.surface("cell").text()
        await at.press("right", "down", "l", "h", "j", "k", "left", "pagedown", "pageup", "right")
        assert "FAILS at set" in at.surface("cell").text() or "SAFE" in at.surface("cell").text()
        await at.pilot.click("#grid", offset=(15, 3))
        await at.settle()
        assert at.app.query_one(GridSurface).column == 0
        await at.press("enter")
        assert at.app.trail.here.view == "guest"

    drive(look, "mixed-cpus.yaml")


def test_pins_say_who_since_when_and_at_what_cost() -> None:
    async def look(at: Driver) -> None:
        await at.press("5")
        assert "ledger-1" in at.surface("pins").text()
        assert "Points of no return" in at.surface("pin").text()
        await at.press("down", "down")
        assert "bears no PSCI version above 1.1" in at.surface("pin").text()
        await at.press("enter")
        assert at.app.trail.here.subject == "ledger-1"
        assert "restarts there" in at.surface("path").text()

    drive(look)


@pytest.mark.parametrize(("name", "view"), [("n1-05", "host"), ("web-13", "guest"), ("waves", "waves")])
def test_a_jump_goes_to_hosts_guests_and_views(name: str, view: str) -> None:
    async def look(at: Driver) -> None:
        await at.press("colon")
        await at.type(name)
        await at.press("enter")
        assert at.app.trail.here.view == view
        assert name.lower() in at.heading.lower()

    drive(look)


def test_a_jump_to_nothing_says_so_and_one_to_q_leaves() -> None:
    async def look(at: Driver) -> None:
        await at.press("colon")
        await at.type("nobody")
        await at.press("enter")
        assert "no view, host or guest `nobody`" in at.status
        await at.press("colon")
        await at.type("q")
        await at.pilot.press("enter")
        await at.pilot.pause()

    assert drive(look).return_value == 0


def test_the_command_palette_leads_to_views() -> None:
    async def look(at: Driver) -> None:
        await at.press("ctrl+p")
        await at.type("pins")
        while "Pins" not in at.screen.split("5 Pins", 1)[-1]:
            await at.pilot.pause(0.05)
        await at.press("enter")
        assert at.app.trail.here.view == "pins"

    drive(look)


def test_what_changes_on_disk_is_read_again_and_the_place_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text((ROOT / "inventories" / "small.yaml").read_text())

    async def look(at: Driver) -> None:
        await at.press("5")
        file.write_text(file.read_text().replace("db-1", "db-9"))
        await at.press("ctrl+r")
        assert at.app.trail.here.view == "pins"
        await at.press("1")
        assert "db-9" in at.surface("moves").text()

    drive(look, file)


def test_a_worker_that_breaks_ends_in_a_page_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the cat sat on it")

    monkeypatch.setattr("fleetplan.tui.matrix.view.verdict_matrix", broken)

    async def look(at: Driver) -> None:
        await at.press("4")
        assert "This is a bug in fleetplan" in at.screen
        assert "the cat sat on it" in at.screen
        await at.press("escape", "1")
        assert "verdict" in at.screen

    drive(look)


def test_hosts_with_hostile_names_are_shown_harmless(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    text = (ROOT / "inventories" / "small.yaml").read_text().replace("mail-1:", '"mail\\e[31m-1":')
    file.write_text(text)

    async def look(at: Driver) -> None:
        assert "\x1b" not in at.screen

    drive(look, file)


def test_the_table_of_a_host_is_sorted_like_any_other() -> None:
    async def look(at: Driver) -> None:
        await at.press("2", "enter", "s", "S")
        table = at.app.query_one("#guests", TableView)
        assert table.wish.sort == "guest"
        assert table.wish.descending

    drive(look)
