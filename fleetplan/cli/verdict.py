"""fleetplan verdict: one move, or the matrix of all classes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit, format_option, refusals, show
from fleetplan.cli.exits import Exit


@click.command("verdict")
@INVENTORY
@click.argument("guest", required=False)
@click.argument("destination", required=False)
@click.option("--matrix", is_flag=True, help="Judge every class of guests against every class of hosts, now and at the target.")
@click.option("--upgraded", is_flag=True, help="As if the destination already ran the target release.")
@format_option("text", "json", "dot", "mermaid")
@AS_OF
@refusals
def command(inventory: Path, guest: str | None, destination: str | None, matrix: bool, upgraded: bool, form: str, today: date) -> Exit:
    """Judge the migration of GUEST, from the host it is on, to the host DESTINATION; or, with --matrix, all moves there are."""
    if matrix:
        if guest is not None or upgraded:
            raise click.UsageError("--matrix judges all classes, now and at the target: it goes with no GUEST, DESTINATION or --upgraded")
        _print_matrix(workflow.study(inventory, today), form)
        return Exit.CLEAN
    if guest is None or destination is None:
        raise click.UsageError("name one move by GUEST and DESTINATION, or ask for all moves with --matrix")
    if form not in {"text", "json"}:
        raise click.UsageError("--format dot and mermaid draw the matrix: they go with --matrix")
    _print_move(workflow.study(inventory, today), guest, destination, form, upgraded=upgraded)
    return Exit.CLEAN


def _print_matrix(subject: workflow.Study, form: str) -> None:
    found = workflow.verdict_matrix(subject)
    if form == "json":
        from fleetplan.output.matrix_json import matrix_json  # noqa: PLC0415 - one of the three is needed

        emit(matrix_json(found, subject.fleet, subject.classes))
    elif form == "text":
        from fleetplan.output.views.matrix import matrix_document  # noqa: PLC0415 - as above

        show(matrix_document(found, subject.fleet, subject.classes))
    else:
        from fleetplan.output.drawings import matrix_drawing  # noqa: PLC0415 - as above
        from fleetplan.output.graphs import as_dot, as_mermaid  # noqa: PLC0415 - as above

        drawing = matrix_drawing(found, subject.fleet, subject.classes)
        emit((as_dot(drawing) if form == "dot" else as_mermaid(drawing)).encode())


def _print_move(subject: workflow.Study, guest: str, destination: str, form: str, *, upgraded: bool) -> None:
    told = workflow.verdict(subject, guest, destination, upgraded=upgraded)
    if form == "json":
        from fleetplan.output.json import judgment_json  # noqa: PLC0415 - one of the two is needed

        emit(judgment_json(told))
    else:
        from fleetplan.output.views.verdict import judgment_document  # noqa: PLC0415 - as above

        show(judgment_document(told, workflow.waiver_expires(subject)))
