"""The verbs for a folder of cells: each cell is planned for itself, maybe on another machine, and all are timed and judged together here.

As in `workflow`, nothing here prints, and plans leave only after the judge has passed them: each with its cell, and all under the budgets
that span cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from fleetplan.findings.finding import Finding
from fleetplan.fleet.model import Fleet
from fleetplan.fleet.policy import MaxUnavailable
from fleetplan.inventory.cells import cells_in, read_budget
from fleetplan.inventory.plan_text import encode_plan
from fleetplan.judge.cells import Cell, verify_cells
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.cells import Exhausted, Scheduled, Terms, pending, starts, terms, tightened
from fleetplan.planner.search import plan as make_plan
from fleetplan.rollout.invariants import Violation
from fleetplan.rollout.plan import Infeasible, Plan, PlanStatus, StepKind
from fleetplan.rollout.progress import Progress, announce
from fleetplan.workflow import InputRefusedError, study

Spread = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
"""Calls a function with each of some values, maybe elsewhere and at the same time; results come in the order of the values."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A cell to plan: its fleet under the limits of its share, and the digest of its inventory as it is."""

    name: str
    fleet: Fleet
    digest: str


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A cell that was planned, somewhere: the JSON of its plan, or of why there is none, and what the judge holds against it."""

    name: str
    plan: bytes
    violations: tuple[Violation, ...]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What planning came to. With `violations` (each with its cell, or none) nobody may use it; `refused` cells have no plan, and say why.

    `exhausted`: hosts that are unavailable already use up a budget.
    """

    budget: MaxUnavailable
    cells: tuple[Scheduled, ...] = ()
    refused: tuple[tuple[str, Infeasible], ...] = ()
    violations: tuple[Violation, ...] = ()
    exhausted: Exhausted | None = None


def plan_cells(folder: Path, today: date, read: Spread, spread: Spread, progress: Progress | None = None) -> Outcome:
    """Plan the cells of a folder under the budgets that span them. Raises InputRefusedError, CancelledError.

    `spread` does the planning, `read` the reading of inventories, which may lie on this machine alone.
    """
    budget = read_budget(folder)
    if isinstance(budget, tuple):
        raise InputRefusedError(budget)
    announce(progress, "load")
    jobs = _jobs(folder, today, read)
    divided = terms({job.name: job.fleet for job in jobs}, budget)
    if isinstance(divided, Exhausted):
        return Outcome(budget=budget, exhausted=divided)
    fleets, digests = {job.name: job.fleet for job in jobs}, {job.name: job.digest for job in jobs}
    narrow = [Job(name=each.name, fleet=tightened(fleets[each.name], each.limits), digest=digests[each.name]) for each in divided]
    made = []
    for each in spread(plan_cell, narrow):
        made.append(each)
        announce(progress, "cells", len(made), len(jobs))
    return _joined(budget, divided, narrow, made)


def _jobs(folder: Path, today: date, read: Spread) -> list[Job]:
    """The cells of a folder, in the order of their names."""
    found = list(read(_read_cell, [(path, today) for path in cells_in(folder)]))
    refused = tuple(finding for each in found if isinstance(each, tuple) for finding in each)
    if refused:
        raise InputRefusedError(refused)
    return sorted(found, key=lambda job: job.name)


def _read_cell(place: tuple[Path, date]) -> Job | tuple[Finding, ...]:
    path, today = place
    try:
        subject = study(path, today)
    except InputRefusedError as refused:
        return refused.findings
    return Job(name=path.name, fleet=subject.fleet, digest=subject.digest)


def plan_cell(job: Job) -> Made:
    """Plan one cell, and have the judge look at it. The same bytes wherever it runs."""
    classes = ClassTable(job.fleet)
    outcome = make_plan(job.fleet, classes, digest=job.digest)
    violations = verify(job.fleet, classes, outcome, digest=job.digest) if isinstance(outcome, Plan) else []
    return Made(name=job.name, plan=encode_plan(outcome), violations=tuple(violations))


class _Status(msgspec.Struct):
    status: PlanStatus


def _joined(budget: MaxUnavailable, divided: Sequence[Terms], jobs: Sequence[Job], made: Sequence[Made]) -> Outcome:
    """Time the plans together, and have the judge look at all of them."""
    refused = tuple((each.name, _refusal(each.plan)) for each in made if _is_refusal(each.plan))
    broken = tuple(violation for each in made for violation in each.violations)
    if refused or broken:
        return Outcome(budget=budget, refused=refused, violations=broken)
    plans = {each.name: msgspec.json.decode(each.plan, type=Plan) for each in made}
    work = {job.name: sum(pending(job.fleet, host) for host in job.fleet.hosts) for job in jobs}
    when = starts(divided, {name: plan.bounds.makespan_s.plan for name, plan in plans.items()}, work)
    cells = [
        Cell(name=job.name, fleet=job.fleet, plan=plans[job.name], starts_s=when[job.name][1], after=when[job.name][0]) for job in jobs
    ]
    violations = tuple(verify_cells(cells, budget))
    scheduled = (_scheduled(cell, each) for cell, each in zip(cells, made, strict=True))
    return Outcome(budget=budget, cells=tuple(sorted(scheduled, key=lambda cell: (cell.starts_s, cell.name))), violations=violations)


def _is_refusal(plan: bytes) -> bool:
    return msgspec.json.decode(plan, type=_Status).status is PlanStatus.INFEASIBLE


def _refusal(plan: bytes) -> Infeasible:
    return msgspec.json.decode(plan, type=Infeasible)


def _scheduled(cell: Cell, made: Made) -> Scheduled:
    return Scheduled(
        name=cell.name,
        after=cell.after,
        starts_s=cell.starts_s,
        ends_s=cell.starts_s + cell.plan.bounds.makespan_s.plan,
        max_unavailable=cell.fleet.policy.max_unavailable,
        hosts=sum(len(wave.hosts) for wave in cell.plan.waves),
        waves=len(cell.plan.waves),
        moves=sum(step.kind is StepKind.MIGRATE for wave in cell.plan.waves for step in wave.steps),
        plan=made.plan,
    )


def pieces(outcome: Outcome) -> Iterator[bytes]:
    """The rollout of all cells as JSON, piece by piece; the plan of each as it was made. Deterministic."""
    head = {"version": 1, "max_unavailable": outcome.budget}
    yield msgspec.json.encode(head)[:-1] + b',"cells":['
    for number, cell in enumerate(outcome.cells):
        told = {name: getattr(cell, name) for name in cell.__struct_fields__ if name != "plan"}
        yield (b",\n" if number else b"\n") + msgspec.json.encode(told)[:-1] + b',"plan":'
        yield cell.plan.rstrip()
        yield b"}"
    yield b"]}\n"
