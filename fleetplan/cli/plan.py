"""fleetplan plan: the main job."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit_all, format_option, refusals, show, tell
from fleetplan.cli.exits import Exit
from fleetplan.inventory.planfile import plan_pieces, write_atomically
from fleetplan.output.views.plan import plan_document
from fleetplan.output.views.refusal import infeasible_document, refuted_document
from fleetplan.rollout.plan import Infeasible


@click.command("plan")
@INVENTORY
@format_option("text", "json")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Also write the plan, as JSON, to this file.")
@AS_OF
@refusals
def command(inventory: Path, form: str, output: Path | None, today: date) -> Exit:
    """Make a plan for INVENTORY (a file, or a folder), and have it judged before it is shown."""
    subject = workflow.study(inventory, today)
    planned = workflow.make_plan(subject)
    if planned.violations:
        tell(refuted_document(planned.violations))
        return Exit.REFUTED
    if output is not None:
        _write(output, plan_pieces(planned.outcome))
    if form == "json":
        emit_all(plan_pieces(planned.outcome))
    elif isinstance(planned.outcome, Infeasible):
        show(infeasible_document(planned.outcome))
    else:
        show(plan_document(planned.outcome, workflow.move_reasons(subject, planned.outcome)))
    return Exit.NO_PLAN if isinstance(planned.outcome, Infeasible) else Exit.CLEAN


def _write(output: Path, pieces: Iterable[bytes]) -> None:
    try:
        write_atomically(output, pieces)
    except OSError as problem:
        raise click.FileError(str(output), problem.strerror) from problem
