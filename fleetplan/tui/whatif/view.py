"""The view of what was tried: the changes, and how the plan differs from the one before them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from fleetplan.inventory.output_file import write_atomically
from fleetplan.inventory.plan_text import plan_pieces
from fleetplan.output.document import Bullets, Document, Paragraph, Section
from fleetplan.output.ink import Ink
from fleetplan.tui.frame.pane import Pane
from fleetplan.tui.frame.trail import Place
from fleetplan.tui.frame.view import View
from fleetplan.tui.messages import Said
from fleetplan.tui.save import free_path
from fleetplan.tui.situation import Situation
from fleetplan.tui.table.model import Field, Table
from fleetplan.tui.table.view import TableView
from fleetplan.tui.whatif.change import USAGE, line, patch_text
from fleetplan.tui.whatif.trial import difference

HOW = Document(
    (
        Section(
            "Try a change",
            (
                Paragraph("Press i, anywhere, and say what if. The plan is made anew beside the screen; the inventory stays as it is."),
                Bullets(tuple((0, usage) for usage in USAGE)),
                Paragraph("u undoes, U does again. Here p saves the plan, and P what to write into the inventory."),
            ),
        ),
    )
)


class WhatIfView(View):
    """What was tried, and what it comes to."""

    title: ClassVar[str] = "What if"
    SCOPED_CSS: ClassVar[bool] = False  # it asks how wide the screen is

    DEFAULT_CSS = """
    WhatIfView { layout: vertical; }
    WhatIfView > TableView { height: 1fr; }
    WhatIfView > Pane { height: 2fr; border-top: solid $border-blurred; }
    .-wide WhatIfView { layout: horizontal; }
    .-wide WhatIfView > TableView { width: 2fr; height: 100%; }
    .-wide WhatIfView > Pane { width: 3fr; height: 100%; border-top: none; border-left: solid $border-blurred; padding-left: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "plan", "Save plan"),
        Binding("P", "patch", "Save changes as YAML"),
    ]

    _situation: Situation | None = None

    def compose(self) -> ComposeResult:
        """Changes, and what they come to."""
        yield TableView(id="changes")
        yield Pane(id="difference")

    def take(self, situation: Situation) -> None:
        """Show what was tried up to this situation."""
        self._situation = situation
        steps = situation.history
        rows = ["as the inventory has it", *(line(change) for change in situation.changes)]
        fields = (
            Field(key="number", title="#", values=[str(number) for number in range(len(rows))]),
            Field(key="change", title="what if", values=rows, least=16),
            Field(key="plan", title="plan", values=[_words(each) for each in steps], inks=[_ink(each) for each in steps], least=12),
        )
        self.table().show(Table(fields=fields, rows=len(rows), names=("change",)))
        self.table().point(len(rows) - 1)

    def main(self) -> TableView:
        """The table of changes."""
        return self.table()

    def table(self) -> TableView:
        """The table of changes."""
        return self.query_one("#changes", TableView)

    def on_table_view_pointed(self, event: TableView.Pointed) -> None:
        """Say how the plan after a change differs from the one before it; at the top, from the inventory's to the last."""
        situation, pane = self._situation, self.query_one("#difference", Pane)
        if situation is None or event.row is None or not situation.changes:
            pane.tell(HOW)
            return
        steps = situation.history
        pair = (steps[event.row - 1], steps[event.row]) if event.row else (steps[0], steps[-1])
        self.work_out("difference", partial(difference, *pair), pane.tell)

    def on_table_view_chosen(self, _event: TableView.Chosen) -> None:
        """There is nothing to go into."""

    def copied(self) -> str:
        """What the pane says."""
        return self.query_one("#difference", Pane).text()

    def exported(self) -> str:
        """Changes and difference."""
        return f"{self.table().text()}\n{self.copied()}"

    # --- files -------------------------------------------------------------------------------------------------------------------

    def action_plan(self) -> None:
        """Write the plan to a new file."""
        situation = self._situation
        if situation is None or situation.plan is None:
            self.post_message(Said("there is no plan to save", trouble=True))
            return
        path = free_path(Place("plan"), "json")
        self._written(path, lambda: write_atomically(path, plan_pieces(situation.outcome)))

    def action_patch(self) -> None:
        """Write what was changed, as it would stand in the inventory, to a new file."""
        situation = self._situation
        if situation is None or not situation.changes:
            self.post_message(Said("nothing was changed", trouble=True))
            return
        path = free_path(Place("patch"), "yaml")
        self._written(path, lambda: path.write_text(patch_text(situation.changes, situation.study.whole)))

    def _written(self, path: Path, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError as problem:
            self.post_message(Said(f"{path}: {problem.strerror}", trouble=True))
        else:
            self.post_message(Said(f"written: {path}"))


def _words(situation: Situation) -> str:
    plan = situation.plan
    if plan is None:
        return "✗ no safe plan"
    return f"✓ {len(plan.waves)} waves, {plan.bounds.moves.plan:,} migrations"


def _ink(situation: Situation) -> Ink:
    return Ink.FAILS if situation.plan is None else Ink.SAFE
