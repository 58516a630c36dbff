"""The view of the fleet: the map, and beside it the host under the cursor in short."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult

from fleetplan.output.document import Document
from fleetplan.tui.fleet.brief import brief_document
from fleetplan.tui.fleet.surface import MapSurface
from fleetplan.tui.fleet.table import host_table
from fleetplan.tui.frame.pane import Pane
from fleetplan.tui.frame.trail import Place
from fleetplan.tui.frame.view import View
from fleetplan.tui.messages import GoTo
from fleetplan.tui.situation import Situation


class FleetView(View):
    """Hosts by zone and rack."""

    title: ClassVar[str] = "Fleet"
    SCOPED_CSS: ClassVar[bool] = False  # it asks how wide the screen is

    DEFAULT_CSS = """
    FleetView { layout: vertical; }
    FleetView > MapSurface { height: 1fr; }
    FleetView > Pane { height: 9; border-top: solid $border-blurred; }
    .-wide FleetView { layout: horizontal; }
    .-wide FleetView > MapSurface { width: 3fr; height: 100%; }
    .-wide FleetView > Pane { width: 2fr; height: 100%; border-top: none; border-left: solid $border-blurred; padding-left: 1; }
    """

    _situation: Situation | None = None

    def compose(self) -> ComposeResult:
        """Map and pane."""
        yield MapSurface(id="map")
        yield Pane(id="brief")

    def take(self, situation: Situation) -> None:
        """Draw the hosts of this situation."""
        self._situation = situation
        picture = situation.journey.at()
        self.main().show(host_table(situation.study.fleet, situation.columns, picture), situation.columns, picture)

    def main(self) -> MapSurface:
        """The map."""
        return self.query_one("#map", MapSurface)

    def table(self) -> MapSurface:
        """The map: filters narrow it."""
        return self.main()

    def on_map_surface_pointed(self, event: MapSurface.Pointed) -> None:
        """Say in short what the host under the cursor is."""
        pane, situation = self.query_one("#brief", Pane), self._situation
        if situation is None or event.host is None:
            pane.tell(Document(()))
        else:
            pane.tell(brief_document(situation, situation.journey.at(), event.host))

    def on_map_surface_chosen(self, event: MapSurface.Chosen) -> None:
        """Go into the host."""
        if self._situation is not None and event.host is not None:
            self.post_message(GoTo(Place("host", self._situation.columns.hosts.names[event.host])))

    def copied(self) -> str:
        """What the pane says."""
        return self.query_one("#brief", Pane).text()
