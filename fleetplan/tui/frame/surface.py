"""A surface that draws lines of inked text, only those that are on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from fleetplan.output.ink import Line, length, plain
from fleetplan.output.printable import printable
from fleetplan.tui.theme import ground, styles


class Surface(ScrollView):
    """Draws `line(y)` for the lines in sight. Whoever fills it says how large it is (`measure`)."""

    DEFAULT_CSS = """
    Surface { background: $background; padding-left: 1; scrollbar-size-horizontal: 1; scrollbar-size-vertical: 1; }
    """

    def line(self, y: int) -> Line:
        """The line at a height of the whole, from 0."""
        raise NotImplementedError

    def marked(self, y: int) -> bool:  # noqa: ARG002 - a surface without a cursor marks none
        """Whether a line is that of the cursor."""
        return False

    def spot(self, y: int) -> tuple[int, int] | None:  # noqa: ARG002 - as above
        """The characters of a line that the cursor is on, where it is on some only."""
        return None

    def head(self) -> Line | None:
        """A line that stays on top while the others scroll."""
        return None

    def measure(self, width: int, height: int) -> None:
        """Say how large the whole is, without its head."""
        self.virtual_size = Size(width, height + (self.head() is not None))
        self.refresh()

    @property
    def page(self) -> int:
        """Lines in sight, without the head."""
        return max(self.scrollable_content_region.height - (self.head() is not None), 1)

    def render_line(self, y: int) -> Strip:
        """A line of the screen."""
        head = self.head()
        if head is not None and y == 0:
            return self._strip(head, cursor=False)
        at = self.scroll_offset.y + y - (head is not None)
        if not 0 <= at < self.virtual_size.height - (head is not None):
            return Strip.blank(self.size.width, ground(self.app.theme, cursor=False))
        return self._strip(self.line(at), cursor=self.marked(at), spot=self.spot(at))

    def _strip(self, line: Line, *, cursor: bool, spot: tuple[int, int] | None = None) -> Strip:
        inks, under = styles(self.app.theme), ground(self.app.theme, cursor=cursor)
        strip = Strip([Segment(printable(text), inks[ink] + under) for text, ink in line])
        if spot is not None:
            before, on, after = strip.divide((*spot, strip.cell_length))
            lit = ground(self.app.theme, cursor=True)
            strip = Strip.join((before, Strip([Segment(text, (style or under) + lit) for text, style, _ in on]), after))
        left, width = self.scroll_offset.x, self.size.width
        return strip.crop_extend(left, left + width, under)

    def reveal(self, y: int) -> None:
        """Scroll so far that a line is in sight."""
        self.scroll_to_region(Region(self.scroll_offset.x, y, 1, 1 + (self.head() is not None)), animate=False, force=True)

    def text(self) -> str:
        """The whole as text."""
        head = self.head()
        lines = [head] if head is not None else []
        lines += [self.line(y) for y in range(self.virtual_size.height - len(lines))]
        return "".join(f"{plain(line).rstrip()}\n" for line in lines)


class Lines(Surface, can_focus=True):
    """A surface over lines that are there already."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id, classes=classes)
        self._lines: Sequence[Line] = ()

    def line(self, y: int) -> Line:
        """One of the lines."""
        return self._lines[y]

    def show(self, lines: Sequence[Line]) -> None:
        """Draw these lines from the top."""
        self._lines = lines
        self.scroll_to(0, 0, animate=False, force=True, immediate=True)
        self.measure(max(map(length, lines), default=0), len(lines))
