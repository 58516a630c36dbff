"""The widget that draws the map of hosts, with a cursor on one of them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from msgspec.structs import replace
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from fleetplan.output.ink import Line
from fleetplan.rollout.columns import FleetColumns, Ints
from fleetplan.tui.fleet.map import Map, fleet_map
from fleetplan.tui.fleet.picture import Picture
from fleetplan.tui.frame.surface import Surface
from fleetplan.tui.messages import Arranged
from fleetplan.tui.table.model import Table, Wish, arranged
from fleetplan.tui.table.view import EMPTY


class MapSurface(Surface, can_focus=True):
    """Hosts as cells; the rows of its table are hosts."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "step(-1, 0)", "Up", show=False),
        Binding("down,j", "step(1, 0)", "Down", show=False),
        Binding("left,h", "step(0, -1)", "Host before", show=False),
        Binding("right,l", "step(0, 1)", "Next host", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("enter", "choose", "Open"),
        Binding("x", "risky", "Risky only"),
    ]

    class Pointed(Message):
        """The cursor is on a host (None: there is none)."""

        def __init__(self, host: int | None) -> None:
            super().__init__()
            self.host = host

    class Chosen(Pointed):
        """Somebody wants to go into a host."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._columns: FleetColumns | None = None
        self._picture: Picture | None = None
        self._map: Map | None = None
        self.data: Table = EMPTY
        self.wish = Wish()
        self.shown: Ints = np.arange(0)
        self.host: int | None = None

    # --- what is shown -----------------------------------------------------------------------------------------------------------

    def show(self, table: Table, columns: FleetColumns, picture: Picture) -> None:
        """Draw the hosts of this table."""
        self._columns, self._picture, self.data = columns, picture, table
        self.want(self.wish)

    def repaint(self, picture: Picture) -> None:
        """The same hosts at another moment."""
        self._picture = picture
        self.refresh()

    def want(self, wish: Wish) -> None:
        """Show other hosts. Raises FilterError."""
        self.shown = arranged(self.data, wish)
        self.wish = wish
        self._lay()
        self.post_message(Arranged())
        self.post_message(self.Pointed(self.host))

    def _lay(self) -> None:
        if self._columns is None:
            return
        width = self.scrollable_content_region.width
        self._map = fleet_map(self._columns, self.shown, width)
        if self.host not in self._map.places:
            self.host = next(iter(self._map.places), None)
        self.measure(width, len(self._map.strips))
        self._reveal()

    def _reveal(self) -> None:
        if self._map is not None and self.host is not None:
            y = self._map.places[self.host][0]
            self.reveal(0 if y <= 1 else y)

    def on_resize(self, _event: events.Resize) -> None:
        """Another number of cells may fit."""
        self._lay()

    def line(self, y: int) -> Line:
        """A heading, or a row of cells."""
        return self._map.line(y, self._picture) if self._map is not None and self._picture is not None else ()

    def spot(self, y: int) -> tuple[int, int] | None:
        """The cell under the cursor."""
        if self._map is None or self.host is None:
            return None
        line, start, end = self._map.span(self.host)
        return (start, end) if line == y else None

    # --- keys and mouse ----------------------------------------------------------------------------------------------------------

    def _go(self, host: int | None) -> None:
        if host is not None and host != self.host:
            self.host = host
            self.refresh()
            self._reveal()
            self.post_message(self.Pointed(host))

    def action_step(self, down: int, right: int) -> None:
        """To the host beside, below or above."""
        if self._map is not None and self.host is not None:
            self._go(self._map.step(self.host, down, right))

    def action_page(self, pages: int) -> None:
        """As many lines as are in sight."""
        self.action_step(pages * self.page, 0)

    def action_choose(self) -> None:
        """Go into the host."""
        if self.host is not None:
            self.post_message(self.Chosen(self.host))

    def action_risky(self) -> None:
        """Only hosts that something risky leaves, or all."""
        self.want(replace(self.wish, risky=not self.wish.risky))

    def on_click(self, event: events.Click) -> None:
        """A cell gets the cursor; twice, and it is chosen."""
        if self._map is None:
            return
        host = self._map.at(event.y + self.scroll_offset.y, event.x - 1)
        self._go(host)
        if host is not None and event.chain == 2:
            self.action_choose()
