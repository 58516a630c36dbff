"""The bars around a view: heading, status, and the prompt for filters and jumps."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult, RenderResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input, Label

from fleetplan.output.ink import Line
from fleetplan.tui.theme import rich_text


class Bar(Widget):
    """One line of inked text, or some."""

    DEFAULT_CSS = """
    Bar { height: auto; background: $panel; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.lines: tuple[Line, ...] = ()

    def say(self, *lines: Line) -> None:
        """Show these lines."""
        if lines != self.lines:
            self.lines = lines
            self.refresh(layout=True)

    def render(self) -> RenderResult:
        """The lines, one below the other."""
        return rich_text(self.lines, self.app.theme)


class Prompt(Horizontal):
    """One line to type in. `/` narrows while one types; `:` goes somewhere when one is done. Esc leaves it as it was."""

    DEFAULT_CSS = """
    Prompt { height: 1; background: $panel; display: none; }
    Prompt.-open { display: block; }
    Prompt > Label { width: auto; padding: 0 1; color: $secondary; text-style: bold; }
    Prompt > Input { border: none; height: 1; padding: 0; background: $panel; width: 1fr; }
    Prompt > Input:focus { border: none; background: $panel; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave", show=False)]

    class Typed(Message):
        """The text changed, or (`entered`) was confirmed, or (`left`) was given up."""

        def __init__(self, kind: str, text: str, *, entered: bool = False, left: bool = False) -> None:
            super().__init__()
            self.kind = kind
            self.text = text
            self.entered = entered
            self.left = left

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.kind = "/"

    def compose(self) -> ComposeResult:
        """The sign of what is asked, and a line to type in."""
        yield Label("/")
        yield Input(compact=True, select_on_focus=False)

    def open(self, kind: str, text: str, hint: str, known: tuple[str, ...] = ()) -> None:
        """Ask for a filter (`/`) or a place (`:`). `known` are completed with the right arrow key."""
        self.kind = kind
        self.query_one(Label).update(kind)
        line = self.query_one(Input)
        line.suggester = SuggestFromList(known, case_sensitive=False) if known else None
        line.placeholder = hint
        with line.prevent(Input.Changed):
            line.value = text
        self.add_class("-open")
        line.cursor_position = len(text)
        line.focus()

    def close(self) -> None:
        """Ask no more."""
        self.remove_class("-open")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell what was typed so far."""
        event.stop()
        self.post_message(self.Typed(self.kind, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Tell what was confirmed."""
        event.stop()
        self.post_message(self.Typed(self.kind, event.value, entered=True))

    def action_leave(self) -> None:
        """Give up."""
        self.post_message(self.Typed(self.kind, self.query_one(Input).value, left=True))
