"""The view of one host."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual.app import ComposeResult

from fleetplan.tui.frame.pane import Pane
from fleetplan.tui.frame.trail import Place
from fleetplan.tui.frame.view import View
from fleetplan.tui.host.story import guest_rows, host_document
from fleetplan.tui.messages import GoTo
from fleetplan.tui.situation import Situation
from fleetplan.tui.table.view import TableView


class HostView(View):
    """Its guests as a table, and all about the host."""

    title: ClassVar[str] = "Host"
    SCOPED_CSS: ClassVar[bool] = False  # it asks how wide the screen is

    DEFAULT_CSS = """
    HostView { layout: vertical; }
    HostView > Pane { height: 2fr; border-top: solid $border-blurred; }
    HostView > TableView { height: 1fr; }
    .-wide HostView { layout: horizontal; }
    .-wide HostView > Pane { width: 3fr; height: 100%; border-top: none; border-left: solid $border-blurred; }
    .-wide HostView > TableView { width: 2fr; height: 100%; }
    """

    _situation: Situation | None = None

    def compose(self) -> ComposeResult:
        """Its guests, and what it is."""
        yield TableView(id="guests")
        yield Pane(id="host")

    def take(self, situation: Situation) -> None:
        """Look at this situation from now on."""
        self._situation = situation

    def aim(self, subject: str) -> None:
        """Be about this host."""
        situation = self._situation
        number = situation.host_numbers.get(subject) if situation is not None else None
        if situation is not None and number is not None:
            self.table().show(guest_rows(situation, number))
            self.work_out("host", partial(host_document, situation, number), self.query_one("#host", Pane).tell)

    def main(self) -> TableView:
        """The table of its guests."""
        return self.table()

    def table(self) -> TableView:
        """The table of its guests."""
        return self.query_one("#guests", TableView)

    def on_table_view_chosen(self, event: TableView.Chosen) -> None:
        """Go into a guest."""
        guest = self.table().data.field("guest")
        if event.row is not None and guest is not None:
            self.post_message(GoTo(Place("guest", guest.text(event.row))))

    def copied(self) -> str:
        """What the pane says."""
        return self.query_one("#host", Pane).text()

    def exported(self) -> str:
        """Its guests, and what it is."""
        return f"{self.table().text()}\n{self.copied()}"
