"""The widget that draws the matrix, with a cursor on a cell."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message

from fleetplan.migration.matrix import Row
from fleetplan.output.ink import Line
from fleetplan.tui.frame.surface import Surface
from fleetplan.tui.matrix.grid import CELL, SMALL, Grid


class GridSurface(Surface, can_focus=True):
    """Cells that scroll both ways."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1, 0)", "Up", show=False),
        Binding("down,j", "move(1, 0)", "Down", show=False),
        Binding("left,h", "move(0, -1)", "Column before", show=False),
        Binding("right,l", "move(0, 1)", "Next column", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("enter", "choose", "Open a guest"),
    ]

    class Pointed(Message):
        """The cursor is on another cell."""

    class Chosen(Message):
        """Somebody wants to go into the guests of a row."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._grid: Grid | None = None
        self._rows: list[int] = []
        self._row = 0
        self.column = 0

    def show(self, grid: Grid) -> None:
        """Draw another matrix."""
        self._grid = grid
        self._rows = [y for y, row in enumerate(grid.lines) if isinstance(row, Row)]
        y, self.column = grid.worst()
        self._row = self._rows.index(y) if y in self._rows else 0
        self._measure()
        self.post_message(self.Pointed())

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        row = self._grid.lines[self._rows[self._row]] if self._grid is not None and self._rows else None
        return row if isinstance(row, Row) else None

    @property
    def _cell(self) -> int:
        columns, label = (len(self._grid.matrix.columns), self._grid.label) if self._grid is not None else (1, 0)
        return CELL if label + columns * CELL <= self.scrollable_content_region.width else SMALL

    def _measure(self) -> None:
        if self._grid is not None:
            self.measure(self._grid.label + self._cell * len(self._grid.matrix.columns), len(self._grid.lines))

    def on_resize(self, _event: events.Resize) -> None:
        """Words may fit now."""
        self._measure()

    def head(self) -> Line | None:
        """The names of the columns."""
        return self._grid.head(self._cell) if self._grid is not None else None

    def line(self, y: int) -> Line:
        """A row."""
        return self._grid.line(y, self._cell) if self._grid is not None else ()

    def spot(self, y: int) -> tuple[int, int] | None:
        """The cell under the cursor."""
        if self._grid is None or not self._rows or y != self._rows[self._row]:
            return None
        start = self._grid.label + self.column * self._cell
        return start, start + self._cell - 1

    def action_move(self, down: int, right: int) -> None:
        """To the cell beside."""
        if self._grid is None or not self._rows:
            return
        self._row = min(max(self._row + down, 0), len(self._rows) - 1)
        self.column = min(max(self.column + right, 0), len(self._grid.matrix.columns) - 1)
        self.refresh()
        y, cell = self._rows[self._row], self._cell
        x = self._grid.label + self.column * cell if self.column else 0
        self.scroll_to_region(Region(x, y if self._row else 0, cell, 2), animate=False, force=True)
        self.post_message(self.Pointed())

    def action_page(self, pages: int) -> None:
        """As many rows as are in sight."""
        self.action_move(pages * self.page, 0)

    def action_choose(self) -> None:
        """Go into a guest of the row."""
        self.post_message(self.Chosen())

    def on_click(self, event: events.Click) -> None:
        """A cell gets the cursor."""
        y = event.y - 1 + self.scroll_offset.y
        if self._grid is None or y not in self._rows:
            return
        column = (event.x - 1 + self.scroll_offset.x - self._grid.label) // self._cell
        self.action_move(self._rows.index(y) - self._row, max(column, 0) - self.column)
