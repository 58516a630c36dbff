"""fleetplan diff: what needs a new approval."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, emit, format_option, refusals, show
from fleetplan.cli.exits import Exit
from fleetplan.cli.progress import watched
from fleetplan.output.diff import diff_json
from fleetplan.output.views.diff import diff_document


@click.command("diff")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@format_option("text", "json")
@AS_OF
@refusals
def command(before: Path, after: Path, form: str, today: date) -> Exit:
    """Say what has changed from BEFORE to AFTER, two plan files or two inventories: what needs a new approval, apart from what does not.

    Exit codes: 0 nothing to approve, 1 an approval is needed, 2 input that is invalid.
    """
    with watched() as progress:
        try:
            comparison = workflow.diff(before, after, today, progress)
        except workflow.UnlikeError as unlike:
            told = f"`{unlike.plan}` is a plan and `{unlike.other}` is none: compare two plans, or two inventories"
            raise click.UsageError(told) from unlike
    if form == "json":
        emit(diff_json(comparison))
    else:
        show(diff_document(comparison))
    return Exit.FINDINGS if comparison.to_approve else Exit.CLEAN
