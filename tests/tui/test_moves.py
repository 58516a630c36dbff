"""What somebody does who wants to know which moves are risky, and why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fleetplan.tui.table.view import TableView

from .driving import ROOT, SIZES, Driver, drive

STYLES = range(1, 10)
"""SGR codes that are no colours: bold, faint, underlined, reversed."""


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_riskiest_move_and_its_reason_are_there_without_a_key(size: tuple[int, int]) -> None:
    async def look(at: Driver) -> None:
        assert "≈ CHANGES" in at.surface("moves").text().splitlines()[1]
        assert "edge-2: bare-1" in at.screen
        assert "SMCCC_ARCH_WORKAROUND_1 (0x6030000000140001): the guest gains spectre-v2" in at.surface("move").text().replace(
            "\n    ", " "
        )
        assert "SMCCC_ARCH_WORKAROUND_1" in at.screen

    drive(look, "mixed-cpus.yaml", size=size)


def test_without_a_plan_the_moves_that_fail_are_shown_with_what_the_vmm_prints_and_what_helps() -> None:
    async def look(at: Driver) -> None:
        assert "✗ no safe plan" in at.status
        told = at.surface("move").text()
        assert "FAILS at length" in told
        assert "Invalid value 258 expecting positive value <= 257" in told
        assert "What would make it work" in told

    drive(look, "no-safe-plan.yaml")


def test_a_filter_narrows_while_it_is_typed_and_esc_takes_it_back() -> None:
    async def look(at: Driver) -> None:
        table = at.app.query_one("#moves", TableView)
        everything = len(table.shown)
        await at.press("slash")
        await at.type("web !to:n1-06")
        assert 0 < len(table.shown) < everything
        assert all(row.split()[2].startswith("web") and " n1-06 " not in row for row in table.text().splitlines()[1:])
        await at.press("enter", "escape")
        assert len(table.shown) == everything

    drive(look)


def test_a_filter_that_is_none_is_told_with_what_was_meant() -> None:
    async def look(at: Driver) -> None:
        await at.press("slash")
        await at.type("verdit:safe")
        assert "`verdict`" in at.status

    drive(look)


def test_risky_only_and_back() -> None:
    async def look(at: Driver) -> None:
        table = at.app.query_one("#moves", TableView)
        await at.press("x")
        assert {row.split()[1] for row in table.text().splitlines()[1:]} == {"RESTART"}
        assert "risky only" in at.status
        await at.press("x")
        assert "SAFE" in table.text()

    drive(look)


def test_columns_are_sorted_by_key_and_by_mouse_and_turned() -> None:
    async def look(at: Driver) -> None:
        table = at.app.query_one("#moves", TableView)
        await at.press("s", "s")
        guests = [row.split()[2] for row in table.text().splitlines()[1:]]
        assert guests == sorted(guests)
        await at.press("S")
        assert [row.split()[2] for row in table.text().splitlines()[1:]] == guests[::-1]
        await at.pilot.click("#moves", offset=(2, 0))
        await at.settle()
        assert table.wish.sort == "verdict"

    drive(look)


def test_the_cursor_goes_where_keys_and_mouse_send_it() -> None:
    async def look(at: Driver) -> None:
        table = at.app.query_one("#moves", TableView)
        await at.press("down", "j", "up", "k", "pagedown")
        assert table.cursor == table.page
        await at.press("end")
        assert table.cursor == len(table.shown) - 1
        await at.press("pageup", "home")
        assert table.cursor == 0
        await at.pilot.click("#moves", offset=(12, 4))
        await at.settle()
        assert table.cursor == 3

    drive(look)


def test_an_inventory_with_errors_shows_them_with_their_places(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text((ROOT / "inventories" / "small.yaml").read_text().replace("zone: b", "zne: b", 1))

    async def look(at: Driver) -> None:
        assert "broken.yaml:" in at.screen
        assert "zne" in at.screen

    app = drive(look, broken)
    assert app.situation is None


def test_a_file_that_becomes_broken_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text((ROOT / "inventories" / "small.yaml").read_text())

    async def look(at: Driver) -> None:
        file.write_text("fleetplan: [")
        await at.press("ctrl+r")
        assert "fleet.yaml:2" in at.screen
        await at.press("escape")
        assert "db-1" in at.screen

    drive(look, file)


def test_a_plan_from_a_file_is_shown_as_that(tmp_path: Path) -> None:
    from fleetplan.cli import run

    plan = tmp_path / "saved.json"
    run(["plan", str(ROOT / "inventories" / "small.yaml"), "-o", str(plan), "--as-of", "2026-11-24"])

    async def look(at: Driver) -> None:
        assert "saved.json" in at.status
        assert "✓ judged" in at.status

    drive(look, "small.yaml", plan=plan)


@pytest.mark.parametrize(
    "keys", [("q",), ("ctrl+c",), ("escape", "escape"), ("slash", "escape", "q"), ("slash", "ctrl+c"), ("question_mark", "q", "q")]
)
def test_there_is_always_a_way_out(keys: tuple[str, ...]) -> None:
    async def look(at: Driver) -> None:
        for key in keys:
            await at.pilot.press(key)
        await at.pilot.pause()

    assert drive(look).return_value == 0


def test_help_lists_the_keys_of_the_bindings() -> None:
    async def look(at: Driver) -> None:
        await at.press("question_mark")
        for words in ("Risky only", "Filter", "Turn order", "Copy"):
            assert words in at.screen
        await at.press("escape")
        assert "Turn order" not in at.screen

    drive(look)


def test_what_the_pane_says_is_copied() -> None:
    async def look(at: Driver) -> None:
        await at.press("y")
        assert at.app.clipboard == at.surface("move").text()

    drive(look, "mixed-cpus.yaml")


def test_a_view_is_saved_as_text_and_as_a_picture_and_nothing_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def look(at: Driver) -> None:
        await at.press("w", "w", "W")

    drive(look)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fleetplan-moves-1.txt", "fleetplan-moves.svg", "fleetplan-moves.txt"]
    assert "app-11" in (tmp_path / "fleetplan-moves.txt").read_text()
    assert "http" not in (tmp_path / "fleetplan-moves.svg").read_text().replace("http://www.w3.org/2000/svg", "")


def test_themes_change_and_no_color_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look(at: Driver) -> None:
        seen = [at.app.theme]
        for _ in range(3):
            await at.press("t")
            seen.append(at.app.theme)
        assert seen[0] == seen[3]
        assert len(set(seen)) == 3

    drive(look)
    monkeypatch.setenv("NO_COLOR", "1")

    async def plain(at: Driver) -> None:
        strips = at.app.screen._compositor.render_strips()
        text = "".join(strip.render(at.app.console) for strip in strips)
        codes = {int(code) for sequence in re.findall(r"\x1b\[([0-9;]*)m", text) for code in sequence.split(";") if code}
        assert codes <= {0, *STYLES, 39, 49}

    drive(plain)
