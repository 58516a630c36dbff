"""fleetplan audit: who is exposed, now and over a rollout."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit, emit_all, format_option, refusals, show
from fleetplan.cli.exits import Exit
from fleetplan.cli.progress import watched

if TYPE_CHECKING:
    from fleetplan.rollout.plan import Plan

END = -1
"""Stands for the last wave of the plan."""


class MomentType(click.ParamType[int]):
    """`now`, `end`, or `after wave 3`: the number of the wave, 0 for now, END for the last."""

    name = "MOMENT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of the wave."""
        if isinstance(value, int):
            return value
        words = " ".join(str(value).lower().split())
        if words in {"now", "end"}:
            return 0 if words == "now" else END
        found = re.fullmatch(r"(?:after )?(?:wave )?([0-9]{1,9})", words)
        if found is None:
            self.fail(f"`{value}` is no moment: it takes `now`, `end`, or a wave, such as `after wave 3`", param, ctx)
        return int(found[1])


@click.command("audit")
@INVENTORY
@click.option("--plan", "plan_path", type=click.Path(path_type=Path), help="A plan file: also tell of its waves.")
@click.option("--at", "at", type=MomentType(), default=0, show_default="now", help="When: now, end, or `after wave 3` of the plan.")
@click.option("--timeline", "course", is_flag=True, help="With --format csv: figures of every wave, not guests.")
@format_option("text", "json", "csv", "svg")
@AS_OF
@refusals
def command(inventory: Path, plan_path: Path | None, at: int, course: bool, form: str, today: date) -> Exit:
    """Say which guests of INVENTORY are exposed to Spectre v2, v4 or BHB, why, and which restart heals that.

    With --plan also after each wave. CSV has a row for each guest, or with --timeline for each wave; SVG draws the timeline.
    """
    if plan_path is None and (at or course or form == "svg"):
        raise click.UsageError("--at, --timeline and --format svg are about the waves of a plan: name it with --plan")
    if course and form != "csv":
        raise click.UsageError("--timeline goes with --format csv; text and JSON have the timeline anyway")
    with watched() as progress:
        subject = workflow.study(inventory, today, progress)
        plan = workflow.plan_file(subject, plan_path) if plan_path is not None else None
        wave = len(plan.waves) if plan is not None and at == END else at
        found = _audited(subject, plan, wave)
    _print(found, plan, wave, form, course=course)
    return Exit.CLEAN


def _audited(subject: workflow.Study, plan: Plan | None, wave: int) -> workflow.Audited:
    try:
        return workflow.audit(subject, plan, wave)
    except workflow.NoSuchWaveError as wrong:
        told = f"--at `after wave {wrong.wave}`: the waves of this plan are 1 to {wrong.last}"
        raise click.UsageError(told) from wrong


def _print(found: workflow.Audited, plan: Plan | None, wave: int, form: str, *, course: bool) -> None:
    fleet, classes = found.subject.fleet, found.subject.classes
    if form == "text":
        from fleetplan.output.views.audit import audit_document  # noqa: PLC0415 - one of the four is needed

        last = plan is not None and wave == len(plan.waves)
        when = "now" if not wave else f"after wave {wave}{', the last' if last else ''}"
        show(audit_document(found.audit, fleet, classes, when, found.moments))
    elif form == "svg":
        from fleetplan.output.exposure_chart import exposure_svg  # noqa: PLC0415 - as above

        emit(exposure_svg(found.moments, f"Exposed guests on the way to {fleet.target}").encode())
    elif form == "json":
        from fleetplan.output.audit_data import audit_json  # noqa: PLC0415 - as above

        emit(audit_json(found.audit, fleet, classes, wave, found.moments))
    else:
        from fleetplan.output.audit_data import guest_rows, timeline_rows  # noqa: PLC0415 - as above
        from fleetplan.output.csv import csv_pieces  # noqa: PLC0415 - as above

        emit_all(csv_pieces(timeline_rows(found.moments) if course else guest_rows(found.audit, fleet, classes)))
