"""Every binding there is, is pressed: once here, wherever it works, and nothing breaks; what each does is told by the other tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.binding import Binding

from fleetplan.tui.app import FleetplanApp
from fleetplan.tui.exposure.view import ExposureView
from fleetplan.tui.fleet.surface import MapSurface
from fleetplan.tui.frame.bars import Prompt
from fleetplan.tui.frame.help import Help
from fleetplan.tui.matrix.surface import GridSurface
from fleetplan.tui.table.view import TableView
from fleetplan.tui.views import ROWS
from fleetplan.tui.waves.surface import TimelineSurface
from fleetplan.tui.waves.view import WavesView
from fleetplan.tui.whatif.view import WhatIfView

from .driving import Driver, drive

LEAVES = {"quit", "open", "dismiss", "leave"}
"""Actions that are pressed by tests of their own: they end what this test walks through."""

OWNERS = (FleetplanApp, TableView, MapSurface, GridSurface, TimelineSurface, WavesView, ExposureView, WhatIfView, Prompt, Help)


def _own(owner: type) -> list[Binding]:
    found = []
    for binding in owner.__dict__["BINDINGS"]:
        assert isinstance(binding, Binding)
        found += Binding.make_bindings([binding])
    return found


PLACES = {"1": TableView, "2": MapSurface, "3": TimelineSurface, "4": GridSurface, "5": TableView, "6": TableView, "7": TableView}

VIEWS = {"3": WavesView, "6": ExposureView, "7": WhatIfView}
"""Views with keys of their own."""


ALONE = {"choose", "keys", "jump", "filter", "try", "theme", "back", "show"}
"""What leads elsewhere, or opens something, is pressed alone."""


@pytest.mark.parametrize("view", PLACES)
def test_every_key_of_a_view_can_be_pressed(view: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bindings = [*_own(PLACES[view]), *(_own(VIEWS[view]) if view in VIEWS else []), *(_own(FleetplanApp) if view == "1" else [])]
    actions = {binding.key: binding.action.partition("(")[0] for binding in bindings}
    together = [key for key, action in actions.items() if action not in ALONE | LEAVES]
    alone = [key for key, action in actions.items() if action in ALONE]

    async def look(at: Driver) -> None:
        await at.press(view, *together)
        for key in alone:
            await at.press(view, key)
            if at.app.screen_stack[1:] or at.app.query_one(Prompt).has_class("-open"):
                await at.pilot.press("escape")
        await at.settle()
        assert at.app.is_running
        assert "This is a bug" not in at.screen

    drive(look, size=(100, 30))


def test_all_owners_of_bindings_are_known() -> None:
    """A new widget with bindings must be walked through above."""
    classes = {type(widget) for widget in _widgets()} | {Help, FleetplanApp}
    owners = {
        owner for each in classes for owner in each.__mro__ if owner.__module__.startswith("fleetplan.") and owner.__dict__.get("BINDINGS")
    }
    assert owners == set(OWNERS)
    assert {row.key for row in ROWS if row.key} <= set(PLACES)


def _widgets() -> list[object]:
    found: list[object] = []

    async def look(at: Driver) -> None:
        found.extend(at.app.query("*"))

    drive(look)
    return found


def test_no_key_means_two_things_in_one_place() -> None:
    for owner in OWNERS:
        keys = [binding.key for binding in _own(owner)]
        assert len(keys) == len(set(keys)), owner


def test_every_binding_says_what_it_does() -> None:
    assert all(binding.description for owner in OWNERS for binding in _own(owner))
