"""The view of one guest."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual.app import ComposeResult

from fleetplan.output.document import Document, Paragraph, Section
from fleetplan.tui.frame.pane import Pane
from fleetplan.tui.frame.view import View
from fleetplan.tui.guest.story import guest_documents
from fleetplan.tui.situation import Situation

WORKING = Document((Section("", (Paragraph("working it out ..."),)),))


class GuestView(View):
    """Birth, registers and promise of a guest on one side, its path through the plan on the other."""

    title: ClassVar[str] = "Guest"
    SCOPED_CSS: ClassVar[bool] = False  # it asks how wide the screen is

    DEFAULT_CSS = """
    GuestView { layout: vertical; }
    GuestView > #guest { height: 2fr; }
    GuestView > #path { height: 1fr; border-top: solid $border-blurred; }
    .-wide GuestView { layout: horizontal; }
    .-wide GuestView > #guest { width: 3fr; height: 100%; }
    .-wide GuestView > #path { width: 2fr; height: 100%; border-top: none; border-left: solid $border-blurred; }
    """

    _situation: Situation | None = None

    def compose(self) -> ComposeResult:
        """What it is, and what becomes of it."""
        yield Pane(id="guest")
        yield Pane(id="path")

    def take(self, situation: Situation) -> None:
        """Look at this situation from now on."""
        self._situation = situation

    def aim(self, subject: str) -> None:
        """Be about this guest."""
        situation = self._situation
        if situation is not None and situation.study.has_guest(subject):
            self._tell((WORKING, Document(())))
            self.work_out("guest", partial(guest_documents, situation, subject), self._tell)

    def _tell(self, found: tuple[Document, Document]) -> None:
        for name, document in zip(("#guest", "#path"), found, strict=True):
            self.query_one(name, Pane).tell(document)

    def main(self) -> Pane:
        """What the guest is."""
        return self.query_one("#guest", Pane)

    def exported(self) -> str:
        """Both sides."""
        return f"{self.main().text()}\n{self.query_one('#path', Pane).text()}"

    copied = exported
