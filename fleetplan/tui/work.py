"""What workers do: open an inventory, plan, and put what goes wrong into words."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import date
from pathlib import Path
from threading import Event

import msgspec

from fleetplan import workflow
from fleetplan.output.document import Document, Paragraph, Quote, Section, Tone
from fleetplan.tui.situation import Situation
from fleetplan.tui.whatif.change import WishError


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to look at: an inventory, and (None: one is made) the file of its plan. Waivers count as on `today`."""

    inventory: Path
    plan: Path | None = None
    today: date


class Watch:
    """The progress of a worker, told to the application, which may cancel it."""

    def __init__(self, tell: Callable[[str, int, int], None]) -> None:
        self._tell = tell
        self._over = Event()

    def report(self, stage: str, done: int, total: int) -> None:
        """So much of a stage is done."""
        self._tell(stage, done, total)

    def cancel(self) -> None:
        """Stop at the next report."""
        self._over.set()

    @property
    def cancelled(self) -> bool:
        """Whether the work is to stop."""
        return self._over.is_set()


def opened(request: Request, watch: Watch) -> Situation:
    """Read, plan (or read the plan), have it judged. Raises what `trouble` has words for."""
    study = workflow.study(request.inventory, request.today, watch)
    planned = workflow.make_plan(study) if request.plan is None else _of_file(study, request.plan)
    return Situation(
        name=request.inventory.name,
        study=study,
        outcome=planned.outcome,
        violations=planned.violations,
        plan_name=request.plan.name if request.plan is not None else "",
    ).prepare()


def _of_file(study: workflow.Study, path: Path) -> workflow.Planned:
    plan = workflow.plan_file(study, path)
    return workflow.Planned(outcome=plan, violations=workflow.verify_plan(study, plan))


def trouble(problem: BaseException) -> Document:
    """What went wrong, for people; whatever is not foreseen is our bug, and said to be so."""
    match problem:
        case workflow.InputRefusedError():
            from fleetplan.output.views.findings import findings_document  # noqa: PLC0415 - seldom needed

            return findings_document(problem.findings)
        case workflow.PlanRefusedError():
            from fleetplan.output.views.refusal import refuted_document  # noqa: PLC0415 - seldom needed

            return refuted_document(problem.violations)
        case WishError():
            return Document((Section("", (Paragraph(str(problem), Tone.BAD),)),))
        case OSError():
            return Document((Section("", (Paragraph(f"{problem.filename or 'a file'}: {problem.strerror or problem}", Tone.BAD),)),))
        case _:
            last = "".join(traceback.format_exception(problem)).splitlines()
            told = Paragraph("This is a bug in fleetplan; nothing was written. Please report these lines:", Tone.BAD)
            return Document((Section("", (told, Quote(tuple(last)))),))
