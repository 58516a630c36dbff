"""fleetplan export: a plan as something that people or programs execute."""

from __future__ import annotations

from pathlib import Path

import click

from fleetplan import workflow
from fleetplan.cli.console import emit_all, refusals, write
from fleetplan.cli.exits import Exit
from fleetplan.output.runbooks.formats import EXPORTS


@click.command("export")
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--to", "form", type=click.Choice(list(EXPORTS)), required=True, help="What to make of it.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file, not to stdout.")
@refusals
def command(plan: Path, form: str, output: Path | None) -> Exit:
    """Write PLAN (a file that `fleetplan plan -o` or `fleetplan next -o` wrote) as a runbook, a script, manifests, a table or a drawing.

    It needs the plan alone, no inventory. Scripts begin by looking whether the fleet is in a state on the plan's way, and may be run again.
    """
    pieces = EXPORTS[form](workflow.plan_alone(plan))
    if output is None:
        emit_all(pieces)
    else:
        write(output, pieces)
    return Exit.CLEAN
