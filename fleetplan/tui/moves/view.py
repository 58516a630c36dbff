"""The view of moves: the table, and beside it all about the one under the cursor."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual.app import ComposeResult

from fleetplan.output.document import Document
from fleetplan.tui.frame.pane import Pane
from fleetplan.tui.frame.trail import Place
from fleetplan.tui.frame.view import View
from fleetplan.tui.messages import GoTo
from fleetplan.tui.moves.story import landing_document
from fleetplan.tui.situation import Situation
from fleetplan.tui.table.view import TableView


class MovesView(View):
    """Every landing, the riskiest first."""

    title: ClassVar[str] = "Moves"
    SCOPED_CSS: ClassVar[bool] = False  # it asks how wide the screen is

    DEFAULT_CSS = """
    MovesView { layout: vertical; }
    MovesView > TableView { height: 1fr; }
    MovesView > Pane { height: 1fr; border-top: solid $border-blurred; }
    .-wide MovesView { layout: horizontal; }
    .-wide MovesView > TableView { width: 3fr; height: 100%; }
    .-wide MovesView > Pane { width: 2fr; height: 100%; border-top: none; border-left: solid $border-blurred; padding-left: 1; }
    """

    _situation: Situation | None = None

    def compose(self) -> ComposeResult:
        """Table and pane."""
        yield TableView(id="moves")
        yield Pane(id="move")

    def take(self, situation: Situation) -> None:
        """Show the landings of this situation."""
        self._situation = situation
        self.table().show(situation.moves)

    def main(self) -> TableView:
        """The table."""
        return self.table()

    def table(self) -> TableView:
        """The table of landings."""
        return self.query_one("#moves", TableView)

    def on_table_view_pointed(self, event: TableView.Pointed) -> None:
        """Say all about the landing under the cursor."""
        situation, pane = self._situation, self.query_one("#move", Pane)
        if situation is None or event.row is None:
            pane.tell(Document(()))
            return
        self.work_out("move", partial(landing_document, situation, event.row), pane.tell)

    def on_table_view_chosen(self, event: TableView.Chosen) -> None:
        """Go into the guest."""
        guest = self.table().data.field("guest")
        if event.row is not None and guest is not None:
            self.post_message(GoTo(Place("guest", guest.text(event.row))))

    def copied(self) -> str:
        """What the pane says."""
        return self.query_one("#move", Pane).text()
