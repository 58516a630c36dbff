"""fleetplan verify: judge a plan that stands in a file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit, format_option, refusals, show
from fleetplan.cli.exits import Exit
from fleetplan.output.json import violations_json
from fleetplan.output.views.refusal import accepted_document, refuted_document


@click.command("verify")
@INVENTORY
@click.argument("plan", type=click.Path(path_type=Path))
@format_option("text", "json")
@AS_OF
@refusals
def command(inventory: Path, plan: Path, form: str, today: date) -> Exit:
    """Judge PLAN (a file that `fleetplan plan -o` wrote) against INVENTORY."""
    violations = workflow.verify_plan(workflow.study(inventory, today), plan)
    if form == "json":
        emit(violations_json(violations))
    else:
        show(refuted_document(violations) if violations else accepted_document())
    return Exit.REFUTED if violations else Exit.CLEAN
