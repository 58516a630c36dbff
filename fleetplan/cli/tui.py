"""fleetplan tui: look at the fleet, its plan and its risks in a terminal."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import click

from fleetplan.cli.console import AS_OF, INVENTORY
from fleetplan.cli.exits import Exit


@click.command("tui")
@INVENTORY
@click.option("--plan", type=click.Path(path_type=Path), metavar="PLAN", help="Show the plan in this file; without, one is made.")
@click.option(
    "--theme", type=click.Choice(["dark", "light", "ansi"]), default="dark", show_default=True, help="Colours (`t` changes them)."
)
@AS_OF
def command(inventory: Path, plan: Path | None, theme: str, today: date) -> Exit:
    """Look at INVENTORY (a file, or a folder) in a terminal: risky moves and why, hosts, waves, verdicts, PSCI pins.

    Nothing is written to the inventory. `?` shows the keys; q leaves.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("`tui` needs a terminal; `plan`, `verdict` and `explain` print the same")
    from fleetplan.tui.app import run  # noqa: PLC0415 - textual, which nothing else needs
    from fleetplan.tui.work import Request  # noqa: PLC0415 - as above

    return Exit(run(Request(inventory=inventory, plan=plan, today=today), theme))
