"""fleetplan simulate: a rollout rolled forward, with failures."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit, format_option, refusals, show, tell
from fleetplan.cli.exits import Exit
from fleetplan.cli.progress import watched
from fleetplan.follow.chance import Chances
from fleetplan.output.simulate import simulated_json
from fleetplan.output.views.refusal import infeasible_document, refuted_document
from fleetplan.output.views.simulate import simulated_document
from fleetplan.rollout.plan import Infeasible

SHARE = click.FloatRange(0, 1)


@click.command("simulate")
@INVENTORY
@click.argument("approved", metavar="[PLAN]", required=False, type=click.Path(path_type=Path))
@click.option("--seed", type=int, default=0, show_default=True, help="What goes wrong is drawn from this number, and from nothing else.")
@click.option("--fail-move", type=SHARE, default=0.0, show_default=True, help="The share of attempts at a migration that fail.")
@click.option("--fail-host", type=SHARE, default=0.0, show_default=True, help="The share of hosts that do not come back from their reboot.")
@click.option("--churn", type=SHARE, default=0.0, show_default=True, help="The share of guests that go, and that come, after each wave.")
@format_option("text", "json")
@AS_OF
@refusals
def command(
    inventory: Path, approved: Path | None, seed: int, fail_move: float, fail_host: float, churn: float, form: str, today: date
) -> Exit:
    """Roll PLAN (without it: the plan that `fleetplan plan` makes) forward from the state in INVENTORY, to its end.

    Every wave is what `fleetplan next` gives, as if windows were always open; failures go by policy's `on_failure`, and held hosts are
    released when nothing else can go.

    Exit code 0 when every living host ends on the target, 3 when no further wave can go, 1 when it ends otherwise.
    """
    chances = Chances(seed=seed, fail_move=fail_move, fail_host=fail_host, churn=churn)
    with watched() as progress:
        subject = workflow.study(inventory, today, progress)
        plan = workflow.plan_file(subject, approved) if approved is not None else None
        if plan is not None and plan.target != subject.fleet.target:
            told = f"PLAN leads to {plan.target}, and the inventory's target is {subject.fleet.target}"
            raise click.UsageError(told)
        result = workflow.simulate(subject, chances, plan)
    if isinstance(result, workflow.Planned):
        return _no_plan(result)
    if form == "json":
        emit(simulated_json(result))
    else:
        show(simulated_document(result))
    if result.end.violations:
        return Exit.REFUTED
    if result.end.refused:
        return Exit.NO_PLAN
    return Exit.CLEAN if result.end.reached else Exit.FINDINGS


def _no_plan(planned: workflow.Planned) -> Exit:
    """There is no plan that could be rolled forward."""
    if isinstance(planned.outcome, Infeasible):
        tell(infeasible_document(planned.outcome))
        return Exit.NO_PLAN
    tell(refuted_document(planned.violations))
    return Exit.REFUTED
