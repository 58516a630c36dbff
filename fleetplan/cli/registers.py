"""fleetplan registers: what hosts give a guest."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit, format_option, refusals, show
from fleetplan.cli.exits import Exit


@click.command("registers")
@INVENTORY
@click.argument("hosts", nargs=-1)
@format_option("text", "json")
@AS_OF
@refusals
def command(inventory: Path, hosts: tuple[str, ...], form: str, today: date) -> Exit:
    """Show the firmware registers that HOSTS (default: all) give a guest that boots there."""
    files = workflow.register_files(workflow.study(inventory, today), hosts)
    if form == "json":
        from fleetplan.output.json import registers_json  # noqa: PLC0415 - one of the two is needed

        emit(registers_json(files))
    else:
        from fleetplan.output.views.registers import registers_document  # noqa: PLC0415 - as above

        show(registers_document(files))
    return Exit.CLEAN
