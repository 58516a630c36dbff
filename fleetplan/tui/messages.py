"""What travels between workers, views and the application. All of it is frozen values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.message import Message

from fleetplan.output.document import Document
from fleetplan.tui.frame.trail import Place
from fleetplan.tui.situation import Situation


class Progressed(Message):
    """How far the work is that opens an inventory."""

    def __init__(self, stage: str, done: int, total: int) -> None:
        super().__init__()
        self.stage = stage
        self.done = done
        self.total = total


class Arrived(Message):
    """There is a situation to look at: the first, or another one."""

    def __init__(self, situation: Situation) -> None:
        super().__init__()
        self.situation = situation


class Failed(Message):
    """A worker could not do what it was asked for; the document says why."""

    def __init__(self, document: Document) -> None:
        super().__init__()
        self.document = document


class Answered(Message):
    """A worker has an answer for whoever asked. `number` tells whether a later question made it void."""

    def __init__(self, group: str, number: int, done: Callable[[Any], None], answer: object) -> None:
        super().__init__()
        self.group = group
        self.number = number
        self.done = done
        self.answer = answer


class GoTo(Message):
    """Somebody wants to go into something, or (`anew`) to another view."""

    def __init__(self, place: Place, *, anew: bool = False) -> None:
        super().__init__()
        self.place = place
        self.anew = anew


class Said(Message):
    """One line for the status bar; `trouble`: of something that is wrong."""

    def __init__(self, words: str, *, trouble: bool = False) -> None:
        super().__init__()
        self.words = words
        self.trouble = trouble


class Arranged(Message):
    """Other rows are shown, or in another order."""
