"""fleetplan plan: the main job."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit, emit_all, format_option, refusals, show, tell
from fleetplan.cli.exits import Exit
from fleetplan.cli.output_file import kept_for_us, write
from fleetplan.cli.progress import watched
from fleetplan.cli.situation import situated, situation
from fleetplan.cli.week import WeekTimeType
from fleetplan.fleet.model import Release
from fleetplan.inventory.cells import is_folder_of_cells
from fleetplan.inventory.plan_text import plan_pieces
from fleetplan.output.json_text import harmless
from fleetplan.output.views.plan import kept_document, plan_document
from fleetplan.output.views.refusal import infeasible_document, refuted_document
from fleetplan.planner.aims import Aims, Effort
from fleetplan.rollout.plan import Infeasible, Plan
from fleetplan.rollout.progress import announce

NOT_EXACT = {
    "missing": "--optimal needs the solver: pip install 'fleetplan[optimal]'",
    "large": "--optimal is for small fleets (some hundred guests in a pool of tens of hosts); this one is too large for it",
}


@click.command("plan")
@INVENTORY
@situation
@click.option("--compare", is_flag=True, help="With --target: finish the rollout and begin again, or retarget now? Both, side by side.")
@click.option("--max-waves", type=click.IntRange(1), metavar="N", help="No more waves than this, if need be for more migrations.")
@click.option("--max-extra-moves", type=click.IntRange(0), metavar="N", help="Spend up to so many more migrations to end sooner.")
@click.option("--effort", type=click.Choice(["fast", "default", "best"]), default="default", show_default=True, help="How long to search.")
@click.option(
    "--start",
    "begins_min",
    type=WeekTimeType(),
    help="When in the week the plan is started, in UTC, such as 'Tue 22:00': steps that wait for a window of policy wait from there. "
    "Default: the first opening of a window in the week, counted from Monday.",
)
@format_option("text", "json")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Also write the plan, as JSON, to this file.")
@click.option(
    "--optimal",
    "optimal_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Small fleets: also look for a better plan, and for proof that none is, with a solver (extra `optimal`). The seconds are the "
    "solver's own, of work done and not of time passed, so that everybody gets the same plan; on a slow machine they take longer.",
)
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="A folder of cells: plan so many at once (default: one per CPU).")
@click.option("--scheduler", metavar="ADDRESS", help="A folder of cells: plan them on the workers of this Dask cluster (extra `scale`).")
@AS_OF
@refusals
def command(
    inventory: Path,
    target: Release | None,
    previous: Path | None,
    wave: int | None,
    compare: bool,
    max_waves: int | None,
    max_extra_moves: int | None,
    effort: str,
    begins_min: int | None,
    form: str,
    output: Path | None,
    optimal_s: float | None,
    jobs: int | None,
    scheduler: str | None,
    today: date,
) -> Exit:
    """Make a plan for INVENTORY (a file, or a folder), and have it judged before it is shown.

    With --previous it follows an earlier plan to the same target as far as that still holds; with --state-after as well it begins from the
    state after a wave of that plan. With --target it leads to another release, such as the old one.

    A folder with `cells.yaml` is one of cells: each of its inventories is planned for itself, and all together keep the
    limits in that file.
    """
    if is_folder_of_cells(inventory):
        if compare or target or previous or max_waves or max_extra_moves or optimal_s or effort != "default":
            told = "a folder of cells takes --jobs, --scheduler, --format, -o and --as-of alone; plan a cell for itself with the others"
            raise click.UsageError(told)
        from fleetplan.cli.cells import plan_folder  # noqa: PLC0415 - seldom needed

        return plan_folder(inventory, today, jobs, scheduler, output, form)
    if jobs or scheduler:
        told = "--jobs and --scheduler are for a folder of cells, which has `cells.yaml` at its top"
        raise click.UsageError(told)
    if compare:
        if target is None or output is not None or optimal_s is not None or begins_min is not None:
            told = "--compare goes with --target, the release that has arrived meanwhile, and without -o, --optimal and --start"
            raise click.UsageError(told)
        return _compare(inventory, today, previous, wave, target, form)
    aims = Aims(max_waves=max_waves, max_extra_moves=max_extra_moves, effort=Effort(effort))
    with kept_for_us(output) as draft, watched() as progress:
        subject, before = situated(inventory, today, target, previous, wave, progress)
        if before is not None and before.target != subject.fleet.target:
            before = None
        planned = _planned(subject, optimal_s, before, aims, begins_min)
        if draft is not None and not planned.violations:
            announce(progress, "write")
            write(draft, plan_pieces(planned.outcome))
    if planned.violations:
        tell(refuted_document(planned.violations))
        return Exit.REFUTED
    if before is not None and not isinstance(planned.outcome, Infeasible):
        tell(kept_document(*workflow.kept(subject, before, planned.outcome)))
    _print(subject, planned.outcome, form)
    return Exit.NO_PLAN if isinstance(planned.outcome, Infeasible) else Exit.CLEAN


def _planned(subject: workflow.Study, optimal_s: float | None, before: Plan | None, aims: Aims, begins_min: int | None) -> workflow.Planned:
    if begins_min is not None and not subject.fleet.policy.windows:
        raise click.UsageError("--start says from where in the week a plan waits for `policy.windows`, and this inventory has none")
    if before is not None and optimal_s is not None:
        raise click.UsageError("--optimal looks for other plans, and --previous follows one: take one of them")
    try:
        return workflow.make_plan(subject, optimal_s, before, aims, begins_min)
    except workflow.NotExactError as refused:
        raise click.UsageError(NOT_EXACT[refused.why]) from refused


def _print(subject: workflow.Study, outcome: Plan | Infeasible, form: str) -> None:
    if form == "json":
        emit_all(map(harmless, plan_pieces(outcome)))
    elif isinstance(outcome, Infeasible):
        show(infeasible_document(outcome))
    else:
        show(plan_document(outcome, workflow.move_reasons(subject, outcome), workflow.critical_path(subject, outcome)))


def _compare(inventory: Path, today: date, previous: Path | None, wave: int | None, newer: Release, form: str) -> Exit:
    with watched() as progress:
        subject, _ = situated(inventory, today, None, previous, wave, progress)
        courses = workflow.compare_courses(subject, newer)
    if form == "json":
        from fleetplan.output.courses import courses_json  # noqa: PLC0415 - one of the two is needed

        emit(courses_json(courses))
    else:
        from fleetplan.output.views.courses import courses_document  # noqa: PLC0415 - as above

        show(courses_document(courses))
    return Exit.CLEAN if any(course.added is not None for course in courses) else Exit.NO_PLAN
