"""What every view looks like at the three sizes, as pictures. `scripts/bless` takes new ones; look at them before you commit them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleetplan.tui.svg import picture

from .driving import SIZES, Driver, drive

SNAPSHOTS = Path(__file__).parent / "snapshots"

VIEWS = {
    "moves": ("mixed-cpus.yaml", ()),
    "moves-refused": ("no-safe-plan.yaml", ()),
    "fleet": ("half-upgraded.yaml", ("2", "right")),
    "waves": ("half-upgraded.yaml", ("3", "down", *["right_square_bracket"] * 2)),
    "matrix": ("mixed-cpus.yaml", ("4", "right")),
    "pins": ("half-upgraded.yaml", ("5",)),
    "exposure": ("exposure.yaml", ("6", *["right_square_bracket"] * 3)),
    "what-if": ("half-upgraded.yaml", ("i", *"hold", "space", *"n1", "minus", *"03", "enter")),
    "guest": ("half-upgraded.yaml", ("1", "enter")),
    "host": ("half-upgraded.yaml", ("2", "enter")),
}
"""The inventory and the keys that lead there."""


def compare(name: str, shown: str) -> None:
    path = SNAPSHOTS / f"{name}.svg"
    if os.environ.get("FLEETPLAN_BLESS"):
        SNAPSHOTS.mkdir(exist_ok=True)
        path.write_text(shown)
    assert path.read_text() == shown, f"{path} differs; FLEETPLAN_BLESS=1 takes the new one"


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_looks_as_it_did(view: str) -> None:
    inventory, keys = VIEWS[view]
    pictures: dict[str, str] = {}

    async def look(at: Driver) -> None:
        await at.press(*keys)
        for size in SIZES:
            await at.pilot.resize_terminal(*size)
            await at.settle()
            lines = at.screen.splitlines()
            assert max(map(len, lines)) <= size[0]
            assert lines[0].startswith(f" fleetplan ▸ {inventory}")
            assert len(lines) == size[1]
            pictures[f"{view}-{size[0]}x{size[1]}"] = picture(at.app)

    drive(look, inventory)
    for name, shown in pictures.items():
        compare(name, shown)


@pytest.mark.parametrize("theme", ["light", "ansi"])
def test_other_themes_look_as_they_did(theme: str) -> None:
    pictures = []

    async def look(at: Driver) -> None:
        pictures.append(picture(at.app))

    drive(look, "mixed-cpus.yaml", look=theme, size=(80, 24))
    compare(f"moves-{theme}", pictures[0])


def test_help_looks_as_it_did() -> None:
    pictures = []

    async def look(at: Driver) -> None:
        await at.press("question_mark")
        pictures.append(picture(at.app))

    drive(look)
    compare("help", pictures[0])


def test_no_picture_is_left_over() -> None:
    wanted = {f"{view}-{width}x{height}" for view in VIEWS for width, height in SIZES} | {"moves-light", "moves-ansi", "help"}
    assert {path.stem for path in SNAPSHOTS.iterdir()} == wanted
