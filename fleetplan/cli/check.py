"""fleetplan check: what is wrong, missing or assumed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit, format_option, show
from fleetplan.cli.exits import Exit
from fleetplan.findings.finding import Finding, Severity


@click.command("check")
@INVENTORY
@format_option("text", "json")
@click.option(
    "--fail-on",
    type=click.Choice([severity.value for severity in Severity]),
    default=Severity.ERROR.value,
    show_default=True,
    help="Exit with 1 on findings as bad as this, or worse.",
)
@AS_OF
def command(inventory: Path, form: str, fail_on: str, today: date) -> Exit:
    """Say what is wrong, missing or assumed in INVENTORY (a file, or a folder)."""
    try:
        found = workflow.check(workflow.study(inventory, today))
        code = Exit.FINDINGS if workflow.reaches(found, Severity(fail_on)) else Exit.CLEAN
    except workflow.InputRefusedError as refused:
        found, code = refused.findings, Exit.USAGE
    _print(found, form)
    return code


def _print(found: tuple[Finding, ...], form: str) -> None:
    if form == "json":
        from fleetplan.output.json import findings_json  # noqa: PLC0415 - one of the two is needed

        emit(findings_json(found))
    else:
        from fleetplan.output.views.findings import findings_document  # noqa: PLC0415 - as above

        show(findings_document(found))
