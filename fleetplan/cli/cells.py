"""`fleetplan plan` for a folder of cells."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from fleetplan.cells import Outcome, pieces, plan_cells
from fleetplan.cli.console import emit_all, show, tell
from fleetplan.cli.exits import Exit
from fleetplan.cli.output_file import kept_for_us, write
from fleetplan.cli.progress import watched
from fleetplan.cli.workers import cluster, processes, usual_jobs
from fleetplan.output.views.cells import cells_document, exhausted_document, refused_cells_document
from fleetplan.output.views.refusal import refuted_document
from fleetplan.rollout.progress import announce


def plan_folder(folder: Path, today: date, jobs: int | None, scheduler: str | None, output: Path | None, form: str) -> Exit:
    """Plan every cell, time all together, show the rollout."""
    with kept_for_us(output) as draft, watched() as progress:
        with processes(jobs or usual_jobs()) as here:
            if scheduler is None:
                outcome = plan_cells(folder, today, here, here, progress)
            else:
                with cluster(scheduler) as there:
                    outcome = plan_cells(folder, today, here, there, progress)
        if draft is not None and outcome.cells and not outcome.violations:
            announce(progress, "write")
            write(draft, pieces(outcome))
    return _show(outcome, form)


def _show(outcome: Outcome, form: str) -> Exit:
    if outcome.violations:
        tell(refuted_document(outcome.violations))
        return Exit.REFUTED
    if outcome.exhausted is not None:
        tell(exhausted_document(outcome.exhausted))
        return Exit.NO_PLAN
    if outcome.refused:
        tell(refused_cells_document(outcome.refused))
        return Exit.NO_PLAN
    if form == "json":
        emit_all(pieces(outcome))
    else:
        show(cells_document(outcome.cells, outcome.budget))
    return Exit.CLEAN
