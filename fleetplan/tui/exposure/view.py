"""The view of exposure: shares as bars, guests as a table, all about one of them; stepped through wave by wave."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from fleetplan.tui.exposure.census import Census, Course
from fleetplan.tui.exposure.shares import shares
from fleetplan.tui.exposure.table import exposure_document, exposure_table, order
from fleetplan.tui.frame.pane import Pane
from fleetplan.tui.frame.surface import Lines
from fleetplan.tui.frame.trail import Place
from fleetplan.tui.frame.view import View
from fleetplan.tui.messages import GoTo
from fleetplan.tui.situation import Situation
from fleetplan.tui.table.view import TableView


class ExposureView(View):
    """Who is protected, stale, stripped, hidden or exposed, now and after each wave."""

    title: ClassVar[str] = "Exposure"
    SCOPED_CSS: ClassVar[bool] = False  # it asks how wide the screen is

    DEFAULT_CSS = """
    ExposureView { layout: grid; grid-size: 1; grid-rows: 5 1fr 1fr; }
    ExposureView > #shares { overflow-x: hidden; border-bottom: solid $border-blurred; }
    ExposureView > Pane { border-top: solid $border-blurred; }
    .-wide ExposureView { grid-size: 2; grid-columns: 3fr 2fr; grid-rows: 5 1fr; }
    .-wide ExposureView > #shares { column-span: 2; }
    .-wide ExposureView > Pane { border-top: none; border-left: solid $border-blurred; padding-left: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "wave(1)", "Next wave", key_display="[]"),
        Binding("left_square_bracket", "wave(-1)", "Wave before", show=False),
    ]

    _situation: Situation | None = None
    _census: Census | None = None
    _wave: int = 0

    def compose(self) -> ComposeResult:
        """Bars, table and pane."""
        yield Lines(id="shares")
        yield TableView(id="exposed")
        yield Pane(id="exposure")

    def take(self, situation: Situation) -> None:
        """Show this situation, after the wave that was looked at if it has as many."""
        self._situation = situation
        self._wave = min(self._wave, situation.course.waves)
        self._work()

    def _work(self) -> None:
        if self._situation is not None:
            self.work_out("exposure", partial(_census, self._situation.course, self._wave), self._tell)

    def _tell(self, census: Census) -> None:
        """Show guests at a moment; the cursor stays on its guest."""
        if self._situation is None:
            return
        guest = self._guest(self.table().row)
        self._census = census
        self.table().show(exposure_table(self._situation.columns, census))
        rows = order(census).tolist()
        if guest in rows:
            self.table().point(rows.index(guest))
        self._draw()

    def _draw(self) -> None:
        if self._situation is not None and self._census is not None:
            lines = self.query_one("#shares", Lines)
            lines.show(shares(self._situation.course, self._census, lines.scrollable_content_region.width))

    def on_resize(self, _event: events.Resize) -> None:
        """Bars have another width, once everything has its new size."""
        self.call_after_refresh(self._draw)

    def main(self) -> TableView:
        """The table."""
        return self.table()

    def table(self) -> TableView:
        """The table of guests."""
        return self.query_one("#exposed", TableView)

    def action_wave(self, waves: int) -> None:
        """To the moment after the next wave, or the one before."""
        if self._situation is not None:
            self._wave = min(max(self._wave + waves, 0), self._situation.course.waves)
            self._work()

    def _guest(self, row: int | None) -> int | None:
        if row is None or self._census is None:
            return None
        return int(order(self._census)[row])

    def on_table_view_pointed(self, event: TableView.Pointed) -> None:
        """Say all about the guest under the cursor."""
        if self._situation is not None and self._census is not None:
            job = partial(exposure_document, self._situation.course, self._census, self._guest(event.row))
            self.work_out("exposure-guest", job, self.query_one("#exposure", Pane).tell)

    def on_table_view_chosen(self, event: TableView.Chosen) -> None:
        """Go into the guest."""
        guest = self._guest(event.row)
        if guest is not None and self._situation is not None:
            self.post_message(GoTo(Place("guest", self._situation.columns.guests.names[guest])))

    def copied(self) -> str:
        """What the pane says."""
        return self.query_one("#exposure", Pane).text()

    def exported(self) -> str:
        """Bars and table."""
        return f"{self.query_one('#shares', Lines).text()}\n{self.table().text()}"


def _census(course: Course, wave: int) -> Census:
    _ = course.moments
    return course.at(wave)
