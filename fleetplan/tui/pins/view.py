"""The view of pins: the table, and what they keep open or cannot."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult

from fleetplan.output.document import Bullets, Document, Paragraph, Section
from fleetplan.output.views.plan import pin_points, ways_back_document
from fleetplan.tui.frame.pane import Pane
from fleetplan.tui.frame.trail import Place
from fleetplan.tui.frame.view import View
from fleetplan.tui.messages import GoTo
from fleetplan.tui.pins.table import ordered, pin_table
from fleetplan.tui.situation import Situation
from fleetplan.tui.table.view import TableView

NONE_NEEDED = "No guest needs a PSCI pin in this plan."
NO_PLAN = "There is no plan, so there are no pins; 3 Waves says why."


class PinsView(View):
    """Who needs which PSCI pin, since when, and what it costs."""

    title: ClassVar[str] = "Pins"
    SCOPED_CSS: ClassVar[bool] = False  # it asks how wide the screen is

    DEFAULT_CSS = """
    PinsView { layout: vertical; }
    PinsView > TableView { height: 1fr; }
    PinsView > Pane { height: 1fr; border-top: solid $border-blurred; }
    .-wide PinsView { layout: horizontal; }
    .-wide PinsView > TableView { width: 3fr; height: 100%; }
    .-wide PinsView > Pane { width: 2fr; height: 100%; border-top: none; border-left: solid $border-blurred; }
    """

    _situation: Situation | None = None

    def compose(self) -> ComposeResult:
        """Table and pane."""
        yield TableView(id="pins")
        yield Pane(id="pin")

    def take(self, situation: Situation) -> None:
        """Show the pins of this situation."""
        self._situation = situation
        self.table().show(pin_table(situation.plan, situation.steps))

    def main(self) -> TableView:
        """The table."""
        return self.table()

    def table(self) -> TableView:
        """The table of pins."""
        return self.query_one("#pins", TableView)

    def on_table_view_pointed(self, event: TableView.Pointed) -> None:
        """Say all about the pin under the cursor, and about ways back."""
        plan = self._situation.plan if self._situation is not None else None
        pins = ordered(plan)
        if event.row is not None and event.row < len(pins):
            first = Section("", (Bullets(tuple(pin_points(pins[event.row]))),))
        else:
            first = Section("", (Paragraph(NONE_NEEDED if plan is not None else NO_PLAN),))
        back = ways_back_document(plan).sections if plan is not None else ()
        self.query_one("#pin", Pane).tell(Document((first, *back)))

    def on_table_view_chosen(self, event: TableView.Chosen) -> None:
        """Go into the guest."""
        pins = ordered(self._situation.plan if self._situation is not None else None)
        if event.row is not None:
            self.post_message(GoTo(Place("guest", pins[event.row].guest)))

    def copied(self) -> str:
        """What the pane says."""
        return self.query_one("#pin", Pane).text()
