"""A pane that shows a document, fitted to its width."""

from __future__ import annotations

from collections.abc import Iterator

from textual import events

from fleetplan.output.document import Document
from fleetplan.output.ink import Line, Span, length
from fleetplan.output.text import layout, render
from fleetplan.tui.frame.surface import Lines

NARROWEST = 24


class Pane(Lines):
    """A document, laid out anew when the width changes."""

    DEFAULT_CSS = """
    Pane { overflow-x: hidden; scrollbar-gutter: stable; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id, classes=classes)
        self._document = Document(())
        self._width = 0

    def tell(self, document: Document) -> None:
        """Show a document from its beginning."""
        self._document = document
        self._lay()

    def _lay(self) -> None:
        self._width = self.scrollable_content_region.width
        width = max(self._width, NARROWEST)
        self.show(tuple(part for line in layout(self._document, width) for part in _broken(line, width)))

    def text(self) -> str:
        """The document as it is printed elsewhere: quoted lines whole."""
        return render(self._document)

    def on_resize(self, _event: events.Resize) -> None:
        """Another width may break lines elsewhere."""
        if self.scrollable_content_region.width != self._width:
            self._lay()


def _broken(line: Line, width: int) -> Iterator[Line]:
    """A line that is too long (a message, quoted whole) on several lines, so that its end is seen too."""
    while length(line) > width:
        head, line = _split(line, width)
        yield head
        line = (Span(CONTINUED), *line)
    yield line


CONTINUED = "      "
"""Stands before what goes on from the line above."""


def _split(line: Line, width: int) -> tuple[Line, Line]:
    head: list[Span] = []
    for place, span in enumerate(line):
        room = width - length(tuple(head))
        if len(span.text) > room:
            rest = (Span(span.text[room:], span.ink), *line[place + 1 :])
            return (*head, Span(span.text[:room], span.ink)), rest
        head.append(span)
    return line, ()
