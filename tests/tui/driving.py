"""The application as a person has it, without a terminal: opened, driven by keys, looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from functools import cache
from pathlib import Path

from textual.pilot import Pilot

from fleetplan.output.ink import plain
from fleetplan.tui.app import FleetplanApp
from fleetplan.tui.frame.bars import Bar
from fleetplan.tui.frame.surface import Surface
from fleetplan.tui.situation import Situation
from fleetplan.tui.work import Request, Watch, opened

ROOT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 11, 24)
QUIET = 2
"""Rounds without work after which nothing more is expected: what is shown asks for more once it has been laid out."""

SIZES = ((80, 24), (120, 40), (200, 60))

Script = Callable[["Driver"], Awaitable[None]]


class Driver:
    """Presses keys and waits until all that follows is on the screen."""

    def __init__(self, app: FleetplanApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot

    async def settle(self) -> None:
        """Wait for workers, and for what they send, until nothing more comes."""
        quiet = 0
        while quiet < QUIET:
            await self.app.workers.wait_for_complete()
            await self.pilot.pause()
            busy = self.app._watch is not None or any(worker.is_running for worker in self.app.workers)
            quiet = 0 if busy else quiet + 1

    async def press(self, *keys: str) -> None:
        """One key after the other, as fast as they can be pressed; then look."""
        await self.pilot.press(*keys)
        await self.settle()

    async def type(self, text: str) -> None:
        """A text, letter by letter."""
        names = {" ": "space", "/": "slash", ":": "colon", "!": "exclamation_mark", "-": "minus", "_": "underscore", ".": "full_stop"}
        await self.pilot.press(*(names.get(letter, letter) for letter in text))
        await self.settle()

    @property
    def screen(self) -> str:
        """Everything that is on the screen, as text."""
        return screen_text(self.app)

    def surface(self, name: str) -> Surface:
        """A surface by its id."""
        return self.app.query_one(f"#{name}", Surface)

    @property
    def heading(self) -> str:
        """The two lines on top."""
        return "\n".join(plain(line) for line in self.app.query_one("#heading", Bar).lines)

    @property
    def status(self) -> str:
        """The line at the bottom."""
        return "\n".join(plain(line) for line in self.app.query_one("#status", Bar).lines)


def screen_text(app: FleetplanApp) -> str:
    """What a person reads off the screen."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


@cache
def _known(request: Request) -> Situation:
    return opened(request, Watch(lambda *_: None))


def situation(name: str) -> Situation:
    """An example inventory with its plan; each is planned once in a run."""
    return _known(Request(inventory=ROOT / "inventories" / name, today=TODAY))


def _opened(request: Request, watch: Watch) -> Situation:
    """Example inventories do not change while tests run: each is planned once."""
    lasting = request.plan is None and request.inventory.is_relative_to(ROOT)
    return _known(request) if lasting else opened(request, watch)


def drive(
    script: Script,
    inventory: str | Path = "half-upgraded.yaml",
    *,
    size: tuple[int, int] = (120, 40),
    plan: Path | None = None,
    look: str = "dark",
) -> FleetplanApp:
    """Open an inventory (of the examples, if it is a name), and let a script drive it."""
    path = ROOT / "inventories" / inventory

    async def run() -> FleetplanApp:
        app = FleetplanApp(Request(inventory=path, plan=plan, today=TODAY), look=look, opener=_opened)
        async with app.run_test(size=size) as pilot:
            driver = Driver(app, pilot)
            await driver.settle()
            await script(driver)
        return app

    return asyncio.run(run())
