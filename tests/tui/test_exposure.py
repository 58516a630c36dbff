"""Exposure on the screen is what the audit says, moment by moment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetplan import workflow
from fleetplan.rollout.columns import NONE
from fleetplan.tui.exposure.shares import portions
from fleetplan.tui.table.view import TableView

from .driving import Driver, drive, situation

EXAMPLES = ("exposure.yaml", "mixed-cpus.yaml", "three-zones", "no-safe-plan.yaml")


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_moment_is_that_of_the_audit(name: str) -> None:
    seen = situation(name)
    tallies = [seen.course.at(wave).tally for wave in range(seen.course.waves + 1)]
    wanted = [moment.tally for moment in seen.course.moments] or [workflow.audit(seen.study).audit.tally]
    assert tallies == wanted


def test_after_a_wave_guests_are_what_an_audit_of_the_state_then_says() -> None:
    seen = situation("exposure.yaml")
    assert seen.plan is not None
    for wave in range(seen.course.waves + 1):
        census = seen.course.at(wave)
        bands = workflow.audit(seen.study, seen.plan, wave).audit.bands
        wanted = {number: band.standings.items for band in bands for number in band.numbers}
        found = {guest: census.standings[kind].items for guest, kind in enumerate(census.kind.tolist()) if kind != NONE}
        assert found == wanted


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=7), st.integers(7, 200))
def test_bars_fill_their_room_and_show_whatever_is_there(parts: list[int], room: int) -> None:
    cells = portions(parts, room)
    assert sum(cells) == (room if any(parts) else 0)
    assert [bool(cell) for cell in cells] == [bool(part) for part in parts]


def test_the_exposed_are_found_filtered_and_gone_into_and_waves_heal_some() -> None:
    async def look(at: Driver) -> None:
        table = at.app.query_one("#exposed", TableView)
        await at.press("6")
        assert "now, before wave 1" in at.surface("shares").text()
        first = at.surface("exposed").text().splitlines()[1]
        assert "✗ exposed" in first
        assert "no restart where it is heals it" in at.surface("exposure").text()
        everything = len(table.shown)
        await at.press("slash")
        await at.type("v2:stale")
        assert 0 < len(table.shown) < everything
        assert all("◔ stale" in line and "warm reboot" in line for line in table.text().splitlines()[1:])
        await at.press("enter")
        guest = table.text().splitlines()[1].split()[0]
        await at.press("enter")
        assert at.app.trail.here.subject == guest

    drive(look, "exposure.yaml")


def test_stepping_through_waves_changes_who_is_exposed_and_keeps_the_guest() -> None:
    async def look(at: Driver) -> None:
        table = at.app.query_one("#exposed", TableView)
        await at.press("6", "down", "down")
        guest = table.line(table.cursor)[0].text
        before = at.surface("shares").text()
        await at.press(*["right_square_bracket"] * 3)
        assert "after wave 3 of" in at.surface("shares").text()
        assert at.surface("shares").text().splitlines()[1:] != before.splitlines()[1:]
        assert table.line(table.cursor)[0].text == guest
        await at.press(*["left_square_bracket"] * 4)
        assert at.surface("shares").text() == before

    drive(look, "exposure.yaml")


def test_the_time_line_tells_of_exposure_as_it_is_stepped_through() -> None:
    async def look(at: Driver) -> None:
        await at.press("3")
        assert "before wave 1" in at.surface("scene").text()
        before = at.surface("scene").text()
        await at.press("end")
        after = at.surface("scene").text()
        assert f"after wave {len(at.app.situation.plan.waves)}" in after  # type: ignore[union-attr]
        assert before.splitlines()[5].split(",")[0] != after.splitlines()[5].split(",")[0]

    drive(look, "exposure.yaml")
