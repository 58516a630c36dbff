"""fleetplan verdict: one move."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit, format_option, refusals, show
from fleetplan.cli.exits import Exit


@click.command("verdict")
@INVENTORY
@click.argument("guest")
@click.argument("destination")
@click.option("--upgraded", is_flag=True, help="As if the destination already ran the target release.")
@format_option("text", "json")
@AS_OF
@refusals
def command(inventory: Path, guest: str, destination: str, upgraded: bool, form: str, today: date) -> Exit:
    """Judge the migration of GUEST, from the host it is on, to the host DESTINATION."""
    subject = workflow.study(inventory, today)
    told = workflow.verdict(subject, guest, destination, upgraded=upgraded)
    if form == "json":
        from fleetplan.output.json import judgment_json  # noqa: PLC0415 - one of the two is needed

        emit(judgment_json(told))
    else:
        from fleetplan.output.views.verdict import judgment_document  # noqa: PLC0415 - as above

        show(judgment_document(told, workflow.waiver_expires(subject)))
    return Exit.CLEAN
