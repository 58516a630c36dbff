"""fleetplan check: what is wrong, missing or assumed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit, format_option, show
from fleetplan.cli.exits import Exit
from fleetplan.findings.finding import Severity
from fleetplan.output.findings_formats import FORMATS, Checked


@click.command("check")
@INVENTORY
@format_option("text", *FORMATS)
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
    _print(Checked(findings=found, fail_on=Severity(fail_on), inventory=str(inventory), as_of=today.isoformat()), form)
    return code


def _print(checked: Checked, form: str) -> None:
    if form in FORMATS:
        emit(FORMATS[form](checked))
    else:
        from fleetplan.output.views.findings import findings_document  # noqa: PLC0415 - not needed for the others

        show(findings_document(checked.findings))
