"""fleetplan graph: the state graph, the host graph, the step graph."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit, format_option, refusals, show
from fleetplan.cli.exits import Exit
from fleetplan.cli.progress import watched
from fleetplan.output.graphs import Drawing, as_dot, as_json, as_mermaid
from fleetplan.output.views.graph import graph_document


@click.command("graph")
@click.argument("kind", type=click.Choice(["states", "hosts", "steps"]))
@INVENTORY
@format_option("text", "json", "dot", "mermaid")
@AS_OF
@refusals
def command(kind: Literal["states", "hosts", "steps"], inventory: Path, form: str, today: date) -> Exit:
    """Show one of the three graphs of INVENTORY.

    `states`: what guests can become by migration and cold boot. `hosts`: which host's guests land where, in the plan. `steps`: the
    plan's steps and what each waits for.
    """
    with watched() as progress:
        drawing = workflow.drawing(workflow.study(inventory, today, progress), kind)
    if drawing is None:
        click.echo("fleetplan: there is no plan, so there is no such graph; `fleetplan plan` says why", err=True)
        return Exit.NO_PLAN
    _print(drawing, form)
    return Exit.CLEAN


def _print(drawing: Drawing, form: str) -> None:
    match form:
        case "json":
            emit(as_json(drawing))
        case "dot":
            emit(as_dot(drawing).encode())
        case "mermaid":
            emit(as_mermaid(drawing).encode())
        case _:
            show(graph_document(drawing))
