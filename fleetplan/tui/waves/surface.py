"""The widget that draws the time line."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from fleetplan.output.ink import Line
from fleetplan.tui.frame.surface import Surface
from fleetplan.tui.waves.timeline import Timeline


class TimelineSurface(Surface, can_focus=True):
    """Bars of hosts; the cursor is on a host, the mark on a moment."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("enter", "choose", "Open"),
    ]

    class Pointed(Message):
        """The cursor is on another host."""

    class Chosen(Message):
        """Somebody wants to go into the host."""

    class Wound(Message):
        """Somebody put the mark on a moment."""

        def __init__(self, at_s: int) -> None:
            super().__init__()
            self.at_s = at_s

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._timeline: Timeline | None = None
        self._at_s = 0
        self.cursor = 0

    def show(self, timeline: Timeline) -> None:
        """Draw another rollout."""
        self._timeline, self.cursor = timeline, 0
        self.measure(0, len(timeline.hosts))

    def wind(self, at_s: int) -> None:
        """Put the mark on a moment."""
        self._at_s = at_s
        self.refresh()

    @property
    def host(self) -> int | None:
        """The host under the cursor."""
        line = self._timeline
        return line.hosts[self.cursor] if line is not None and self.cursor < len(line.hosts) else None

    @property
    def _room(self) -> int:
        return self.scrollable_content_region.width

    def head(self) -> Line | None:
        """The scale."""
        return self._timeline.head(self._at_s, self._room) if self._timeline is not None else None

    def line(self, y: int) -> Line:
        """A host."""
        return self._timeline.line(y, self._at_s, self._room) if self._timeline is not None else ()

    def marked(self, y: int) -> bool:
        """Whether the cursor is there."""
        return y == self.cursor

    def action_move(self, rows: int) -> None:
        """Up or down."""
        last = len(self._timeline.hosts) - 1 if self._timeline is not None else 0
        self.cursor = min(max(self.cursor + rows, 0), max(last, 0))
        self.refresh()
        self.reveal(self.cursor)
        self.post_message(self.Pointed())

    def action_page(self, pages: int) -> None:
        """As many hosts as are in sight."""
        self.action_move(pages * self.page)

    def action_choose(self) -> None:
        """Go into the host."""
        self.post_message(self.Chosen())

    def on_click(self, event: events.Click) -> None:
        """A bar is a place in time, and a host."""
        if self._timeline is None:
            return
        at_s = self._timeline.second(event.x - 1, self._room)
        if at_s is not None:
            self.post_message(self.Wound(at_s))
        if event.y:
            self.action_move(event.y - 1 + self.scroll_offset.y - self.cursor)
