"""The widget that shows a table: a cursor, an order, a filter. It draws what is in sight, whatever the number of rows."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from msgspec.structs import replace
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from fleetplan.output.ink import Line
from fleetplan.rollout.columns import Ints
from fleetplan.tui.frame.surface import Surface
from fleetplan.tui.messages import Arranged
from fleetplan.tui.table.lines import Slot, column_at, fitted, heading, row_line
from fleetplan.tui.table.model import Table, Wish, arranged

EMPTY = Table(fields=(), rows=0)


class TableView(Surface, can_focus=True):
    """A table with a cursor. Tells its owner of the row under the cursor, and of one that was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("home,g", "edge(0)", "First row", show=False),
        Binding("end,G", "edge(1)", "Last row", show=False),
        Binding("enter", "choose", "Open"),
        Binding("s", "sort", "Sort"),
        Binding("S", "turn", "Turn order", show=False),
        Binding("x", "risky", "Risky only"),
    ]

    class Pointed(Message):
        """The cursor is on a row (None: there is none)."""

        def __init__(self, table: TableView, row: int | None) -> None:
            super().__init__()
            self.table = table
            self.row = row

        @property
        def control(self) -> TableView:
            """The table."""
            return self.table

    class Chosen(Pointed):
        """Somebody wants to go into a row."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._slots: tuple[Slot, ...] = ()
        self.data = EMPTY
        self.wish = Wish()
        self.shown: Ints = np.arange(0)
        self.cursor = 0

    # --- what is shown -----------------------------------------------------------------------------------------------------------

    def show(self, table: Table) -> None:
        """Show another table, as the last one was wished for."""
        self.data = table
        wish = self.wish if table.field(self.wish.sort or "") is not None else replace(self.wish, sort=None, descending=False)
        self._arrange(wish, keep=False)

    def want(self, wish: Wish) -> None:
        """Show other rows, or in another order; the cursor stays on its row if that is still there. Raises FilterError."""
        self._arrange(wish, keep=True)

    def _arrange(self, wish: Wish, *, keep: bool) -> None:
        row = self.row if keep else None
        self.shown = arranged(self.data, wish)
        self.wish = wish
        self.cursor = self._place(row) or 0
        self._fit()
        self.reveal(self.cursor)
        self.post_message(Arranged())
        self.post_message(self.Pointed(self, self.row))

    @property
    def row(self) -> int | None:
        """The row under the cursor."""
        return int(self.shown[self.cursor]) if self.cursor < len(self.shown) else None

    def point(self, row: int) -> bool:
        """Put the cursor on a row; False if it is not shown."""
        place = self._place(row)
        if place is not None:
            self._go(place)
        return place is not None

    def _place(self, row: int | None) -> int | None:
        """Where a row is shown."""
        found = np.flatnonzero(self.shown == row)
        return int(found[0]) if row is not None and len(found) else None

    # --- lines -------------------------------------------------------------------------------------------------------------------

    def _fit(self) -> None:
        self._slots = fitted(self.data, self.scrollable_content_region.width)
        width = self._slots[-1].start + self._slots[-1].width if self._slots else 0
        self.measure(width, len(self.shown))

    def on_resize(self, _event: events.Resize) -> None:
        """Other columns may fit now."""
        self._fit()
        self.reveal(self.cursor)

    def head(self) -> Line | None:
        """The names of the columns."""
        return heading(self._slots, self.wish)

    def line(self, y: int) -> Line:
        """A row."""
        return row_line(self._slots, int(self.shown[y]))

    def marked(self, y: int) -> bool:
        """Whether the cursor is there."""
        return y == self.cursor

    # --- keys and mouse ----------------------------------------------------------------------------------------------------------

    def _go(self, place: int) -> None:
        place = min(max(place, 0), max(len(self.shown) - 1, 0))
        if place != self.cursor:
            before, self.cursor = self.cursor, place
            self.refresh_lines(before + 1)
            self.refresh_lines(place + 1)
            self.reveal(place)
            self.post_message(self.Pointed(self, self.row))

    def action_move(self, rows: int) -> None:
        """Up or down."""
        self._go(self.cursor + rows)

    def action_page(self, pages: int) -> None:
        """As many rows as are in sight."""
        self._go(self.cursor + pages * self.page)

    def action_edge(self, last: int) -> None:
        """The first or the last row."""
        self._go(last * len(self.shown))

    def action_choose(self) -> None:
        """Go into the row."""
        if self.row is not None:
            self.post_message(self.Chosen(self, self.row))

    def action_sort(self) -> None:
        """By the next column; after the last one in the table's own order."""
        keys = [slot.field.key for slot in self._slots]
        place = keys.index(self.wish.sort) + 1 if self.wish.sort in keys else 0
        self.want(replace(self.wish, sort=keys[place] if place < len(keys) else None, descending=False))

    def action_turn(self) -> None:
        """The other way round."""
        self.want(replace(self.wish, descending=not self.wish.descending))

    def action_risky(self) -> None:
        """Only rows with a risk, or all."""
        self.want(replace(self.wish, risky=not self.wish.risky))

    def on_click(self, event: events.Click) -> None:
        """A heading sorts, a row gets the cursor; twice, and it is chosen."""
        if event.y == 0:
            field = column_at(self._slots, event.x + self.scroll_offset.x)
            if field is not None and field.key == self.wish.sort:
                self.action_turn()
            elif field is not None:
                self.want(replace(self.wish, sort=field.key, descending=False))
            return
        self._go(event.y - 1 + self.scroll_offset.y)
        if event.chain == 2:
            self.action_choose()
