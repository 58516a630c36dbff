"""Plan files: the JSON that automation reads."""

from __future__ import annotations

from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path

import msgspec

from fleetplan.findings import inventory_rules as rules
from fleetplan.findings.finding import Finding
from fleetplan.fleet.model import Fleet
from fleetplan.fleet.source import Location
from fleetplan.rollout.plan import Plan, PlanStatus, StepKind

VERSION = 1
LARGE = 1 << 22
"""Plan files of more bytes than this are read into columns."""


class _Head(msgspec.Struct):
    """What must be known of a plan file before the rest is read."""

    version: int
    status: str


class _Kind(msgspec.Struct):
    """What tells plan files from inventories."""

    fleetplan: object = None
    status: object = None


def is_plan(path: Path) -> bool:
    """Whether a file is written as plans are: JSON with a `status`, and not an inventory. Of what cannot be read: no."""
    try:
        found = msgspec.json.decode(_contents(path), type=_Kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return found.status is not None and found.fleetplan is None


def read_plan(path: Path, fleet: Fleet | None = None) -> Plan | tuple[Finding, ...]:
    """The plan in a file, or the findings that say why it is none.

    With the fleet that it may be for, a large plan is read into columns; one that says what they cannot is made of records all the same.
    """
    try:
        data = _contents(path)
        head = msgspec.json.decode(data, type=_Head)
        if head.version != VERSION:
            return _no_plan(path, f"it is of version {head.version}, and this fleetplan reads version {VERSION}")
        if head.status == PlanStatus.INFEASIBLE:
            return _no_plan(path, "it says why there is no plan (status INFEASIBLE)")
        return _decoded(data, fleet)
    except OSError as problem:
        facts = {"path": str(path), "problem": problem.strerror or str(problem)}
        return (Finding(rule=rules.UNREADABLE.id, subject=str(path), at=Location(str(path)), facts=facts),)
    except msgspec.DecodeError as problem:
        return _no_plan(path, str(problem))
    except UnicodeDecodeError:
        return _no_plan(path, "it is not UTF-8")
    except RecursionError:
        return _no_plan(path, "it is nested too deeply")


def read_whole(path: Path) -> Plan | tuple[Finding, ...]:
    """The plan in a file, for whom no judge looks at it: what its steps name must be there, so that it can be told. O(steps + edges)."""
    plan = read_plan(path)
    problem = next(_loose_ends(plan), None) if isinstance(plan, Plan) else None
    return plan if problem is None else _no_plan(path, problem)


def _loose_ends(plan: Plan) -> Iterator[str]:
    steps = [step for wave in plan.waves for step in wave.steps]
    ids = {step.id for step in steps}
    if len(ids) < len(steps):
        yield "an id of a step is there twice"
    for step in steps:
        if not ids.issuperset(step.after):
            yield f"step `{step.id}` waits for a step that is not there"
        if step.guest is not None and step.guest not in plan.placement:
            yield f"step `{step.id}` is about a guest that has no place in `placement`"
        if step.kind is StepKind.MIGRATE and None in (step.guest, step.source, step.destination):
            yield f"step `{step.id}` does not say who moves, from where and where to"
        elif step.kind not in (StepKind.MIGRATE, StepKind.GATE) and step.host is None:
            yield f"step `{step.id}` names no host"


def _decoded(data: bytes | mmap, fleet: Fleet | None) -> Plan:
    if fleet is not None and len(data) > LARGE:
        from fleetplan.inventory.plan_columns import read_columns  # noqa: PLC0415 - numpy only for who reads large plans

        plan = read_columns(data, fleet)
        if plan is not None:
            return plan
    return msgspec.json.decode(data, type=Plan)


def _contents(path: Path) -> bytes | mmap:
    """What is in a file; a large one is mapped, so that the system may take back what has been read.

    The map is closed when the last value that was decoded from it is gone (an error in flight may hold some).
    """
    with path.open("rb") as stream:
        if path.is_file() and path.stat().st_size > LARGE:
            return mmap(stream.fileno(), 0, access=ACCESS_READ)
        return stream.read()


def _no_plan(path: Path, problem: str) -> tuple[Finding, ...]:
    facts = {"path": str(path), "problem": problem}
    return (Finding(rule=rules.NOT_A_PLAN.id, subject=str(path), at=Location(str(path)), facts=facts),)
