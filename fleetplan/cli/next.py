"""fleetplan next: one wave, from the state that is."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import assert_never

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit, emit_all, format_option, refusals, show, tell
from fleetplan.cli.exits import Exit
from fleetplan.cli.output_file import kept_for_us, write
from fleetplan.cli.progress import watched
from fleetplan.cli.situation import after
from fleetplan.follow.next import Finished, NextWave, NoWave, Refuted
from fleetplan.inventory.plan_text import plan_pieces
from fleetplan.output.json_text import harmless
from fleetplan.output.next import finished_json, no_wave_json
from fleetplan.output.views.next import finished_document, no_wave_document
from fleetplan.output.views.plan import plan_document
from fleetplan.output.views.refusal import refuted_document
from fleetplan.rollout.plan import Plan


@click.command("next")
@INVENTORY
@click.argument("approved", metavar="PLAN", type=click.Path(path_type=Path))
@click.option("--state-after", "wave", type=click.IntRange(min=0), help="As if the waves of PLAN up to this one had just gone as planned.")
@format_option("text", "json")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Also write the wave, as a plan of its own, to this file.")
@AS_OF
@refusals
def command(inventory: Path, approved: Path, wave: int | None, form: str, output: Path | None, today: date) -> Exit:
    """Make the next wave of PLAN, which was approved, from the state in INVENTORY.

    What was approved is kept: the order of hosts, PSCI pins, restarts, answers for losses, gates and the target. Landings are worked out
    anew. A host that would need more than was approved waits, and the others go on; exit code 3 if none can go.
    """
    with kept_for_us(output) as draft, watched() as progress:
        subject = workflow.study(inventory, today, progress)
        plan = workflow.plan_file(subject, approved)
        if wave is not None:
            subject = after(subject, plan, wave)
        outcome = workflow.next_wave(subject, plan)
        if isinstance(outcome, NextWave) and draft is not None:
            write(draft, plan_pieces(outcome.plan))
    match outcome:
        case NextWave():
            _show_wave(subject, outcome.plan, form)
            return Exit.CLEAN
        case Finished():
            emit(finished_json(outcome)) if form == "json" else show(finished_document(outcome))
            return Exit.CLEAN
        case NoWave():
            emit(no_wave_json(outcome)) if form == "json" else show(no_wave_document(outcome))
            return Exit.NO_PLAN
        case Refuted():
            tell(refuted_document(outcome.violations))
            return Exit.REFUTED
        case _:
            assert_never(outcome)


def _show_wave(subject: workflow.Study, plan: Plan, form: str) -> None:
    if form == "json":
        emit_all(map(harmless, plan_pieces(plan)))
    else:
        show(plan_document(plan, workflow.move_reasons(subject, plan), workflow.critical_path(subject, plan)))
