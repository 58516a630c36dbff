"""fleetplan status: where a rollout stands."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit, format_option, refusals, show
from fleetplan.cli.exits import Exit
from fleetplan.cli.output_file import kept_for_us, write
from fleetplan.cli.progress import watched
from fleetplan.cli.situation import after
from fleetplan.follow.rest import RolloutStatus
from fleetplan.inventory.output_file import Draft
from fleetplan.output.status import status_json, status_metrics
from fleetplan.output.text import render
from fleetplan.output.views.status import status_document


@click.command("status")
@INVENTORY
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--state-after", "wave", type=click.IntRange(min=0), help="As if the waves of PLAN up to this one had just gone as planned.")
@format_option("text", "json", "prometheus")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it to this file, whole or not at all, and print nothing.")
@AS_OF
@refusals
def command(inventory: Path, plan: Path, wave: int | None, form: str, output: Path | None, today: date) -> Exit:
    """Say where the rollout of PLAN stands in the state of INVENTORY: done, under way and to come, what deviates, the time left.

    Every state that the plan passes through is accepted, in whatever order its steps were taken. From any other the differences are listed;
    exit code 4, as where the judge finds that the rest is not safe any more. `--format prometheus` is for the node exporter's textfile
    collector.
    """
    with kept_for_us(output) as draft:
        with watched() as progress:
            subject = workflow.study(inventory, today, progress)
            followed = workflow.plan_alone(plan)
            if wave is not None:
                subject = after(subject, followed, wave)
            standing = workflow.status(subject, followed)
        _print(standing, form, draft)
    return Exit.CLEAN if standing.where.on_the_way and standing.rest.safe else Exit.REFUTED


def _print(standing: RolloutStatus, form: str, draft: Draft | None) -> None:
    if draft is None and form == "text":
        show(status_document(standing))
        return
    match form:
        case "json":
            data = status_json(standing)
        case "prometheus":
            data = status_metrics(standing).encode()
        case _:
            data = render(status_document(standing)).encode()
    if draft is None:
        emit(data)
    else:
        write(draft, (data,))
