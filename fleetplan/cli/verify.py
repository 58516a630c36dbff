"""fleetplan verify: judge a plan that stands in a file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit, format_option, refusals, show
from fleetplan.cli.exits import Exit
from fleetplan.cli.progress import watched
from fleetplan.cli.situation import situation, standing
from fleetplan.fleet.model import Release
from fleetplan.output.json import violations_json
from fleetplan.output.views.refusal import accepted_document, refuted_document


@click.command("verify")
@INVENTORY
@click.argument("plan", type=click.Path(path_type=Path))
@situation
@format_option("text", "json")
@AS_OF
@refusals
def command(inventory: Path, plan: Path, target: Release | None, previous: Path | None, wave: int | None, form: str, today: date) -> Exit:
    """Judge PLAN (a file that `fleetplan plan -o` wrote) against INVENTORY.

    A plan that was made with --target, or with --previous and --state-after, is judged with the same.
    """
    with watched() as progress:
        subject, _ = standing(inventory, today, target, previous, wave, progress)
        judged = workflow.plan_file(subject, plan)
        if wave is not None and target is None and judged.part_of is None:
            subject = workflow.continued(subject, wave)
        violations = workflow.verify_plan(subject, judged)
    if form == "json":
        emit(violations_json(violations))
    else:
        show(refuted_document(violations) if violations else accepted_document())
    return Exit.REFUTED if violations else Exit.CLEAN
