"""What every view is: something that looks at a situation, and may be about one subject."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar, cast

from textual.containers import Vertical

from fleetplan.output.ink import Line
from fleetplan.tui.frame.surface import Surface
from fleetplan.tui.situation import Situation
from fleetplan.tui.table.model import Table, Wish

if TYPE_CHECKING:
    from fleetplan.rollout.columns import Ints

T = TypeVar("T")


class Asker(Protocol):
    """Who answers questions in a worker."""

    def ask(self, group: str, make: Callable[[], T], done: Callable[[T], None]) -> None:
        """Work something out beside the screen; of one group only the last answer counts."""


class Narrowed(Protocol):
    """What a filter can narrow: a table, or whatever else shows rows of one."""

    data: Table
    wish: Wish
    shown: Ints

    def want(self, wish: Wish) -> None:
        """Show other rows. Raises FilterError."""


class View(Vertical):
    """A view. `title` is what it is called in paths; `main` is what gets the keys."""

    title: ClassVar[str] = ""

    def take(self, situation: Situation) -> None:
        """Look at this situation from now on."""
        raise NotImplementedError

    def aim(self, subject: str) -> None:
        """Be about this subject (views that are about one thing)."""

    def main(self) -> Surface:
        """The surface that has the keys when somebody comes here."""
        raise NotImplementedError

    def table(self) -> Narrowed | None:
        """What a filter narrows, if there is anything."""
        return None

    def copied(self) -> str:
        """What is put into the clipboard: what the cursor is on."""
        return self.main().text()

    def exported(self) -> str:
        """The whole view as text."""
        return self.main().text()

    def standing(self) -> Line:
        """A line of the view's own for the status bar."""
        return ()

    def work_out(self, group: str, make: Callable[[], T], done: Callable[[T], None]) -> None:
        """Have something worked out beside the screen."""
        cast("Asker", self.app).ask(group, make, done)
