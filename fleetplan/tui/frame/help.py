"""The keys that work here, read off the bindings themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from fleetplan.output.document import Column, Document, Paragraph, Section, Table
from fleetplan.output.risk import RESTART, STANDS, VERDICTS, Sign
from fleetplan.tui.frame.pane import Pane

KEYS = {
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "escape": "esc",
    "pageup": "page up",
    "pagedown": "page down",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "plus": "+",
    "minus": "-",
}
"""What is written on a key that has a longer name."""


FOREIGN = ("scroll_", "page_left", "page_right", "screen.copy", "copy_text", "app.copy")
"""Actions of Textual's own that a surface has anyway, and nobody needs to be told of."""


def help_document(bindings: Iterable[Binding]) -> Document:
    """A line for each action: its keys, and what it does; then the signs of risk."""
    keys = Table((Column(title="keys"), Column(title="do", grows=True)), tuple(_rows(bindings)))
    return Document(
        (
            Section("Keys", (keys,)),
            Section("Signs of moves", (_signs((*VERDICTS.values(), RESTART)),)),
            Section("Signs of hosts", (_signs(tuple(STANDS.values())),)),
            Section(
                "Filters",
                (
                    Paragraph("web: in any name. verdict:fails,strips: this column has one of them. !zone:a: not that."),
                    Paragraph("/-[0-9]$/ and from:/^n1/: a regular expression. Terms stand between blanks; all of them must hold."),
                ),
            ),
        )
    )


def _rows(bindings: Iterable[Binding]) -> Iterator[tuple[str, str]]:
    by_action: dict[tuple[str, str], list[str]] = {}
    for binding in bindings:
        if binding.description and not binding.action.startswith(FOREIGN):
            by_action.setdefault((binding.action, binding.description), []).append(KEYS.get(binding.key, binding.key))
    for (_, words), keys in by_action.items():
        yield ", ".join(dict.fromkeys(keys)), words


def _signs(signs: tuple[Sign, ...]) -> Table:
    return Table((Column(title="sign"), Column(title="means", grows=True)), tuple((sign.text, sign.means) for sign in signs))


class Help(ModalScreen[None]):
    """A page over the screen; any of its keys closes it."""

    DEFAULT_CSS = """
    Help { align: center middle; }
    Help > Vertical { width: 90%; max-width: 96; height: 90%; border: round $border; background: $background; padding: 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "dismiss", "Close")]

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._document = document

    def compose(self) -> ComposeResult:
        """The page."""
        with Vertical():
            yield Pane()

    def on_mount(self) -> None:
        """Fill it."""
        self.query_one(Pane).tell(self._document)
        self.query_one(Pane).focus()
