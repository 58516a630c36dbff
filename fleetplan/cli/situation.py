"""From where and to where: the options of verbs that can begin from the state after a wave, and with another target."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fleetplan import workflow
from fleetplan.fleet.model import Release
from fleetplan.rollout.progress import Progress

if TYPE_CHECKING:
    from fleetplan.rollout.plan import Plan

F = TypeVar("F", bound=Callable[..., Any])


class ReleaseType(click.ParamType[Release]):
    """`KERNEL,VMM`."""

    name = "KERNEL,VMM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Release:
        """A release from its two names, with a comma between them."""
        from fleetplan.inventory.values import release_problem  # noqa: PLC0415 - seldom needed

        if isinstance(value, Release):
            return value
        kernel, comma, vmm = str(value).partition(",")
        if not comma:
            self.fail(f"`{value}` is no release: it takes a kernel, a comma and a VMM, such as `6.12.117,qemu-11.1.3`", param, ctx)
        problem = release_problem(kernel.strip(), vmm.strip())
        if problem is not None:
            self.fail(f"`{value}`: {problem}", param, ctx)
        return Release(kernel.strip(), vmm.strip())


def situation(verb: F) -> F:
    """`--target`, `--previous` and `--state-after`."""
    options = (
        click.option("--target", type=ReleaseType(), help="Roll out this release, not the one that the inventory names."),
        click.option("--previous", type=click.Path(path_type=Path), help="A plan file: the plan that was followed so far."),
        click.option("--state-after", "wave", type=click.IntRange(min=0), help="Begin after this wave of the previous plan."),
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


def situated(
    inventory: Path, today: date, target: Release | None, previous: Path | None, wave: int | None, progress: Progress | None = None
) -> tuple[workflow.Study, Plan | None]:
    """The fleet as it is in that situation; and the previous plan, where there is one."""
    subject, plan = standing(inventory, today, target, previous, wave, progress)
    return (subject if wave is None or target is not None else workflow.continued(subject, wave)), plan


def standing(
    inventory: Path, today: date, target: Release | None, previous: Path | None, wave: int | None, progress: Progress | None = None
) -> tuple[workflow.Study, Plan | None]:
    """The same, with gates counted by the waves of the whole rollout: for plans that are one wave of it."""
    if wave is not None and previous is None:
        raise click.UsageError("--state-after is about the waves of a plan: name it with --previous")
    subject = workflow.study(inventory, today, progress)
    plan = workflow.plan_file(subject, previous) if previous is not None else None
    if plan is not None and wave is not None:
        subject = after(subject, plan, wave)
    if target is not None:
        subject = workflow.retargeted(subject, target)
    return subject, plan


def after(subject: workflow.Study, plan: Plan, wave: int) -> workflow.Study:
    """The fleet after a wave of a plan."""
    try:
        return workflow.after_wave(subject, plan, wave)
    except workflow.NoSuchWaveError as wrong:
        told = f"--state-after {wrong.wave}: the waves of this plan are 1 to {wrong.last}, and 0 is the state before it"
        raise click.UsageError(told) from wrong
