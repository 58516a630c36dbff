"""A pane that shows a document, fitted to its width."""

from __future__ import annotations

from textual import events

from fleetplan.output.document import Document
from fleetplan.output.text import layout
from fleetplan.tui.frame.surface import Lines

NARROWEST = 24


class Pane(Lines):
    """A document, laid out anew when the width changes."""

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
        self.show(tuple(layout(self._document, max(self._width, NARROWEST))))

    def on_resize(self, _event: events.Resize) -> None:
        """Another width may break lines elsewhere."""
        if self.scrollable_content_region.width != self._width:
            self._lay()
