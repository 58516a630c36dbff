"""The view of the matrix: cells, and beside them the move under the cursor."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual.app import ComposeResult

from fleetplan.output.ink import Line
from fleetplan.tui.frame.pane import Pane
from fleetplan.tui.frame.trail import Place
from fleetplan.tui.frame.view import View
from fleetplan.tui.matrix.grid import LEGEND, Grid, cell_document, grid
from fleetplan.tui.matrix.surface import GridSurface
from fleetplan.tui.messages import GoTo
from fleetplan.tui.situation import Situation
from fleetplan.workflow import Study, verdict_matrix


class MatrixView(View):
    """Class by class verdicts, now and at the target."""

    title: ClassVar[str] = "Matrix"
    SCOPED_CSS: ClassVar[bool] = False  # it asks how wide the screen is

    DEFAULT_CSS = """
    MatrixView { layout: vertical; }
    MatrixView > GridSurface { height: 1fr; }
    MatrixView > Pane { height: 1fr; border-top: solid $border-blurred; }
    .-wide MatrixView { layout: horizontal; }
    .-wide MatrixView > GridSurface { width: 1fr; height: 100%; }
    .-wide MatrixView > Pane { width: 1fr; height: 100%; border-top: none; border-left: solid $border-blurred; }
    """

    _study: Study | None = None
    _grid: Grid | None = None

    def compose(self) -> ComposeResult:
        """Cells and pane."""
        yield GridSurface(id="grid")
        yield Pane(id="cell")

    def take(self, situation: Situation) -> None:
        """Have the matrix of this situation worked out."""
        study = self._study = situation.study
        self._grid = None
        self.work_out("matrix", lambda: grid(study, verdict_matrix(study)), self._show)

    def _show(self, found: Grid) -> None:
        self._grid = found
        self.main().show(found)

    def main(self) -> GridSurface:
        """The cells."""
        return self.query_one("#grid", GridSurface)

    def standing(self) -> Line:
        """What the marks mean."""
        return LEGEND

    def on_grid_surface_pointed(self, _event: GridSurface.Pointed) -> None:
        """Say all about the move under the cursor."""
        row = self.main().row
        if self._study is not None and self._grid is not None and row is not None:
            make = partial(cell_document, self._study, self._grid, row, self.main().column)
            self.work_out("cell", make, self.query_one("#cell", Pane).tell)

    def on_grid_surface_chosen(self, _event: GridSurface.Chosen) -> None:
        """Go into the first guest of the row."""
        row = self.main().row
        members = self._grid.names.members.get(row.state[0]) if self._grid is not None and row is not None else None
        if members:
            self.post_message(GoTo(Place("guest", members[0].name)))

    def copied(self) -> str:
        """What the pane says."""
        return self.query_one("#cell", Pane).text()
